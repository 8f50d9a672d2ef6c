"""Read the rows of Parquet files as records or as texts.

A Parquet file may contain a plain text file line by line, as WikiText's does: then every row ends in a line end, and an
empty row is a blank line. Such rows are joined unchanged. Blank lines get the white space at the end of the other
lines, as in WikiText's original files (the line " \n" is stored as "").
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

_SAMPLED_ROWS = 1000  # rows that decide whether rows are lines


class ParquetRecords:
    """The rows of a Parquet file with their numbers, read in batches.

    Raises CorpusError for a damaged file, DependencyError without pyarrow.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = self._open(file)

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        yield from enumerate(self._rows(None), start=1)

    def _rows(self, columns: list[str] | None) -> Iterator[Record]:
        try:
            for batch in self._file.iter_batches(_SAMPLED_ROWS, columns=columns, use_threads=False):
                yield from batch.to_pylist()
        except self._errors() as error:
            raise self._broken(error) from error

    def _open(self, file: IO[bytes]) -> "ParquetFile":
        try:
            from pyarrow import parquet
        except Exception as error:
            raise DependencyError("pyarrow", "hub", f"reading {self._name}", error) from error
        try:
            # Without a buffer, a whole column of a row group is read at once, perhaps most of the file.
            return parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        except self._errors() as error:
            raise self._broken(error) from error

    @staticmethod
    def _errors() -> tuple[type[Exception], ...]:
        from pyarrow import ArrowException

        return (ArrowException, OSError, UnicodeDecodeError)

    def _broken(self, error: Exception) -> CorpusError:
        reason = str(error).split("\n")[0] or type(error).__name__
        return CorpusError(f"{self._name} cannot be read as Parquet ({reason}): download the file again")


class ParquetTable(ParquetRecords):
    """The texts of a Parquet file. If `are_lines`, its rows are the lines of one plain text.

    Raises CorpusError also if no column contains strings.
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
        left_out = f"; left out: {listed(others)}" + " (--field NAME takes another)" * (len(columns) > 1)
        share = f"{sizes[self._column]:,} of {sizes.total():,} bytes in {counted(metadata.num_rows, 'record')}"
        self.note = f"{name}: field {self._column!r} read, {share}" + (left_out if others else "")
        first = [row for _, row in zip(range(_SAMPLED_ROWS), self.rows(), strict=False) if row]
        self.are_lines = bool(first) and all(row.endswith("\n") for row in first)
        self._blank_line = " \n" if self.are_lines and all(row.endswith(" \n") for row in first) else "\n"

    def rows(self) -> Iterator[str]:
        """Yield every row unchanged, or an empty string if it has no value."""
        for row in self._rows([self._column]):
            yield row[self._column] or ""

    def lines(self) -> Iterator[str]:
        """Yield the rows as lines of a text, with blank lines restored."""
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
