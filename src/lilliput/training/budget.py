"""The length of a run, in steps or minutes, and the division of the minutes.

With a time budget the schedule follows the clock, so a run ends on time on a busy machine too. The budget covers
everything: preparation, training with its evaluations, and the final evaluation, for which it reserves time. The
schedule starts at the first step, however long the preparation took, so that there is a warm-up. `lilliput plan` uses
the same `Budget` to predict the number of steps.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from lilliput.recipe import TrainingSettings

EVALUATIONS = 10
"""Default number of evaluations in a run, including the last one."""
EVALUATIONS_SHARE = 0.1
"""With a time budget, there are fewer if they would take more than this share of the training."""
SCORING_SHARE = 0.005
"""Share of the budget for the scoring of one evaluation during training; of a longer text, a part is scored."""
FINAL_SHARE = 0.08
"""The same for the final evaluation."""
LEAST_SCORED = 8192
"""Minimum number of targets to score."""
SAMPLE_SHARE = 0.003
"""Share of the budget for one sample during training."""
CLOSING_SECONDS, CLOSING_SHARE = 3.0, 0.15
"""Seconds reserved for the work after the final evaluation (curves, tables, the end of the process), and the maximum
share of the budget for it."""


@dataclass(frozen=True)
class Costs:
    """The seconds that evaluations take on this machine."""

    scored: float = 0.0
    """Per target of an evaluation during training."""
    beside: float = 0.0
    """For the rest of it: fitting the gate, a sample, a checkpoint."""
    reported: float = 0.0
    """Per target of the final evaluation."""
    report_beside: float = 0.0
    """For the rest of it: fitting a gate for the counts alone."""

    scored_at_first: float = 0.0
    """`scored` at the time when `reported` was measured; 0 if unchanged."""

    def measured(self, scored: float, beside: float) -> "Costs":
        """Return the costs after an evaluation with these times; on a slower machine, the final one costs more too.

        A faster one does not lower the cost: an evaluation takes half a second, and the machine may be busy at the end.
        """
        first = self.scored_at_first or self.scored
        before, now = (max(1.0, seconds / first) if first else 1.0 for seconds in (self.scored, scored))
        change = now / before
        return Costs(scored, beside, self.reported * change, self.report_beside * change, first)


class Budget:
    """The progress of a run, by steps or by the clock, and the time for each of its parts.

    `seconds` is the time spent on the run so far. The run is `rounds` times as long as its settings say. `targets` is
    the number of held-out targets.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        seconds: float,
        rounds: int = 1,
        targets: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps = None if settings.steps is None else settings.steps * rounds
        self.seconds = None if settings.minutes is None else settings.minutes * 60 * rounds
        self.opening_seconds = 0.0
        """Seconds of preparation before the first step, at which the schedule starts."""
        self.ended: float | None = None
        """The length in seconds that an earlier session completed."""
        self.costs = Costs()
        self.limit: int | None = None
        """Targets to score in an evaluation during training; None means all."""
        self._round_seconds = None if settings.minutes is None else settings.minutes * 60
        self._targets = targets
        self._every = settings.evaluate_every
        if self._every is None and settings.steps is not None:
            self._every = math.ceil(settings.steps / EVALUATIONS)
        self._clock = clock
        self._started = clock() - seconds

    def elapsed(self) -> float:
        """Return the seconds spent on the run, over all its sessions."""
        return self._clock() - self._started

    def progress(self, step: int) -> float:
        """Return the progress after `step` steps, as a share of the run; 1 or more means that it has ended."""
        if self.steps is not None:
            return step / self.steps
        return (self.elapsed() - self.opening_seconds) / max(self._training_seconds(), 1e-9)

    def over(self, step: int) -> bool:
        """Return whether the run has ended after `step` steps; a time budget allows at least one."""
        if self.seconds is not None and self.ended is not None and self.seconds <= self.ended:
            return True
        return self.progress(step) >= 1 and (self.steps is not None or step > 0)

    def seconds_left(self, step: int, seconds_per_step: float) -> float:
        """Return the seconds until training ends, at the current speed."""
        if self.steps is not None:
            return (self.steps - step) * seconds_per_step
        return max(0.0, self.opening_seconds + self._training_seconds() - self.elapsed())

    def evaluation_due(self, step: int, evaluated_seconds: float) -> bool:
        """Return whether to evaluate after `step` steps; the last evaluation was at `evaluated_seconds`."""
        if self._every is not None:
            return step % self._every == 0
        parts, training = self._evaluations() + 1, max(self._training_seconds(), 1e-9)
        before = max(0.0, evaluated_seconds - self.opening_seconds) / training
        return int(self.progress(step) * parts) > int(before * parts)

    def promise(self, seconds_per_step: float) -> tuple[int, float]:
        """Return the number of steps at this speed, and the seconds of the whole run."""
        if self.steps is not None:
            assert self._every is not None
            evaluations = math.ceil(self.steps / self._every) - 1
            training = self.steps * seconds_per_step + evaluations * self.evaluation_seconds
            return self.steps, self.opening_seconds + training + self._reserved()
        assert self.seconds is not None
        training = self._training_seconds()
        if self._every is not None:
            steps = training / (seconds_per_step + self.evaluation_seconds / self._every)
        else:
            steps = (training - self._evaluations() * self.evaluation_seconds) / seconds_per_step
        least = self.opening_seconds + seconds_per_step + self._reserved()
        return max(1, int(steps)), max(self.seconds, least)

    @property
    def evaluation_seconds(self) -> float:
        """Return the seconds of an evaluation during training, including its sample and checkpoint."""
        return min(self._targets, self.limit or self._targets) * self.costs.scored + self.costs.beside

    def choose_limit(self) -> int | None:
        """Return the number of targets to score in an evaluation during training; None means all."""
        if self._round_seconds is None:
            return None
        return self._affordable(self._round_seconds * SCORING_SHARE, self.costs.scored)

    def final_limit(self) -> int | None:
        """Return the number of targets that fit into the time of the final evaluation; None means all."""
        if self._round_seconds is None:
            return None
        return self._affordable(self._round_seconds * FINAL_SHARE, self.costs.reported)

    def limit_left(self) -> int | None:
        """Return the number of targets that fit into the time left after training; None means all."""
        if self.seconds is None or self._round_seconds is None:
            return None
        left = self.seconds - self._closing() - self.costs.report_beside - self.elapsed()
        return self._affordable(min(self._round_seconds * FINAL_SHARE, left), self.costs.reported)

    def sample_seconds(self) -> float:
        """Return the seconds for a sample during training."""
        return math.inf if self._round_seconds is None else self._round_seconds * SAMPLE_SHARE

    def _affordable(self, seconds: float, cost: float) -> int | None:
        if seconds >= cost * self._targets:
            return None
        affordable = max(int(seconds / cost), LEAST_SCORED)
        return None if affordable >= self._targets else affordable

    def _evaluations(self) -> int:
        """Return the number of evaluations during training, evenly spaced, with a time budget."""
        most = EVALUATIONS_SHARE * self._training_seconds() / max(self.evaluation_seconds, 1e-9)
        return max(0, min(EVALUATIONS - 1, int(most)))

    def _training_seconds(self) -> float:
        """Return the seconds from the first step to the last, including evaluations."""
        assert self.seconds is not None
        return self.seconds - self._reserved() - self.opening_seconds

    def _reserved(self) -> float:
        """Return the seconds reserved after the last step: the last evaluation, the final one, the shutdown."""
        final = min(self._targets, self.final_limit() or self._targets) * self.costs.reported
        return self.evaluation_seconds + final + self.costs.report_beside + self._closing()

    def _closing(self) -> float:
        return CLOSING_SECONDS if self.seconds is None else min(CLOSING_SECONDS, CLOSING_SHARE * self.seconds)
