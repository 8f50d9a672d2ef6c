"""Compare plans for one text, each with several seeds and the same length.

The outer loop goes over the seeds, so that a sweep stopped early has the same number of runs of each plan. Every run is
an ordinary run in its own folder. The same command continues a stopped sweep and skips finished runs.
"""

import itertools
import json
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lilliput import files
from lilliput.api import run_task
from lilliput.errors import RecipeError
from lilliput.planning.resolve import Task
from lilliput.recipe import differences, parse_setting
from lilliput.report.comparison import Outcome, read_outcome
from lilliput.report.console import TrainingView
from lilliput.runs.folder import RunFolder

AS_PLANNED = "as planned"


@dataclass(frozen=True)
class Alternative:
    """Settings that override the plan, with a name for the tables."""

    name: str
    settings: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """Return a folder name without characters that some systems refuse."""
        return re.sub(r"[^\w.=,+-]+", "_", self.name)[:120]


def read_alternatives(texts: Sequence[str]) -> list[Alternative]:
    """Read alternatives such as `model.layers=2 model.width=64`; `model.layers=2|3|4` stands for three.

    The unchanged plan comes first. Raises RecipeError for another form or a repeated alternative.
    """
    found = [Alternative(AS_PLANNED, {})]
    for text in texts:
        if not text.split():
            raise RecipeError('--try "": name a setting, as in --try "model.layers=2|3" or --try "training.batch=8"')
        choices = []
        for word in text.split():
            key, equals, values = word.partition("=")
            choices.append([key + equals + value for value in values.split("|")])
        for words in itertools.product(*choices):
            found.append(Alternative(" ".join(words), dict(parse_setting(word) for word in words)))
    names = [alternative.name for alternative in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RecipeError(f"--try {twice!r} appears twice. Remove one")
    return found


@dataclass(frozen=True)
class Turn:
    """A run of a sweep that is about to start."""

    number: int
    of: int
    alternative: Alternative
    seed: int


def sweep(
    resolve: Callable[[Mapping[str, Any]], Task],
    alternatives: Sequence[Alternative],
    seeds: int,
    folder: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    beginning: Callable[[Turn], None] = lambda turn: None,
) -> dict[str, list[Outcome]] | None:
    """Run every alternative with the seeds 1, 2, ... in `folder` and return the outcomes; None if stopped.

    `resolve` returns the task for settings. `beginning` is called before each unfinished run. Raises the errors of
    training; refuses a folder with a run of another plan.
    """
    tasks = [_Planned.of(resolve, alternative, seed, folder) for alternative, seed in _turns(alternatives, seeds)]
    found: dict[str, list[Outcome]] = {alternative.name: [] for alternative in alternatives}
    for number, planned in enumerate(tasks, start=1):
        if not planned.finished():
            if stop():
                return None
            beginning(Turn(number, len(tasks), planned.alternative, planned.seed))
            if run_task(planned.task(), planned.folder, stop=stop, view=TrainingView(quiet=True)).interrupted:
                return None
        found[planned.alternative.name].append(read_outcome(planned.folder, lambda line: None))
    return found


def _turns(alternatives: Sequence[Alternative], seeds: int) -> Iterator[tuple[Alternative, int]]:
    for seed in range(1, seeds + 1):
        for alternative in alternatives:
            yield alternative, seed


@dataclass(frozen=True)
class _Planned:
    alternative: Alternative
    seed: int
    folder: Path
    task: Callable[[], Task]

    @classmethod
    def of(
        cls, resolve: Callable[[Mapping[str, Any]], Task], alternative: Alternative, seed: int, folder: Path
    ) -> "_Planned":
        def task() -> Task:
            return resolve({**alternative.settings, "seed": seed})

        if seed == 1:
            task()  # raises for impossible settings before the first run
        return cls(alternative, seed, folder / alternative.folder / f"seed-{seed}", task)

    def finished(self) -> bool:
        run = RunFolder(self.folder)
        return run.evaluation.exists() and not differences(run.read_recipe(), self.task().recipe)


def summary(found: Mapping[str, Sequence[Outcome]]) -> list[dict[str, Any]]:
    """Return the alternatives, best median first: bits per character, or the share of correct answers."""
    rows = []
    for name, outcomes in found.items():
        answers = outcomes[0].answers
        key = "exact_match" if answers else "bits_per_character"
        values = [outcome.figures[key] for outcome in outcomes]
        finite = [value for value in values if value is not None]
        rows.append(
            {
                "alternative": name,
                key: statistics.median(finite) if len(finite) == len(values) else None,
                "least": min(finite) if finite else None,
                "greatest": max(finite) if finite else None,
                "values": values,
                "parameters": outcomes[0].figures["parameters"],
                "steps": statistics.median(outcome.figures["steps"] for outcome in outcomes),
                "seconds": round(statistics.median(outcome.figures["seconds"] for outcome in outcomes), 1),
                "order": statistics.median(outcome.badness for outcome in outcomes),
            }
        )
    rows.sort(key=lambda row: row["order"])
    return [{key: value for key, value in row.items() if key != "order"} for row in rows]


def write_summary(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the summary into the sweep's folder."""
    files.write(folder / "sweep.json", (json.dumps({"alternatives": rows}, indent=1) + "\n").encode())
