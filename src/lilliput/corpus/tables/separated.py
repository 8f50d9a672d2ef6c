"""Read the rows of `.csv` and `.tsv` files one by one, with an automatic dialect.

The first part of the file decides the delimiter, whether fields may be quoted, and whether the first row names the
columns. Format: RFC 4180 and its common variants.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from lilliput.errors import CorpusError
from lilliput.wording import counted

SAMPLED = 1_000_000
"""Characters at the start of a file that decide how to read it."""
_DELIMITERS = ",;\t|"
_NO_DELIMITER = "\x1f"
_LONGEST_NAME = 50
_HEADINGS = frozenset(
    "text texts sentence sentences line lines name names word words title titles content body quote quotes lyrics poem "  # noqa: SIM905
    "poems verse verses message messages tweet tweets review reviews comment comments caption story stories joke jokes "
    "item items prompt prompts answer answers question questions".split()
)
"""Common names of the only column of a file."""


class SeparatedRecords:
    """The rows of a `.csv` or `.tsv` file, given as lines with their ends.

    If the first row does not name the columns, their names are "1", "2" and so on. A file with one column is not split.
    """

    def __init__(self, name: str, lines: Iterable[str], delimiter: str | None = None) -> None:
        self._name = name
        self._lines = iter(lines)
        self._delimiter = delimiter
        self._has_names = True
        self._long = self._first_long = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes on how the file was read."""
        notes = []
        if not self._has_names:
            notes.append(f"{self._name}: the first row does not name the columns and was read like the others")
        if self._long:
            notes.append(
                f"{self._name}: {counted(self._long, 'row has', 'rows have')} more fields than there are "
                f"columns (the first is line {self._first_long:,}); the surplus fields were joined to the last column"
            )
        return tuple(notes)

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        csv.field_size_limit(2**31 - 1)  # the default stops at 128 KiB, less than a chapter
        lines = chain([next((line for line in self._lines if line.strip()), "").lstrip(" \ufeff")], self._lines)
        head = _head(lines)
        options = self._dialect(head)
        # The sample may end within a row, which does not matter.
        sample = list(csv.reader(head, **options))
        self._has_names = _names_columns(sample)
        if not self._has_names and _is_uneven(sample):
            options = {"delimiter": _NO_DELIMITER, "quoting": csv.QUOTE_NONE}  # lines of text with commas in them
        reader = csv.reader(chain(head, lines), strict=True, **options)
        try:
            yield from self._records(reader, options["delimiter"])
        except csv.Error as error:
            raise CorpusError(
                f'{self._name} is not a table ({error}, near line {reader.line_num:,}): quote fields with "", or give '
                "it as .txt if every line is a text"
            ) from error

    def _records(self, rows: Any, delimiter: str) -> Iterator[tuple[int, dict[str, str]]]:
        names: list[str] = []
        filled = 0
        for number, row in enumerate(rows, start=1):
            if not names:
                names = [name.strip() for name in row] if self._has_names else list(map(str, range(1, len(row) + 1)))
            if not row or (self._has_names and number == 1):
                continue
            filled += 1
            if len(row) > len(names):
                self._long += 1
                self._first_long = self._first_long or rows.line_num
                row[len(names) - 1 :] = [delimiter.join(row[len(names) - 1 :])]
            yield number, dict(zip(names, row, strict=False))
        if not filled:
            raise CorpusError(
                f"{self._name} has no row below its first: the first row must name the columns, one of them text"
            )

    def _dialect(self, head: list[str]) -> dict[str, Any]:
        """Return the delimiter of columns, and whether fields may be quoted, as options of `csv.reader`."""
        delimiter = self._delimiter or max(_DELIMITERS, key=head[0].count)
        if delimiter not in head[0]:
            delimiter = _NO_DELIMITER
        quoted = delimiter not in ("\t", _NO_DELIMITER) or _is_quoted(head, delimiter)
        return {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE}


def _head(lines: Iterator[str]) -> list[str]:
    """Return the first lines, which decide how to read the rest."""
    head: list[str] = []
    size = 0
    while size <= SAMPLED and (line := next(lines, "")):
        head.append(line)
        size += len(line)
    return head


def _is_quoted(head: list[str], delimiter: str) -> bool:
    """Return whether quotation marks enclose fields, and are not part of the text."""
    try:
        rows = list(csv.reader(head, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return not _is_uneven(rows)


def _is_uneven(rows: list[list[str]]) -> bool:
    """Return whether more than a few rows are longer or shorter than the first."""
    others = sum(len(row) != len(rows[0]) for row in rows if row)
    return others > len(rows) // 20


def _names_columns(rows: list[list[str]]) -> bool:
    """Return whether the first row names the columns, unlike the other rows."""
    first, others = rows[0], [row for row in rows[1:] if row]
    names = [name.strip() for name in first]
    if len(set(names)) < len(names) or not all(_may_be_name(name) for name in names):
        return False
    if len(names) > 1:
        # A value that occurs again in its column is a category, such as "spam" or "ham", not a name.
        return not any(
            name and any(row[column : column + 1] == [name] for row in others) for column, name in enumerate(first)
        )
    if names[0].lower() in _HEADINGS or "_" in names[0]:
        return True
    words = sorted(len(row[0].split()) for row in others) or [0]
    return len(names[0].split()) == 1 and words[len(words) // 2] > 1


def _may_be_name(name: str) -> bool:
    return (
        len(name) <= _LONGEST_NAME
        and not name.endswith((".", "!", "?", ",", ";", ":"))
        and "\n" not in name
        and not _is_number(name)
    )


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
