"""How long a run is: so many steps, or so many minutes.

Under a time budget the schedule runs on the clock, so the run ends on time whatever else the machine does. Everything
counts: preparing the text, training, evaluations on the way, and the final evaluation, for which time is set aside. The
schedule begins with the first step, however long preparing took, or there would be no warm-up.
"""

import math
import time
from collections.abc import Callable

from lilliput.recipe import TrainingSettings

EVALUATIONS = 10
"""Evaluations over a run whose recipe does not say how often."""
LOOKS_SHARE = 0.1
"""Under a time budget there are fewer where they would take more than this share of it."""
CLOSING_SECONDS, CLOSING_SHARE = 3.0, 0.1
"""What is left to do after the final evaluation, curves, tables and the end of the process, and the most of the budget
to set aside for it."""


class Budget:
    """The share of a run that is done, by steps or by the clock.

    `seconds` were spent on the run before now; `rounds` says how many times its whole length the run is to be.
    """

    def __init__(
        self, settings: TrainingSettings, seconds: float, rounds: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps = None if settings.steps is None else settings.steps * rounds
        self.seconds = None if settings.minutes is None else settings.minutes * 60 * rounds
        self.opening_seconds = 0.0
        """What preparing took before the first step, where the schedule begins."""
        self.final_seconds = 0.0
        """What the final evaluation will take."""
        self.look_seconds = 0.0
        """What the latest evaluation on the way took, with its sample and its checkpoint."""
        self._every = settings.evaluate_every
        if self._every is None and settings.steps is not None:
            self._every = math.ceil(settings.steps / EVALUATIONS)
        self._pause = None if settings.minutes is None else settings.minutes * 60 / EVALUATIONS
        self._clock = clock
        self._started = clock() - seconds

    def elapsed(self) -> float:
        """Return the seconds spent on the run, over all its sittings."""
        return self._clock() - self._started

    def progress(self, step: int) -> float:
        """Return the share of the run that is done when `step` steps are; 1 or more means that it is over."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        for_steps = self.seconds - self._reserved() - self.opening_seconds
        return (self.elapsed() - self.opening_seconds) / max(for_steps, 1e-9)

    def over(self, step: int) -> bool:
        """Whether the run is over after `step` steps; a time budget grants at least one."""
        return self.progress(step) >= 1 and (self.steps is not None or step > 0)

    def seconds_left(self, step: int, seconds_per_step: float) -> float:
        """Return the seconds until training ends, at the present speed."""
        if self.steps is not None:
            return (self.steps - step) * seconds_per_step
        assert self.seconds is not None
        return max(0.0, self.seconds - self._reserved() - self.elapsed())

    def evaluation_due(self, step: int, evaluated_seconds: float) -> bool:
        """Whether to evaluate after `step` steps; the last evaluation was at `evaluated_seconds`."""
        if self._every is not None and step % self._every == 0:
            return True
        # A budget of minutes needs one early, however rare they are to be: it tells what the final one will take.
        if self._pause is None or (self._every is not None and self.look_seconds):
            return False
        return self.elapsed() - evaluated_seconds >= max(self._pause, self.look_seconds / LOOKS_SHARE)

    def _reserved(self) -> float:
        """Return the seconds that are set aside for what comes after the last step."""
        assert self.seconds is not None
        return self.final_seconds + self.look_seconds + min(CLOSING_SECONDS, CLOSING_SHARE * self.seconds)
