"""Next-token prediction: the weighted negative log-likelihood of every target.

Shapes: B rows, T time, V vocabulary.
"""

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from lilliput.data.batch import Batch


class Objective(Protocol):
    """What training minimises: a loss *summed* over a batch's weighted targets (a scalar, in nats).

    The loop divides by the sum of the weights over all micro-batches, so that the cut into micro-batches
    never changes the result.
    """

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the summed loss of `batch`."""
        ...


def next_token(model: nn.Module, batch: Batch) -> Tensor:
    """Return the sum of weight x negative log-likelihood (nats) over all targets of the batch."""
    logits_BTV = model(batch.inputs_BT)
    losses = F.cross_entropy(logits_BTV.float().flatten(0, 1), batch.targets_BT.flatten(), reduction="none")
    return losses @ batch.weights_BT.flatten()
