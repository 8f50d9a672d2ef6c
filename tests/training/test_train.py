import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.corpus import Corpus, Document
from lilliput.data.tokens import read_tokens
from lilliput.errors import CorpusError, RunError
from lilliput.evaluation import score_tokens, verdict
from lilliput.models import Model
from lilliput.report.comparison import read_outcome
from lilliput.runs.checkpoint import newest_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.runtime import Runtime
from lilliput.tokenizers import load as load_tokenizer
from lilliput.training.data.text_data import TextData
from lilliput.training.data.training_data import ValidationResult
from lilliput.training.evaluator import evaluate_run
from lilliput.training.events import Evaluated, Finished, Note, Sampled, Started, Stepped
from lilliput.training.train import train
from lilliput.writer import load
from tests.conftest import made_up_text
from tests.training.building import corpus, example_recipe, finished, fitted, recipe, run, sums, weights


@pytest.mark.parametrize("kind", ["gpt", "lstm", "gru"])
def test_four_micro_batches_of_eight_are_one_of_thirty_two(kind: str) -> None:
    model = {"kind": kind, "width": 16} | ({"heads": 2, "layers": 2} if kind == "gpt" else {})
    one, four = (
        weights(fitted(recipe(**{"model": model, "training.optimizer": "sgd"} | parts))[0])
        for parts in ({"training.batch": 32}, {"training.batch": 8, "training.accumulation": 4})
    )
    assert (one - four).abs().max() < 1e-5


def test_work_between_steps_does_not_change_training() -> None:
    def disturb(model: Model, step: int) -> None:
        model.eval()
        torch.manual_seed(99)
        torch.rand(3)
        with torch.no_grad():
            model(torch.zeros(1, 4, dtype=torch.int64))

    quiet, disturbed = fitted(recipe())[0], fitted(recipe(), between=disturb)[0]
    assert torch.equal(weights(quiet), weights(disturbed))


def test_float16_with_its_scaler_learns_the_same_in_coarser_numbers() -> None:
    small, half = recipe(**{"model.dropout": 0.0}), Runtime(torch.device("cpu"), "float16", "a test")
    exact, coarse = weights(fitted(small)[0]), weights(fitted(small, runtime=half)[0])
    assert 0 < (exact - coarse).abs().max() < 0.05


def test_evaluating_more_often_does_not_change_training(tmp_path: Path) -> None:
    run(tmp_path / "often", recipe(**{"training.evaluate_every": 1}))
    run(tmp_path / "once", recipe(**{"training.evaluate_every": 12}))
    losses = [
        [
            row["loss"]
            for row in RunFolder(tmp_path / name).read_lines(tmp_path / name / "metrics.jsonl")
            if "loss" in row
        ]
        for name in ("often", "once")
    ]
    assert len(losses[0]) == 12
    assert losses[0] == losses[1]


def test_a_run_reports_its_events_and_its_folder_is_complete(tmp_path: Path) -> None:
    events = run(tmp_path / "run", recipe())
    kinds = [type(event) for event in events]
    assert kinds.count(Stepped) == 12
    assert kinds.count(Evaluated) == kinds.count(Sampled) == 3
    assert kinds.index(Started) < kinds.index(Stepped)
    assert isinstance(events[0], Note)
    assert kinds[-1] is Finished
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names >= {
        "recipe.toml", "model.json", "tokenizer", "weights.safetensors", "manifest.json", "facts.json", "tokens",
        "environment.json", "metrics.jsonl", "samples.jsonl", "evaluation.json", "checkpoints",
    }  # fmt: skip
    assert not list((tmp_path / "run").rglob("*.pkl")) + list((tmp_path / "run").rglob("*.pt"))
    files = RunFolder(tmp_path / "run")
    samples = files.read_lines(files.samples)
    assert [sample["step"] for sample in samples] == [4, 8, 12]
    assert all(sample["text"] for sample in samples)


