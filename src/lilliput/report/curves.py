"""What a plot needs of a run, and the reading of it from a run folder.

Left out: anything that a run folder may hold beside its metrics and facts; the runs part owns the folder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lilliput.errors import RunError


@dataclass(frozen=True)
class RunCurve:
    """What a plot needs of one run. Losses are in nats per token, times in seconds since the start."""

    name: str
    steps: Sequence[int]
    losses: Sequence[float]
    learning_rates: Sequence[float]
    seconds: Sequence[float]
    validation: Sequence[tuple[int, float]] = ()
    """(step, loss) of every evaluation."""
    characters_per_token: float | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    """Bits per character by the label that the line gets."""
    exact_match: Sequence[tuple[int, float]] = ()
    """(step, share of the answers that are right) of every evaluation, where answers are learnt."""


def read_curve(folder: Path) -> RunCurve:
    """Read `metrics.jsonl` of a run folder, and from `facts.json`, where it is there, the unit and the floors.

    A step that stands there twice, because the run was continued from before it, counts as it stands last. An
    unfinished last line, as an interrupted run may leave it, is passed over. Raises RunError for a missing or broken
    file.
    """
    from lilliput.evaluation.floors import named_floors  # with it comes torch, which drawing does without

    file = folder / "metrics.jsonl"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{file} cannot be read ({error}): give the folder of a run that has trained") from None
    steps: dict[int, tuple[float, float, float]] = {}
    validation: dict[int, float] = {}
    exact_match: dict[int, float] = {}
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            step = int(entry["step"])
            if "validation_loss" in entry:
                validation[step] = float(entry["validation_loss"])
            if "exact_match" in entry:
                exact_match[step] = float(entry["exact_match"])
            if "loss" in entry:
                steps[step] = (float(entry["loss"]), float(entry["learning_rate"]), float(entry["seconds"]))
        except (ValueError, KeyError, TypeError):
            if number == len(lines):
                break
            raise RunError(f"{file}, line {number}, is not a step or an evaluation: {line[:60]!r}") from None
    if not steps:
        raise RunError(f"{file} holds no training steps yet: train the run first")
    ordered = sorted(steps)
    losses, rates, seconds = zip(*(steps[step] for step in ordered), strict=True)
    facts = _read_facts(folder / "facts.json")
    try:
        characters = facts.get("characters_per_token")
        floors = named_floors(facts.get("floors") or {})
        characters_per_token = None if characters is None else float(characters)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RunError(f"{folder / 'facts.json'}: characters_per_token or floors are not numbers") from None
    return RunCurve(
        folder.resolve().name,
        ordered,
        losses,
        rates,
        seconds,
        sorted(validation.items()),
        characters_per_token,
        floors,
        sorted(exact_match.items()),
    )


def _read_facts(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{file} cannot be read ({error}): restore it, or remove it to plot without floors") from None
    if not isinstance(facts, dict):
        raise RunError(f"{file} is not a JSON object: restore it, or remove it to plot without floors")
    return facts
