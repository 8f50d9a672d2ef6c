"""However a run is stopped from outside, it saves the finished steps and no half-finished one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.runs.checkpoint import newest_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.training.events import Evaluated, Event, Sampled, Stepped
from lilliput.training.session import Session
from lilliput.training.train import train
from lilliput.training.workers.alone import Alone
from tests.training.building import corpus, finished, recipe, run, stop_after
from tests.training.test_resume import assert_equal_runs


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(folder, recipe())
    return folder


def saved(folder: Path) -> int:
    checkpoint = newest_checkpoint(RunFolder(folder).checkpoints, print)
    return 0 if checkpoint is None else checkpoint.progress.step


@pytest.mark.parametrize("kind", [Stepped, Evaluated, Sampled])
@pytest.mark.parametrize("step", [3, 8, 12])
def test_leaving_the_loop_saves(tmp_path: Path, whole: Path, kind: type[Event], step: int) -> None:
    if kind is not Stepped and step == 3:
        step = 4  # the first step with an evaluation
    with pytest.raises(ValueError, match="the caller"):
        for event in train(recipe(), corpus(), None, tmp_path / "run"):
            if isinstance(event, kind) and event.step == step:  # type: ignore[attr-defined]
                raise ValueError("the caller")
    assert saved(tmp_path / "run") == step
    run(tmp_path / "run", recipe())
    assert_equal_runs(whole, tmp_path / "run")


@pytest.mark.parametrize(
    ("owner", "name", "kept"),
    [
        (Alone, "accumulate", 5),  # the weights are still those of the previous step
        (torch.optim.AdamW, "step", 4),  # the weights may be those of either step
        (Session, "_record", 6),
        (Session, "_sample", 4),
    ],
)
def test_an_interrupt_inside_a_step_saves_the_last_whole_state(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, kept: int
) -> None:
    original, calls = getattr(owner, name), []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        calls.append(name)
        result = original(*arguments, **options)
        if len(calls) == (2 if name == "_sample" else 6):
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, name, interrupted)
        run(tmp_path / "run", recipe())
    assert saved(tmp_path / "run") == kept
    run(tmp_path / "run", recipe())
    assert_equal_runs(whole, tmp_path / "run")


def test_a_run_that_stops_before_its_first_evaluation_and_has_no_time_left_is_evaluated(tmp_path: Path) -> None:
    run(tmp_path / "run", recipe(), stop=stop_after(2))
    events = run(tmp_path / "run", recipe(**{"training.steps": 2}))
    assert [event.step for event in events if isinstance(event, Evaluated)] == [2]
    last = finished(events)
    assert not last.interrupted
    assert last.evaluation is not None
    assert last.best_step == 2
