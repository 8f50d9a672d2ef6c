"""Rows that are texts: the lines of a `.jsonl` file, the rows of a `.csv` and of a `.parquet` file.

All are read row by row, so a table may be larger than the memory. The text is the column `text`, else the longest one.

A Parquet file may hold a plain text file line by line, as WikiText's does: then every row ends in a line end, and an
empty row stands for a blank line. Such rows are put together as they stand. Blank lines get the blank space that the
other lines end in, for so they stood in WikiText's own files (the line " \n" is stored as "").
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from lilliput.errors import CorpusError, DependencyError
from lilliput.files import parse_json, reason_of

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_CHARACTERS_SEEN = 1_000_000  # of all columns, before the longest is chosen
_ROWS_SEEN = 1000  # before rows are taken for lines


@dataclass(frozen=True, slots=True)
class RawText:
    """Hold one document as it stood in its file, before cleaning."""

    name: str
    text: str
    label: str | None = None


def json_lines(name: str, lines: Iterable[str]) -> Iterator[RawText]:
    """Yield the text of every line that is not blank.

    Raises CorpusError for a line that is no JSON or has no text.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise CorpusError(
                f"{name}, line {number:,} is not JSON ({reason_of(error)}): write one object a line"
            ) from error
        strings = {key: value for key, value in row.items() if isinstance(value, str)} if isinstance(row, dict) else {}
        if "text" in strings:
            yield RawText(f"{name}:{number}", strings["text"], strings.get("label"))
        elif len(strings) == 1:
            yield RawText(f"{name}:{number}", *strings.values())
        else:
            fields = ", ".join(strings) or "none"
            raise CorpusError(
                f'{name}, line {number:,} has no field "text" (fields with a string: {fields}): '
                "rename the field that holds the text"
            )


class CsvTable:
    """The rows of a `.csv` file; the lines are given with their ends, and `note` is complete after the last row."""

    def __init__(self, name: str, lines: Iterable[str]) -> None:
        self._name = name
        self._lines = iter(lines)
        self._column = ""
        self._columns = 0
        self._rows = 0

    @property
    def note(self) -> str:
        """Tell which column was taken."""
        return _column_note(self._name, self._column, self._columns, self._rows)

    def documents(self) -> Iterator[RawText]:
        """Yield the text of every row.

        Raises CorpusError for what is no table.
        """
        csv.field_size_limit(2**31 - 1)  # the default stops at 128 KiB, less than a chapter
        header = next((line for line in self._lines if line.strip()), "")
        reader = csv.DictReader(
            chain([header.lstrip()], self._lines), delimiter=max(",;\t|", key=header.count), strict=True
        )
        try:
            seen = []
            lengths = dict.fromkeys(reader.fieldnames or (), 0)
            for row in reader:
                seen.append(row)
                # A short row lacks columns, and what a long row has too much stands under the key None.
                for column in lengths:
                    lengths[column] += len(row[column] or "")
                if sum(lengths.values()) > _CHARACTERS_SEEN:
                    break
            if not seen:
                raise CorpusError(
                    f"{self._name} has no row below its first: the first row must name the columns, one of them text"
                )
            self._columns = len(lengths)
            self._column = "text" if "text" in lengths else max(lengths, key=lengths.__getitem__)
            for self._rows, row in enumerate(chain(seen, reader), start=1):
                yield RawText(f"{self._name}:{self._rows + 1}", row[self._column] or "", row.get("label"))
        except csv.Error as error:
            raise CorpusError(
                f'{self._name} is not a table ({error}, near line {reader.line_num:,}): quote fields with ""'
            ) from error


class ParquetTable:
    """The rows of a Parquet file; a part of them is in memory at a time.

    `are_lines` says that the rows are the lines of one plain text.

    Raises CorpusError for a file that is broken or has no column of strings, DependencyError without pyarrow.
    """

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = self._open(file)
        metadata = self._file.metadata
        columns = self._string_columns()
        if not columns:
            raise CorpusError(f'{name} has no column of strings: a Parquet file of texts needs one, best named "text"')
        sizes = dict.fromkeys(columns, 0)
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for chunk in map(group.column, range(group.num_columns)):
                if chunk.path_in_schema in sizes:
                    sizes[chunk.path_in_schema] += chunk.total_uncompressed_size
        self._column = "text" if "text" in sizes else max(sizes, key=sizes.__getitem__)
        self.note = _column_note(name, self._column, len(columns), metadata.num_rows)
        first = [row for _, row in zip(range(_ROWS_SEEN), self.rows(), strict=False) if row]
        self.are_lines = bool(first) and all(row.endswith("\n") for row in first)
        self._blank_line = " \n" if self.are_lines and all(row.endswith(" \n") for row in first) else "\n"

    def rows(self) -> Iterator[str]:
        """Yield every row as it is stored; one without a value is empty."""
        try:
            for batch in self._file.iter_batches(_ROWS_SEEN, columns=[self._column], use_threads=False):
                for row in batch.column(0).to_pylist():
                    yield row or ""
        except self._errors() as error:
            raise self._broken(error) from error

    def lines(self) -> Iterator[str]:
        """Yield the rows as lines of a text; blank lines are put back."""
        for row in self.rows():
            yield row or self._blank_line

    def documents(self) -> Iterator[RawText]:
        """Yield the text of every row."""
        for number, row in enumerate(self.rows(), start=1):
            yield RawText(f"{self._name}:{number}", row)

    def _open(self, file: IO[bytes]) -> "ParquetFile":
        try:
            from pyarrow import parquet
        except Exception as error:
            raise DependencyError("pyarrow", "hub", f"reading {self._name}", error) from error
        try:
            # Without a buffer a whole column of a row group is fetched at once, which may be all of the file.
            return parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        except self._errors() as error:
            raise self._broken(error) from error

    def _string_columns(self) -> list[str]:
        from pyarrow import types

        def is_text(kind: Any) -> bool:
            return bool(types.is_string(kind) or types.is_large_string(kind))

        return [
            field.name
            for field in self._file.schema_arrow
            if is_text(field.type) or (types.is_dictionary(field.type) and is_text(field.type.value_type))
        ]

    @staticmethod
    def _errors() -> tuple[type[Exception], ...]:
        from pyarrow import ArrowException

        return (ArrowException, OSError, UnicodeDecodeError)

    def _broken(self, error: Exception) -> CorpusError:
        reason = str(error).split("\n")[0] or type(error).__name__
        return CorpusError(f"{self._name} cannot be read as Parquet ({reason}): fetch the file again")


def open_parquet(name: str, data: bytes) -> ParquetTable:
    """Open a Parquet file whose bytes are in memory; the errors are those of `ParquetTable`."""
    return ParquetTable(name, BytesIO(data))


def _column_note(name: str, column: str, columns: int, rows: int) -> str:
    reason = "" if column == "text" or columns == 1 else f", the longest of {columns}"
    return f"{name}: column {column!r} taken as the text{reason}; {rows:,} rows"
