"""Prompts and answers from the command line, as a user goes the way."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lilliput, assert_refused, tree

TINY = (
    *("--set", "training.steps=100", "--set", "training.evaluate_every=50", "--set", "training.batch=12"),
    *("--set", "training.optimizer=adamw", "--set", "training.learning_rate=0.01"),
    *("--set", "model.layers=1", "--set", "model.width=32", "--set", "model.heads=2", "--set", "model.dropout=0"),
)
FEW = (*TINY, "--set", "training.steps=4", "--set", "training.evaluate_every=2")
FIGURES = {"exact_match", "right", "problems", "loss", "perplexity", "tokens", "sampled_share", "baselines", "wrong"}


def files(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in tree(folder).items() if content is not None}


@pytest.fixture(autouse=True)
def _questions(place: Path) -> None:
    rows = [{"prompt": f"{word}? ", "answer": word[::-1]} for word in ("abc", "bca", "cab", "bbc", "aab", "cca")]
    Path("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("sums.toml").write_text(
        "[data.arithmetic]\ndigits = 1\ntraining = 60\nvalidation = 8\n[training]\nsteps = 3\nbatch = 8\n"
        "[model]\nlayers = 1\nwidth = 8\nheads = 2\n"
    )


@pytest.mark.slow
def test_train_sample_and_eval(lilliput: Lilliput) -> None:
    trained = lilliput("train", "questions.jsonl", *TINY, "--validation", "questions.jsonl")
    assert trained.code == 0, trained.err
    for word in ("answers right", "6 of 6 answers are right (100%)", "lilliput sample runs/questions"):
        assert word in trained.out
    for word in (
        "6 problems to learn, 6 held out",
        "to beat: 16.7% right",
        "100% right  (best so far)",
        "right  cab? bac",
    ):
        assert word in trained.err
    assert "6 of the 6 validation prompts are also in the training data" in trained.err
    asked = lilliput("sample", "runs/questions", "--prompt", "cab? ")
    assert asked.out == "cab? bac\n"
    assert json.loads(lilliput("sample", "runs/questions", "--prompt", "abc? ", "--json").out)["text"] == "abc? cba"
    assert Path("runs/questions/loss.png").exists()


def test_wrong_answers_are_shown_and_json_is_all_on_standard_output(lilliput: Lilliput) -> None:
    trained = lilliput("train", "questions.jsonl", *FEW, "--validation", "questions.jsonl", "--json")
    summary = json.loads(trained.out)
    assert summary.keys() == {"run", "steps", "seconds", "parameters", "validation_loss"} | FIGURES
    assert trained.out.count("\n") == 1
    evaluated = json.loads(lilliput("eval", "runs/questions", "--json").out)
    assert evaluated.keys() == FIGURES
    assert all(evaluated[key] == summary[key] for key in FIGURES)
    assert evaluated["wrong"][0].keys() == {"prompt", "expected", "given"}
    shown = lilliput("eval", "runs/questions")
    for word in ("answers right", "always the most frequent answer", "Some wrong answers:", "expected", "given"):
        assert word in shown.out
    assert evaluated["wrong"][0]["expected"] in shown.out
    other = json.loads(lilliput("eval", "runs/questions", "--text", "questions.jsonl", "--json").out)
    assert other["exact_match"] == evaluated["exact_match"]


def test_the_same_command_continues(lilliput: Lilliput) -> None:
    lilliput("train", "questions.jsonl", *FEW)
    longer = lilliput("train", "questions.jsonl", *FEW, "--set", "training.steps=6")
    assert "continuing runs/questions after step 4" in longer.err
    assert longer.code == 0


def test_sums_from_a_recipe(lilliput: Lilliput) -> None:
    trained = lilliput("train", "sums.toml", "--json")
    assert json.loads(trained.out)["problems"] == 8
    assert "60 problems to learn, 8 held out" in trained.err
    assert lilliput("sample", "runs/sums", "--prompt", "1+2=").out.startswith("1+2=")
    assert lilliput("sample", "runs/sums").code == 0
    assert lilliput("plot", "runs/sums").code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"prompt": "a", "answer": ["b"]}\n', ("bad.jsonl, line 1", '"answer"', "data.fields.answer")),
        ('{"prompt": "a", "answer": ""}\n', ("bad.jsonl holds no record", "fill them")),
        ('{"prompt": "a", "answer": "b"}\n{\n', ("bad.jsonl, line 2 is not JSON",)),
        ('{"prompt": "a", "answer": "b"}\n', ("1 different prompt", "give more")),
    ],
)
def test_bad_files_are_one_line(lilliput: Lilliput, place: Path, content: str, words: tuple[str, ...]) -> None:
    Path("bad.jsonl").write_text(content)
    before = files(place)
    assert_refused(lilliput("train", "bad.jsonl", *FEW), *words)
    assert files(place) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sums.toml", "--set", "data.arithmetic.digits=0"), ("data.arithmetic.digits", "not 0")),
        (("sums.toml", "--set", "data.arithmetic.training=500"), ("training = 500 is too many", "lower it")),
        (("sums.toml", "--set", "data.arithmetic.validation=90"), ("leaves no training problems", "55 sums")),
        (("sums.toml", "--corpus", "story.txt"), ("data.arithmetic generates its own problems",)),
        (("sums.toml", "--set", "data.window=2"), ("at most", "data.window=")),
        (("questions.jsonl", "--validation", "story.txt"), ("story.txt holds no prompts and answers",)),
        (("story.txt", "--validation", "questions.jsonl"), ("must be of the same kind",)),
    ],
)
def test_bad_settings_are_one_line(
    lilliput: Lilliput, place: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    before = files(place)
    assert_refused(lilliput("train", *arguments), *words)
    assert files(place) == before


def test_eval_refuses_what_does_not_fit(lilliput: Lilliput) -> None:
    lilliput("train", "sums.toml")
    assert_refused(lilliput("eval", "runs/sums", "--text", "story.txt"), "story.txt holds no prompts and answers")
    assert_refused(lilliput("eval", "runs/sums", "--text", "questions.jsonl"), "questions.jsonl, line 1", "but at most")
