"""A pool of processes for the steps: each computes the gradient of one shard, with weights in shared memory.

PyTorch's own threads synchronise at every operation. A step of a tiny model has about a thousand of them, and the
waiting takes as long as the work, or many times as long on a busy machine. Processes synchronise once per step.

The number of shards is part of the training, since each has its own dropout. The number of processes is not, apart from
rounding. If a process ends, or does not answer for much longer than this process needed for its own shard, the run
continues without it and loses only time.

Weights and gradients lie in shared memory (`memfd_create`, Linux). On other systems this process takes all shards. Left
out: several machines, and GPUs.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.objectives.building import build_objective
from lilliput.objectives.protocol import Objective
from lilliput.recipe import Recipe
from lilliput.runtime import Runtime, choose_device
from lilliput.training.compiling import compile_or_not
from lilliput.training.gradient import Scaler, accumulate, trained
from lilliput.training.workers.alone import Alone
from lilliput.training.workers.protocol import Workers
from lilliput.training.workers.shared_memory import SharedBatch, share_memory, values_in, values_size

MOST = 4
"""Maximum number of processes; summing the gradients of more takes longer than they save."""
LEAST_MINUTES, LEAST_OPERATIONS = 1 / 3, 2e11
"""A shorter run ends before the other processes are ready."""
MOST_PARAMETERS = 10_000_000
"""In the blocks. In a larger model the operations are long enough for threads, and each process needs memory."""
_PATIENCE = 5.0
"""Seconds that a process gets to end."""
LEAST_WAIT, WAIT_TIMES = 60.0, 20
"""Minimum seconds to wait for an answer, and the wait as a multiple of this process's time for the same work."""
_PARAMETERS, _OPERATIONS = 12, 6
"""Approximate parameters of a layer per unit of squared width, and operations per parameter and token (Kaplan et al.
2020, arXiv 2001.08361, section 2.1)."""


def worker_count(recipe: Recipe) -> int:
    """Return the number of processes that should share the steps of a recipe on this machine."""
    training, model = recipe.training, recipe.model
    rows = training.batch * training.accumulation
    if build_objective(recipe.objective).needs_whole_step:
        return 1
    if training.processes is not None:
        return min(training.processes, rows)
    if not _possible():
        return 1
    parameters = _PARAMETERS * model.layers * model.width**2
    operations = _OPERATIONS * parameters * rows * recipe.data.window * (training.steps or 0)
    if operations < LEAST_OPERATIONS and (training.minutes or 0) < LEAST_MINUTES:
        return 1
    if parameters > MOST_PARAMETERS:
        return 1
    return min(MOST, rows, torch.get_num_threads())


def _possible() -> bool:
    return choose_device().type == "cpu" and hasattr(os, "memfd_create")


