"""`lilliput compare` and `lilliput sweep`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from lilliput.errors import RecipeError
from lilliput.recipe import varying
from lilliput.report.comparison import read_outcome
from lilliput.runs.folder import RunFolder
from lilliput.sweep import AS_PLANNED, read_alternatives, summary
from tests.cli.conftest import TINY, Lilliput, assert_refused
from tests.training.building import recipe


@pytest.fixture
def questions() -> None:
    lines = [json.dumps({"prompt": f"{number}+1=", "answer": str(number + 1)}) for number in range(60)]
    Path("questions.jsonl").write_text("\n".join(lines))


def test_runs_stand_side_by_side_with_what_differs(lilliput: Lilliput) -> None:
    for name, layers in (("one", 1), ("two", 2)):
        settings = (*TINY, "--set", f"model.layers={layers}", "--out", f"runs/{name}")
        assert lilliput("train", "story.txt", *settings).code == 0
    found = json.loads(lilliput("compare", "runs/one", "runs/two", "--json").out)
    figures = [row["bits_per_character"] for row in found["runs"]]
    assert figures == sorted(figures)
    assert found["same_text"] is True
    layers = {"runs/one": 1, "runs/two": 2}
    assert found["settings"] == {"model.layers": [layers[row["run"]] for row in found["runs"]]}
    for row in found["runs"]:
        evaluation = json.loads((Path(row["run"]) / "evaluation.json").read_text())
        assert row["bits_per_character"] == evaluation["bits_per_character"]
    shown = lilliput("compare", "runs/one", "runs/two", "--out", "both.png")
    assert shown.code == 0
    for name, part in (("network", "network alone"), ("counts", "counts and guesses alone")):
        assert part in shown.out
        assert all(row[f"{name}_bits_per_character"] > 0 for row in found["runs"])
    assert "model.layers" in shown.out
    assert "cannot be compared" not in shown.out
    assert imread("both.png").shape[1] > 600


def test_what_cannot_be_compared_is_said(lilliput: Lilliput, finished: Path, questions: None) -> None:
    assert lilliput("train", "questions.jsonl", *TINY).code == 0
    assert_refused(lilliput("compare", str(finished), "runs/questions"), "some on answers: compare runs of one kind")
    other = Path("other.txt")
    other.write_text(Path("story.txt").read_text()[:4000])
    assert lilliput("train", "other.txt", *TINY).code == 0
    assert "cannot be compared" in lilliput("compare", str(finished), "runs/other").out


def test_a_run_that_is_not_finished_is_refused(lilliput: Lilliput, finished: Path) -> None:
    shutil.copytree(finished, "runs/half")
    Path("runs/half/evaluation.json").unlink()
    assert_refused(lilliput("compare", "runs/half"), "runs/half: the run is not finished")
    assert_refused(lilliput("compare", "runs/nothing"), "no run at")
    Path("runs/half/evaluation.json").write_text("{}")
    assert_refused(lilliput("compare", "runs/half"), "damaged (its SHA-256 does not match manifest.json)")


@pytest.mark.parametrize("content", [{}, {"step": "x"}, {"step": 1, "loss": [1]}, {"step": 1, "parts": {"network": 1}}])
def test_an_evaluation_that_is_none_is_refused(lilliput: Lilliput, finished: Path, content: dict[str, Any]) -> None:
    shutil.copytree(finished, "runs/odd")
    RunFolder(Path("runs/odd")).write_evaluation(content)
    assert_refused(lilliput("compare", "runs/odd"), "broken")
    assert lilliput("doctor", "runs/odd").code in (0, 2)


def test_a_log_without_steps_is_told(lilliput: Lilliput, finished: Path) -> None:
    shutil.copytree(finished, "runs/empty")
    Path("runs/empty/metrics.jsonl").write_text("")
    assert_refused(lilliput("compare", "runs/empty"), "metrics.jsonl: holds no steps; copy it back")


def test_settings_that_vary_are_found_at_any_depth():
    found = varying([recipe(), recipe(**{"model.layers": 3, "sample.top_k": 5})])
    assert found == {"model.layers": [1, 3], "sample.top_k": [None, 5]}
    assert varying([recipe()]) == {}


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["model.layers=2"], ["model.layers=2"]),
        (["model.layers=2|3"], ["model.layers=2", "model.layers=3"]),
        (["a=1|2 b=3|4"], ["a=1 b=3", "a=1 b=4", "a=2 b=3", "a=2 b=4"]),
        (["a=1 b=2", "c=x"], ["a=1 b=2", "c=x"]),
    ],
)
def test_alternatives_are_read(texts, names):
    found = read_alternatives(texts)
    assert [alternative.name for alternative in found] == [AS_PLANNED, *names]
    assert found[0].settings == {}
    assert len({alternative.folder for alternative in found}) == len(found)


def test_values_have_their_types():
    assert read_alternatives(["training.learning_rate=1e-3|0.01 model.tied=true"])[2].settings == {
        "training.learning_rate": 0.01,
        "model.tied": True,
    }


@pytest.mark.parametrize(("text", "message"), [("a=1|1", "appears twice"), ("", "name a setting"), ("a", "KEY=VALUE")])
def test_impossible_alternatives_are_refused(text, message):
    with pytest.raises(RecipeError, match=message):
        read_alternatives([text])


def test_a_sweep_trains_each_alternative_with_each_seed(lilliput: Lilliput) -> None:
    command = ("sweep", "story.txt", *TINY, "--try", "model.layers=2", "--seeds", "2")
    shown = lilliput(*command)
    assert shown.code == 0
    assert "run 4 of 4: model.layers=2, seed 2" in shown.err
    assert "medians of 2 seeds" in shown.out
    folder = Path("runs/sweep-story")
    runs = {path.parent.relative_to(folder).as_posix() for path in folder.glob("*/*/evaluation.json")}
    assert runs == {f"{name}/seed-{seed}" for name in ("as_planned", "model.layers=2") for seed in (1, 2)}
    rows = json.loads((folder / "sweep.json").read_text())["alternatives"]
    figures = [row["bits_per_character"] for row in rows]
    assert figures == sorted(figures)
    for row in rows:
        runs_of = folder / row["alternative"].replace(" ", "_")
        values = [read_outcome(runs_of / f"seed-{seed}").figures["bits_per_character"] for seed in (1, 2)]
        assert row["values"] == values
        assert [row["least"], row["greatest"]] == sorted(values)
        assert row["bits_per_character"] == pytest.approx(sum(values) / 2)
    assert imread(folder / "sweep.png").shape[1] > 600
    again = lilliput(*command, "--json")
    assert "run " not in again.err
    assert json.loads(again.out) == {"folder": str(folder), "alternatives": rows}


def test_a_sweep_goes_on_with_what_is_missing(lilliput: Lilliput) -> None:
    command = ("sweep", "story.txt", *TINY, "--try", "model.layers=2", "--seeds", "1")
    assert lilliput(*command).code == 0
    shutil.rmtree("runs/sweep-story/model.layers=2")
    again = lilliput(*command)
    assert again.code == 0
    assert again.err.count("run ") == 1
    assert "run 2 of 2: model.layers=2, seed 1" in again.err


def test_a_sweep_over_answers_has_the_most_right_first(lilliput: Lilliput, questions: None) -> None:
    shown = lilliput("sweep", "questions.jsonl", *TINY, "--try", "model.layers=2", "--seeds", "1", "--json")
    rows = json.loads(shown.out)["alternatives"]
    assert [row["exact_match"] for row in rows] == sorted((row["exact_match"] for row in rows), reverse=True)


def test_a_bad_alternative_is_refused_before_anything_runs(lilliput: Lilliput) -> None:
    outcome = lilliput("sweep", "story.txt", *TINY, "--try", "model.lyers=2")
    assert_refused(outcome, "did you mean 'layers'")
    assert not Path("runs").exists()


def test_a_run_that_diverged_stands_last(finished: Path) -> None:
    good = read_outcome(finished)
    bad = read_outcome(finished)
    bad.figures["bits_per_character"] = None
    rows = summary({"bad": [bad], "good": [good]})
    assert [row["alternative"] for row in rows] == ["good", "bad"]
    assert rows[1]["bits_per_character"] is None
