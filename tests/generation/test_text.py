"""Where a text ends, in whatever chunks it comes."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lilliput.generation import SamplingSettings
from lilliput.generation.text import Piece, TextEnding


def ended(pieces: Iterator[Piece], settings: SamplingSettings, prompt: str = "") -> Iterator[Piece]:
    """The pieces up to the end of the text."""
    ending = TextEnding(settings, prompt)
    for piece in pieces:
        yield ending.push(piece)
        if ending.over:
            return
    rest = ending.finish()
    if rest is not None:
        yield rest


def end(text: str, sizes: tuple[int, ...] = (), prompt: str = "", **options: object) -> str:
    """What is left of a text that comes in chunks of these sizes, then character by character."""
    return "".join(piece.text for piece in ended(cut(text, list(sizes)), SamplingSettings(**options), prompt))


def naive(text: str, stops: tuple[str, ...]) -> str:
    """The whole text up to where the first stop string begins."""
    return text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]


def cut(text: str, sizes: list[int]) -> Iterator[Piece]:
    """The text in chunks of these sizes, then one by one."""
    start = 0
    for count, size in enumerate(itertools.chain(sizes, itertools.repeat(1)), start=1):
        if start >= len(text):
            return
        yield Piece(text[start : start + size], count)
        start += size


few_letters = st.text("ab\n", max_size=14)


@settings(max_examples=500, deadline=None)
@given(
    text=few_letters,
    stops=st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3).map(tuple),
    sizes=st.lists(st.integers(0, 5), max_size=8),
)
def test_any_stop_strings_and_chunks_give_the_whole_text_s_beginning(
    text: str, stops: tuple[str, ...], sizes: list[int]
) -> None:
    pieces = list(ended(cut(text, sizes), SamplingSettings(stop=stops)))
    assert "".join(piece.text for piece in pieces) == naive(text, stops)


@pytest.mark.parametrize(
    ("chunks", "stops", "expected"),
    [
        (["ab", "cd"], ("bc",), "a"),
        (["a", "b", "c"], ("abc",), ""),
        (["aab"], ("ab",), "a"),
        (["a", "a", "b"], ("ab",), "a"),
        (["ab", "ab", "x"], ("abx",), "ab"),
        (["ab", "c"], ("b", "abc"), ""),
        (["ab", "d"], ("b", "abc"), "a"),
        (["ab"], ("b", "abc"), "a"),
        (["ab"], ("abc",), "ab"),
        (["ab"], (), "ab"),
        ([""], ("a",), ""),
    ],
)
def test_stop_strings(chunks: list[str], stops: tuple[str, ...], expected: str) -> None:
    pieces = ended((Piece(chunk, number) for number, chunk in enumerate(chunks, 1)), SamplingSettings(stop=stops))
    assert "".join(piece.text for piece in pieces) == expected


def test_text_that_begins_no_stop_string_is_not_held_back() -> None:
    reader = ended((Piece(letter, number) for number, letter in enumerate("xyaz", 1)), SamplingSettings(stop=("ab",)))
    assert [piece.text for piece in reader] == ["x", "y", "", "az"]


def test_nothing_is_drawn_after_a_stop_string() -> None:
    drawn = []

    def pieces() -> Iterator[Piece]:
        for number, letter in enumerate("abcdef", 1):
            drawn.append(letter)
            yield Piece(letter, number)

    assert list(ended(pieces(), SamplingSettings(stop=("c",))))[-1].tokens == 3
    assert drawn == ["a", "b", "c"]


CASES = [
    ("word", "", "one two", "one "),
    ("word", "", " \n one\ntwo", " \n one\n"),
    ("word", "riv", "er flows", "er "),
    ("word", "river", " flows", " "),
    ("word", "river ", "flows on", "flows "),
    ("line", "", "one two\nthree", "one two"),
    ("line", "", "\n \n  one two  \nthree", "\n \n  one two"),
    ("line", "The", " river\nflows", " river"),
    ("line", "The river", "\nflows", ""),
    ("line", "The river\n", "\n\nflows\n", "\n\nflows"),
    ("line", "", "no end", "no end"),
    ("sentence", "", "One day. Two", "One day."),
    ("sentence", "", "One 3.5 day... Two", "One 3.5 day..."),
    ("sentence", "He said: ", '"Go!" And', '"Go!"'),
    ("sentence", "He went.", " She came. They", " She came."),
    ("sentence", "He went", ". She came.", "."),
    ("sentence", "", ". . ", "."),
    ("sentence", "", "End at the end.", "End at the end."),
    ("sentence", "", "\u4f60\u597d\u3002\u518d\u89c1\u3002", "\u4f60\u597d\u3002"),
    ("paragraph", "", "one\ntwo\n\nthree", "one\ntwo"),
    ("paragraph", "one\n", "\nthree", ""),
    ("paragraph", "one\n", "two\n \nthree", "two"),
    ("stanza", "\n\n", "\none\ntwo  \n\t\n\nthree", "\none\ntwo"),
]


@pytest.mark.parametrize(("unit", "prompt", "text", "expected"), CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_a_text_ends_after_its_first_unit(unit: str, prompt: str, text: str, expected: str, size: int) -> None:
    assert end(text, (size,) * 50, prompt, until=unit) == expected


@settings(max_examples=300, deadline=None)
@example(text="a \n\n", prompt="", sizes=(), unit="paragraph", characters=None, stops=("\n",))
@given(
    text=st.text('a.\n "', max_size=16),
    prompt=st.text("a.\n ", max_size=6),
    sizes=st.lists(st.integers(0, 6), max_size=8).map(tuple),
    unit=st.sampled_from(["word", "line", "sentence", "paragraph", "stanza"]),
    characters=st.none() | st.integers(1, 12),
    stops=st.lists(st.text("a. \n", min_size=1, max_size=3), max_size=2).map(tuple),
)
def test_chunks_do_not_matter(
    text: str, prompt: str, sizes: tuple[int, ...], unit: str, characters: int | None, stops: tuple[str, ...]
) -> None:
    options = {"until": unit, "max_characters": characters, "stop": stops}
    whole = end(text, (len(text),), prompt, **options)
    assert end(text, sizes, prompt, **options) == whole
    assert text.startswith(whole)
    assert len(whole) <= (characters or len(text))


def test_characters_are_counted_and_no_more_are_drawn() -> None:
    pieces = list(ended(cut("abcdef", [1, 1, 2]), SamplingSettings(max_characters=3)))
    assert [piece.text for piece in pieces] == ["a", "b", "c"]
    assert pieces[-1].tokens == 3
