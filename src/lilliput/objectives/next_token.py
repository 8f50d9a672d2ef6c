"""Next-token prediction: the weighted negative log-likelihood of every target.

Shapes: B rows, T time, N positions, D width.
"""

from torch import Tensor

from lilliput.data.batch import Batch
from lilliput.objectives.protocol import Network, Objective


def next_token(model: Network, batch: Batch) -> Tensor:
    """Return the sum of weight x negative log-likelihood (nats) over all targets of the batch."""
    features_BTD = model.features(batch.inputs_BT)
    return model.loss(features_BTD.flatten(0, 1), batch.targets_BT.flatten(), batch.weights_BT.flatten())


class NextToken(Objective):
    """Next-token prediction, as an objective."""

    def __call__(self, model: Network, batch: Batch) -> Tensor:
        """Return the loss of `batch`, as `next_token` does."""
        return next_token(model, batch)
