"""The rows of a run's logs, metrics.jsonl and samples.jsonl: one JSON object per line, each with its step."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lilliput.errors import RunError
from lilliput.files import read_json_lines, reason_of

_LOSSES = ("loss", "validation_loss", "network_validation_loss", "network_training_loss", "objective_loss")
_NUMBERS = (*_LOSSES, "exact_match", "lines_rhyme", "learning_rate", "seconds", "tokens", "share", "at_step")
"""Optional keys whose values must be numbers."""
_SHOWN = 10


def read_rows(path: Path, note: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """Return the rows of a log without damaged lines; `note` gets a message that lists those.

    A missing file has no rows. A last line that a crash cut off is not reported. Raises RunError if the file cannot be
    read.
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
    # In Python a bool is an int, so compare the types.
    numbers = [row[key] for key in _NUMBERS if key in row]
    return type(row.get("step")) is int and all(type(number) in (int, float) for number in numbers)
