"""The loop over a training run's events: show them, track them, draw the curves."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lilliput.errors import RunError
from lilliput.evaluation.baselines import named_baselines
from lilliput.report.console import TrainingView, percent
from lilliput.report.curves import read_curve
from lilliput.report.tracking import Tracker
from lilliput.training.events import Evaluated, Event, Finished, Note, Sampled, Started, Stepped

TRACK_EVERY = 10
"""Steps between two losses that are sent to a tracker."""


def follow(
    events: Iterator[Event], view: TrainingView, open_trackers: Callable[[], Sequence[Tracker]] = lambda: ()
) -> Finished:
    """Consume a training run's events, show each, and return the last.

    `open_trackers` is called when the run folder is ready; its trackers are closed at the end.
    """
    trackers: list[Tracker] = []
    try:
        return _follow(events, view, open_trackers, trackers)
    finally:
        for tracker in trackers:
            tracker.close()


def _follow(
    events: Iterator[Event],
    view: TrainingView,
    open_trackers: Callable[[], Sequence[Tracker]],
    trackers: list[Tracker],
) -> Finished:
    steps: int | None = None
    best: float | None = None
    last: float | None = None
    for event in events:
        match event:
            case Stepped():
                _stepped(event, steps, view, trackers)
            case Note(text):
                view.note(text)
            case Started():
                steps = event.steps
                trackers += open_trackers()
                _started(event, view)
            case Evaluated():
                best, last = event.best_loss, event.validation_loss
                view.evaluated(
                    event.step,
                    event.validation_loss,
                    best=event.best,
                    bits_per_character=event.bits_per_character,
                    exact_match=event.exact_match,
                    rhyme=event.rhyme,
                    network_loss=None if event.network_loss == event.validation_loss else event.network_loss,
                    network_training_loss=event.network_training_loss,
                )
                right = {} if event.exact_match is None else {"exact_match": event.exact_match}
                network = {
                    "network_validation_loss": event.network_loss,
                    "network_training_loss": event.network_training_loss,
                }
                network_values = {name: loss for name, loss in network.items() if loss is not None}
                _track(trackers, event.step, {"validation_loss": event.validation_loss} | right | network_values)
            case Sampled():
                view.sample(event.prompt + event.text.removeprefix(event.prompt), event.step, last)
                for tracker in trackers:
                    tracker.text(event.step, event.text)
            case Finished():
                if not event.interrupted:
                    view.finished(event.step, event.seconds, best)
                    if event.best_step < event.step:
                        view.note(f"the best weights are from step {event.best_step:,}; they are kept and used")
                return event
    raise RuntimeError("a training run ended without a Finished event")


def draw_curves(folder: Path, note: Callable[[str], None] = print) -> Path | None:
    """Draw a run's loss curves into its folder and return the file.

    Returns None for a run without steps, and if drawing fails; `note` then gets the reason.
    """
    from lilliput.report.plots import plot_runs

    if not (folder / "metrics.jsonl").exists():
        return None
    out = folder / "loss.png"
    try:
        plot_runs([read_curve(folder, note)], out)
    except (RunError, OSError) as error:
        note(f"the loss curves are not drawn: {error}")
        return None
    return out


def _started(event: Started, view: TrainingView) -> None:
    length = f"{event.steps:,} steps" if event.steps is not None else f"{event.minutes:g} minutes"
    amount = f"{event.training_tokens:,} tokens to learn, {event.validation_tokens:,} held out"
    if event.training_problems is not None:
        amount = f"{event.training_problems:,} problems to learn, {event.validation_problems:,} held out"
    view.note(
        f"{event.parameters:,} parameters, vocabulary {event.vocab_size:,}, context {event.context}; {amount}; {length}"
    )
    view.note(f"to beat{_baseline(event.baselines)}")
    if event.step:
        view.note(f"continuing {event.folder} after step {event.step:,}")
    else:
        view.note(f"writing to {event.folder}")


def _baseline(baselines: Mapping[str, Any]) -> str:
    if "most_frequent_answer" in baselines:
        share = baselines["most_frequent_answer"]["exact_match"]
        return f": {percent(share)} right by always giving the most frequent answer"
    named = named_baselines(baselines)
    return ", bits per character: " + ", ".join(
        f"{name} {bits:.3f}" for name, bits in sorted(named.items(), key=_second)
    )


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _stepped(event: Stepped, steps: int | None, view: TrainingView, trackers: Sequence[Tracker]) -> None:
    if trackers and event.step % TRACK_EVERY == 0:
        _track(trackers, event.step, {"loss": event.loss.item(), "learning_rate": event.learning_rate})
    if view.due():
        view.step(
            event.step,
            steps,
            event.progress,
            event.loss.item(),
            event.learning_rate,
            event.tokens_per_second,
            event.seconds_left,
        )


def _track(trackers: Sequence[Tracker], step: int, values: dict[str, float]) -> None:
    for tracker in trackers:
        tracker.log(step, values)
