"""Detects the step at which training fails: a loss or gradient that is NaN or infinite, a loss spike, or a loss worse
than that of an untrained network.

A spike is a loss far above its running mean (in running deviations and in nats) for several steps in a row. A single
bad step is normal: an unusual passage, such as a table, causes it, and clipping the gradient is enough. A loss that
stays above its first value, or above that of guessing uniformly, means that training has destroyed the network; a loss
may rise briefly in the first steps. The detector sees only the losses, in order. Its state is part of the checkpoint,
so a continued run gets the same verdicts as an uninterrupted one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lilliput.evaluation.doctor import clearly_above

MEMORY = 0.05
"""Weight of the newest loss in the running means."""
WARM = 30
"""Steps before a spike can be detected."""
DEVIATIONS = 10.0
NATS = 1.0
STAYS = 3
"""Steps in a row that make a spike."""
WORSE_STAYS = 10
"""Steps in a row with a clearly worse loss."""
ROLLBACKS = 3
"""Number of rollbacks after which the run stops."""


@dataclass
class SpikeDetector:
    """Running mean and mean absolute deviation of the loss after `seen` steps; `high` counts the latest high losses.

    `uniform` is the loss of guessing all tokens alike, `limit` what the loss has to stay below, and `worse` are the
    latest steps that were above it.
    """

    seen: int = 0
    mean: float = 0.0
    deviation: float = 0.0
    high: int = 0
    uniform: float = math.inf
    limit: float = math.inf
    worse: int = 0

    @classmethod
    def restored(cls, state: Mapping[str, Any], vocabulary: int) -> "SpikeDetector":
        """Return the detector saved in a checkpoint; that of step 0 or of an earlier version lacks some values."""
        return cls(**({"uniform": math.log(vocabulary)} | dict(state)))

    @property
    def doubtful(self) -> int:
        """Return the number of latest steps that may turn out to be bad."""
        return max(self.high, self.worse)

    def check(self, loss: float, norm: float | None, is_likelihood: bool = True) -> str | None:
        """Add a step's loss and gradient norm; return what is wrong with them, or None.

        `norm` is None with a loss scaler, where an infinite norm is normal. A loss that is no likelihood may rise.
        """
        if not math.isfinite(loss):
            return f"the training loss became {loss}"
        if norm is not None and not math.isfinite(norm):
            return f"the gradient's norm became {norm}"
        if not is_likelihood:
            return None
        if self.seen == 0:
            self.limit = loss
        self.worse = self.worse + 1 if loss > clearly_above(self.limit) else 0
        if self.worse >= WORSE_STAYS:
            return f"the network's loss stays at {loss:.2f}, worse than at its first step or than guessing"
        distance = loss - self.mean
        if self.seen >= WARM and distance > max(NATS, DEVIATIONS * self.deviation):
            self.high += 1
            return f"the training loss jumped from {self.mean:.2f} to {loss:.2f}" if self.high >= STAYS else None
        self.high = 0
        self.seen += 1
        share = max(MEMORY, 1 / self.seen)  # first the plain mean
        self.mean += share * distance
        self.deviation += share * (abs(distance) - self.deviation) if self.seen > 1 else 0.0
        if self.mean < self.uniform:  # the first values of some networks are above it
            self.limit = min(self.limit, self.uniform)
        return None


class LossSpike(Exception):
    """Training failed at a step; `step` counts from 1."""

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(reason)
        self.step = step
        self.reason = reason