def test_the_final_evaluation_is_that_of_the_best_weights(tmp_path: Path) -> None:
    # The rate is far too high at the end, so the last weights are not the best.
    options = {"training.schedule": "constant", "training.optimizer": "sgd", "training.learning_rate": 0.5}
    events = run(tmp_path / "run", recipe(**options | {"training.steps": 40, "training.clip": 100.0}))
    evaluations = [event for event in events if isinstance(event, Evaluated)]
    best = min(evaluations, key=lambda event: event.validation_loss)
    last = finished(events)
    assert last.evaluation is not None
    assert last.best_step == best.step
    assert math.isclose(last.evaluation["windows"]["separate"]["loss"], best.validation_loss, abs_tol=1e-5)
    assert last.evaluation["baselines"]["ngram"]["order"] >= 1
    assert last.evaluation["baselines"]["xz"]["bits_per_character"] > 0


@pytest.mark.parametrize("options", [{}, {"training.precision": "bfloat16"}, {"model.counts": True}])
def test_eval_repeats_the_final_evaluation(tmp_path: Path, options: dict[str, Any]) -> None:
    last = finished(run(tmp_path / "run", recipe(**options)))
    later = evaluate_run(load(tmp_path / "run"), tmp_path / "run")
    assert last.evaluation is not None
    assert last.evaluation == later


def test_figures_of_a_shorter_run_do_not_outlive_it(tmp_path: Path) -> None:
    finished(run(tmp_path / "run", recipe()))
    evaluation = tmp_path / "run" / "evaluation.json"
    assert evaluation.exists()
    run(tmp_path / "run", recipe())  # the run is finished
    assert evaluation.exists()
    longer = recipe(**{"training.steps": 400})
    for event in train(longer, corpus(), None, tmp_path / "run"):
        if isinstance(event, Stepped):
            break
    assert not evaluation.exists()
    with pytest.raises(RunError, match="the run is not finished; repeat its command"):
        read_outcome(tmp_path / "run")


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    options = {"training.patience": 2, "training.steps": 400, "training.learning_rate": 0.05, "data.window": 8}
    events = run(tmp_path / "run", recipe(**options), text=corpus(400))
    last = finished(events)
    assert last.step < 400
    assert "no improvement in 2 evaluations" in last.reason
    assert last.best_step == last.step - 8
    assert (tmp_path / "run" / "checkpoints" / f"step-{last.best_step:08d}").exists()
    again = finished(run(tmp_path / "run", recipe(**options), text=corpus(400)))
    assert again.step == last.step


def test_a_new_best_resets_the_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([3.0, 4.0, 2.0, 3.0, 3.0, 3.0])
    monkeypatch.setattr(
        TextData, "validate", lambda self, model, limit: ValidationResult(next(losses), self.targets, 1.0, 1.0)
    )
    last = finished(run(tmp_path / "run", recipe(**{"training.patience": 2, "training.evaluate_every": 1})))
    assert (last.best_step, last.step) == (3, 5)


@pytest.mark.parametrize("kind", ["char", "bpe", "word"])
def test_the_tokenizer_never_sees_the_held_out_text(tmp_path: Path, kind: str) -> None:
    text = made_up_text(3000) + " snowman ☃" * 40
    source = Corpus("made up", (Document("made up", text),), ())
    options = {"tokenizer": {"kind": kind, "vocabulary": None if kind == "char" else 80}, "data.split.fraction": 0.12}
    run(tmp_path / "run", recipe(**options, **{"training.steps": 1}), text=source)
    pieces = load_tokenizer(tmp_path / "run" / "tokenizer").pieces
    assert not any("☃" in piece or "snow" in piece for piece in pieces)


