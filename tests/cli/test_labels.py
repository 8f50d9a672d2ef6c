"""Kinds of documents: learnt under their labels, written when asked for, never seen in the text."""

import json
from pathlib import Path

import numpy as np
import pytest

from lilliput.corpus import unmark
from lilliput.evaluation.generation_metrics import read_texts
from lilliput.writer import load
from tests.cli.conftest import Lilliput, assert_refused

LETTERS = {"first": "abc", "second": "xyz"}
SETTINGS = (
    *("--set", "training.steps=60", "--set", "training.evaluate_every=30", "--set", "training.batch=16"),
    *("--set", "model.layers=1", "--set", "model.width=32", "--set", "model.heads=2", "--set", "data.window=32"),
    *("--set", "training.learning_rate=0.01", "--set", "data.labels=file", "--set", "data.split.by=document"),
)


@pytest.fixture
def kinds(place: Path) -> Path:
    """Texts of two kinds, each with letters of its own, in four files of which two are called alike."""
    generator = np.random.default_rng(0)
    for part in ("learnt", "more"):
        for name, letters in LETTERS.items():
            words = ["".join(generator.choice(list(letters), 4)) for _ in range(400)]
            lines = [" ".join(words[start : start + 5]) for start in range(0, 400, 5)]
            file = place / "texts" / part / f"{name}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n\n".join("\n".join(lines[start : start + 4]) for start in range(0, 80, 4)))
    return place / "texts"


@pytest.mark.parametrize("tokenizer", [(), ("--set", "tokenizer.kind=bpe", "--set", "tokenizer.vocabulary=64")])
def test_a_label_chooses_what_is_written(lilliput: Lilliput, kinds: Path, tokenizer: tuple[str, ...]) -> None:
    assert lilliput("train", str(kinds), "--out", "run", *SETTINGS, *tokenizer).code == 0
    for name, letters in LETTERS.items():
        outcome = lilliput(
            *(
                "sample",
                "run",
                "--label",
                name,
                "--prompt",
                "\n",
                "--max-tokens",
                "100",
                "--temperature",
                "0.5",
                "--json",
            )
        )
        assert outcome.code == 0
        row = json.loads(outcome.out)
        written = row["text"]
        assert row["label"] == name
        assert unmark(written) == written
        own = sum(letter in letters for letter in written)
        assert own > 0.95 * sum(letter.isalpha() for letter in written) > 30
    writer = load("run")
    assert writer.labels == ["first", "second"]
    for options in ({}, {"beams": 2}, {"match": "[a-z \n]{20}"}, {"label": "second", "match": "[x-z \n]{20}"}):
        text = writer.write("\n", max_tokens=60, **options)
        assert unmark(text) == text
    found = writer.fill("abc", "cab", label="first", max_tokens=10)[0].text
    assert unmark(found) == found


def test_labels_are_no_characters_of_the_text(lilliput: Lilliput, kinds: Path) -> None:
    assert lilliput("train", str(kinds), "--out", "run", *SETTINGS, "--set", "tokenizer.kind=byte").code == 0
    facts = json.loads(Path("run/facts.json").read_text())
    files = sorted(kinds.rglob("*.txt"))
    assert facts["validation"]["characters"] == len(files[-1].read_text())
    assert facts["labels"].keys() == LETTERS.keys()
    texts = read_texts(Path("run"))
    assert texts.held_out == files[-1].read_text()
    assert texts.training == "\n\n".join(file.read_text() for file in files[:-1])
    text = load("run").write(label="first", max_tokens=60)
    assert unmark(text) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "story.txt", "--set", "data.labels=file"), "data.labels=file finds only one: story in story"),
        (("train", "story.txt", "--set", "data.labels=colour"), "data.labels"),
        (
            ("train", "pairs.jsonl", "--set", "data.labels=file"),
            "data.labels works on texts only: put the label into the prompts",
        ),
    ],
)
def test_texts_without_labels(lilliput: Lilliput, place: Path, arguments: tuple[str, ...], message: str) -> None:
    (place / "pairs.jsonl").write_text("".join(f'{{"prompt": "{n}+1=", "answer": "{n + 1}"}}\n' for n in range(99)))
    outcome = lilliput(*arguments, "--out", "run")
    assert_refused(outcome, message)
    assert not Path("run").exists()


def test_labels_that_are_not_there(lilliput: Lilliput, finished: Path, kinds: Path) -> None:
    assert_refused(lilliput("sample", str(finished), "--label", "x"), "it has learnt none (data.labels)")
    assert lilliput("train", str(kinds), "--out", "run", *SETTINGS, "--set", "training.steps=2").code == 0
    assert_refused(lilliput("sample", "run", "--label", "third"), "no label 'third': choose from first, second")
