"""From a recipe and a text to a run folder.

`train` is a generator of events; the caller's loop shows them, plots them, tracks them. What is on the disk at any
moment is enough to go on: the same command continues where the last checkpoint was written.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lilliput.corpus import Corpus
from lilliput.errors import RunError
from lilliput.recipe import Recipe, differences, read_recipe
from lilliput.runs import RunFolder
from lilliput.runtime import choose_runtime, describe_environment
from lilliput.training.events import Event, Note
from lilliput.training.prepare import open_prepared, prepare, text_checksum
from lilliput.training.session import Session


def train(
    recipe: Recipe,
    corpus: Corpus,
    validation: Corpus | None,
    folder: Path,
    *,
    fresh: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train `recipe` on `corpus` into `folder`, or continue what is there, yielding events.

    `fresh` deletes an earlier run in the folder. When `stop()` turns true the step is finished, the state saved, and
    the last event is an interrupted `Finished`. Raises RunError if the folder is in use or holds a run with another
    recipe or text; what it holds is then left as it was.
    """
    started = time.monotonic()
    choose_runtime(recipe.training.precision)  # what the device cannot do is told before anything is touched
    run = RunFolder(folder)
    lock = run.claim()
    try:
        if run.facts.exists() and not fresh:
            _refuse_changes(run, recipe, text_checksum(corpus, validation))
        else:
            # Prepared aside: an earlier run goes only when the new one can begin.
            with run.staged() as aside:
                prepare(recipe, aside, corpus, validation)
        prepared = open_prepared(run)
        recipe.write(run.recipe)
        run.write_json(run.environment, describe_environment())
        yield from (Note(note) for note in prepared.facts["text"]["notes"])
        yield from Session(recipe, run, prepared, stop, started).events()
    finally:
        run.release(lock)


def _refuse_changes(run: RunFolder, recipe: Recipe, checksum: str) -> None:
    remedy = "start over with --fresh, or choose another folder with --out"
    changes = differences(read_recipe(run.recipe), recipe)
    if changes:
        raise RunError(f"{run.path} holds a run with another recipe ({'; '.join(changes)}); {remedy}")
    if run.read_json(run.facts)["text"]["sha256"] != checksum:
        raise RunError(f"{run.path} holds a run on another text; {remedy}")
