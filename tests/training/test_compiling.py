"""Compiled blocks: faster code for the same model, in all processes, during training only."""

from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.models import build
from lilliput.models.layers import Block
from lilliput.training.events import Note
from lilliput.training.workers.alone import Alone
from lilliput.training.workers.pool import WorkerPool
from tests.training.building import finished, fitted, recipe, run, stop_after, weights
from tests.training.test_resume import assert_equal_runs

COMPILED: dict[str, Any] = {"training.compile": True, "training.processes": 2}


@pytest.mark.slow
def test_compiled_blocks_learn_the_same_in_two_processes_and_in_one() -> None:
    options = {"model.dropout": 0.0, "training.batch": 5, "training.optimizer": "sgd", "training.learning_rate": 0.1}
    options |= {"model.ngrams": 3, "model.ngram_rows": 64, "model.counts": True, "model.ensemble": 2}
    pools = [WorkerPool(2), Alone(), Alone()]
    models = [
        fitted(recipe(**options | {"training.compile": compiled}), workers=workers)[0]
        for workers, compiled in zip(pools, (True, True, False), strict=True)
    ]
    assert not any(workers.lost for workers in pools)
    for model in models[:2]:
        assert all(block.compiled for block in model.modules() if isinstance(block, Block))
        assert torch.allclose(weights(model), weights(models[2]), atol=1e-5)


@pytest.mark.slow
def test_a_continued_compiled_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    # With dropout: the compiled code draws other random numbers.
    events = run(tmp_path / "whole", recipe(**COMPILED))
    assert Note("the model is compiled") in events
    assert finished(run(tmp_path / "halves", recipe(**COMPILED), stop=stop_after(7))).interrupted
    run(tmp_path / "halves", recipe(**COMPILED))
    assert_equal_runs(tmp_path / "whole", tmp_path / "halves")


def test_compiled_blocks_are_for_training_only() -> None:
    model = build(recipe().model, 20, 16)
    ids_BT = torch.randint(20, (2, 16))
    expected = model.eval()(ids_BT)

    def fail(*_: object) -> torch.Tensor:
        raise AssertionError("compiled code was used")

    for block in model.modules():
        if isinstance(block, Block):
            block.compiled = fail
    assert torch.equal(model(ids_BT), expected)
    with pytest.raises(AssertionError, match="compiled code"):
        model.train()(ids_BT)


def test_a_model_without_blocks_is_not_compiled(tmp_path: Path) -> None:
    lstm = {"model": {"kind": "lstm", "width": 16, "layers": 1}}
    run(tmp_path / "plain", recipe(**lstm))
    events = run(tmp_path / "run", recipe(**lstm, **{"training.compile": True}))
    assert Note("only transformers can be compiled: continuing without") in events
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == (
        tmp_path / "plain" / "weights.safetensors"
    ).read_bytes()
