"""A comparison of finished runs: results, costs and differing settings."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lilliput.errors import RunError
from lilliput.recipe import Recipe, varying
from lilliput.report.console import percent
from lilliput.report.terminal_tables import PART_NAMES, DataTable, table
from lilliput.runs.folder import RunFolder
from lilliput.runs.history import read_history
from lilliput.runs.outcome import read_evaluation
from lilliput.runs.weights import stored_parameters

LEFT_OUT = ("name", "description", "training.trackers")
"""Settings that do not affect the result of a run."""
PARTS = {f"{part}_bits_per_character": name for part, name in PART_NAMES.items()}
"""Columns for the parts of a mixture, in bits per character."""


@dataclass(frozen=True)
class Outcome:
    """The results of a finished run."""

    folder: Path
    recipe: Recipe
    held_out: str
    """The identity of the held-out text: runs with the same one can be compared."""
    figures: dict[str, Any]
    """In the units of `lilliput eval --json`; `seconds` and `tokens` are those of the training."""

    @property
    def answers(self) -> bool:
        """Whether the run was trained on prompts and answers."""
        return "exact_match" in self.figures

    @property
    def badness(self) -> float:
        """The figure that orders the runs: bits per character, or the share of wrong answers."""
        if self.answers:
            return 1 - float(self.figures["exact_match"])
        bits = self.figures["bits_per_character"]
        return float("inf") if bits is None else float(bits)


def read_outcome(folder: Path, note: Callable[[str], None] = print) -> Outcome:
    """Read the results of a run; `note` gets a message about damaged rows.

    Raises RunError if the folder is not a run, is damaged, or the run is not finished.
    """
    run = RunFolder(folder)
    facts = run.read_facts()
    if not run.evaluation.exists():
        raise RunError(f"{folder}: the run is not finished; repeat its command to finish it")
    evaluation = read_evaluation(run)
    steps = read_history(run.metrics, note).steps
    if not steps:
        raise RunError(f"{run.metrics}: holds no steps; copy it back from a backup, or train again with --fresh")
    try:
        last = steps[-1]
        figures: dict[str, Any] = {"run": str(folder), "parameters": stored_parameters(run), "steps": last.step}
        figures |= {"seconds": last.seconds, "tokens": last.tokens, "best_step": evaluation["step"]}
        names = ("exact_match", "bits_per_character", "loss", "sampled_share")
        figures |= {name: evaluation[name] for name in names if name in evaluation}
        parts = evaluation["parts"].items()
        figures |= {f"{name}_bits_per_character": part["bits_per_character"] for name, part in parts}
        recipe = run.read_recipe()
        held_out = f"{facts['text']['sha256']} {recipe.data.split.by} {facts['validation']['characters']}"
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder}: its log or evaluation is broken ({error}); train it again with --fresh") from None
    return Outcome(folder, recipe, held_out, figures)


def compare(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the runs, the best first, their differing settings, and whether all have the same held-out text.

    Raises RunError if some of the runs were trained on text and some on answers.
    """
    if len({outcome.answers for outcome in outcomes}) > 1:
        raise RunError("some runs were trained on text and some on answers: compare runs of one kind")
    ordered = sorted(outcomes, key=lambda outcome: outcome.badness)
    settings = varying([outcome.recipe for outcome in ordered])
    return {
        "runs": [outcome.figures for outcome in ordered],
        "settings": {key: values for key, values in settings.items() if key not in LEFT_OUT},
        "same_text": len({outcome.held_out for outcome in ordered}) == 1,
    }


def tables(comparison: Mapping[str, Any]) -> Iterator[DataTable | str]:
    """Yield the result of `compare` as tables and lines for the terminal."""
    rows = [{**row, "minutes": f"{row['seconds'] / 60:.1f}"} for row in comparison["runs"]]
    answers = "exact_match" in rows[0]
    for row in rows:
        if answers:
            row["exact_match"] = percent(row["exact_match"])
        shown_keys = ("bits_per_character", *PARTS, "loss")
        row |= {key: f"{row[key]:.4f}" for key in shown_keys if row.get(key) is not None}
    figure = {"exact_match": "answers right"} if answers else {"bits_per_character": "bits per character"}
    figure |= {key: heading for key, heading in PARTS.items() if any(row.get(key) is not None for row in rows)}
    costs = {"parameters": "parameters", "steps": "steps", "tokens": "tokens", "minutes": "minutes"}
    shown = table(rows, {"run": "run", **figure, "loss": "nats per token", **costs})
    shown.numeric = set(shown.columns) - {"run"}
    yield shown
    if comparison["settings"]:
        yield ""
        names = [row["run"] for row in rows]
        yield table(
            [
                {"setting": key, **{name: _shown(value) for name, value in zip(names, values, strict=True)}}
                for key, values in comparison["settings"].items()
            ],
            {"setting": "setting", **{name: name for name in names}},
        )
    if not comparison["same_text"]:
        yield "These runs were measured on different texts; their figures cannot be compared."
    if any(row.get("sampled_share", 1) < 1 for row in rows):
        yield "Some were measured on a part of the text, to keep the time budget; lilliput eval measures all of it."


def _shown(value: object) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)
