"""The form of a poem, given as a text."""

import pytest

from lilliput.errors import VerseError
from lilliput.verse.poem_form import parse_form


def described(text: str, language: str = "fr") -> str:
    """The form in one line: rhyme, metre, and a bar after each stanza."""
    form = parse_form(text, language)
    return "".join(f"{line.rhyme or '.'}{line.metre or ''}{'|' if line.ends_stanza else ' '}" for line in form.lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ABAB", "A B A B|"),
        ("ABAB 12", "A12 B12 A12 B12|"),
        ("AABB 12-6-12-6", "A12 A6 B12 B6|"),
        ("AA BB 8", "A8 A8|B8 B8|"),
        ("ABA C", "A . A|.|"),
        ("haiku", ".5 .7 .5|"),
        ("quatrain 8", "A8 B8 A8 B8|"),
        ("Couplets", "A A B B C C D D|"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert described(text) == expected


def test_a_sonnet_is_that_of_the_language() -> None:
    assert described("sonnet", "fr").startswith("A12 B12 B12 A12|A12 B12 B12 A12|C12 C12 D12|")
    assert described("sonnet", "en").endswith("G10 G10|")
    assert len(parse_form("sonnet 8", "en").lines) == 14
    assert {line.metre for line in parse_form("sonnet 8", "fr").lines} == {8}


def test_partners_are_the_lines_before_with_the_same_letter() -> None:
    form = parse_form("ABBA A", "fr")
    assert [form.partners(index) for index in range(5)] == [[], [], [1], [0], [0, 3]]
    assert [form.rhymes_later(index) for index in range(5)] == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown"),
        ("12", "unknown"),
        ("abab", "unknown"),
        ("ABAB twelve", "unknown"),
        ("ABAB 0", "1 to 18 syllables"),
        ("ABAB 19", "1 to 18 syllables"),
        ("ABAB 5-7-5", "for 3 lines"),
        ("A" * 1001, "more than 1,000 lines"),
    ],
)
def test_no_form(text: str, message: str) -> None:
    with pytest.raises(VerseError, match=message):
        parse_form(text, "fr")
