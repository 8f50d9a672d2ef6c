"""Next-token prediction: the weighted negative log-likelihood of every target.

Shapes: B rows, T time, N places, D width.
"""

from typing import Protocol

from torch import Tensor

from lilliput.data.batch import Batch


class Network(Protocol):
    """What an objective needs of a model: features, and what they cost."""

    def features(self, ids_BT: Tensor) -> Tensor:
        """Return features_BTD."""
        ...

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the sum of weight x negative log-likelihood in nats."""
        ...


class Objective(Protocol):
    """What training minimises: a loss *summed* over a batch's weighted targets (a scalar, in nats).

    The loop divides by the sum of the weights over all micro-batches, so that the cut into micro-batches
    never changes the result.
    """

    def __call__(self, model: Network, batch: Batch) -> Tensor:
        """Return the summed loss of `batch`."""
        ...


def next_token(model: Network, batch: Batch) -> Tensor:
    """Return the sum of weight x negative log-likelihood (nats) over all targets of the batch."""
    features_BTD = model.features(batch.inputs_BT)
    return model.loss(features_BTD.flatten(0, 1), batch.targets_BT.flatten(), batch.weights_BT.flatten())
