"""Results of benchmarks: JSON files in `results/`, each with the machine and the versions that it was measured on.

Lilliput is imported only to write: some benchmarks start processes that must not have loaded it, or PyTorch, before.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"


def read_record(path: Path) -> dict[str, Any]:
    """Return what a file of results holds; nothing where there is no file."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return record


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record and the environment that it was measured in."""
    _write(path, _with_environment(record))


def add_record(path: Path, name: str, record: Mapping[str, Any]) -> None:
    """Write a record of one machine or case, with its environment, beside those that the file holds already."""
    _write(path, read_record(path) | {name: _with_environment(record)})


def _with_environment(record: Mapping[str, Any]) -> dict[str, Any]:
    from lilliput.runtime import describe_environment

    return {**record, "environment": describe_environment()}


def _write(path: Path, record: dict[str, Any]) -> None:
    from lilliput.files import make_folder, write

    make_folder(path.parent)
    write(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))
