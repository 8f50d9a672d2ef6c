"""`torch.compile`, with a fallback to the uncompiled model.

All blocks of a transformer share one compiled function, since they differ only in their weights. The compiled code is
cached: the next run of the same size loads it within seconds, for any text.
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

    If that fails, the model stays uncompiled. Returns a line about the outcome.
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
