"""English endings, rhymes and syllables; the words and lines are made up here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.errors import VerseError
from lilliput.verse.english import English
from lilliput.verse.languages import LANGUAGES, open_language

ENGLISH = English()


def rhyme(first: str, second: str) -> int:
    one, other = ENGLISH.ending(first), ENGLISH.ending(second)
    assert one is not None
    assert other is not None
    return ENGLISH.rhyme(one, other)


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [
        ("night", "write", 2),
        ("day", "they", 2),
        ("me", "sea", 2),
        ("heart", "part", 3),
        ("stone", "alone", 2),
        ("love", "prove", 1),  # to the eye
        ("love", "dove", 2),
        ("mother", "another", 3),
        ("singing", "ringing", 3),
        ("seeing", "going", 0),
        ("memory", "legacy", 2),
        ("glory", "story", 3),
        ("door", "floor", 2),
        ("crown'd", "town", 0),
        ("kissed", "mist", 3),
        ("rose", "rose", 0),
        ("cat", "dog", 0),
    ],
)
def test_how_well_two_endings_rhyme(first: str, second: str, level: int) -> None:
    assert rhyme(first, second) == rhyme(second, first) == level


@pytest.mark.parametrize(
    ("line", "syllables"),
    [
        ("The cat sat on the mat", 6),
        ("A lovely day", 4),
        ("therefore", 2),
        ("the wanted man", 4),
        ("the mother", 2),  # to the last stress
        ("heaven", 1),
        ("roses are red", 4),
    ],
)
def test_a_line_may_have_these_syllables(line: str, syllables: int) -> None:
    assert ENGLISH.syllables(line).fits(syllables)
    assert not ENGLISH.syllables(line).fits(syllables + 3)


def test_a_language_without_rules_is_refused() -> None:
    with pytest.raises(VerseError, match="no rules of verse for 'tlh': give one of en, fr"):
        open_language("tlh")
    assert [open_language(code).code for code in LANGUAGES] == list(LANGUAGES)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz' ", max_size=40))
def test_any_line_has_an_interval_and_rhymes_alike_both_ways(line: str) -> None:
    counted = ENGLISH.syllables(line)
    assert 0 <= counted.fewest <= counted.most
    found, day = ENGLISH.ending(line), ENGLISH.ending("day")
    if found and day:
        assert ENGLISH.rhyme(found, found) == 0
        assert ENGLISH.rhyme(found, day) == ENGLISH.rhyme(day, found)
