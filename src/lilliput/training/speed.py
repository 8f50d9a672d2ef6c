"""How fast this machine is, for plans: what a minute is worth here.

What is planned by minutes was measured on two cores with bfloat16 units; a machine that is three times as fast learns
in a minute what those learn in three.
"""

import statistics
import time
from functools import cache

import torch

from lilliput.models.layers import Block, rotary_tables
from lilliput.models.settings import GPTSettings
from lilliput.runtime import choose_runtime, kept_memory

_ROWS, _WINDOW = 12, 256
_PARAMETERS = 600_000
_WARMING, _TURNS = 3, 5
REFERENCE_SECONDS = 0.050
"""For forward and back of the block below, on the machine that plans were measured on (`docs/log.md`)."""


@cache
def machine_speed() -> float:
    """Return how many times as fast as that machine this one trains a block of a planned model; takes half a second."""
    return REFERENCE_SECONDS / block_seconds()


def block_seconds() -> float:
    """Return the median time of forward and back of a block of a planned model with a step's rows."""
    settings = GPTSettings(shape="modern", layers=1)
    runtime = choose_runtime("auto", _PARAMETERS, _ROWS * _WINDOW)
    block = Block(settings, 0).to(runtime.device).train()
    rotary = tuple(table.to(runtime.device) for table in rotary_tables(_WINDOW, settings.head_width, 1024.0))
    x_BTD = torch.randn(_ROWS, _WINDOW, settings.width, generator=torch.Generator().manual_seed(0)).to(runtime.device)
    taken = []
    with kept_memory():
        for _ in range(_WARMING + _TURNS):
            clock = time.perf_counter()
            with runtime.autocast():
                loss = block(x_BTD, (rotary[0], rotary[1]), None).float().square().mean()
            loss.backward()
            gradient = block.feed_forward.down.weight.grad
            assert gradient is not None
            float(gradient.sum())  # waits for the device
            block.zero_grad()
            taken.append(time.perf_counter() - clock)
    return statistics.median(taken[_WARMING:])
