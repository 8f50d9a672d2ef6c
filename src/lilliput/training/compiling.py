"""`torch.compile` as an option that never stands in the way."""

import torch
from torch import Tensor, nn

from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.objectives import next_token
from lilliput.runtime import Runtime


class Compiled(nn.Module):
    """A model for training only: its features are compiled, weights and loss are the model's own."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self._features = torch.compile(model.features, dynamic=False)

    def features(self, ids_BT: Tensor) -> Tensor:
        """Return features_BTD."""
        features_BTD: Tensor = self._features(ids_BT)
        return features_BTD

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the model's loss."""
        return self.model.loss(features_ND, targets_N, weights_N)


Trainable = Model | Compiled


def compile_or_not(model: Model, example: Batch, runtime: Runtime) -> tuple[Trainable, str]:
    """Compile the model and try it on one micro-batch, forward and backward.

    Returns the compiled model, or the model itself where compiling fails, and one line that says which.
    """
    try:
        candidate = Compiled(model)
        with runtime.autocast():
            loss = next_token(candidate, example.to(runtime.device))
        torch.autograd.backward(loss)
    except Exception as error:  # the compiler calls other programs and may fail in any way
        reason = str(error).strip().splitlines()
        return (
            model,
            f"torch.compile fails here, going on without it ({reason[0][:120] if reason else 'no reason given'})",
        )
    finally:
        model.zero_grad(set_to_none=True)
    return candidate, "the model is compiled"
