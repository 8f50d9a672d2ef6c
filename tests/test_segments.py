"""Texts in segments: where they begin, and what is moved so as not to reach from one into another."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lilliput.segments import moved_inside, segments, starts_behind, starts_of

LENGTHS = st.lists(st.integers(5, 40), min_size=1, max_size=6)


@given(LENGTHS)
def test_segments_are_where_their_lengths_say(lengths: list[int]) -> None:
    parts = segments(sum(lengths), starts_of(lengths))
    assert list(map(len, parts)) == lengths
    assert [place for part in parts for place in part] == list(range(sum(lengths)))


@given(LENGTHS, st.data())
def test_the_end_of_a_text_has_the_ends_of_its_segments(lengths: list[int], data: st.DataObject) -> None:
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    dropped = data.draw(st.integers(0, sum(lengths) - 1))
    left = numbers[dropped:]
    parts = segments(len(left), starts_behind(starts_of(lengths), dropped))
    assert all(len(part) and len(set(left[part.start : part.stop])) == 1 for part in parts)
    assert len(parts) == len(set(left))


@given(LENGTHS, st.integers(1, 5), st.data())
def test_what_would_reach_over_a_border_is_moved_and_nothing_else(
    lengths: list[int], size: int, data: st.DataObject
) -> None:
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    places = np.array(data.draw(st.lists(st.integers(0, len(numbers) - size), min_size=1)))
    moved = moved_inside(places, size, segments(len(numbers), starts_of(lengths)))
    for before, after in zip(places, moved, strict=True):
        assert len(set(numbers[after : after + size])) == 1
        assert abs(after - before) <= (size + 1) // 2
        assert after == before or len(set(numbers[before : before + size])) > 1
