"""Where a run stands: weights, optimiser, objective and progress, put on the disk and taken from there."""

from collections.abc import Callable, Mapping

from torch import Tensor

from lilliput.errors import CheckpointError
from lilliput.models import Model
from lilliput.objectives.protocol import Objective
from lilliput.optimization.optimizers import Optimizers
from lilliput.recipe import TrainingSettings
from lilliput.runs.checkpoint import Checkpoint, Progress, load_checkpoint, newest_checkpoint
from lilliput.runs.folder import RunFolder
from lilliput.runs.recorder import Recorder
from lilliput.runs.weights import put_weights


class State:
    """The state of a run in memory; it begins with what the folder's newest checkpoint holds.

    `first_weights` returns the weights of step 0. What was found broken is told to `note`.
    """

    def __init__(
        self,
        run: RunFolder,
        recorder: Recorder,
        model: Model,
        objective: Objective,
        optimizers: Optimizers,
        first_weights: Callable[[], Mapping[str, Tensor]],
        settings: TrainingSettings,
        note: Callable[[str], None],
    ) -> None:
        self._run = run
        self._recorder = recorder
        self._model = model
        self._objective = objective
        self.optimizers = optimizers
        self._first_weights = first_weights
        self._length = settings.steps or settings.minutes
        self._note = note
        self.restore()
        recorder.prune(self.progress.best_step)  # an interruption may have left more than are kept

    def restore(self) -> None:
        """Put the newest whole checkpoint in place, or the beginning of the run; drop the log of what came after."""
        checkpoint = newest_checkpoint(self._run.checkpoints, self._note, self._length)
        self.progress = Progress() if checkpoint is None else checkpoint.progress
        put_weights(self._model, self._first_weights() if checkpoint is None else checkpoint.weights)
        self.optimizers.load_state({} if checkpoint is None else checkpoint.optimizer)
        self._objective.load_state({} if checkpoint is None else checkpoint.objective)
        self._recorder.rewind(self.progress.step, self._note)

    def save(self) -> None:
        """Write a checkpoint and delete those that are no longer needed."""
        weights = dict(self._model.named_parameters())
        self.progress.length = self._length
        self._recorder.checkpoint(Checkpoint(self.progress, weights, self.optimizers.state(), self._objective.state()))

    def keep_best(self) -> None:
        """Make the weights those that the run is used with."""
        self._recorder.weights(dict(self._model.named_parameters()))

    def put_best(self) -> None:
        """Put the best weights in place. Raises CheckpointError if they are nowhere to be had."""
        put_weights(self._model, self._best())

    def _best(self) -> Mapping[str, Tensor]:
        try:
            return self._run.read_weights()
        except CheckpointError:
            # The best checkpoint holds the same weights; with them the file is made anew.
            weights = load_checkpoint(self._run.checkpoints / f"step-{self.progress.best_step:08d}").weights
            self._recorder.weights(weights)
            return weights
