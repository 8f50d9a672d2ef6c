"""What followed the last tokens where they stood before, against looking for it by going through the text."""

from itertools import chain

import numpy as np
import pytest
from numpy.typing import NDArray

from lilliput.models.mixing import matches
from lilliput.models.mixing.matches import LEAST, Matches


def drawn(rows: int, length: int, kinds: int = 3) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, kinds, (rows, length))


def naive(row: list[int], place: int, memory: int, most: int) -> tuple[int, int]:
    """Return the guess after `place` and the length of its group; 0 twice if there is none."""
    best, guess = 0, 0
    for end in range(place - 1, max(0, place - memory) - 1, -1):
        length = 0
        while length < most and end - length >= 0 and row[end - length] == row[place - length]:
            length += 1
        if length > best:
            best, guess = length, row[end + 1]
    return (guess, best) if best >= LEAST else (0, 0)


def found(matched: Matches, ids_BT: NDArray[np.int64]) -> list[list[tuple[int, int]]]:
    guesses_BT, lengths_BT = matched.add(ids_BT)
    guesses_BT = np.where(lengths_BT > 0, guesses_BT, 0)
    return [list(zip(*pair, strict=True)) for pair in zip(guesses_BT.tolist(), lengths_BT.tolist(), strict=True)]


@pytest.mark.parametrize("memory", [1, 40, 1024])
@pytest.mark.parametrize("most", [4, 32])
def test_the_latest_of_the_longest_groups_is_found(monkeypatch: pytest.MonkeyPatch, memory: int, most: int) -> None:
    monkeypatch.setattr(matches, "MEMORY", memory)
    monkeypatch.setattr(matches, "MOST", most)
    rows = np.concatenate((drawn(3, 90), drawn(3, 90)[:, :40]), 1)  # the end is as the beginning
    expected = [[naive(row, place, memory, most) for place in range(len(row))] for row in rows.tolist()]
    assert found(Matches(rows[:, :0]), rows) == expected
    assert memory < 90 or any(length == most for row in expected for _, length in row)


@pytest.mark.parametrize("cuts", [[1] * 130, [7, 100, 1, 22]])
def test_pieces_are_as_the_whole(monkeypatch: pytest.MonkeyPatch, cuts: list[int]) -> None:
    monkeypatch.setattr(matches, "MEMORY", 40)
    rows = drawn(2, 130)
    matched, parts, start = Matches(rows[:, :0]), [], 0
    for cut in cuts:
        parts.append(found(matched, rows[:, start : start + cut]))
        start += cut
        np.testing.assert_array_equal(matched.latest(5), rows[:, max(0, start - 5) : start])
    joined = [list(chain(*pieces)) for pieces in zip(*parts, strict=True)]
    assert joined == found(Matches(rows[:, :0]), rows)


@pytest.mark.parametrize("known", [1, 20, 60, 120])
def test_what_stood_before_is_looked_through(monkeypatch: pytest.MonkeyPatch, known: int) -> None:
    monkeypatch.setattr(matches, "MEMORY", 40)
    monkeypatch.setattr(matches, "MOST", 8)
    rows = drawn(2, 150)
    whole = found(Matches(rows[:, :0]), rows)
    # What lies so far back that the whole does not know it either.
    for before in (rows[:, :known], rows[:, max(0, known - 60) : known]):
        assert found(Matches(before), rows[:, known:]) == [row[known:] for row in whole]


def test_nothing_to_add() -> None:
    rows = drawn(2, 10)
    guesses_BT, lengths_BT = Matches(rows).add(rows[:, :0])
    assert guesses_BT.shape == lengths_BT.shape == (2, 0)
