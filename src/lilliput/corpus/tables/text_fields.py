"""Read the texts of records.

The text is the requested field, else "text", else the longest field. Records are read one by one, so that a table may
be larger than memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from lilliput.corpus.settings import FieldSettings
from lilliput.corpus.tables.records import TEXT, Record, Records, listed
from lilliput.corpus.tables.separated import SAMPLED
from lilliput.errors import CorpusError
from lilliput.wording import counted


@dataclass(frozen=True, slots=True)
class RawText:
    """One document of a file, before cleaning."""

    name: str
    text: str
    label: str | None = None


def text_of(value: object) -> str | None:
    """Return the text of a value: a string, a list of lines, or a list of parts with a text; else None."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        if all(isinstance(line, str) for line in value):
            return "\n".join(value)
        parts = [part.get(TEXT) if isinstance(part, dict) else part for part in value]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) == len(parts):
            return "".join(texts)
    return None


class TextTable:
    """The texts of the records of one file; `notes` are complete after the last one."""

    def __init__(self, name: str, records: Records, fields: FieldSettings) -> None:
        self._name = name
        self._records = records
        self._fields = fields
        self._field = ""
        self._count = self._without = 0
        self._characters: Counter[str] = Counter()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return notes on how the file was read: the field, its share of the file, and what was left out."""
        kept, total = self._characters[self._field], self._characters.total()
        note = f"{self._name}: field {self._field!r} read, {kept:,} of {total:,} characters in "
        note += counted(self._count, "record")
        if others := [field for field in self._characters if field != self._field]:
            note += f"; left out: {listed(others)} (--field NAME takes another)"
        if self._without:
            note += f"; {counted(self._without, 'record')} without it left out"
        return (*self._records.notes, note)

    def documents(self) -> Iterator[RawText]:
        """Yield the text of every record that has one.

        Raises CorpusError if none has.
        """
        sample, size, records = [], 0, iter(self._records)
        for number, record in records:
            sample.append((number, record))
            size += sum(len(text_of(value) or "") for value in record.values())
            if size > SAMPLED:
                break
        self._field = self._chosen([record for _, record in sample])
        label = self._fields.label or "label"
        for number, record in chain(sample, records):
            self._count += 1
            texts = {field: text_of(value) for field, value in record.items()}
            self._characters.update({field: len(text or "") for field, text in texts.items()})
            text = texts.get(self._field)
            if text is None:
                self._without += 1
            else:
                yield RawText(f"{self._name}:{number}", text, texts.get(label))

    def _chosen(self, records: list[Record]) -> str:
        lengths: Counter[str] = Counter()
        for record in records:
            texts = {field: text_of(value) for field, value in record.items()}
            lengths.update({field: len(text) for field, text in texts.items() if text is not None})
        return chosen_field(self._name, lengths, {field: None for record in records for field in record}, self._fields)


def chosen_field(name: str, lengths: Counter[str], fields: Iterable[str], settings: FieldSettings) -> str:
    """Return the text field, given the characters of all fields with text.

    Raises CorpusError if the requested field has no text, or no field has any.
    """
    names = listed(list(fields)) or "none"
    if settings.text is not None:
        if settings.text not in lengths:
            raise CorpusError(
                f"{name} has no field {settings.text!r} with text (its fields: {names}): name one of them"
            )
        return settings.text
    if not lengths:
        raise CorpusError(
            f'{name} has no field with text (its fields: {names}): every record needs one, best named "text"'
        )
    return TEXT if TEXT in lengths else max(lengths, key=lengths.__getitem__)
