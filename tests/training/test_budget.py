"""The division of a time budget: the promised and the actual length of a run, by a simulated clock."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from lilliput.models import Model
from lilliput.planning.forecast import promise
from lilliput.runs.folder import RunFolder
from lilliput.runs.recorder import Recorder
from lilliput.runtime import Runtime
from lilliput.training import evaluator, session
from lilliput.training.budget import EVALUATIONS_SHARE, LEAST_SCORED, Budget, Costs
from lilliput.training.data.training_data import MEASURED, Sample, ValidationResult
from lilliput.training.evaluator import SAMPLING
from lilliput.training.events import Evaluated, Stepped
from lilliput.training.fit import Step
from lilliput.training.session import Session
from lilliput.training.workers.alone import Alone
from tests.training.building import corpus, finished, recipe, run

OPENING = 4.0


@dataclass
class Machine:
    """A simulated machine: everything takes a fixed time, multiplied by `slower(now)`."""

    step: float = 0.06
    scored: float = 5e-5
    reported: float = 2.5e-4
    beside: float = 1.0
    """For gate, sample and checkpoint."""
    first_step: float = 0.5
    alone: float = 0.0
    """For a gate of the counts alone, in the final evaluation."""
    slower: Callable[[float], float] = lambda now: 1.0
    now: float = 0.0
    evaluations: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def take(self, seconds: float) -> None:
        self.now += seconds * self.slower(self.now)


class Told:
    """The data of a session without a model: every call advances the clock."""

    window, fitted = 16, 0

    def __init__(self, machine: Machine, facts: dict[str, Any], tokenizer: Any, targets: int) -> None:
        self.machine, self.facts, self.tokenizer, self.targets = machine, facts, tokenizer, targets

    def notes(self) -> list[str]:
        return []

    def batches(self, rows: int, seed: int) -> Callable[[int], None]:
        return lambda step: None

    def aside(self, rows: int, memory: int) -> list[Any]:
        return []

    def validate(self, model: Model, limit: int | None) -> ValidationResult:
        scored = min(limit or self.targets, self.targets)
        self.machine.take(scored * self.machine.scored)
        self.machine.evaluations.append(self.machine.now)
        return ValidationResult(1.0, scored, 1.0, 1.0)

    def report_cost(self, model: Model) -> float:
        self.machine.take(MEASURED * self.machine.reported)
        return self.machine.reported * self.machine.slower(self.machine.now)

    def sample(self, *arguments: Any) -> Sample:
        self.machine.take(self.machine.beside)
        return Sample([], "", "")

    def report(self, writer: Any, limit: int | None) -> dict[str, Any]:
        self.machine.take(min(limit or self.targets, self.targets) * self.machine.reported + self.machine.alone)
        return {}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    """Facts and tokenizer of a run."""
    from lilliput.tokenizers import load

    folder = tmp_path_factory.mktemp("parts") / "run"
    finished(run(folder, recipe(**{"training.steps": 1}), text=corpus(500)))
    return RunFolder(folder).read_facts(), load(RunFolder(folder).tokenizer)


@dataclass
class Outcome:
    steps: int
    seconds: float
    evaluations: list[float]
    shown: list[int]
    """The expected total number of steps, as shown at each step."""
    ended: float | None


@pytest.fixture
def trained(
    parts: tuple[dict[str, Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Run a session of `seconds` on a simulated machine, without computing or writing anything."""
    monkeypatch.setattr(session.State, "save", lambda self: None)
    monkeypatch.setattr(session.State, "keep_best", lambda self: None)
    monkeypatch.setattr(session.State, "put_best", lambda self: None)
    monkeypatch.setattr(session, "diagnose", lambda *arguments: [])
    monkeypatch.setattr(session, "read_chart", lambda *arguments: None)
    monkeypatch.setattr(session.MetricsLog, "step", lambda *arguments: None)
    monkeypatch.setattr(session.MetricsLog, "write", lambda *arguments: None)
    monkeypatch.setattr(session, "learn_counts", lambda *arguments: None)

    def measure_costs(training_data: Told, model: Model, runtime: Runtime) -> Costs:
        machine = training_data.machine
        machine.take(MEASURED * machine.scored)
        cost = machine.scored * machine.slower(machine.now)
        return Costs(
            cost, cost * SAMPLING, training_data.report_cost(model), machine.alone * machine.slower(machine.now)
        )

    monkeypatch.setattr(evaluator, "measure_costs", measure_costs)

    def train(machine: Machine, seconds: float, targets: int = 100_000, **settings: Any) -> Outcome:
        plan = recipe(
            **{"training.minutes": seconds / 60, "training.steps": None, "training.evaluate_every": None} | settings
        )

        def fit(*arguments: Any, first: int, **options: Any) -> Iterator[Step]:
            factor = arguments[4]
            for number in range(first, 1_000_000):
                if factor(number) is None:
                    return
                machine.take(machine.step if number > first else machine.first_step)
                yield Step(number + 1, torch.tensor(1.0), torch.tensor(1.0), 1.0, 192, 1)

        monkeypatch.setattr(session, "fit", fit)
        folder = RunFolder(tmp_path / f"{seconds}-{len(list(tmp_path.iterdir()))}")
        folder.path.mkdir()
        machine.take(OPENING)
        begun = Session(
            plan, folder, Recorder(folder), Told(machine, *parts, targets), Alone(), lambda: False, 0.0, machine.clock
        )
        events = list(begun.events())
        last = finished(events)
        evaluations = [event for event in events if isinstance(event, Evaluated)]
        shown = [event.steps for event in events if isinstance(event, Stepped)]
        return Outcome(last.step, machine.now, machine.evaluations[-len(evaluations) :], shown, begun.progress.ended)

    return train


