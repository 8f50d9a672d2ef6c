"""Read records, each a mapping of fields to values: lines of `.jsonl`, entries of `.json`, rows of tables.

Records are read one by one, so that a file may be larger than memory; only `.json` is read whole. Strings in a list,
and lines that are strings, are records with the single field "text".
"""

import io
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from lilliput.corpus.tables.separated import SeparatedRecords
from lilliput.errors import CorpusError
from lilliput.files import parse_json, reason_of
from lilliput.wording import counted

Record = dict[str, Any]
TEXT = "text"
TURNS = ("messages", "conversations", "conversation")
"""Fields with the turns of a chat."""
STREAMED = (".jsonl", ".ndjson", ".csv", ".tsv")
"""Suffixes of files whose records are read one by one."""
_SHAPES = (
    'a list of objects with a field "text", or "prompt" and "answer", or "messages"; a list of strings; an object with '
    "one such list; or a recipe, with its sections"
)
_LONGEST_NAME = 50


class UnknownShapeError(CorpusError):
    """A JSON file contains no list of records."""


class Records(Protocol):
    """The records of one file, each with the number of its line or row; `notes` are complete after the last."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes on how the file was read."""
        ...

    def __iter__(self) -> Iterator[tuple[int, Record]]: ...


def open_records(name: str, suffix: str, texts: Iterable[str]) -> Records:
    """Return the records of a decoded file, given in pieces; the suffix is one of `STREAMED` or `.json`.

    Raises CorpusError, also during iteration, if the file cannot be parsed.
    """
    if suffix == ".json":
        return _json_records(name, "".join(texts))
    if suffix in (".csv", ".tsv"):
        return SeparatedRecords(name, _lines_with_ends(texts), "\t" if suffix == ".tsv" else None)
    return _JsonLines(name, _lines(texts))


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield lines. Not splitlines, since JSON strings may contain U+2028 and the like."""
    rest = ""
    for text in texts:
        *lines, rest = (rest + text).split("\n")
        yield from lines
    yield rest


def _lines_with_ends(texts: Iterable[str]) -> Iterator[str]:
    rest = ""
    for text in texts:
        # The last line is held back: it may end between CR and LF.
        lines = list(io.StringIO(rest + text, newline=""))
        rest = lines.pop() if lines else ""
        yield from lines
    if rest:
        yield rest


class _JsonLines:
    notes: tuple[str, ...] = ()

    def __init__(self, name: str, lines: Iterable[str]) -> None:
        self._name = name
        self._lines = lines

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        for number, line in enumerate(self._lines, start=1):
            if not line.strip():
                continue
            try:
                value = parse_json(line.lstrip("\ufeff"))
            except ValueError as error:
                raise CorpusError(
                    f"{self._name}, line {number:,} is not JSON ({reason_of(error)}): write one object a line"
                ) from error
            record = _record(value)
            if record is None:
                raise CorpusError(f"{self._name}, line {number:,} is neither an object nor a string: write one a line")
            yield number, record


class _JsonEntries:
    def __init__(self, entries: Iterable[Record], notes: tuple[str, ...] = ()) -> None:
        self._entries = entries
        self.notes = notes

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        yield from enumerate(self._entries, start=1)


def _json_records(name: str, text: str) -> Records:
    try:
        value = parse_json(text.lstrip("\ufeff"))
    except ValueError as error:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) > 1 and _is_object(lines[0]):
            return _JsonLines(name, text.split("\n"))
        raise CorpusError(f"{name} is not JSON ({reason_of(error)}): correct it, or give the text as .txt") from error
    notes: tuple[str, ...] = ()
    if isinstance(value, dict):
        value, notes = _entries_of(name, value)
    entries = [_record(entry) for entry in value] if isinstance(value, list) else []
    records = [entry for entry in entries if entry is not None]
    if not records or len(records) < len(entries):
        raise _unknown_shape(name)
    return _JsonEntries(records, notes)


def _entries_of(name: str, value: Record) -> tuple[list[Any], tuple[str, ...]]:
    """Return the records of an object: itself, or the longest list in it."""
    if isinstance(value.get(TEXT), str) or any(is_turns(value.get(field)) for field in TURNS):
        return [value], ()
    lists = {
        key: entries
        for key, entries in value.items()
        if isinstance(entries, list) and entries and all(_record(entry) is not None for entry in entries)
    }
    if not lists:
        raise _unknown_shape(name)
    longest = max(lists, key=lambda key: len(lists[key]))
    others = [key for key in value if key != longest]
    left_out = f"; left out: {listed(others)}" if others else ""
    return lists[longest], (
        f"{name}: the list {longest!r} was read, {counted(len(lists[longest]), 'entry', 'entries')}{left_out}",
    )


def _record(value: object) -> Record | None:
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {TEXT: value}
    return {TURNS[0]: value} if is_turns(value) else None


def is_turns(value: object) -> bool:
    """Return whether a value is a list of the turns of a chat."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and ("role" in turn or "from" in turn) for turn in value)
        and any("content" in turn or "value" in turn for turn in value)
    )


def _is_object(line: str) -> bool:
    try:
        return isinstance(parse_json(line), dict)
    except ValueError:
        return False


def _unknown_shape(name: str) -> UnknownShapeError:
    return UnknownShapeError(f"{name} is JSON of an unsupported shape: give {_SHAPES}")


def listed(names: list[str], most: int = 8) -> str:
    """Return at most this many names in quotation marks, and the number of others."""
    shown = ", ".join(repr(name[:_LONGEST_NAME]) for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
