"""What a plot needs of a run, and the reading of it from a run folder."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lilliput import files
from lilliput.errors import RunError
from lilliput.rows import read_rows


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
    network: Sequence[tuple[int, float]] = ()
    """(step, loss of the network alone) of every evaluation, where something is beside the network."""


def read_curve(folder: Path, note: Callable[[str], None] = print) -> RunCurve:
    """Read `metrics.jsonl` of a run folder, and from `facts.json`, where it is there, the unit and the floors.

    A step that stands there twice, because the run was continued from before it, counts as it stands last. Damaged
    lines are left out, which `note` is told. Raises RunError for a missing or broken file.
    """
    from lilliput.evaluation.floors import named_floors  # with it comes torch, which drawing does without

    file = folder / "metrics.jsonl"
    if not file.exists():
        raise RunError(f"{file} cannot be read (it is missing): give the folder of a run that has trained")
    steps: dict[int, tuple[float, float, float]] = {}
    validation: dict[int, float] = {}
    exact_match: dict[int, float] = {}
    network: dict[int, float] = {}
    for row in read_rows(file, note):
        step = row["step"]
        if "validation_loss" in row:
            validation[step] = row["validation_loss"]
            if row.get("network_validation_loss", row["validation_loss"]) != row["validation_loss"]:
                network[step] = row["network_validation_loss"]
        if "exact_match" in row:
            exact_match[step] = row["exact_match"]
        if "loss" in row:
            steps[step] = (row["loss"], row.get("learning_rate", math.nan), row.get("seconds", math.nan))
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
        sorted(network.items()),
    )


def _read_facts(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        return files.read_json(file)
    except (OSError, ValueError) as error:
        reason = files.reason_of(error)
        raise RunError(f"{file} cannot be read ({reason}): restore it, or remove it to plot without floors") from None
