"""The data of a run for plots, read from its folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lilliput import files
from lilliput.errors import RunError
from lilliput.runs.history import read_history


@dataclass(frozen=True)
class RunCurve:
    """The curves of one run. Losses are in nats per token, times in seconds since the start."""

    name: str
    steps: Sequence[int]
    losses: Sequence[float]
    learning_rates: Sequence[float]
    seconds: Sequence[float]
    validation: Sequence[tuple[int, float]] = ()
    """(step, loss) of every evaluation."""
    characters_per_token: float | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    """Bits per character by label."""
    exact_match: Sequence[tuple[int, float]] = ()
    """(step, share of right answers) of every evaluation, for runs on answers."""
    rhyme: Sequence[tuple[int, float]] = ()
    """(step, share of lines that rhyme) of every evaluation, for runs that are tuned on verse."""
    network: Sequence[tuple[int, float]] = ()
    """(step, loss of the network alone) of every evaluation, for models with other parts."""


def read_curve(folder: Path, note: Callable[[str], None] = print) -> RunCurve:
    """Read `metrics.jsonl` of a run folder, and unit and baselines from `facts.json` if it exists.

    `note` gets a message about damaged rows. Raises RunError for a missing or damaged file.
    """
    from lilliput.evaluation.baselines import named_baselines  # imports torch, which plotting does not need

    file = folder / "metrics.jsonl"
    if not file.exists():
        raise RunError(f"{file} is missing: give the folder of a run that has trained")
    history = read_history(file, note)
    if not history.steps:
        raise RunError(f"{file} holds no training steps yet: train the run first")
    facts = _read_facts(folder / "facts.json")
    try:
        characters = facts.get("characters_per_token")
        baselines = named_baselines(facts.get("baselines") or facts.get("floors") or {})
        characters_per_token = None if characters is None else float(characters)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RunError(f"{folder / 'facts.json'}: characters_per_token or baselines are not numbers") from None
    steps, evaluations = history.steps, history.evaluations
    network = [(row.step, row.network_validation_loss, row.validation_loss) for row in evaluations]
    return RunCurve(
        name=folder.resolve().name,
        steps=[row.step for row in steps],
        losses=[row.loss for row in steps],
        learning_rates=[row.learning_rate for row in steps],
        seconds=[row.seconds for row in steps],
        validation=[(row.step, row.validation_loss) for row in evaluations],
        characters_per_token=characters_per_token,
        baselines=baselines,
        exact_match=[(row.step, row.exact_match) for row in evaluations if row.exact_match is not None],
        rhyme=[(row.step, row.rhyme) for row in evaluations if row.rhyme is not None],
        network=[(step, alone) for step, alone, whole in network if alone is not None and alone != whole],
    )


def _read_facts(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        return files.read_json(file)
    except (OSError, ValueError) as error:
        reason = files.reason_of(error)
        raise RunError(
            f"{file} cannot be read ({reason}): restore it, or remove it to plot without baselines"
        ) from None