def promised(machine: Machine, seconds: float, targets: int = 100_000, **settings: Any) -> tuple[int, float]:
    plan = recipe(
        **{"training.minutes": seconds / 60, "training.steps": None, "training.evaluate_every": None} | settings
    )
    costs = Costs(machine.scored, machine.scored * SAMPLING, machine.reported, machine.alone)
    opening = OPENING + MEASURED * (machine.scored + machine.reported)
    return promise(plan, targets, opening, machine.step, costs)


@pytest.mark.parametrize("seconds", [10, 12, 15, 18, 20, 30, 45, 60, 90, 120, 300, 600])
@pytest.mark.parametrize("speed", [0.7, 1.0, 1.5])
def test_the_steps_done_are_within_a_fifth_of_those_promised(
    trained: Callable[..., Outcome], seconds: float, speed: float
) -> None:
    machine = Machine(max(0.06, seconds / 500) / speed, 5e-5 / speed, 2e-4 / speed, 0.8 / speed, 0.2)
    steps, end = promised(machine, seconds)
    outcome = trained(machine, seconds)
    assert outcome.steps == pytest.approx(steps, rel=0.2, abs=3)
    assert outcome.seconds <= 1.02 * end
    assert outcome.shown[min(12, outcome.steps - 1)] == pytest.approx(outcome.steps, rel=0.2, abs=3)


@pytest.mark.parametrize("seconds", [30, 60, 180, 600])
def test_a_run_on_a_machine_that_slows_down_half_way_is_little_late(
    trained: Callable[..., Outcome], seconds: float
) -> None:
    machine = Machine(seconds / 500, slower=lambda now: 2.0 if now > seconds / 2 else 1.0)
    assert trained(machine, seconds).seconds <= 1.05 * seconds


@pytest.mark.parametrize("seconds", [60, 180, 600])
def test_the_worst_moment_to_become_slower_costs_a_bounded_time(
    trained: Callable[..., Outcome], seconds: float
) -> None:
    late = [
        trained(Machine(seconds / 500, slower=lambda now, at=at: 2.0 if now > at * seconds else 1.0), seconds).seconds
        for at in (0.8, 0.85, 0.9, 0.95)
    ]
    # The reserved time for the last evaluation, the final evaluation and the end doubles.
    assert max(late) <= 1.15 * seconds


def test_the_first_evaluation_comes_after_a_share_of_the_training(trained: Callable[..., Outcome]) -> None:
    machine = Machine(step=0.2, scored=1e-5, beside=0.1)
    outcome = trained(machine, 120)
    opening = OPENING + MEASURED * (machine.scored + machine.reported)
    assert len(outcome.evaluations) == 10
    assert outcome.evaluations[0] - opening == pytest.approx((outcome.evaluations[-1] - opening) / 10, rel=0.1)