class WorkerPool:
    """One process for each shard of a step; this process takes the first.

    The others start at once, to be ready when training begins. They wait for `begin`.
    """

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.lost = 0
        """Number of processes that ended early."""
        self._threads = torch.get_num_threads()
        self.workers: list[_Worker] = []
        self._dismissed: list[_Worker] = []
        self._weights = -1
        if shards > 1 and _possible():
            # If the system forbids any of this, this process works alone.
            with suppress(OSError):
                self._weights = os.memfd_create("weights")
                for _ in range(1, shards):
                    self.workers.append(_Worker(self._weights, max(1, self._threads // shards)))

    @property
    def processes(self) -> int:
        """Return the number of processes, including this one."""
        return 1 + len(self.workers)

    def begin(
        self, recipe: Recipe, model: Model, objective: Objective, runtime: Runtime, shards: int | None = None
    ) -> int:
        """Move the model's weights into shared memory; each process builds the model around them.

        A run keeps the number of `shards` that it started with. Returns the number of shards.
        """
        self.shards = shards or self.shards
        if not self.workers:
            return self.shards
        parameters = trained(model)
        try:
            memory = share_memory(self._weights, values_size(parameters))
        except OSError:  # there is not enough memory
            self.dismiss()
            return self.shards
        for parameter, value in zip(parameters, values_in(memory, parameters), strict=True):
            value.copy_(parameter.data)
            parameter.data = value
        rows = -(-recipe.training.batch * recipe.training.accumulation // self.shards)
        about = {
            "model": recipe.model.model_dump(mode="json"),
            "objective": objective.settings.model_dump(mode="json"),
            "objective_facts": objective.facts(),
            "vocab_size": model.vocab_size,
            "context": model.context,
            "precision": runtime.precision,
            "positions": rows * model.context,
            "processes": self.processes,
        }
        for worker in self.workers:
            worker.begin(about, parameters)
        self._keep([worker.reply(LEAST_WAIT) for worker in self.workers])
        return self.shards

    def compile(self, model: Model, objective: Objective, batch: Batch, parts: int, runtime: Runtime) -> str:
        """Compile the model in all processes, for such batches in `parts` micro-batches.

        Returns a line about the outcome.
        """
        shards = batch.split(min(self.shards, len(batch.inputs_BT)))
        workers = self.workers[: len(shards) - 1]
        for number, worker in enumerate(workers, 1):
            worker.ask(shards[number], {"parts": parts, "compile": True})
        began = time.monotonic()
        # The number of threads is part of the compiled code.
        with self._fewer_threads():
            note = compile_or_not(model, objective, shards[0].split(min(parts, len(shards[0].inputs_BT)))[0], runtime)
        wait = _patience(began)
        self._keep([worker.reply(wait) for worker in workers])
        return note

    def accumulate(
        self,
        model: Model,
        objective: Objective,
        batch: Batch,
        parts: int,
        seed: Callable[[int], int],
        runtime: Runtime,
        scaler: Scaler,
    ) -> Tensor:
        """Add the gradient of a batch to the parameters' and return the mean loss.

        Each shard is cut into `parts` micro-batches; `seed` gives the seed of its dropout. Raises
        torch.OutOfMemoryError if one of the other processes is out of memory.
        """
        weight = batch.weights_BT.sum()
        shards = batch.split(min(self.shards, len(batch.inputs_BT)))
        workers = self.workers[: len(shards) - 1]
        for number, worker in enumerate(workers, 1):
            worker.ask(shards[number], {"parts": parts, "seed": seed(number), "weight": float(weight)})

        def compute(number: int) -> Tensor:
            torch.manual_seed(seed(number))
            return accumulate(model, objective, shards[number], parts, weight, runtime, scaler)

        began = time.monotonic()
        try:
            with self._fewer_threads():
                loss = compute(0)
        finally:
            # Whatever happens here, wait until the others have finished this step.
            wait = _patience(began)
            replies = [worker.reply(wait) for worker in workers]
        if any(reply is not None and "loss" not in reply for reply in replies):
            raise torch.OutOfMemoryError("another process is out of memory")
        for number in range(1, len(shards)):
            reply = replies[number - 1] if number <= len(workers) else None
            if reply is None:
                loss += compute(number)
            else:
                loss += reply["loss"]
                workers[number - 1].add_gradients(trained(model))
        self._keep(replies)
        return loss

    def _keep(self, replies: list[dict[str, Any] | None]) -> None:
        """Drop the workers without a reply. Replies are in the order of the workers."""
        gone = [worker for worker, reply in zip(self.workers, replies, strict=False) if reply is None]
        for worker in gone:
            worker.kill()
            self.workers.remove(worker)
        self._dismissed += gone
        self.lost += len(gone)

    @contextmanager
    def _fewer_threads(self) -> Iterator[None]:
        """Use fewer threads while the other processes work."""
        if not self.workers:
            yield
            return
        torch.set_num_threads(max(1, self._threads // self.shards))
        try:
            yield
        finally:
            torch.set_num_threads(self._threads)

    def dismiss(self) -> None:
        """End the other processes without waiting; from now on this process takes all shards."""
        self._dismissed += self.workers
        self.workers = []
        for worker in self._dismissed:
            worker.dismiss()

    def close(self) -> None:
        """End the other processes, and wait for them."""
        self.dismiss()
        for worker in self._dismissed:
            worker.close()
        if self._weights >= 0:
            os.close(self._weights)
        self._dismissed, self._weights = [], -1


def _patience(began: float) -> float:
    """Return the seconds to wait for the others, if this process began the same work at `began`."""
    return max(LEAST_WAIT, WAIT_TIMES * (time.monotonic() - began))


class _Worker:
    """This side of the connection to another process; `worker` is the other side."""

    def __init__(self, weights: int, threads: int) -> None:
        self._file = os.memfd_create("gradients")
        # Import nothing from the working folder, and no other copy of this package.
        command = [
            sys.executable,
            "-P",
            "-m",
            "lilliput.training.workers.worker",
            str(weights),
            str(self._file),
            str(threads),
        ]
        path = [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(weights, self._file),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": str(threads)},
            # Ctrl-C goes to this process only; it ends the others.
            start_new_session=True,
        )

    def begin(self, about: dict[str, Any], parameters: list[Parameter]) -> None:
        """Send the process its model; it replies when it is ready."""
        size = values_size(parameters)
        try:
            memory = share_memory(self._file, size + SharedBatch.size(about["positions"]))
        except OSError:  # without a task the process ends, and its reply is missing
            self.dismiss()
            return
        self._gradients = values_in(memory, parameters)
        self._batch = SharedBatch(memory, size, about["positions"])
        self._send(about)

    def ask(self, shard: Batch, task: dict[str, Any]) -> None:
        """Send the process a task for a shard."""
        self._batch.put(shard)
        rows, time = shard.inputs_BT.shape
        self._send(task | {"rows": rows, "time": time})

    def reply(self, seconds: float) -> dict[str, Any] | None:
        """Wait for the reply of the process and return it; None if it has ended or takes longer."""
        assert self.process.stdout is not None
        answers = select.poll()
        answers.register(self.process.stdout, select.POLLIN)
        # In two halves: one may run out while this process itself is stopped.
        if not any(answers.poll(seconds * 500) for _ in range(2)):
            return None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def add_gradients(self, parameters: list[Parameter]) -> None:
        """Add the gradients of the process to those of these parameters."""
        for parameter, gradient in zip(parameters, self._gradients, strict=True):
            if parameter.grad is not None:
                parameter.grad += gradient

    def dismiss(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()

    def kill(self) -> None:
        """Kill a process that does not answer."""
        self.process.kill()
        self.dismiss()

    def close(self) -> None:
        """Wait for the process to end after `dismiss`."""
        assert self.process.stdout is not None
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        os.close(self._file)

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        # If the process has ended, its reply is missing.
        with suppress(OSError):
            self.process.stdin.write(json.dumps(message).encode("ascii") + b"\n")
            self.process.stdin.flush()


@contextmanager
def workers_for(recipe: Recipe) -> Iterator[Workers]:
    """Yield the workers for the steps of a recipe, and close them at the end."""
    shards = worker_count(recipe)
    workers: Workers = Alone() if shards == 1 else WorkerPool(shards)
    try:
        yield workers
    finally:
        workers.close()