def test_characters_are_counted_in_the_original_text(tmp_path: Path) -> None:
    text = made_up_text(2000).replace("fi", "ﬁ").replace("a", "ﬃ")  # each ligature is three characters under NFKC
    source = Corpus("made up", (Document("made up", text),), ())
    last = finished(run(tmp_path / "run", recipe(**{"tokenizer.normalize": ["nfkc"]}), text=source))
    other = tmp_path / "other.txt"
    other.write_text(text, encoding="utf-8")
    measured = evaluate_run(load(tmp_path / "run"), tmp_path / "run", str(other))
    assert last.evaluation is not None
    held_out = RunFolder(tmp_path / "run").read_facts()["validation"]["characters"]
    for report, characters in ((last.evaluation, held_out), (measured, len(text))):
        assert report["characters"] == characters < report["tokens"]
        nats = report["loss"] * report["tokens"]
        assert report["bits_per_character"] == pytest.approx(nats / characters / math.log(2), rel=1e-3)


def test_the_best_the_last_two_and_every_nth_checkpoint_are_kept(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe(**{"training.steps": 30, "training.evaluate_every": 5, "training.keep_every": 10}))
    steps = sorted(int(path.name.removeprefix("step-")) for path in (tmp_path / "run" / "checkpoints").iterdir())
    files = RunFolder(tmp_path / "run")
    evaluations = [row for row in files.read_lines(files.metrics) if "validation_loss" in row]
    best = min(evaluations, key=lambda row: row["validation_loss"])["step"]
    assert steps == sorted({10, 20, 25, 30, best})


@pytest.mark.parametrize("length", ["minutes", "steps"])
def test_a_run_counts_the_time_of_the_preparation(tmp_path: Path, length: str) -> None:
    options = {"training.minutes": 0.2, "training.steps": None} if length == "minutes" else {}
    run(tmp_path / "run", recipe(**options), started=time.monotonic() - 5.0)
    saved = newest_checkpoint(RunFolder(tmp_path / "run").checkpoints, pytest.fail)
    assert saved is not None
    assert 5.0 <= saved.progress.opening_seconds < saved.progress.seconds
    rates = [
        row["learning_rate"]
        for row in RunFolder(tmp_path / "run").read_lines(RunFolder(tmp_path / "run").metrics)
        if "learning_rate" in row
    ]
    assert rates[0] < 0.1 * max(rates)


def test_a_budget_spent_on_preparation_is_reported(tmp_path: Path) -> None:
    events = run(tmp_path / "run", recipe(**{"training.minutes": 1e-4}))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any(note.startswith("preparing took ") and "--minutes" in note for note in notes)
    events = run(tmp_path / "other", recipe())
    assert not any(isinstance(event, Note) and event.text.startswith("preparing took") for event in events)


def test_a_time_budget_counts_from_the_given_start(tmp_path: Path) -> None:
    long_ago = time.monotonic() - 599.0
    last = finished(run(tmp_path / "run", recipe(**{"training.minutes": 10.0}), started=long_ago))
    assert 599.0 < last.seconds < 660.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "answers"])
def test_a_run_of_some_minutes_finishes_and_measures_its_evaluations(tmp_path: Path, kind: str) -> None:
    make, text = (recipe, corpus()) if kind == "text" else (example_recipe, sums())
    last = finished(run(tmp_path / "run", make(**{"training.minutes": 0.05, "training.steps": None}), text=text))
    assert last.step >= 1
    assert last.evaluation is not None
    saved = newest_checkpoint(RunFolder(tmp_path / "run").checkpoints, pytest.fail)
    assert saved is not None
    assert 0 < saved.progress.seconds_per_reported_token < 3


def test_a_diverging_run_is_reported(tmp_path: Path) -> None:
    options = {"training.optimizer": "sgd", "training.learning_rate": 1e30, "model.shape": "gpt2"}
    with pytest.raises(RunError, match=r"became (nan|inf) at step \d+.*smaller training.learning_rate"):
        run(tmp_path / "run", recipe(**options))


@pytest.mark.parametrize("characters", [60, 200])
def test_a_tiny_text_trains_with_a_smaller_context(tmp_path: Path, characters: int) -> None:
    events = run(tmp_path / "run", recipe(**{"data.window": 512}), text=corpus(characters))
    started = next(event for event in events if isinstance(event, Started))
    assert started.context < characters
    assert any(isinstance(event, Note) and "the context shrinks from 512" in event.text for event in events)
    assert load(tmp_path / "run").write("The", max_tokens=5).startswith("The")


