"""Notices the step at which training goes wrong: a loss or gradient that is no number, or a loss that leaps.

A leap is a loss far above its running mean, in units of its own running deviation and in nats, that stays there for
several steps: a passage that is like nothing else in the text, a table or another script, makes a step as bad, and
clipping its gradient is all that it needs. What is no number is told at once. The guard sees the losses in the order of
the steps and nothing else; what it knows goes into the checkpoint, so a run that was stopped and continued is judged as
one that was not.
"""

import math
from dataclasses import dataclass

MEMORY = 0.05
"""Share of the newest loss in the running means."""
WARM = 30
"""Steps before a leap can be told."""
DEVIATIONS = 10.0
NATS = 1.0
STAYS = 3
"""Steps in a row that a leap takes."""
RESCUES = 3
"""How often a run is taken back before it is stopped."""


@dataclass
class Guard:
    """Running mean and mean absolute deviation of the loss after `seen` steps; `high` are the latest that leapt."""

    seen: int = 0
    mean: float = 0.0
    deviation: float = 0.0
    high: int = 0

    def check(self, loss: float, norm: float | None) -> str | None:
        """Take in a step's loss and gradient norm; return what is wrong with them, or None.

        `norm` is None where it may be infinite by rights, with a loss scaler.
        """
        if not math.isfinite(loss):
            return f"the training loss became {loss}"
        if norm is not None and not math.isfinite(norm):
            return f"the gradient's norm became {norm}"
        distance = loss - self.mean
        if self.seen >= WARM and distance > max(NATS, DEVIATIONS * self.deviation):
            self.high += 1
            return f"the training loss leapt from {self.mean:.2f} to {loss:.2f}" if self.high >= STAYS else None
        self.high = 0
        self.seen += 1
        share = max(MEMORY, 1 / self.seen)  # at first the plain mean
        self.mean += share * distance
        self.deviation += share * (abs(distance) - self.deviation) if self.seen > 1 else 0.0
        return None


class Trouble(Exception):
    """A step went wrong; `step` counts from 1."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(reason)
        self.step = step
        self.reason = reason
