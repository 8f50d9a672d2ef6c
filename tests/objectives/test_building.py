"""Objectives by name, and what they remember from step to step."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from tests.training.building import recipe, run, stop_after

from lilliput.data.batch import Batch
from lilliput.objectives.building import OBJECTIVES, build_objective
from lilliput.objectives.next_token import NextToken, next_token
from lilliput.objectives.protocol import Network, Objective
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.runs.checkpoint import newest_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.training import session
from lilliput.training.workers.pool import worker_count


class Momentum(Objective):
    """Weighs the loss of a step by how many weighted targets it has seen, so that it needs what it remembers."""

    needs_whole_step = True

    def __init__(self, settings: ObjectiveSettings | None = None) -> None:
        super().__init__(settings)
        self.seen, self.now = torch.zeros(()), torch.zeros(())

    def begin_step(self, step: int) -> None:
        self.now = torch.zeros(())

    def __call__(self, model: Network, batch: Batch) -> torch.Tensor:
        self.now = self.now + batch.weights_BT.sum()
        return next_token(model, batch) / (1 + self.seen / 100)

    def finish_step(self) -> None:
        self.seen = self.seen + self.now

    def state(self) -> dict[str, torch.Tensor]:
        return {"seen": self.seen}

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        self.seen = state.get("seen", torch.zeros(()))


def test_every_name_that_a_recipe_may_give_has_an_objective() -> None:
    assert isinstance(build_objective(ObjectiveSettings()), NextToken)
    names = ObjectiveSettings.model_fields["kind"].annotation
    assert set(OBJECTIVES) == set(names.__args__)


def test_what_an_objective_remembers_is_in_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "build_objective", lambda settings: Momentum())
    run(tmp_path / "whole", recipe())
    run(tmp_path / "halves", recipe(), stop=stop_after(7))
    run(tmp_path / "halves", recipe())
    whole, halves = (newest_checkpoint(RunFolder(tmp_path / name).checkpoints, print) for name in ("whole", "halves"))
    assert whole is not None
    assert halves is not None
    assert whole.objective["seen"] == halves.objective["seen"] == 12 * 4 * 16
    assert all(torch.equal(whole.weights[name], halves.weights[name]) for name in whole.weights)


def test_an_objective_that_needs_the_whole_step_has_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_count(recipe(**{"training.processes": 2})) == 2
    monkeypatch.setitem(OBJECTIVES, "next_token", Momentum)
    assert worker_count(recipe(**{"training.processes": 2})) == 1
