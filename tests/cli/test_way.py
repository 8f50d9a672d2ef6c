"""From a text to a model that writes: train, sample, eval and plot, as a user goes it."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from lilliput.recipe import named_recipe
from lilliput.runs.folder import RunFolder
from tests.cli.conftest import TINY, Lilliput
from tests.conftest import made_up_text

SCORE = {"tokens", "characters", "bytes", "loss", "perplexity", "bits_per_character", "bits_per_byte"}
RUN = Path("runs/story")


def steps_of(folder: Path) -> list[int]:
    run = RunFolder(folder)
    return [row["step"] for row in run.read_lines(run.metrics) if "loss" in row]


@pytest.mark.slow
def test_train_sample_eval_and_plot(lilliput: Lilliput) -> None:
    trained = lilliput("train", "story.txt", *TINY)
    assert trained.code == 0
    for word in ("separate windows", "sliding windows", "count model", "xz", "PPMd", "baseline", "runs/story/loss.png"):
        assert word in trained.out
    for word in ("read story.txt", "parameters", "step 3 ", "sample at step 6", "finished: 6 steps"):
        assert word in trained.err
    assert "\r" not in trained.err
    assert "\x1b" not in trained.err
    sampled = lilliput("sample", "runs/story", "--prompt", "The old", "--max-tokens", "12")
    assert sampled.code == 0
    assert sampled.out.startswith("The old")
    assert sampled.err == ""
    evaluated = lilliput("eval", "runs/story")
    assert evaluated.code == 0
    assert "sliding windows" in evaluated.out
    plotted = lilliput("plot", "runs/story", "--out", "curve.svg")
    assert plotted.code == 0
    assert plotted.out.split() == ["curve.png", "curve.svg"]
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")
    assert lilliput("plot", "runs/story").out.split() == ["runs/story/loss.png", "runs/story/loss.svg"]


def test_json_is_all_that_stands_on_standard_output(lilliput: Lilliput) -> None:
    trained = lilliput("train", "story.txt", *TINY, "--json")
    summary = json.loads(trained.out)
    assert trained.out.count("\n") == 1
    figures = {"bits_per_character", "validation_loss", "sampled_share"}
    assert summary.keys() == {"run", "steps", "seconds", "parameters"} | figures
    assert summary["sampled_share"] == 1.0
    assert (summary["run"], summary["steps"]) == ("runs/story", 6)
    assert summary["parameters"] > 1000
    assert summary["seconds"] > 0

    evaluated = lilliput("eval", "runs/story", "--json")
    report = json.loads(evaluated.out)
    assert evaluated.out.count("\n") == 1
    assert report.keys() >= SCORE | {"windows", "baselines"}
    assert report["windows"].keys() == {"separate", "sliding"}
    assert all(score.keys() >= SCORE for score in report["windows"].values())
    assert report["baselines"]["ngram"].keys() >= {"order", "bits_per_character"}
    assert report["baselines"]["xz"].keys() >= {"bits_per_character"}
    assert all(report[key] == report["windows"]["sliding"][key] for key in SCORE)
    # The whole held-out text was measured when training ended, so measuring it again finds the same.
    assert report["loss"] == pytest.approx(summary["validation_loss"], abs=1e-5)
    assert report["bits_per_character"] == pytest.approx(summary["bits_per_character"], abs=1e-5)

    sampled = lilliput("sample", "runs/story", "--count", "3", "--max-tokens", "9", "--seed", "5", "--json")
    rows = [json.loads(line) for line in sampled.out.splitlines()]
    assert [row["seed"] for row in rows] == [5, 6, 7]
    for row in rows:
        assert row.keys() == {"text", "prompt", "seed", "tokens", "tokens_per_second"}
        assert row["text"].startswith(row["prompt"])
        assert row["tokens"] == 9
        assert row["tokens_per_second"] > 0


def test_lists_as_json(lilliput: Lilliput) -> None:
    for verb in ("recipes", "corpora"):
        outcome = lilliput(verb, "--json")
        assert (outcome.code, outcome.err) == (0, "")
        rows = [json.loads(line) for line in outcome.out.splitlines()]
        assert len(rows) >= 3
        assert all(row.keys() >= {"name", "description"} for row in rows)
        listed = lilliput(verb).out
        assert all(row["name"] in listed for row in rows)
    assert {row["name"] for row in rows} >= {"shakespeare", "darwin", "french-poetry", "wikitext-103", "python-docs"}
    shown = lilliput("recipes", "show", "shakespeare-lstm")
    assert shown.out.startswith("# ")
    assert "[training]" in shown.out


def test_a_recipe_as_json_has_the_parameters(lilliput: Lilliput) -> None:
    shown = lilliput("recipes", "show", "wikitext-small", "--json")
    assert (shown.code, shown.err, shown.out.count("\n")) == (0, "", 1)
    found = json.loads(shown.out)
    assert found["recipe"] == named_recipe("wikitext-small").as_dict()
    # Of each token 128 weights, and three blocks of width 128, whose norms and layers have no others.
    assert found["parameters"] == 50_257 * 128 + 3 * (4 * 128 * 128 + 2 * 128 * 512)
    # How many characters a text has, its recipe does not know.
    assert json.loads(lilliput("recipes", "show", "shakespeare-gpt", "--json").out)["parameters"] is None


def test_the_same_command_continues_and_fresh_starts_over(lilliput: Lilliput) -> None:
    lilliput("train", "story.txt", *TINY)
    weights = (RUN / "weights.safetensors").read_bytes()
    again = lilliput("train", "story.txt", *TINY)
    assert again.code == 0
    assert "finished" in again.err
    assert steps_of(RUN) == [1, 2, 3, 4, 5, 6]
    longer = lilliput("train", "story.txt", *TINY, "--set", "training.steps=8")
    assert "continuing runs/story after step 6" in longer.err
    assert steps_of(RUN) == list(range(1, 9))
    fresh = lilliput("train", "story.txt", *TINY, "--fresh")
    assert "writing to runs/story" in fresh.err
    assert steps_of(RUN) == [1, 2, 3, 4, 5, 6]
    assert (RUN / "weights.safetensors").read_bytes() == weights
    other = lilliput("train", "story.txt", *TINY, "--fresh", "--seed", "2")
    assert other.code == 0
    assert (RUN / "weights.safetensors").read_bytes() != weights


def test_a_crash_before_the_first_checkpoint_leaves_no_trace(lilliput: Lilliput, finished: Path) -> None:
    shutil.copytree(finished, RUN)
    weights, samples = (RUN / "weights.safetensors").read_bytes(), (RUN / "samples.jsonl").read_bytes()
    shutil.rmtree(RUN / "checkpoints")
    with (RUN / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    assert lilliput("train", "story.txt", *TINY).code == 0
    assert steps_of(RUN) == [1, 2, 3, 4, 5, 6]
    assert (RUN / "weights.safetensors").read_bytes() == weights
    assert (RUN / "samples.jsonl").read_bytes() == samples
    assert lilliput("plot", "runs/story").code == 0


def test_damaged_weights_of_a_finished_run_can_be_made_again(lilliput: Lilliput, finished: Path) -> None:
    """The best checkpoint is kept for good, so a run whose weights rot away can still be used and continued."""
    shutil.copytree(finished, RUN)
    weights = (RUN / "weights.safetensors").read_bytes()
    (RUN / "weights.safetensors").write_bytes(weights[:-1])
    sampled = lilliput("sample", "runs/story", "--max-tokens", "5")
    assert sampled.code == 0
    assert "using the checkpoint of step 6" in sampled.err
    assert lilliput("train", "story.txt", *TINY).code == 0


def test_minutes_and_out(lilliput: Lilliput) -> None:
    settings = [word for word in TINY if word != "training.steps=6"]
    settings.remove("--set")
    outcome = lilliput("train", "story.txt", *settings, "--minutes", "0.01", "--out", "deep/er/run", "--json")
    assert json.loads(outcome.out)["run"] == "deep/er/run"
    assert json.loads(outcome.out)["steps"] >= 1
    assert not Path("runs").exists()


def test_another_kind_of_model_for_a_text_without_a_recipe(lilliput: Lilliput) -> None:
    settings = ("--set", "training.steps=2", "--set", "model.width=8", "--set", "model.layers=1")
    outcome = lilliput("train", "story.txt", "--set", "model.kind=lstm", *settings)
    assert outcome.code == 0, outcome.err
    assert json.loads((RUN / "model.json").read_text())["settings"]["kind"] == "lstm"


def test_several_files_a_folder_and_a_text_to_be_measured_on(lilliput: Lilliput) -> None:
    Path("books").mkdir()
    for number in range(3):
        Path(f"books/{number}.txt").write_text(made_up_text(1500, number))
    Path("held.md").write_text(made_up_text(2500, 9))
    assert lilliput("train", "books", *TINY).code == 0
    assert json.loads(Path("runs/books/facts.json").read_text())["text"]["name"] == "books"
    several = lilliput("train", "story.txt", "books/1.txt", *TINY, "--out", "b", "--validation", "held.md")
    assert several.code == 0
    facts = json.loads(Path("b/facts.json").read_text())
    assert facts["validation"]["characters"] == 2500
    assert facts["training"]["characters"] == 7500 + len("\n\n")
    other = json.loads(lilliput("eval", "b", "--text", "held.md", "--json").out)
    assert other["loss"] == pytest.approx(json.loads(lilliput("eval", "b", "--json").out)["loss"], abs=1e-5)


def test_standard_input_is_a_text(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    def given() -> io.TextIOWrapper:
        return io.TextIOWrapper(io.BytesIO(made_up_text(3000).encode()))

    monkeypatch.setattr(sys, "stdin", given())
    assert lilliput("train", "-", *TINY).code == 0
    monkeypatch.setattr(sys, "stdin", given())
    again = lilliput("train", "-", *TINY, "--set", "training.steps=7")
    assert "continuing runs/stdin after step 6" in again.err


def test_a_recipe_file_in_toml_and_json(lilliput: Lilliput) -> None:
    training = {"steps": 2, "batch": 2}
    recipe = {"data": {"corpus": "story.txt", "window": 8}, "model": {"kind": "gru", "width": 8}, "training": training}
    Path("mine.json").write_text(json.dumps(recipe))
    Path("named.toml").write_text(
        'name = "other"\n[data]\ncorpus = ["story.txt"]\nwindow = 8\n'
        '[model]\nkind = "gru"\nwidth = 8\n[training]\nsteps = 2\nbatch = 2\n'
    )
    assert lilliput("train", "mine.json").code == 0
    assert lilliput("train", "named.toml").code == 0
    assert Path("runs/mine/weights.safetensors").read_bytes() == Path("runs/other/weights.safetensors").read_bytes()
    Path("second.txt").write_text(made_up_text(2000, 5))
    assert lilliput("train", "named.toml", "--corpus", "second.txt").code == 0
    assert json.loads(Path("runs/other-second/facts.json").read_text())["text"]["name"] == "second"


def test_a_named_recipe_on_another_text(lilliput: Lilliput) -> None:
    settings = ("--set", "training.steps=2", "--set", "training.batch=2", "--set", "data.window=8")
    outcome = lilliput("train", "shakespeare-lstm", "--corpus", "story.txt", *settings, "--json")
    assert json.loads(outcome.out)["run"] == "runs/shakespeare-lstm-story"


def test_a_very_short_text_trains_too(lilliput: Lilliput) -> None:
    Path("short.txt").write_text(made_up_text(200))
    outcome = lilliput("train", "short.txt", "--set", "training.steps=2", "--set", "data.window=500")
    assert outcome.code == 0
    assert "the context shrinks from 500 to" in outcome.err
    assert lilliput("sample", "runs/short", "--max-tokens", "5").code == 0


@pytest.mark.parametrize("kind", ["byte", "bpe", "wordpiece", "unigram", "word"])
def test_every_tokenizer_goes_the_whole_way(lilliput: Lilliput, kind: str) -> None:
    vocabulary = () if kind == "byte" else ("--set", "tokenizer.vocabulary=80")
    outcome = lilliput("train", "story.txt", *TINY, "--set", f"tokenizer.kind={kind}", *vocabulary)
    assert outcome.code == 0, outcome.err
    assert lilliput("eval", "runs/story", "--text", "story.txt").code == 0
    sampled = lilliput("sample", "runs/story", "--prompt", "日本 é", "--max-tokens", "5", "--json")
    assert json.loads(sampled.out)["text"].startswith("日本 é")


@pytest.mark.slow
def test_the_demo_shows_the_whole_way(lilliput: Lilliput, monkeypatch: pytest.MonkeyPatch) -> None:
    from lilliput.cli.commands import demo

    monkeypatch.setattr(demo, "TEXTS", ("python-docs",))
    outcome = lilliput("demo", "--minutes", "0.03")
    assert outcome.code == 0
    assert "sample at step" in outcome.err
    for word in ("sliding windows", "runs/demo/loss.png", "lilliput sample runs/demo", "lilliput train"):
        assert word in outcome.out
    assert Path("runs/demo/loss.png").exists()
