"""Bad steps are detected, rolled back and replaced; and running out of memory."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.errors import RunError
from lilliput.models import Model
from lilliput.objectives.next_token import next_token
from lilliput.runs.checkpoint import newest_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.training import session
from lilliput.training.events import Evaluated, Note, Stepped
from lilliput.training.gradient import step_seed
from lilliput.training.loss_spike import ROLLBACKS, STAYS, WARM, WORSE_STAYS, SpikeDetector
from lilliput.training.session import ELSEWHERE
from tests.training.building import Scripted, finished, recipe, run, stop_after


def detector_after(losses: list[float]) -> tuple[SpikeDetector, list[str | None]]:
    detector = SpikeDetector()
    return detector, [detector.check(loss, 1.0) for loss in losses]


def noisy(steps: int, noise: float = 0.3) -> list[float]:
    """Losses that fall from 6 to 2, with noise."""
    draw = np.random.default_rng(0)
    return [2 + 4 * math.exp(-step / 20) + noise * float(draw.standard_normal()) for step in range(steps)]


def test_noise_and_falling_losses_are_no_spike():
    _, reasons = detector_after(noisy(2000))
    assert not any(reasons)


@pytest.mark.parametrize(
    ("loss", "norm", "expected"),
    [
        (math.nan, 1.0, "the training loss became nan"),
        (math.inf, 1.0, "the training loss became inf"),
        (2.0, math.inf, "the gradient's norm became inf"),
        (2.0, math.nan, "the gradient's norm became nan"),
    ],
)
def test_a_loss_or_norm_that_is_not_finite_is_detected(loss, norm, expected):
    detector, _ = detector_after(noisy(200))
    before = (detector.seen, detector.mean, detector.deviation)
    assert (detector.check(loss, norm) or "").startswith(expected)
    assert (detector.seen, detector.mean, detector.deviation) == before
    assert detector.check(2.1, 1.0) is None


def test_an_infinite_norm_is_left_to_the_loss_scaler():
    assert SpikeDetector().check(2.0, None) is None


def test_a_lasting_spike_is_detected_and_a_single_odd_batch_is_ignored():
    detector, _ = detector_after(noisy(200))
    before = (detector.seen, detector.mean, detector.deviation)
    for losses in ([9.0], [9.0, 30.0]):
        assert [detector.check(loss, 1.0) for loss in losses] == [None] * len(losses)
        assert detector.high == len(losses)
        assert (detector.seen, detector.mean, detector.deviation) == before
        assert detector.check(detector.mean, 1.0) is None
        assert detector.high == 0
        before = (detector.seen, detector.mean, detector.deviation)
    reasons = [detector.check(9.0, 1.0) for _ in range(STAYS)]
    assert reasons == [None] * (STAYS - 1) + [f"the training loss jumped from {detector.mean:.2f} to 9.00"]


def test_a_spike_is_not_detected_before_there_is_a_mean():
    detector, _ = detector_after([1.0] * (WARM - 1))
    assert detector.check(100.0, 1.0) is None
    assert detector.high == 0
    detector, _ = detector_after([1.0] * WARM)
    assert detector.check(100.0, 1.0) is None
    assert detector.high == 1


@pytest.mark.parametrize("first", [4.63, 5.2])
def test_a_loss_that_stays_above_its_first_value_or_guessing_is_detected_at_any_step(first):
    detector = SpikeDetector(uniform=4.63)
    worse = [first, first + 0.1, first + 0.2, *[13.3] * WORSE_STAYS]
    reasons = [detector.check(loss, 1.0) for loss in worse]
    assert not any(reasons[:-1])
    assert reasons[-1] == "the network's loss stays at 13.30, worse than at its first step or than guessing"
    # A loss that starts above guessing may stay there until it has been below once.
    detector = SpikeDetector(uniform=4.63)
    assert not any(detector.check(5.2, 1.0) for _ in range(100))
    assert not any(detector.check(loss, 1.0) for loss in noisy(100, 0.0))
    reasons = [detector.check(detector.mean + 0.1, 1.0) for _ in range(2000)]  # too slow for a spike
    assert any(reasons)
    assert detector.mean < 5.2


def test_a_loss_that_rises_briefly_or_does_not_fall_is_ignored():
    detector = SpikeDetector(uniform=4.63)
    assert not any(detector.check(loss, 1.0) for loss in [4.63, *[6.0] * (WORSE_STAYS - 1), 4.0])
    assert detector.doubtful == 0
    draw = np.random.default_rng(0)
    detector = SpikeDetector(uniform=4.63)
    assert not any(detector.check(4.63 + 0.05 * float(draw.standard_normal()), 1.0) for _ in range(2000))


def test_the_state_of_an_earlier_version_can_be_continued() -> None:
    detector = SpikeDetector.restored({"seen": 900, "mean": 1.5, "deviation": 0.1, "high": 0}, 100)
    assert detector.check(1.6, 1.0) is None
    assert detector.limit == math.log(100)


def spoil(monkeypatch: pytest.MonkeyPatch, is_bad, spoilt=math.nan) -> list[int]:
    """Spoil the loss of each call with `is_bad(number of the call)`; return the list of the batches of all calls."""
    seen: list[int] = []

    def objective(model: Model, batch: Batch) -> Tensor:
        seen.append(hash(batch.inputs_BT.numpy().tobytes()))
        return next_token(model, batch) * (spoilt if is_bad(len(seen) - 1, seen) else 1.0)

    monkeypatch.setattr(session, "build_objective", lambda settings: Scripted(objective))
    return seen


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_bad_step_is_rolled_back_and_its_batch_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spoil(monkeypatch, lambda call, seen: seen[call] == (seen[6] if call >= 6 else None))
    events = run(tmp_path / "run", recipe())
    assert finished(events).step == 12
    (note,) = [event.text for event in events if isinstance(event, Note) and "going back" in event.text]
    assert note.startswith("the training loss became nan at step 7: going back to step 4, with half the learning rate")
    # Steps 1 to 7, then 5 and 6 with the same batches, 7 with another one, and on to 12.
    assert seen[7:9] == seen[4:6]
    assert seen[9] != seen[6]
    assert len(seen) == 7 + 8
    taken = [event for event in events if isinstance(event, Stepped)]
    assert [event.step for event in taken] == [*range(1, 7), *range(5, 13)]
    assert math.isclose(taken[6].learning_rate, taken[4].learning_rate / 2)
    logged = rows(tmp_path / "run")
    assert [row["step"] for row in logged if "loss" in row] == list(range(1, 13))
    assert [row for row in logged if "loss_spike" in row] == [
        {"step": 4, "loss_spike": "the training loss became nan", "at_step": 7}
    ]
    checkpoint = newest_checkpoint(RunFolder(tmp_path / "run").checkpoints, print)
    assert checkpoint is not None
    assert checkpoint.progress.spikes == [7]


def test_a_spike_is_rolled_back_from_its_first_step_and_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Steps 39 to 41 are a spike; the evaluation due at step 40 waits until that is detected.
    spoil(monkeypatch, lambda call, seen: 38 <= call <= 40, spoilt=40.0)
    events = run(tmp_path / "run", recipe(**{"training.steps": 48, "training.evaluate_every": 10}))
    (note,) = [event.text for event in events if isinstance(event, Note) and "going back" in event.text]
    assert "at step 39: going back to step 30, with half the learning rate" in note
    assert finished(events).step == 48
    assert [event.step for event in events if isinstance(event, Evaluated)] == [10, 20, 30, 40, 48]


def test_an_odd_batch_only_delays_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda call, seen: call in (35, 39), spoilt=40.0)
    events = run(tmp_path / "run", recipe(**{"training.steps": 48, "training.evaluate_every": 10}))
    assert not any("going back" in event.text for event in events if isinstance(event, Note))
    assert [event.step for event in events if isinstance(event, Evaluated)] == [10, 20, 30, 41, 48]
    assert [row["step"] for row in rows(tmp_path / "run") if "loss_spike" in row] == []


def test_a_bad_step_before_the_first_checkpoint_restarts_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spoil(monkeypatch, lambda call, seen: call == 2)
    events = run(tmp_path / "run", recipe())
    assert finished(events).step == 12
    assert seen[3:5] == seen[:2]
    first, again = (event for event in events if isinstance(event, Stepped) and event.step == 1)
    assert torch.equal(first.loss, again.loss)


def test_a_continued_run_with_a_rollback_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, sessions in (("whole", [99]), ("parts", [8, 99])):
        with monkeypatch.context() as patch:
            spoil(patch, lambda call, seen: call == 5)
            for steps in sessions:
                run(tmp_path / name, recipe(), stop=stop_after(steps))
    whole, parts = (newest_checkpoint(RunFolder(tmp_path / name).checkpoints, print) for name in ("whole", "parts"))
    assert whole is not None
    assert parts is not None
    assert whole.progress.spikes == parts.progress.spikes == [6]
    assert whole.progress.spike_detector == parts.progress.spike_detector
    assert all(torch.equal(whole.weights[name], parts.weights[name]) for name in whole.weights)


def test_after_three_rollbacks_the_best_so_far_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, lambda call, seen: call >= 5)
    events = run(tmp_path / "run", recipe())
    last = finished(events)
    assert last.reason.startswith("stopped: the training loss became nan at step 5, after 3 rollbacks; for more, start")
    assert len([event for event in events if isinstance(event, Note) and "going back" in event.text]) == ROLLBACKS
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    assert last.best_step == evaluations[-1].best_step == 4
    assert last.evaluation is not None
    assert math.isclose(last.evaluation["windows"]["separate"]["loss"], evaluations[-1].validation_loss, abs_tol=1e-5)


def test_three_rollbacks_without_an_evaluation_are_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, lambda call, seen: call >= 1)
    with pytest.raises(RunError, match=r"became nan at step \d, after 3 rollbacks: .*smaller training.learning_rate"):
        run(tmp_path / "run", recipe())


def test_the_replacement_batch_has_another_dropout() -> None:
    assert step_seed(1, 5) != step_seed(1, 5 + ELSEWHERE)


GPU_FULL = torch.OutOfMemoryError("CUDA out of memory")
CPU_FULL = RuntimeError("[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory")


def no_memory_for(monkeypatch: pytest.MonkeyPatch, most: int, error: RuntimeError = GPU_FULL) -> None:
    def objective(model: Model, batch: Batch) -> Tensor:
        if len(batch.inputs_BT) > most:
            raise error
        return next_token(model, batch)

    monkeypatch.setattr(session, "build_objective", lambda settings: Scripted(objective))


@pytest.mark.parametrize(("batch", "most", "parts"), [(4, 2, 2), (4, 1, 4), (6, 1, 6), (6, 3, 2)])
def test_without_enough_memory_the_micro_batches_shrink(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, most: int, parts: int
) -> None:
    options = {"training.batch": batch, "model.dropout": 0.0}
    run(tmp_path / "plain", recipe(**options))
    no_memory_for(monkeypatch, most, CPU_FULL if most == 1 else GPU_FULL)
    events = run(tmp_path / "run", recipe(**options))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert f"out of memory: each step now takes {parts} micro-batches" in notes
    assert sum("memory" in note for note in notes) == 1
    losses = [[row["loss"] for row in rows(tmp_path / name) if "loss" in row] for name in ("plain", "run")]
    assert np.allclose(*losses, atol=1e-4)


def test_a_continued_run_keeps_the_size_of_the_micro_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_memory_for(monkeypatch, 2)
    run(tmp_path / "run", recipe(), stop=stop_after(5))
    events = run(tmp_path / "run", recipe())
    assert finished(events).step == 12
    assert not any("memory" in event.text for event in events if isinstance(event, Note))


def test_too_little_memory_for_one_row_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_memory_for(monkeypatch, 0)
    with pytest.raises(RunError, match=r"not even one row fits\. Lower data\.window"):
        run(tmp_path / "run", recipe())


def test_another_error_is_not_taken_for_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_memory_for(monkeypatch, 0, RuntimeError("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        run(tmp_path / "run", recipe())
