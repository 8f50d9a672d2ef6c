"""Several processes share a step, and learn the same as one process."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.data.batch import Batch
from lilliput.models import Model, build
from lilliput.objectives.next_token import next_token
from lilliput.runs.folder import RunFolder
from lilliput.runtime import Runtime
from lilliput.training.events import Note, Stepped
from lilliput.training.gradient import Scaler, step_seed
from lilliput.training.train import train
from lilliput.training.workers import pool as module
from lilliput.training.workers.alone import Alone
from lilliput.training.workers.pool import WorkerPool, worker_count
from tests.training.building import (
    CPU,
    Scripted,
    corpus,
    example_recipe,
    finished,
    fitted,
    recipe,
    run,
    stop_after,
    sums,
    weights,
)
from tests.training.test_resume import assert_equal_runs

MODELS: dict[str, dict[str, Any]] = {
    "gpt": {},
    "n-grams": {"model.ngrams": 3, "model.ngram_rows": 64, "model.ngram_dropout": 0.5, "model.counts": True},
    "lstm": {"model": {"kind": "lstm", "width": 16, "layers": 2, "dropout": 0.2}},
    "tied": {"model.shape": "gpt2", "training.accumulation": 2},
}


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())
def test_processes_learn_the_same_as_one_process_with_all_shards(options: dict[str, Any]) -> None:
    # Adam would amplify the rounding differences of small gradients.
    small = recipe(**({"training.batch": 5, "training.optimizer": "sgd", "training.learning_rate": 0.1} | options))
    together, losses = fitted(small, workers=WorkerPool(3))
    single, expected = fitted(small, workers=Alone(3))
    assert losses == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(weights(together), weights(single), atol=1e-5)
    # The shards differ in their dropout, so a single shard would learn something else.
    assert not torch.allclose(weights(together), weights(fitted(small)[0]), atol=1e-5)


def test_each_shard_of_a_step_has_different_dropout() -> None:
    model = build(recipe(**{"model.dropout": 0.5}).model, 20, 16).train()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)  # at first all logits are 0, with dropout and without
    ids_BT = torch.arange(17).repeat(3, 1)
    alike = Batch(ids_BT[:, :-1], ids_BT[:, 1:], torch.ones(3, 16))
    losses: list[float] = []

    def objective(model: Model, shard: Batch) -> torch.Tensor:
        loss = next_token(model, shard)
        losses.append(loss.item())
        return loss

    for step in (0, 0, 1):
        Alone(3).accumulate(model, Scripted(objective), alike, 1, partial(step_seed, 1, step), CPU, Scaler(CPU, {}))
    assert losses[:3] == losses[3:6]
    assert len(set(losses)) == 6


def test_without_dropout_the_shards_change_nothing() -> None:
    small = recipe(**{"training.batch": 5, "model.dropout": 0.0, "training.optimizer": "sgd"})
    trained_weights = [
        weights(fitted(small, workers=workers)[0]) for workers in (Alone(), Alone(2), WorkerPool(2), WorkerPool(5))
    ]
    for other in trained_weights[1:]:
        assert torch.allclose(trained_weights[0], other, atol=1e-5)


def test_the_processes_use_the_number_format_of_the_run() -> None:
    small = recipe(**{"training.batch": 5})
    coarse = Runtime(torch.device("cpu"), "bfloat16", "a test")
    together, single = (
        fitted(small, workers=WorkerPool(2), runtime=coarse),
        fitted(small, workers=Alone(2), runtime=coarse),
    )
    assert together[1] == pytest.approx(single[1], rel=1e-3)
    assert together[1] != pytest.approx(fitted(small, workers=WorkerPool(2))[1], rel=1e-6)


def test_a_lost_process_costs_only_time() -> None:
    small, workers = recipe(**{"training.batch": 5}), WorkerPool(3)

    def kill(model: Model, step: int) -> None:
        if step == 2:
            os.kill(workers.workers[0].process.pid, signal.SIGKILL)

    model, _ = fitted(small, workers=workers, steps=4, between=kill)
    assert workers.lost == 1
    assert torch.allclose(weights(model), weights(fitted(small, workers=Alone(3), steps=4)[0]), atol=1e-5)


def test_a_process_that_hangs_counts_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    small, workers = recipe(**{"training.batch": 5}), WorkerPool(2)
    stopped = workers.workers[0].process

    def stop(model: Model, step: int) -> None:
        if step == 2:
            stopped.send_signal(signal.SIGSTOP)
            monkeypatch.setattr(module, "LEAST_WAIT", 0.1)

    model, _ = fitted(small, workers=workers, steps=4, between=stop)
    assert workers.lost == 1
    assert stopped.poll() == -signal.SIGKILL
    assert torch.allclose(weights(model), weights(fitted(small, workers=Alone(2), steps=4)[0]), atol=1e-5)


def test_a_run_works_without_processes_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "executable", "/bin/false")
    small = recipe(**{"training.batch": 5})
    workers = WorkerPool(2)
    model, _ = fitted(small, workers=workers)
    assert workers.lost == 1
    assert torch.equal(weights(model), weights(fitted(small, workers=Alone(2))[0]))


@pytest.mark.parametrize("fails", ["memfd_create", "ftruncate"])
def test_a_run_works_without_shared_memory(monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError("not here")

    small = recipe(**{"training.batch": 5})
    monkeypatch.setattr(os, fails, refuse)
    model, _ = fitted(small, workers=WorkerPool(2))
    assert torch.equal(weights(model), weights(fitted(small, workers=Alone(2))[0]))


def test_a_run_reports_a_lost_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[WorkerPool] = []
    monkeypatch.setattr(WorkerPool, "__init__", remember(pools))
    events = []
    for event in train(recipe(**{"training.processes": 2}), corpus(), None, tmp_path / "run"):
        events.append(event)
        if isinstance(event, Stepped) and event.step == 5:
            os.kill(pools[0].workers[0].process.pid, signal.SIGKILL)
    assert Note("a worker process has ended: continuing with 1") in events
    assert finished(events).step == 12


def remember(pools: list[WorkerPool]) -> Any:
    begin = WorkerPool.__init__

    def start(self: WorkerPool, shards: int) -> None:
        begin(self, shards)
        pools.append(self)

    return start


def test_the_processes_end_with_the_pool() -> None:
    workers = WorkerPool(3)
    processes = [member.process for member in workers.workers]
    workers.dismiss()
    assert workers.processes == 1
    workers.close()
    assert all(process.poll() is not None for process in processes)


@pytest.mark.parametrize("kind", ["text", "answers"])
def test_a_continued_run_of_two_processes_equals_an_uninterrupted_one(tmp_path: Path, kind: str) -> None:
    make, text = (recipe, corpus()) if kind == "text" else (example_recipe, sums())
    shared = make(**{"training.processes": 2, "training.optimizer": "muon"})
    events = run(tmp_path / "whole", shared, text=text)
    assert Note("2 processes share the rows of each step") in events
    assert finished(run(tmp_path / "halves", shared, text=text, stop=stop_after(7))).interrupted
    assert not finished(run(tmp_path / "halves", shared, text=text)).interrupted
    assert_equal_runs(tmp_path / "whole", tmp_path / "halves")


def test_a_run_keeps_its_number_of_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lilliput.training.workers.pool.worker_count", lambda recipe: 2)
    run(tmp_path / "whole", recipe())
    run(tmp_path / "halves", recipe(), stop=stop_after(7))
    monkeypatch.setattr("lilliput.training.workers.pool.worker_count", lambda recipe: 1)
    run(tmp_path / "halves", recipe())
    whole, halves = (RunFolder(tmp_path / name).read_weights() for name in ("whole", "halves"))
    assert all(torch.allclose(whole[name], halves[name], atol=1e-5) for name in whole)


@pytest.mark.parametrize(
    ("settings", "threads", "size"),
    [
        ({"training.minutes": 5}, 2, 2),
        ({"training.minutes": 5}, 16, 4),
        ({"training.minutes": 5}, 1, 1),
        ({"training.minutes": 5, "training.batch": 1}, 2, 1),
        ({"training.minutes": 0.1}, 2, 1),
        ({"training.steps": 10}, 2, 1),
        ({"training.steps": 100_000_000}, 2, 2),
        ({"training.minutes": 5, "model.width": 1024, "model.heads": 16}, 2, 1),
        ({"training.steps": 10, "training.processes": 3}, 2, 3),
        ({"training.minutes": 5, "training.processes": 1}, 2, 1),
        ({"training.steps": 10, "training.processes": 9}, 2, 4),
    ],
)
def test_the_number_of_processes(
    settings: dict[str, Any], threads: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert worker_count(recipe(**settings)) == size
