"""A continued run equals an uninterrupted one, to the bit."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lilliput.errors import CheckpointError, RunError
from lilliput.runs.checkpoint import load_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.training.events import Note, Started
from lilliput.training.state import State
from tests.training.building import corpus, finished, recipe, run, stop_after

MODELS: dict[str, dict[str, Any]] = {
    "gpt": {},
    "muon": {"training.optimizer": "muon"},
    "llama": {"model.shape": "llama"},
    "counts": {"model.counts": True, "model.ngrams": 3, "training.accumulation": 2},
    "lstm": {"model": {"kind": "lstm", "width": 16, "layers": 2, "dropout": 0.2}},
    "accumulation": {"training.accumulation": 2, "training.batch": 2},
    "sgd": {"training.optimizer": "sgd", "training.schedule": "wsd"},
}


def state(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], list[dict[str, Any]]]:
    files = RunFolder(folder)
    checkpoint = load_checkpoint(sorted(files.checkpoints.glob("step-*"))[-1])
    rows = [{key: row[key] for key in row if key != "seconds"} for row in files.read_lines(files.metrics)]
    return dict(checkpoint.weights), dict(checkpoint.optimizer), rows


def assert_equal_runs(one: Path, other: Path) -> None:
    for left, right in zip(state(one), state(other), strict=True):
        if isinstance(left, dict):
            assert left.keys() == right.keys()
            for name in left:
                assert torch.equal(left[name], right[name]), name
        else:
            assert left == right
    names = ["samples.jsonl", "weights.safetensors", "evaluation.json", "model.json"]
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_stopped_and_continued_equals_unbroken(tmp_path: Path, options: dict[str, Any]) -> None:
    run(tmp_path / "whole", recipe(**options))
    first = finished(run(tmp_path / "halves", recipe(**options), stop=stop_after(7)))
    assert first.interrupted
    assert first.step == 7
    last = finished(run(tmp_path / "halves", recipe(**options)))
    assert not last.interrupted
    assert last.step == 12
    assert_equal_runs(tmp_path / "whole", tmp_path / "halves")


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_any_number_of_stops_changes_nothing(tmp_path: Path, stops: list[int]) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    if not whole.exists():
        run(whole, recipe())
    shutil.rmtree(parts, ignore_errors=True)
    for steps in stops:
        run(parts, recipe(), stop=stop_after(steps))
    run(parts, recipe())
    assert_equal_runs(whole, parts)


def test_steps_after_the_last_checkpoint_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "whole", recipe())
    save = State.save

    def die(self: State) -> None:
        if self.progress.step == 8:
            raise SystemExit  # the process dies here: step 8 was logged and sampled, and not yet saved
        save(self)

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(State, "save", die)
        run(tmp_path / "crashed", recipe())
    metrics = RunFolder(tmp_path / "crashed").metrics
    assert any(row["step"] == 8 for row in RunFolder(tmp_path / "crashed").read_lines(metrics))
    continued = run(tmp_path / "crashed", recipe())
    assert next(event.step for event in continued if isinstance(event, Started)) == 4
    assert_equal_runs(tmp_path / "whole", tmp_path / "crashed")


def test_a_line_cut_off_by_a_crash_is_dropped(tmp_path: Path) -> None:
    run(tmp_path / "whole", recipe())
    run(tmp_path / "cut", recipe(), stop=stop_after(7))
    with (tmp_path / "cut" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')
    run(tmp_path / "cut", recipe())
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")


def test_a_finished_run_says_so_and_can_be_extended(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe(**{"training.schedule": "constant"}))
    again = run(tmp_path / "run", recipe(**{"training.schedule": "constant"}))
    assert any(isinstance(event, Note) and "finished" in event.text for event in again)
    assert finished(again).step == 12
    longer = finished(run(tmp_path / "run", recipe(**{"training.schedule": "constant", "training.steps": 20})))
    assert longer.step == 20
    # With a constant rate and no warm-up to stretch, the extended run is the long run.
    options = {"training.schedule": "constant", "training.warmup": 0.0}
    run(tmp_path / "short", recipe(**options))
    run(tmp_path / "short", recipe(**options, **{"training.steps": 20}))
    run(tmp_path / "long", recipe(**options, **{"training.steps": 20}))
    assert_equal_runs(tmp_path / "long", tmp_path / "short")


def test_a_recipe_that_extends_trains_its_length_again(tmp_path: Path) -> None:
    options = {"training.extend": True, "training.schedule": "constant", "training.warmup": 0.0}
    assert finished(run(tmp_path / "run", recipe(**options))).step == 12
    assert finished(run(tmp_path / "run", recipe(**options), stop=stop_after(5))).step == 17
    assert finished(run(tmp_path / "run", recipe(**options))).step == 24
    run(tmp_path / "long", recipe(**options, **{"training.steps": 24}))
    assert_equal_runs(tmp_path / "long", tmp_path / "run")


def test_a_changed_recipe_is_refused_with_the_difference(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe(), stop=stop_after(3))
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=r"model\.width: 16 -> 32.*training\.batch: 4 -> 5.*--fresh"):
        run(tmp_path / "run", recipe(**{"training.batch": 5, "model.width": 32}))
    with pytest.raises(RunError, match="a different text"):
        run(tmp_path / "run", recipe(), text=corpus(seed=2))
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    fresh = finished(run(tmp_path / "run", recipe(**{"training.batch": 5}), fresh=True))
    assert fresh.step == 12


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_broken_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    run(tmp_path / "whole", recipe())
    run(tmp_path / "run", recipe(), stop=stop_after(7))
    damage(tmp_path / "run" / "checkpoints" / "step-00000007" / "weights.safetensors")
    events = run(tmp_path / "run", recipe())
    (line,) = [event.text for event in events if isinstance(event, Note) and "step 7 is broken" in event.text]
    assert "length" not in line
    assert next(event.step for event in events if isinstance(event, Started)) == 4
    assert_equal_runs(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize(("schedule", "same"), [("cosine", False), ("constant", True)])
def test_a_fallback_in_an_extended_run_has_a_note(tmp_path: Path, schedule: str, same: bool) -> None:
    """Steps 9 to 12 followed the schedule of a run of 12 steps; repeat them with the schedule of 16 steps."""
    options = {"training.schedule": schedule, "training.warmup": 0.0}
    run(tmp_path / "whole", recipe(**options))
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    damage(tmp_path / "run" / "checkpoints" / "step-00000012" / "weights.safetensors")
    run(tmp_path / "whole", recipe(**options, **{"training.steps": 16}))
    events = run(tmp_path / "run", recipe(**options, **{"training.steps": 16}))
    (line,) = [event.text for event in events if isinstance(event, Note) and "step 12 is broken" in event.text]
    assert "the length of the run has changed since step 8" in line
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "run")]
    assert (weights[0] == weights[1]) == same


def test_a_run_without_intact_checkpoints_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe(), stop=stop_after(7))
    for path in (tmp_path / "run" / "checkpoints").glob("*/state.json"):
        path.write_text(json.dumps({"step": 1}))
    with pytest.raises(CheckpointError, match="every checkpoint is broken; start over with --fresh"):
        run(tmp_path / "run", recipe())
