"""The rows of a run's logs, metrics.jsonl and samples.jsonl: JSON objects that name their step, one a line."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lilliput.errors import RunError
from lilliput.files import read_json_lines, reason_of

_LOSSES = ("loss", "validation_loss", "network_validation_loss", "network_training_loss")
_NUMBERS = (*_LOSSES, "exact_match", "learning_rate", "seconds", "tokens", "share", "at_step")
"""Keys that hold numbers where they are there."""
_SHOWN = 10


def read_rows(path: Path, note: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """Return the rows of a log, and tell which lines are damaged; those are left out.

    A missing file has no rows. A last line that was cut off by a crash is nothing to tell. Raises RunError if the file
    cannot be read.
    """
    try:
        rows, broken = read_json_lines(path, _is_row)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({reason_of(error)}); allow reading it, or restore it") from None
    if broken:
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        numbers = ", ".join(map(str, broken[:_SHOWN])) + more
        note(f"{path}: {f'line {numbers} is' if len(broken) == 1 else f'lines {numbers} are'} damaged and left out")
    return rows


def _is_row(row: Mapping[str, Any]) -> bool:
    # A truth value is a whole number to Python.
    numbers = [row[key] for key in _NUMBERS if key in row]
    return type(row.get("step")) is int and all(type(number) in (int, float) for number in numbers)
