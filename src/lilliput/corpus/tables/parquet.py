"""Parquet files: their rows as records, and as texts.

A Parquet file may hold a plain text file line by line, as WikiText's does: then every row ends in a line end, and an
empty row stands for a blank line. Such rows are put together as they stand. Blank lines get the blank space that the
other lines end in, for so they stood in WikiText's own files (the line " \n" is stored as "").
"""

from collections import Counter
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from lilliput.corpus.settings import FieldSettings
from lilliput.corpus.tables.records import Record, listed
from lilliput.corpus.tables.text_fields import RawText, chosen_field
from lilliput.errors import CorpusError, DependencyError
from lilliput.wording import counted

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_ROWS_SEEN = 1000  # before rows are taken for lines


class ParquetRecords:
    """The rows of a Parquet file, with their numbers; a part of them is in memory at a time.

    Raises CorpusError for a file that is broken, DependencyError without pyarrow.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = self._open(file)

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        yield from enumerate(self._rows(None), start=1)

    def _rows(self, columns: list[str] | None) -> Iterator[Record]:
        try:
            for batch in self._file.iter_batches(_ROWS_SEEN, columns=columns, use_threads=False):
                yield from batch.to_pylist()
        except self._errors() as error:
            raise self._broken(error) from error

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

    @staticmethod
    def _errors() -> tuple[type[Exception], ...]:
        from pyarrow import ArrowException

        return (ArrowException, OSError, UnicodeDecodeError)

    def _broken(self, error: Exception) -> CorpusError:
        reason = str(error).split("\n")[0] or type(error).__name__
        return CorpusError(f"{self._name} cannot be read as Parquet ({reason}): fetch the file again")


class ParquetTable(ParquetRecords):
    """The texts of a Parquet file. `are_lines` says that its rows are the lines of one plain text.

    Raises CorpusError also if no column holds strings.
    """

    def __init__(self, name: str, file: IO[bytes], fields: FieldSettings) -> None:
        super().__init__(name, file)
        self._fields = fields
        metadata = self._file.metadata
        columns = self._string_columns()
        sizes = Counter(dict.fromkeys(columns, 0))
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for chunk in map(group.column, range(group.num_columns)):
                if chunk.path_in_schema in sizes:
                    sizes[chunk.path_in_schema] += chunk.total_uncompressed_size
        self._column = chosen_field(name, sizes, self._file.schema_arrow.names, fields)
        others = [column for column in self._file.schema_arrow.names if column != self._column]
        left = f"; left out: {listed(others)}" + " (--field NAME takes another)" * (len(columns) > 1)
        share = f"{sizes[self._column]:,} of {sizes.total():,} bytes in {counted(metadata.num_rows, 'record')}"
        self.note = f"{name}: field {self._column!r} read, {share}" + (left if others else "")
        first = [row for _, row in zip(range(_ROWS_SEEN), self.rows(), strict=False) if row]
        self.are_lines = bool(first) and all(row.endswith("\n") for row in first)
        self._blank_line = " \n" if self.are_lines and all(row.endswith(" \n") for row in first) else "\n"

    def rows(self) -> Iterator[str]:
        """Yield every row as it is stored; one without a value is empty."""
        for row in self._rows([self._column]):
            yield row[self._column] or ""

    def lines(self) -> Iterator[str]:
        """Yield the rows as lines of a text; blank lines are put back."""
        for row in self.rows():
            yield row or self._blank_line

    def documents(self) -> Iterator[RawText]:
        """Yield the text of every row."""
        label = self._fields.label or "label"
        columns = [self._column, *([label] if label in self._string_columns() and label != self._column else [])]
        for number, row in enumerate(self._rows(columns), start=1):
            yield RawText(f"{self._name}:{number}", row[self._column] or "", row.get(label))

    def _string_columns(self) -> list[str]:
        from pyarrow import types

        def is_text(kind: Any) -> bool:
            return bool(types.is_string(kind) or types.is_large_string(kind))

        return [
            field.name
            for field in self._file.schema_arrow
            if is_text(field.type) or (types.is_dictionary(field.type) and is_text(field.type.value_type))
        ]
