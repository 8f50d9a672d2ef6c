"""Training and opening runs from Python. `lilliput train` calls the same."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Literal

from lilliput.errors import RunError
from lilliput.interrupts import Interrupts
from lilliput.planning.resolve import Task, resolve
from lilliput.recipe import Recipe
from lilliput.report.choices import choices, outlook
from lilliput.report.console import TrainingView
from lilliput.report.follow import draw_curves, follow
from lilliput.report.heat_map.notebook import show_models
from lilliput.report.terminal_tables import print_evaluation
from lilliput.report.tracking import open_trackers, require_trackers
from lilliput.runs.folder import RunFolder
from lilliput.training.events import Event, Finished, Note, Started, Stepped
from lilliput.training.train import train as train_events
from lilliput.writer import Writer
from lilliput.writer import load as open_run

STEPS_TIMED = range(3, 14)
"""A planned run measures its speed from the end of the first of these steps to the end of the last."""


def train(
    text_or_recipe: str | Path | Sequence[str | Path],
    *,
    minutes: float | None = None,
    out: str | Path | None = None,
    corpus: str | Path | None = None,
    validation: str | Path | None = None,
    base: str | Path | None = None,
    fresh: bool = False,
    **settings: Any,
) -> Writer:
    """Train a model on texts (files, folders, a known corpus) or by a recipe, and return a `Writer`.

    `settings` are those of a recipe, by section: `train("x.txt", minutes=2, seed=3, model={"layers": 2})`. `out` is
    the run folder, by default `runs/NAME`; the same call again continues the run. A new run
    starts with the weights and the tokenizer of the run in `base`, if given. Progress and the final figures go to
    standard error. Raises the errors of `lilliput.errors`. SIGINT (Ctrl-C, a notebook's stop button), SIGTERM and
    SIGHUP finish the current step and save the run; a second signal stops at once.
    """
    started = time.monotonic()
    targets = [text_or_recipe] if isinstance(text_or_recipe, str | Path) else text_or_recipe
    values = dict(_dotted(settings))
    if minutes is not None:
        values["training.minutes"] = minutes
    task = resolve(
        [str(target) for target in targets],
        corpus=None if corpus is None else str(corpus),
        validation=None if validation is None else str(validation),
        settings=values,
    )
    folder = Path(out) if out is not None else Path("runs") / task.name
    interrupts = Interrupts()
    try:
        with interrupts:
            view = TrainingView()
            start = None if base is None else Path(base)
            finished = run_task(
                task, folder, base=start, fresh=fresh, stop=interrupts.wanted, view=view, started=started
            )
            if finished.interrupted:
                view.note(f"stopped after step {finished.step}. Repeat the call to continue")
            if finished.evaluation is not None:
                with suppress(OSError):  # output errors never stop a run
                    print_evaluation(view.console, finished.evaluation)
    finally:
        if interrupts.wanted():
            interrupts.stop()
    return load(folder)


def load(run: str | Path, note: Callable[[str], None] = print, bits: Literal[32, 8] = 32, *, texts: int = 1) -> Writer:
    """Open a run folder for use (`writer.load`). A notebook shows the result with a text that the model writes."""
    show_models()
    return open_run(run, note, bits, texts=texts)


def run_task(
    task: Task,
    folder: Path,
    *,
    base: Path | None = None,
    fresh: bool = False,
    stop: Callable[[], bool] = lambda: False,
    view: TrainingView | None = None,
    started: float | None = None,
) -> Finished:
    """Train a task: show progress on standard error, log to the recipe's trackers, draw the loss curves.

    A time budget starts at `started` (`time.monotonic`), by default now.
    """
    recipe = task.recipe if fresh else task.recipe_for(folder)
    trackers = recipe.training.trackers
    require_trackers(trackers)
    view = view or TrainingView()
    told: list[tuple[str, str]] = []
    if recipe.planned and (fresh or not RunFolder(folder).facts.exists()):
        told = choices(recipe)

    def preparing(what: str, done: int, total: int) -> None:
        if stop():
            raise KeyboardInterrupt
        view.preparing(what, done / max(1, total))

    events = train_events(
        recipe,
        task.corpus,
        task.validation,
        folder,
        fresh=fresh,
        stop=stop,
        preparing=preparing,
        started=started,
        base=base,
    )
    try:
        # Closing the events unlocks the run folder at once, even if something still refers to them.
        with view, closing(events):
            finished = follow(
                _telling(recipe, told, events), view, lambda: open_trackers(trackers, folder, recipe.as_dict())
            )
        draw_curves(folder, view.note)
    except BrokenPipeError:
        raise
    except OSError as error:
        # NumPy's error for a full disk has a message but no `strerror`.
        raise RunError(
            f"cannot write {error.filename or folder}: {error.strerror or error}. Free some space, then "
            "repeat the command to continue"
        ) from error
    return finished


def _telling(recipe: Recipe, told: list[tuple[str, str]], events: Iterator[Event]) -> Iterator[Event]:
    """Add notes with the plan's choices before `Started`, so that a refused run shows its error alone.

    Notes with the measured speed and the expected end follow after a few steps.
    """
    begun: Started | None = None
    clock = 0.0
    for event in events:
        if isinstance(event, Started):
            yield from (Note(f"{name}: {text}") for name, text in told)
            begun = event
        yield event
        if not told or begun is None or not isinstance(event, Stepped):
            continue
        taken = event.step - begun.step
        if taken == STEPS_TIMED[0]:
            clock = time.monotonic()
        elif taken == STEPS_TIMED[-1]:
            seconds = (time.monotonic() - clock) / (len(STEPS_TIMED) - 1)
            yield from (Note(f"{name}: {text}") for name, text in outlook(recipe, begun, event, seconds))


def _dotted(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            pairs += _dotted(value, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, value))
    return pairs
