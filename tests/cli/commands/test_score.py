"""`lilliput score`: the surprise of each token of a text, in the terminal, as JSON and as a page."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lilliput import tokenizers
from lilliput.cli.commands import score
from lilliput.generation.settings import SampleSettings
from lilliput.models import GPTSettings
from lilliput.writer import Writer
from tests.cli.conftest import Lilliput, assert_refused
from tests.generation.building import lively

TEXT = "The old river sings.\n<script>alert(1)</script>\n"


@pytest.fixture(autouse=True)
def _text(place: Path) -> None:
    Path("poem.txt").write_text(TEXT, encoding="utf-8")


def test_the_text_its_figures_and_its_words(lilliput: Lilliput, finished: Path) -> None:
    outcome = lilliput("score", str(finished), "poem.txt")
    assert outcome.code == 0
    assert outcome.out.startswith(TEXT + "\n")
    for word in ("bits per character", "bits per token (47 characters", "most surprising words", "least surprising"):
        assert word in outcome.out
    assert outcome.err == "read poem.txt as ASCII, LF, 47 bytes\n"


def test_json_has_the_figure_of_the_evaluation(lilliput: Lilliput, finished: Path) -> None:
    outcome = lilliput("score", str(finished), "poem.txt", "--json")
    report = json.loads(outcome.out)
    assert outcome.out.count("\n") == 1
    assert "".join(token["text"] for token in report["scores"]) == TEXT
    assert report["scores"][0]["bits"] is None
    assert len(report["scores"][1]["alternatives"]) == 5
    evaluation = json.loads(lilliput("eval", str(finished), "--text", "poem.txt", "--json").out)
    assert report["bits_per_token"] == pytest.approx(evaluation["loss"] / 0.693147, abs=1e-3)


def test_a_page_is_written_beside_the_figures(lilliput: Lilliput, finished: Path) -> None:
    outcome = lilliput("score", str(finished), "poem.txt", "--html", "pages/poem.html")
    assert outcome.code == 0
    assert outcome.out.endswith("heat-map: pages/poem.html\n")
    assert "river sings.\n" not in outcome.out
    page = Path("pages/poem.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "poem.txt" in page
    assert page.count("expected:") > 30
    # Again, over the earlier page.
    assert lilliput("score", str(finished), "poem.txt", "--html", "pages/poem.html", "--json").code == 0


def test_standard_input(lilliput: Lilliput, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    outcome = lilliput("score", str(finished), "-", "--html", "poem.html")
    assert outcome.code == 0
    assert "<h1>standard input</h1>" in Path("poem.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.txt",), ("there is no file", "none.txt")),
        (("empty.txt",), ("empty.txt", "empty")),
        (("binary.bin",), ("binary.bin is binary, not text",)),
        (("letter.txt",), ("letter.txt has one token", "at least 2")),
        (("poem.txt", "--label", "verse"), ("no label 'verse'",)),
        (("poem.txt", "--html", "poem.txt"), ("would replace the text", "another name")),
        (("poem.txt", "--html", "story.txt/page.html"), ("cannot write", "--html")),
        (("poem.txt", "--encoding", "klingon"), ("unknown encoding 'klingon'",)),
    ],
)
def test_what_cannot_be_scored(
    lilliput: Lilliput, finished: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    Path("empty.txt").write_bytes(b"")
    Path("binary.bin").write_bytes(bytes(range(256)) * 20)
    Path("letter.txt").write_text("a")
    outcome = lilliput("score", str(finished), *arguments, "--json")
    assert (outcome.code, outcome.out) == (2, "")
    last = outcome.err.splitlines()[-1]
    assert last.startswith("error: ")
    for word in words:
        assert word in last
    assert Path("poem.txt").read_text(encoding="utf-8") == TEXT


def test_a_missing_run_and_no_text(lilliput: Lilliput, finished: Path) -> None:
    assert_refused(lilliput("score", "nowhere", "poem.txt"), "nowhere", "no run at")
    assert_refused(lilliput("score", str(finished)), "Missing argument", "lilliput score --help")


def test_a_long_text_is_refused_before_it_is_scored(
    lilliput: Lilliput, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score, "MOST_CHARACTERS", 46)
    outcome = lilliput("score", str(finished), "poem.txt")
    assert outcome.code == 2
    assert "poem.txt has 47 characters, and a heat-map shows 46 at most" in outcome.err


def test_reversed_lines_are_shown_as_they_are_read(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tokenizers.train("char", TEXT, vocabulary=40, reverse_lines=True)
    network = lively(GPTSettings(layers=1, width=16, heads=2), tokenizer.vocab_size, 16)
    writer: Any = Writer(network, tokenizer, SampleSettings())
    monkeypatch.setattr("lilliput.writer.load", lambda run, note: writer)
    report = json.loads(lilliput("score", "reversed", "poem.txt", "--json").out)
    assert "".join(token["text"] for token in report["scores"]) == TEXT
    assert [token["text"] for token in report["scores"] if token["bits"] is None] == ["."]
