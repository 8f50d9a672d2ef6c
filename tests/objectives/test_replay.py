"""Good samples that are kept from step to step."""

import torch

from lilliput.objectives.replay import MOST, Replay


def test_only_samples_with_a_reward_are_kept_and_no_two_alike() -> None:
    replay = Replay()
    replay.add([1, 2], [[3, 4, 5, 0], [3, 4, 5, 0], [6, 7, 0], [8, 9, 0]], [1.0, 1.0, 0.0, 0.7])
    torch.manual_seed(1)
    assert sorted(replay.draw([1, 2], 10)) == [[3, 4, 5, 0], [8, 9, 0]]
    assert replay.draw([2, 1], 10) == []
    assert len(replay.draw([1, 2], 1)) == 1


def test_the_best_stay_when_there_are_too_many() -> None:
    replay = Replay()
    rows = [[number, number + 1000, 0] for number in range(1, MOST + 11)]
    replay.add([1], rows, [float(number) for number in range(1, MOST + 11)])
    kept = replay.draw([1], 1000)
    assert len(kept) == MOST
    assert rows[9] not in kept
    assert rows[10] in kept


def test_the_state_holds_all_samples() -> None:
    replay = Replay()
    assert replay.state() == {}
    replay.add([1, 2], [[3, 0], [4, 5, 0]], [1.0, 0.7])
    replay.add([7, 8], [[9, 0]], [0.1])
    again = Replay.from_state(replay.state())
    assert again.state().keys() == replay.state().keys()
    assert all(torch.equal(again.state()[name], value) for name, value in replay.state().items())
    torch.manual_seed(3)
    drawn = replay.draw([1, 2], 2)
    torch.manual_seed(3)
    assert again.draw([1, 2], 2) == drawn
