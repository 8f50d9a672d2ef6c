"""`torch.compile` as an option that never stands in the way.

The blocks of a transformer are compiled, all by the same code, since they differ in their weights only. The code is
kept in the cache, so that the next run of the same sizes has it after a few seconds, whatever its text.
"""

import os

import torch

from lilliput.cache import cache_folder
from lilliput.data.batch import Batch
from lilliput.models import Model
from lilliput.models.layers import Block
from lilliput.objectives.protocol import Objective
from lilliput.runtime import Runtime

_CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"


def compile_or_not(model: Model, objective: Objective, example: Batch, runtime: Runtime) -> str:
    """Compile the model's blocks for training and try them on one micro-batch, forward and backward.

    Where that fails the model stays as it was. Returns one line that says what came of it.
    """
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    if not blocks:
        return "only transformers can be compiled: continuing without"
    os.environ.setdefault(_CACHE_VARIABLE, str(cache_folder() / "compiled"))
    kept = [(parameter, parameter.grad) for parameter in model.parameters()]
    model.train()
    try:
        for block in blocks:
            block.compiled = torch.compile(block.whole, dynamic=False)
        with runtime.autocast():
            loss = objective(model, example.to(runtime.device))
        torch.autograd.backward(loss)
    except Exception as error:  # the compiler calls other programs and may fail in any way
        for block in blocks:
            block.compiled = None
        reason = str(error).strip().splitlines()
        return f"torch.compile failed, continuing without it ({reason[0][:120] if reason else 'no reason given'})"
    finally:
        for parameter, gradient in kept:
            parameter.grad = None if gradient is None else gradient.zero_()
    return "the model is compiled"
