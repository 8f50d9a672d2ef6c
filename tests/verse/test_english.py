"""English endings, rhymes and syllables; the words and lines are made up here."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.errors import VerseError
from lilliput.verse.english import English, _endings
from lilliput.verse.english_dictionary import has_dictionary, sounds_of_phones
from lilliput.verse.english_sounds import sounds_of
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


@pytest.mark.parametrize(
    ("phones", "sounds"),
    [
        ("N AY1 T", "nIt"),
        ("HH AA1 R T", "hart"),
        ("DH EH1 R", "DAr"),
        ("M EH1 M ER0 IY0", "memərĭ"),
        ("B IY1", "bE"),
        ("S AA1 R OW0", "sarŏ"),
        ("IH2 K OW1 L # foreign", "ikOl"),
    ],
)
def test_sounds_of_the_dictionary_are_those_of_the_rules(phones: str, sounds: str) -> None:
    assert sounds_of_phones(phones) == sounds


def test_a_word_that_the_dictionary_has_sounds_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not as it is spelled, so that the test sees who has answered.
    phones = {"zyx": ["N AY1 T"]}
    fake = SimpleNamespace(phones_for_word=lambda word: phones.get(word, []))
    for function in (sounds_of, _endings):
        function.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr("lilliput.verse.english_dictionary._pronouncing", lambda: fake)
        assert rhyme("the zyx", "the light") == 2
        assert rhyme("the day", "the way") == 2  # by the rules
        assert has_dictionary()
    for function in (sounds_of, _endings):
        function.cache_clear()
    assert rhyme("the zyx", "the light") == 0


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
