"""`lilliput sample --form`: poems, what they keep to, and options that do not fit."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lilliput, assert_refused


def test_a_poem_and_its_measures(lilliput: Lilliput, finished: Path) -> None:
    outcome = lilliput("sample", str(finished), "--form", "AABB 6", "--language", "en", "--prompt", "\\n")
    assert outcome.code == 0
    assert len(outcome.out.strip("\n").split("\n")) == 4
    assert "2 of 2 lines rhyme as the form asks; 4 of 4 have its syllables" in outcome.err
    assert "well rhymed" in outcome.err


def test_poems_as_json(lilliput: Lilliput, finished: Path) -> None:
    outcome = lilliput("sample", str(finished), "--form", "haiku", "--count", "2", "--json", "--prompt", "The old ")
    poems = [json.loads(line) for line in outcome.out.splitlines()]
    assert [poem["seed"] for poem in poems] == [1, 2]
    assert all(poem["text"].startswith("The old ") for poem in poems)
    assert [poem["metre_kept"] for poem in poems] == [3, 3]
    assert poems[0]["rhymes_asked"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--form", "XY1"), ("'XY1'", "couplets")),
        (("--form", "AA", "--language", "de"), ("'de'", "en, fr")),
        (("--form", "AA", "--until", "line"), ("--form", "--until")),
        (("--form", "AA", "--items", "3"), ("--items", "--form")),
        (("--form", "AA", "--set", "match=a"), ("--form", "--match")),
        (("--language", "fr"), ("--form",)),
    ],
)
def test_what_does_not_fit(
    lilliput: Lilliput, finished: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_refused(lilliput("sample", str(finished), *arguments), *words)
