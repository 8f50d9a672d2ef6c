"""Learning-rate schedules as pure functions: share of the run done -> share of the peak rate.

Cosine: Loshchilov and Hutter 2017 (arXiv 1608.03983), one period. WSD (warm-up, stable, decay): Hu et al. 2024
(arXiv 2404.06395) with a linear decay. Since a schedule depends on the share of the run, it works for a number of steps
and for a number of minutes.
"""

import math

from lilliput.optimization.settings import ScheduleSettings


def rate_factor(settings: ScheduleSettings, progress: float) -> float:
    """Return the learning rate at `progress` (0 at the first step, towards 1 at the last) as a share of the peak."""
    if progress < settings.warmup:
        # Never exactly zero: the first step has to move the weights.
        return max(progress / settings.warmup, 0.01)
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "wsd":
        fallen = max(0.0, progress - (1 - settings.decay)) / settings.decay
    else:
        fallen = (progress - settings.warmup) / (1 - settings.warmup)
    fallen = min(fallen, 1.0)
    if settings.schedule == "cosine":
        fallen = 0.5 - 0.5 * math.cos(math.pi * fallen)
    return 1.0 - (1.0 - settings.final) * fallen
