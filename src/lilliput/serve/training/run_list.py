"""The runs of a folder, as the page shows them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lilliput import files
from lilliput.errors import LilliputError
from lilliput.evaluation.baselines import named_baselines
from lilliput.evaluation.doctor import diagnose, read_chart
from lilliput.recipe import Recipe
from lilliput.runs.claiming import in_use
from lilliput.runs.folder import RunFolder
from lilliput.runs.history import EvaluationMetrics, History, StepMetrics, read_history
from lilliput.runs.weights import stored_parameters

MOST_POINTS = 1000
"""Most points of a curve."""
MOST_SAMPLES = 50
_SPEED_STEPS = 20
"""Steps over which the present speed is measured."""


@dataclass(frozen=True)
class RunSummary:
    """A run in the list, and what a page about it needs more."""

    folder: RunFolder
    facts: dict[str, Any]
    recipe: Recipe
    history: History
    training: bool

    @classmethod
    def read(cls, path: Path, training: bool = False) -> "RunSummary":
        """Read a run; `training` is true if a process has begun that will claim it.

        Raises RunError for what is not a run, or a damaged one.
        """
        folder = RunFolder(path)
        training = training or in_use(folder)
        return cls(folder, folder.read_facts(), folder.read_recipe(), _history(folder.metrics), training)

    @property
    def best(self) -> EvaluationMetrics | None:
        """Return the evaluation with the lowest loss."""
        return min(self.history.evaluations, key=lambda row: row.validation_loss, default=None)

    @property
    def last(self) -> StepMetrics | None:
        """Return the last step."""
        return self.history.steps[-1] if self.history.steps else None

    @property
    def state(self) -> str:
        """Return "training", "finished" or "stopped"."""
        if self.training:
            return "training"
        return "finished" if self.folder.evaluation.exists() else "stopped"

    def as_dict(self) -> dict[str, Any]:
        """Return the object of the list."""
        last, best, budget = self.last, self.best, self.recipe.training
        step, seconds = (last.step, last.seconds) if last else (0, 0.0)
        if budget.steps is not None:
            progress = step / budget.steps
        else:
            progress = seconds / (60 * budget.minutes) if budget.minutes else 0.0
        return {
            "name": self.folder.path.name,
            "state": self.state,
            "step": step,
            "steps": budget.steps,
            "progress": 1.0 if self.state == "finished" else round(min(1.0, progress), 4),
            "seconds": round(seconds, 1),
            "parameters": _parameters(self.folder),
            "description": self.recipe.description,
            "text": self.facts["text"]["name"],
            "bits_per_character": None if best is None else self._bits(best.validation_loss),
            "best_step": None if best is None else best.step,
            "message": "",
        }

    def details(self) -> dict[str, Any]:
        """Return the object of the run's own page."""
        steps = self.history.steps
        thinned = steps[:: max(1, math.ceil(len(steps) / MOST_POINTS))]
        if steps and thinned[-1] is not steps[-1]:
            thinned = [*thinned, steps[-1]]
        recent = steps[-_SPEED_STEPS:]
        passed = recent[-1].seconds - recent[0].seconds if len(recent) > 1 else 0.0
        tokens = recent[-1].tokens - recent[0].tokens if recent else 0
        return self.as_dict() | {
            "curve": [
                [row.step, _number(row.loss), _number(row.learning_rate), _number(row.seconds), row.tokens]
                for row in thinned
            ],
            "evaluations": [self._evaluation(row) for row in self.history.evaluations],
            "held_out": self._held_out(),
            "baselines": self._baselines(),
            "spikes": list(self.history.spikes),
            "characters_per_token": self.facts.get("characters_per_token"),
            "tokens_per_second": round(tokens / passed, 1) if passed > 0 else None,
            "seconds_left": self._seconds_left(passed / (len(recent) - 1)) if passed > 0 else None,
            "samples": self._samples(),
            "findings": self._findings(),
            "recipe": self.recipe.as_toml(),
        }

    def _bits(self, nats: float) -> float | None:
        characters = self.facts.get("characters_per_token")
        return round(nats / characters / math.log(2), 4) if characters and math.isfinite(nats) else None

    def _evaluation(self, row: EvaluationMetrics) -> dict[str, Any]:
        return {
            "step": row.step,
            "loss": _number(row.validation_loss),
            "bits_per_character": self._bits(row.validation_loss),
            "training_loss": None if row.network_training_loss is None else _number(row.network_training_loss),
            "exact_match": row.exact_match,
        }

    def _held_out(self) -> str:
        """Return what is equal for runs that are measured on the same part of the same text."""
        return f"{self.facts['text']['sha256']}:{self.facts['validation']['characters']}"

    def _baselines(self) -> list[dict[str, Any]]:
        named = named_baselines(self.facts.get("baselines") or {})
        return [{"name": name, "bits_per_character": bits} for name, bits in named.items()]

    def _seconds_left(self, seconds_per_step: float) -> float | None:
        if not self.training or self.last is None:
            return None
        budget, left = self.recipe.training, []
        if budget.steps is not None:
            left.append((budget.steps - self.last.step) * seconds_per_step)
        if budget.minutes is not None:
            left.append(60 * budget.minutes - self.last.seconds)
        return round(max(0.0, min(left)), 1) if left else None

    def _samples(self) -> list[dict[str, Any]]:
        rows = self.folder.read_lines(self.folder.samples) if self.folder.samples.exists() else []
        return [
            {"step": row.get("step", 0), "prompt": row.get("prompt", ""), "text": row.get("text", "")}
            for row in rows[-MOST_SAMPLES:]
        ]

    def _findings(self) -> list[dict[str, str]]:
        if not self.history.evaluations:
            return []
        findings = diagnose(read_chart(self.folder, lambda text: None, self.history))
        if not findings:
            return [{"level": "good", "text": "No problems found."}]
        return [{"level": "warning", "text": f"{found.text}. Remedy: {found.remedy}."} for found in findings]


def _history(metrics: Path) -> History:
    """Return the history of a run. A file that has not changed is not read again: the page asks every two seconds."""
    if not metrics.exists():
        return History([], [], [])
    facts = metrics.stat()
    return _read_history(metrics, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _read_history(metrics: Path, size: int, changed: int) -> History:
    return read_history(metrics, lambda text: None)


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _parameters(folder: RunFolder) -> int | None:
    try:
        return stored_parameters(folder)
    except (LilliputError, OSError):
        return None


def run_paths(parent: Path) -> list[Path]:
    """Return the folders of the runs in a folder, in order of their names."""
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and (path / "facts.json").exists())


def listed(
    paths: Sequence[Path], is_open: Callable[[str], bool], trains: Callable[[str], bool]
) -> list[dict[str, Any]]:
    """Return the list of runs; a damaged one has its error as a message. `trains` is true for one that has begun."""
    rows = []
    for path in paths:
        try:
            row = RunSummary.read(path, trains(path.name)).as_dict()
        except (LilliputError, KeyError, TypeError, OSError) as error:
            row = _broken(path, files.reason_of(error) if isinstance(error, OSError) else str(error))
        rows.append(row | {"open": is_open(path.name)})
    return rows


def _broken(path: Path, message: str) -> dict[str, Any]:
    missing = dict.fromkeys(("steps", "progress", "parameters", "bits_per_character", "best_step"))
    empty = {"name": path.name, "state": "broken", "step": 0, "seconds": 0.0, "description": "", "text": ""}
    return empty | missing | {"message": message}
