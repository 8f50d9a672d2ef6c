"""What an objective is: a loss for a batch, and what it remembers from step to step.

A step is a function of (weights, optimiser state, objective state, recipe, step number), so everything that an
objective remembers is in its `state`, which checkpoints keep.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.objectives.settings import ObjectiveSettings


class Network(Protocol):
    """What an objective needs of a model: features, and what they cost."""

    def features(self, ids_BT: Tensor) -> Tensor:
        """Return features_BTD."""
        ...

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the sum of weight x negative log-likelihood in nats."""
        ...


class Objective:
    """What training minimises: a loss *summed* over a batch's weighted targets (a scalar, in nats).

    The loop divides by the sum of the weights over all micro-batches, so that the cut into micro-batches
    never changes the result. An objective that compares the rows of a step with one another sets `needs_whole_step`;
    its steps are not cut into shards.
    """

    needs_whole_step: ClassVar[bool] = False
    is_likelihood: ClassVar[bool] = True
    """Whether the loss is a mean negative log-likelihood, whose rise means that training fails."""

    def __init__(self, settings: ObjectiveSettings | None = None) -> None:
        self.settings = settings or ObjectiveSettings()

    def attach(self, training_data: Any) -> None:
        """Get to know the training data, of which some objectives need more than batches; before the first step."""

    def facts(self) -> dict[str, Any]:
        """Return, for JSON, what copies of this objective in other processes must know of the training data."""
        return {}

    def take_facts(self, facts: Mapping[str, Any]) -> None:
        """Get to know the training data by the facts of another process, in place of `attach`."""

    def __call__(self, model: Network, batch: Batch) -> Tensor:
        """Return the summed loss of `batch`. What is remembered changes in `finish_step` only."""
        raise NotImplementedError

    def begin_step(self, step: int) -> None:
        """Get ready for the passes of step number `step`; called again where the step is tried again."""

    def finish_step(self) -> None:
        """Take what the passes of this step found into the state; called after the weights are updated."""

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned; an empty state is the beginning."""
