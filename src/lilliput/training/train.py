"""From a recipe and a text, or prompts and answers, to a run folder.

`train` is a generator of events; the caller's loop shows, plots and tracks them. The run folder is enough to continue
at any time: the same command continues from the last checkpoint.
"""

import time
from collections.abc import Callable, Generator
from pathlib import Path

from lilliput.corpus import Examples, LargeText
from lilliput.errors import RunError
from lilliput.recipe import Recipe, differences
from lilliput.runs.claiming import claim, forget_preparation, release, staged
from lilliput.runs.folder import RunFolder
from lilliput.runs.recorder import Recorder
from lilliput.runtime import choose_runtime, kept_memory
from lilliput.training.data.example_data import for_answers
from lilliput.training.data.large_text import Preparing
from lilliput.training.data.prepare import Measure, Source, is_same_source, open_training_data, prepare
from lilliput.training.events import Event, Note
from lilliput.training.session import Session
from lilliput.training.sizes import memory_errors, require_memory
from lilliput.training.workers.pool import workers_for


def train(
    recipe: Recipe,
    corpus: Source,
    validation: Measure | None,
    folder: Path,
    *,
    fresh: bool = False,
    stop: Callable[[], bool] = lambda: False,
    preparing: Preparing = lambda stage, done, total: None,
    started: float | None = None,
    base: Path | None = None,
) -> Generator[Event, None, None]:
    """Train `recipe` on `corpus` into `folder`, or continue the run in it, and yield events.

    `fresh` deletes an earlier run in the folder. Once `stop()` returns true, the current step is finished and the state
    saved; the last event is then an interrupted `Finished`. `preparing` gets the progress of preparing a large text; an
    exception that it raises ends the preparation, and the next call continues from there. A time budget counts from
    `started` (`time.monotonic`), by default from now. A new run starts with the weights and the tokenizer of the run in
    `base`, if given; both are copied. Raises RunError if the folder is in use or has a run with a different recipe or
    text; that run is left unchanged.
    """
    started = time.monotonic() if started is None else started
    choose_runtime(recipe.training.precision)  # fails early if the device does not support it
    if isinstance(corpus, Examples):
        recipe = for_answers(recipe, corpus)
    require_memory(recipe, corpus)
    run = RunFolder(folder)
    lock = claim(run)
    try:
        with workers_for(recipe) as workers:
            notes: list[str] = []
            if not fresh and (run.facts.exists() or run.has_learnt()):
                _refuse_changes(run, recipe, corpus, validation, notes.append)
                forget_preparation(run)
                run.mend_manifest(notes.append)
            else:
                # Prepare in a separate folder: delete an earlier run only when the new one can start.
                with staged(run, keep=isinstance(corpus, LargeText)) as aside:
                    prepare(recipe, aside, corpus, validation, preparing, None if base is None else RunFolder(base))
                    aside.write_recipe(recipe)
            training_data = open_training_data(run, recipe.data.window, fits=recipe.model.counts)
            recorder = Recorder(run, recipe.training.keep_every)
            recorder.begin(recipe)
            yield from (Note(note) for note in [*notes, *training_data.facts["text"]["notes"]])
            with kept_memory(), memory_errors(workers.processes):
                yield from Session(recipe, run, recorder, training_data, workers, stop, started).events()
    finally:
        release(run, lock)


def _refuse_changes(
    run: RunFolder, recipe: Recipe, source: Source, validation: Measure | None, note: Callable[[str], None]
) -> None:
    """Raise RunError unless the folder's run has this recipe and text; `note` gets messages on a damaged recipe."""
    remedy = "start over with --fresh, or choose another folder with --out"
    try:
        changes = differences(run.read_recipe(), recipe)
        if run.lost_recipe():
            note(f"{run.recipe}: changed since it was written; replaced by the recipe of this command")
    except RunError as error:
        if run.advice():
            raise
        changes = _changed_model(run, recipe)
        note(f"{error}; the model is that of this command, so the run continues with this command's recipe")
    if changes:
        raise RunError(f"{run.path} holds a run with a different recipe ({'; '.join(changes)}); {remedy}")
    if not is_same_source(run.read_facts(), source, validation):
        raise RunError(f"{run.path} holds a run on a different text; {remedy}")


def _changed_model(run: RunFolder, recipe: Recipe) -> list[str]:
    """Compare a recipe with the architecture of a run whose own recipe is lost."""
    try:
        saved = run.read_model()["settings"]
    except RunError:
        return []  # no step was taken yet, or loading the weights shows a difference
    wanted = recipe.model.model_dump(mode="json")
    if not isinstance(saved, dict):
        return []
    return [f"model.{key}: {saved.get(key)} -> {wanted[key]}" for key in wanted if saved.get(key) != wanted[key]]
