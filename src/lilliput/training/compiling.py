"""`torch.compile` as an option that never stands in the way."""

from typing import cast

import torch
from torch import nn

from lilliput.data.batch import Batch
from lilliput.objectives import next_token
from lilliput.runtime import Runtime


def compile_or_not(model: nn.Module, example: Batch, runtime: Runtime) -> tuple[nn.Module, str]:
    """Compile the model and try it on one micro-batch, forward and backward.

    Returns the compiled model, or the model itself where compiling fails, and one line that says which.
    """
    candidate = cast(nn.Module, torch.compile(model, dynamic=False))
    try:
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