def test_evaluations_take_at_most_a_tenth_of_the_training(trained: Callable[..., Outcome]) -> None:
    machine = Machine(beside=3.0)
    outcome = trained(machine, 120)
    assert 1 < len(outcome.evaluations) < 6
    assert (len(outcome.evaluations) - 1) * 3.4 < 1.1 * EVALUATIONS_SHARE * 110


def test_time_is_reserved_for_the_rest_of_the_final_evaluation(trained: Callable[..., Outcome]) -> None:
    machine = Machine(alone=4.0)
    steps, _ = promised(machine, 60)
    outcome = trained(machine, 60)
    assert outcome.steps == pytest.approx(steps, rel=0.1)
    assert outcome.seconds <= 60


def test_the_steps_between_evaluations_can_be_set(trained: Callable[..., Outcome]) -> None:
    settings = {"training.evaluate_every": 100}
    machine = Machine()
    steps, _ = promised(machine, 60, **settings)
    outcome = trained(machine, 60, **settings)
    assert outcome.steps == pytest.approx(steps, rel=0.1)
    assert len(outcome.evaluations) == outcome.steps // 100 + 1


def test_the_final_evaluation_fits_into_the_time_left() -> None:
    now = [0.0]
    settings = recipe(**{"training.minutes": 10.0, "training.steps": None}).training
    budget = Budget(settings, 0.0, 1, 10_000_000, clock=lambda: now[0])
    budget.costs = Costs(1e-4, 1.0, 1e-3)
    assert budget.limit_left() == budget.final_limit() == 48_000
    now[0] = 600 - 3 - 12.0
    assert budget.limit_left() == 12_000
    budget.costs = budget.costs.measured(2e-4, 1.0)  # the machine has become half as fast
    assert budget.limit_left() == LEAST_SCORED
    now[0] = 700.0
    assert budget.limit_left() == LEAST_SCORED
    budget.costs = Costs(1e-4, 1.0, 1e-3, 5.0)
    now[0] = 600 - 3 - 25.0
    assert budget.limit_left() == 20_000
    budget.costs = Costs(1e-6, 1.0, 1e-6)
    now[0] = 100.0
    assert budget.limit_left() is None


def test_a_schedule_by_the_clock_starts_at_the_first_step() -> None:
    now = [100.0]
    settings = recipe(**{"training.minutes": 1.0, "training.steps": None}).training
    budget = Budget(settings, 27.0, clock=lambda: now[0])
    budget.opening_seconds = 27.0
    assert budget.progress(0) == 0
    now[0] += 15.0
    assert budget.progress(3) == pytest.approx(0.5)  # of the remaining 30 seconds less 3 for closing
    now[0] += 15.0
    assert budget.over(3)
    assert not budget.over(0)  # at least one step
    assert budget.seconds_left(3, 1.0) == 0.0


def test_a_finished_run_is_over_whatever_the_costs(trained: Callable[..., Outcome]) -> None:
    assert trained(Machine(), 30).ended == 30
    settings = recipe(**{"training.minutes": 0.5, "training.steps": None}).training
    for rounds, over in ((1, True), (2, False)):
        budget = Budget(settings, 20.0, rounds, clock=lambda: 0.0)
        assert not budget.over(5)
        budget.ended = 30.0
        assert budget.over(5) == over


def test_the_final_evaluation_takes_longer_on_a_slower_machine_and_no_less_on_a_faster_one() -> None:
    costs = Costs(scored=1.0, beside=1.0, reported=3.0, report_beside=2.0)
    for scored, reported in ((0.5, 3.0), (1.0, 3.0), (2.0, 6.0), (0.7, 3.0), (1.5, 4.5)):
        costs = costs.measured(scored, 1.0)
        assert (costs.scored, costs.reported, costs.report_beside) == (
            scored,
            reported,
            pytest.approx(reported * 2 / 3),
        )


def test_a_length_in_steps_does_not_use_the_clock() -> None:
    def clock() -> float:
        return math.nan

    budget = Budget(recipe(**{"training.steps": 40, "training.evaluate_every": None}).training, 0.0, 2, clock=clock)
    assert (budget.progress(20), budget.over(79), budget.over(80)) == (0.25, False, True)
    assert [step for step in range(1, 13) if budget.evaluation_due(step, 0.0)] == [4, 8, 12]
    assert (budget.choose_limit(), budget.final_limit(), budget.limit_left()) == (None, None, None)
    assert budget.promise(0.5)[0] == 80
