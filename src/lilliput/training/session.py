"""A training session: steps, evaluations, checkpoints, and the final evaluation."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lilliput.beside import Beside
from lilliput.data.batch import Batch
from lilliput.errors import RunError
from lilliput.evaluation.doctor import diagnose, read_chart
from lilliput.models import Model, build, count_parameters
from lilliput.objectives.building import build_objective
from lilliput.optimization.optimizers import build_optimizers
from lilliput.optimization.schedules import rate_factor
from lilliput.recipe import Recipe
from lilliput.runs.checkpoint import Progress
from lilliput.runs.folder import FIRST_WEIGHTS, RunFolder
from lilliput.runs.recorder import Recorder
from lilliput.runs.weights import learn_counts
from lilliput.training.budget import Budget, Costs
from lilliput.training.data.training_data import TrainingData
from lilliput.training.evaluator import Evaluator
from lilliput.training.events import Evaluated, Event, Finished, Note, Sampled, Stepped, evaluated, started
from lilliput.training.fit import Step, fit
from lilliput.training.gradient import Scaler
from lilliput.training.loss_spike import ROLLBACKS, LossSpike, SpikeDetector
from lilliput.training.metrics_log import MetricsLog
from lilliput.training.precision import training_runtime
from lilliput.training.state import State
from lilliput.training.workers.protocol import Workers
from lilliput.writer import Writer

SAVE_SECONDS = 300
"""Seconds between checkpoints: the most work that a crash can lose."""
ELSEWHERE = 1 << 30
"""Added to the number of a failed step to get the number of its replacement batch."""


class Session:
    """Continues training from the newest checkpoint; `started` is the start of the session, by the `clock`."""

    def __init__(
        self,
        recipe: Recipe,
        run: RunFolder,
        recorder: Recorder,
        training_data: TrainingData,
        workers: Workers,
        stop: Callable[[], bool],
        started: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self.recipe = recipe
        self.settings = recipe.training
        self.run = run
        self.recorder = recorder
        self.training_data = training_data
        self.stop = stop
        self.notes: list[str] = []
        self.reported = {"instability"}  # a rollback has its own note
        self.model = self._first_model()
        self.runtime = training_runtime(recipe, self.model, training_data.window)
        self.model.to(self.runtime.device)
        # Counting releases the interpreter most of the time.
        counting = Beside(partial(learn_counts, self.model, run, training_data.tokenizer))
        self.objective = build_objective(recipe.objective)
        self.objective.attach(training_data)
        self.state = State(
            run,
            recorder,
            self.model,
            self.objective,
            build_optimizers(self.model, self.settings),
            self._first_weights,
            self.settings,
            self.notes.append,
        )
        self.progress.shards = workers.begin(recipe, self.model, self.objective, self.runtime, self.progress.shards)
        counting.result()
        self.workers = workers
        labels = training_data.facts.get("labels", {})
        writer = Writer(self.model, training_data.tokenizer, recipe.sample, labels=labels)
        self.evaluator = Evaluator(training_data, writer, self.runtime, self.settings.batch)
        self._begin(clock() - started)
        self.saved = clock()
        self.saved_step = self.progress.step
        self.whole = True
        """Whether weights, optimiser and progress belong to the same step; false while they change."""
        self.steps_timed, self.seconds_per_step = 0, 0.0

    @property
    def progress(self) -> Progress:
        """Return how far the run is."""
        return self.state.progress

    def _first_model(self) -> Model:
        torch.manual_seed(self.recipe.seed)
        return build(self.recipe.model, self.training_data.tokenizer.vocab_size, self.training_data.window)

    def _first_weights(self) -> Mapping[str, Tensor]:
        """Return the weights of step 0: those of another run if this one started from it."""
        if (self.run.path / FIRST_WEIGHTS).exists():
            return self.run.read_weights(FIRST_WEIGHTS)
        return dict(self._first_model().named_parameters())

    def _begin(self, seconds: float) -> None:
        """Set up everything that depends on the progress, `seconds` after it was saved."""
        self.scaler = Scaler(self.runtime, self.progress.scaler)
        self.detector = SpikeDetector.restored(self.progress.spike_detector, self.model.vocab_size)
        self.metrics = MetricsLog(self.recorder, self.detector, self.runtime.needs_scaler, self.objective.is_likelihood)
        self._count_rounds()
        self.budget = self._new_budget(self.progress.seconds + seconds)

    def _new_budget(self, seconds: float) -> Budget:
        budget = Budget(self.settings, seconds, self.progress.rounds, self.training_data.targets, self.clock)
        budget.opening_seconds, budget.limit = self.progress.opening_seconds, self.progress.evaluation_limit
        budget.ended = self.progress.ended
        budget.costs = Costs(reported=self.progress.seconds_per_reported_token)
        return budget

    def events(self) -> Iterator[Event]:
        """Train to the end, or until the caller wants to stop.

        If the caller leaves the loop or a step raises an exception, the last complete state is saved first.
        """
        try:
            yield from self._events()
        except BaseException:
            if self.whole and self.saved_step != self.progress.step:
                # A step that turns out to be bad now is not saved.
                with suppress(LossSpike):
                    self._save()
            raise

    def _events(self) -> Iterator[Event]:
        yield from self._opening()
        rows = self.settings.batch * self.settings.accumulation
        batch_of = self.training_data.batches(rows, self.recipe.seed)
        if self.settings.compile:
            yield Note("compiling the model: about a minute, or less if an earlier run has compiled it")
            yield Note(
                self.workers.compile(self.model, self.objective, batch_of(0), self.settings.accumulation, self.runtime)
            )
        if self.budget.seconds is not None and not self.budget.over(self.progress.step):
            self._keep_costs(self.evaluator.costs())
        if not self.budget.over(self.progress.step) and not self._stale():
            self.recorder.evaluation(None)
        reason: str | None = None
        while reason is None:
            try:
                reason = yield from self._train(batch_of)
            except LossSpike as spike:
                self.whole = False
                if len(self.progress.spikes) >= ROLLBACKS:
                    reason = self._give_up(spike)
                else:
                    yield Note(self._roll_back(spike))
        if reason == "interrupted":
            yield self._finished(reason, interrupted=True)
            return
        if self.progress.best_score is None:  # stopped before its first evaluation, and its time is over
            yield from self._evaluate_and_save()
        yield from self._closing(reason)

    def _train(self, batch_of: Callable[[int], Batch]) -> Generator[Event, None, str]:
        """Train until the run ends, and return the reason. Raises LossSpike."""
        resumed, lost, evaluate, save = self.clock(), self.workers.lost, False, False
        for step in self._fit(batch_of):
            notes = []
            if step.accumulation != (self.progress.accumulation or self.settings.accumulation):
                self.progress.accumulation = step.accumulation
                notes.append(f"out of memory: each step now takes {step.accumulation} micro-batches")
            if self.workers.lost > lost:
                lost = self.workers.lost
                notes.append(f"a worker process has ended: continuing with {self.workers.processes}")
            events: list[Event] = [self._record(step, self.clock() - resumed)]
            evaluate = evaluate or self.budget.evaluation_due(step.number, self.progress.evaluated_seconds)
            save = save or self._save_due(step.number)
            # A step that may turn out to be bad is neither evaluated nor saved yet.
            if self.budget.over(step.number) or (evaluate and not self.detector.doubtful):
                evaluate = save = False
                self.progress.ended = self.budget.seconds if self.budget.over(step.number) else None
                events += self._evaluate_and_save()
            elif save and not self.detector.doubtful:
                save = False
                self._save()
            # Yielded after the work is done: the caller may leave its loop at any event.
            yield from (Note(note) for note in notes)
            yield from events
            if self._stale():
                return f"stopped early: no improvement in {self.settings.patience} evaluations"
            if self.stop():
                if self.saved_step != step.number:
                    self._save()
                return "interrupted"
            resumed = self.clock()
        return "complete"

    def _roll_back(self, spike: LossSpike) -> str:
        """Go back to the last checkpoint, halve the learning rate, and give the failed step a different batch."""
        spikes, elapsed = [*self.progress.spikes, spike.step], self.budget.elapsed()
        self.state.restore()
        self.progress.spikes = spikes
        costs = self.budget.costs
        self._begin(elapsed - self.progress.seconds)
        self._keep_costs(costs)
        back = (
            f"going back to step {self.progress.step}, with half the learning rate and a different batch at that step"
        )
        self.metrics.write({"step": self.progress.step, "loss_spike": spike.reason, "at_step": spike.step})
        self._save()
        self.whole = True
        return f"{spike.reason} at step {spike.step}: {back} ({len(spikes)} of {ROLLBACKS})"

    def _give_up(self, spike: LossSpike) -> str:
        remedy = "start over with --fresh and a smaller training.learning_rate"
        if self.progress.best_loss is None:
            raise RunError(f"{spike.reason} at step {spike.step}, after {ROLLBACKS} rollbacks: {remedy}")
        return f"stopped: {spike.reason} at step {spike.step}, after {ROLLBACKS} rollbacks; for more, {remedy}"

    def _count_rounds(self) -> None:
        progress = self.progress
        if self.settings.extend and self._new_budget(progress.seconds).over(progress.step):
            progress.rounds += 1
            progress.stale_evaluations = 0

    def _opening(self) -> Iterator[Event]:
        vocab_size, context = self.model.vocab_size, self.model.context
        settings = self.recipe.model.model_dump(mode="json")
        self.recorder.model({"settings": settings, "vocab_size": vocab_size, "context": context})
        yield Note(f"{self.runtime.device.type}, {self.runtime.precision}: {self.runtime.reason}")
        if self.workers.processes > 1:
            yield Note(f"{self.workers.processes} processes share the rows of each step")
        yield from (Note(note) for note in [*self.training_data.notes(), *self.notes])
        yield started(self.run.path, self.model, self.training_data, self.progress.step, self.budget)
        if self.budget.seconds and not self.progress.step and self.budget.elapsed() > self.budget.seconds / 2:
            yield Note(
                f"preparing took {self.budget.elapsed():.0f} of the {self.budget.seconds:.0f} seconds; "
                "give more --minutes for more training"
            )
        if self.budget.over(self.progress.step):
            yield Note("this run is finished; raise training.steps or --minutes to continue")
        elif self._stale():
            yield Note("this run was stopped early; raise training.patience to continue")

    def _fit(self, batch_of: Callable[[int], Batch]) -> Iterator[Step]:
        spikes, scale = self.progress.spikes, 0.5 ** len(self.progress.spikes)

        def factor(step: int) -> float | None:
            if step == 0:
                self.budget.opening_seconds = self.progress.opening_seconds = self.budget.elapsed()
            if self.budget.over(step) or self._stale():
                return None
            return scale * rate_factor(self.settings, self.budget.progress(step))

        return fit(
            self.model,
            self.objective,
            lambda step: batch_of(step + ELSEWHERE * spikes.count(step + 1)),
            self.state.optimizers,
            factor,
            runtime=self.runtime,
            scaler=self.scaler,
            workers=self.workers,
            seed=self.recipe.seed,
            first=self.progress.step,
            accumulation=self.progress.accumulation or self.settings.accumulation,
            clip=self.settings.clip,
            updating=self._change,
        )

    def _change(self) -> None:
        self.whole = False

    def _record(self, step: Step, seconds: float) -> Stepped:
        self.progress.step = step.number
        self.progress.tokens += step.tokens
        # A running mean over twenty steps; the slow first step of a session counts only until the second.
        self.steps_timed += 1
        self.seconds_per_step += max(0.05, 1 / max(1, self.steps_timed - 1)) * (seconds - self.seconds_per_step)
        rate = self.settings.learning_rate * step.rate_factor
        row = {
            "step": step.number,
            "learning_rate": rate,
            "seconds": round(self.budget.elapsed(), 3),
            "tokens": self.progress.tokens,
        }
        self.metrics.step(row, step.loss, step.norm)
        self.whole = True
        return Stepped(
            step=step.number,
            progress=min(1.0, self.budget.progress(step.number)),
            loss=step.loss,
            learning_rate=rate,
            tokens_per_second=step.tokens / max(self.seconds_per_step, 1e-9),
            seconds_left=self.budget.seconds_left(step.number, self.seconds_per_step),
            steps=self.budget.promise(self.seconds_per_step)[0],
        )

    def _evaluate_and_save(self) -> list[Event]:
        """Evaluate, keep the weights if they are the best so far, write a sample, and save."""
        started = self.clock()
        self._change()
        event, scoring = self._evaluate()
        events: list[Event] = [event, self._sample()]
        self._save()
        self.whole = True
        scored = event.share * self.training_data.targets
        self._keep_costs(self.budget.costs.measured(scoring / scored, self.clock() - started - scoring))
        return [*events, *self._diagnosis()]

    def _evaluate(self) -> tuple[Evaluated, float]:
        """Evaluate the model; return the event and the seconds of the scoring."""
        self.metrics.flush()
        progress = self.progress
        self.evaluator.calibrate()
        scoring = self.clock()
        result = self.evaluator.validate(progress.evaluation_limit)
        scoring = self.clock() - scoring
        if progress.best_score is None or result.score > progress.best_score:
            progress.best_score, progress.best_loss, progress.best_step = result.score, result.loss, progress.step
            progress.stale_evaluations = 0
            self.state.keep_best()
        else:
            progress.stale_evaluations += 1
        progress.evaluated_seconds = self.budget.elapsed()
        event = evaluated(progress, result, self.training_data)
        row = {"step": progress.step, "share": round(event.share, 4)} | result.as_dict()
        self.metrics.write(row | {"seconds": round(progress.evaluated_seconds, 3)})
        return event, scoring

    def _diagnosis(self) -> Iterator[Event]:
        """Yield notes on problems of the run, each kind once per session."""
        for finding in diagnose(read_chart(self.run, self.notes.append)):
            if finding.kind not in self.reported:
                self.reported.add(finding.kind)
                yield Note(f"{finding.text}; remedy: {finding.remedy}")

    def _keep_costs(self, costs: Costs) -> None:
        """Divide the remaining time by these costs; the part of the text that is scored stays the same."""
        self.budget.costs, self.progress.seconds_per_reported_token = costs, costs.reported
        if not self.progress.step:
            self.progress.evaluation_limit = self.budget.choose_limit()
        self.budget.limit = self.progress.evaluation_limit

    def _sample(self) -> Sampled:
        sample = self.evaluator.sample(self.progress.step, self.budget.sample_seconds())
        self.recorder.samples(sample.rows)
        return Sampled(self.progress.step, sample.prompt, sample.text)

    def _stale(self) -> bool:
        return self.settings.patience is not None and self.progress.stale_evaluations >= self.settings.patience

    def _save_due(self, step: int) -> bool:
        every = self.settings.keep_every
        return (every is not None and step % every == 0) or self.clock() - self.saved > SAVE_SECONDS

    def _save(self) -> None:
        self.metrics.flush()
        self.progress.seconds = self.budget.elapsed()
        self.progress.scaler = self.scaler.state()
        self.progress.spike_detector = asdict(self.detector)
        self.state.save()
        self.saved, self.saved_step = self.clock(), self.progress.step

    def _closing(self, reason: str) -> Iterator[Event]:
        """Evaluate the best weights on all held-out data, in single precision."""
        self.workers.dismiss()
        self._change()
        self.state.put_best()
        report = self.evaluator.report(self.budget.limit_left())
        self.recorder.evaluation({"step": self.progress.best_step} | report)
        yield from self._diagnosis()
        yield self._finished(reason, report)

    def _finished(self, reason: str, evaluation: dict[str, Any] | None = None, interrupted: bool = False) -> Finished:
        return Finished(
            reason=reason,
            interrupted=interrupted,
            folder=self.run.path,
            step=self.progress.step,
            best_step=self.progress.best_step,
            seconds=self.budget.elapsed(),
            parameters=count_parameters(self.model),
            evaluation=evaluation,
        )
