"""The state of a run: weights, optimiser, objective and progress, saved to and restored from checkpoints."""

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
    """The state of a run in memory, restored from the newest checkpoint.

    `first_weights` returns the weights of step 0. `note` gets a line about each damaged file.
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
        recorder.prune(self.progress.best_step)  # an interrupted run may have left too many

    def restore(self) -> None:
        """Restore the newest intact checkpoint, or the start of the run, and drop later rows of the logs."""
        checkpoint = newest_checkpoint(self._run.checkpoints, self._note, self._length)
        self.progress = Progress() if checkpoint is None else checkpoint.progress
        put_weights(self._model, self._first_weights() if checkpoint is None else checkpoint.weights)
        self.optimizers.load_state({} if checkpoint is None else checkpoint.optimizer)
        self._objective.load_state({} if checkpoint is None else checkpoint.objective)
        self._recorder.rewind(self.progress.step, self._note)

    def save(self) -> None:
        """Write a checkpoint, and delete those that are no longer needed."""
        weights = dict(self._model.named_parameters())
        self.progress.length = self._length
        self._recorder.checkpoint(Checkpoint(self.progress, weights, self.optimizers.state(), self._objective.state()))

    def keep_best(self) -> None:
        """Store the current weights as the best ones."""
        self._recorder.weights(dict(self._model.named_parameters()))

    def put_best(self) -> None:
        """Load the best weights. Raises CheckpointError if no file has them."""
        put_weights(self._model, self._best())

    def _best(self) -> Mapping[str, Tensor]:
        try:
            return self._run.read_weights()
        except CheckpointError:
            # The best checkpoint holds the same weights; write the file again.
            weights = load_checkpoint(self._run.checkpoints / f"step-{self.progress.best_step:08d}").weights
            self._recorder.weights(weights)
            return weights