def test_an_empty_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        run(tmp_path / "run", recipe(), text=corpus(2))


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    from lilliput.training.train import train

    events: Iterator[object] = train(recipe(), corpus(), None, tmp_path / "run")
    next(events)
    with pytest.raises(RunError, match="in use by another process"):
        run(tmp_path / "run", recipe())


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("dear all")
    with pytest.raises(RunError, match="not empty and not a run"):
        run(tmp_path, recipe())
    assert (tmp_path / "letters.txt").read_text() == "dear all"


def test_fresh_deletes_only_the_run(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe())
    (tmp_path / "run" / "my notes.md").write_text("mine")
    run(tmp_path / "run", recipe(), fresh=True)
    assert (tmp_path / "run" / "my notes.md").read_text() == "mine"


def test_compiling_falls_back_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> object:
        def fail(*_: object) -> object:
            raise RuntimeError("no compiler here\nand a long story")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    run(tmp_path / "plain", recipe())
    events = run(tmp_path / "run", recipe(**{"training.compile": True}))
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "torch.compile failed, continuing without it (no compiler here)" in notes
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == (
        tmp_path / "plain" / "weights.safetensors"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("counts", [False, True])
def test_compiling_learns_the_same(tmp_path: Path, counts: bool) -> None:
    options = {"model.dropout": 0.0, "model.counts": counts}
    run(tmp_path / "plain", recipe(**options))
    events = run(tmp_path / "run", recipe(**options | {"training.compile": True}))
    assert any(isinstance(event, Note) and "compile" in event.text for event in events)
    one, other = (finished_loss(tmp_path / name) for name in ("plain", "run"))
    assert abs(one - other) < 1e-3


def finished_loss(folder: Path) -> float:
    return float(RunFolder(folder).read_json(folder / "evaluation.json")["loss"])


def test_the_network_alone_is_measured_on_the_same_tokens(tmp_path: Path) -> None:
    settings = {"model.counts": True, "training.steps": 4, "training.evaluate_every": 2}
    last = finished(run(tmp_path / "run", recipe(**settings), text=corpus(6000)))
    files = RunFolder(tmp_path / "run")
    rows = [row for row in files.read_lines(files.metrics) if "validation_loss" in row]
    best = min(rows, key=lambda row: row["validation_loss"])
    network = load(tmp_path / "run").model.network_alone()
    validation, training = read_tokens(files.validation_tokens), read_tokens(files.training_tokens)
    total, scored = score_tokens(network, validation, 16, "separate")
    assert best["network_validation_loss"] == pytest.approx(total / scored, abs=1e-4)
    assert best["network_validation_loss"] > best["validation_loss"] + 0.1
    # The training loss is measured in the same state, over as many tokens, always the same ones.
    aside = len(training) // 16
    learnt, count = score_tokens(network, training[:-aside], 16, "separate", limit=scored)
    assert best["network_training_loss"] == pytest.approx(learnt / count, abs=1e-4)
    assert last.evaluation is not None
    for score in last.evaluation["windows"].values():
        network_bits, counts_bits = (score["parts"][name]["bits_per_character"] for name in ("network", "counts"))
        assert score["bits_per_character"] < counts_bits + 0.05 < network_bits
    again = evaluate_run(load(tmp_path / "run"), tmp_path / "run")
    assert again["parts"]["counts"] == pytest.approx(last.evaluation["parts"]["counts"], abs=1e-4)


def test_a_text_with_only_unknown_characters_is_reported(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe(**{"training.steps": 2}))
    (tmp_path / "other.txt").write_text("\u5929\u5730\u7384\u9ec3" * 50, encoding="utf-8")
    report = evaluate_run(load(tmp_path / "run"), tmp_path / "run", str(tmp_path / "other.txt"))
    assert report["unknown_characters"] == 1.0
    assert "yet" not in verdict(report["bits_per_character"], report["baselines"])
