"""All writing of a training session to its run folder."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from lilliput.recipe import Recipe
from lilliput.runs.checkpoint import Checkpoint, prune_checkpoints, save_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.runtime import describe_environment


class Recorder:
    """Writes a session's model, metrics, samples, checkpoints, weights and evaluation.

    If several processes train one model, each has a recorder, and all but that of the first are `silent`.
    `keep_every` is the number of steps between checkpoints that are never deleted.
    """

    def __init__(self, run: RunFolder, keep_every: int | None = None, silent: bool = False) -> None:
        self._run = run
        self._keep_every = keep_every
        self._silent = silent

    def begin(self, recipe: Recipe) -> None:
        """Write the recipe, and the machine and package versions of the session."""
        if not self._silent:
            self._run.write_recipe(recipe)
            self._run.write_json(self._run.environment, describe_environment())

    def model(self, values: Mapping[str, Any]) -> None:
        """Write the architecture."""
        if not self._silent:
            self._run.write_model(values)

    def metrics(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to metrics.jsonl."""
        if not self._silent:
            self._run.append_lines(self._run.metrics, rows)

    def samples(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to samples.jsonl."""
        if not self._silent:
            self._run.append_lines(self._run.samples, rows)

    def rewind(self, step: int, note: Callable[[str], None]) -> None:
        """Drop the rows of both logs after `step`; `note` gets a line about damaged ones."""
        if not self._silent:
            self._run.cut_lines(self._run.metrics, step, note)
            self._run.cut_lines(self._run.samples, step, note)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, and delete those that are no longer needed."""
        if not self._silent:
            save_checkpoint(self._run.checkpoints, checkpoint)
            self.prune(checkpoint.progress.best_step)

    def prune(self, best_step: int) -> None:
        """Delete all checkpoints but the last two, the best, and those of every `keep_every` steps."""
        every = self._keep_every
        if not self._silent:
            prune_checkpoints(self._run.checkpoints, best_step, lambda step: every is not None and step % every == 0)

    def weights(self, weights: Mapping[str, Tensor]) -> None:
        """Write the best weights."""
        if not self._silent:
            self._run.write_weights(weights)

    def evaluation(self, values: Mapping[str, Any] | None) -> None:
        """Write the final evaluation; None removes an earlier one, of a shorter run."""
        if self._silent:
            return
        if values is None:
            self._run.evaluation.unlink(missing_ok=True)
        else:
            self._run.write_evaluation(values)
