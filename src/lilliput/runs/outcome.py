"""The final evaluation of a run, read with checks."""

from typing import Any

from lilliput.errors import RunError
from lilliput.runs.folder import RunFolder

_FIGURES = ("step", "exact_match", "bits_per_character", "loss", "sampled_share")
_REMEDY = "repeat the command that made the run to measure it again"


def read_evaluation(run: RunFolder) -> dict[str, Any]:
    """Return the final evaluation of a run, with its parts as tables. Raises RunError if it is missing or broken."""
    evaluation = run.read_json(run.evaluation, _REMEDY)
    parts = evaluation.setdefault("parts", {})
    tables = [evaluation, *parts.values()] if isinstance(parts, dict) else [parts]
    for table in tables:
        if not isinstance(table, dict):
            raise RunError(f"{run.evaluation}: broken (its parts are not tables); {_REMEDY}")
        for key in _FIGURES:
            # A loss that is not finite is written as null.
            if key in table and type(table[key]) not in (int, float, type(None)):
                raise RunError(f"{run.evaluation}: broken ({key} is not a number); {_REMEDY}")
    return evaluation
