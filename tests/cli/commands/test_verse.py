"""`lilliput verse`: lines with their rhymes and syllables, and measures beside the same lines shuffled."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lilliput, assert_refused
from tests.verse.test_measures import COUPLETS, CROSSED


@pytest.fixture
def poems(lilliput: Lilliput) -> str:
    Path("poems.txt").write_text(f"{CROSSED}\n\n{COUPLETS}\n", encoding="utf-8")
    return "poems.txt"


def test_lines_stand_after_their_rhymes_and_syllables(lilliput: Lilliput, poems: str) -> None:
    outcome = lilliput("verse", poems, "--lines", "4")
    assert outcome.code == 0
    assert "A     8  Le soir descend sur la montagne," in outcome.out
    assert "Le vent du soir" not in outcome.out
    for word in ("rhymed", "100.0%", "in metre", "shuffled", "ABAB", "language: fr (guessed"):
        assert word in outcome.out


def test_measures_as_json(lilliput: Lilliput, poems: str) -> None:
    report = json.loads(lilliput("verse", poems, "--json", "--language", "FR").out)
    assert report["language"] == "fr"
    assert report["text"]["rhyme"] == 1.0
    assert report["text"]["schemes"] == {"AABB": 0.5, "ABAB": 0.5}
    assert report["shuffled"]["lines"] == 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("poems.txt", "--language", "de"), ("'de'", "en, fr")),
        (("none.txt",), ("none.txt",)),
        (("number.txt",), ("number.txt", "--language")),
        (("line.txt", "--language", "fr"), ("line.txt", "two lines")),
    ],
)
def test_what_has_no_verse(lilliput: Lilliput, poems: str, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    Path("number.txt").write_text("1 2 3\n4 5 6\n")
    Path("line.txt").write_text("Une ligne\n\nUne autre\n")
    assert_refused(lilliput("verse", *arguments), *words)
