"""Read prompts and answers from common formats: pairs of fields under many names, and the turns of chats.

In a chat, each turn of the assistant is an answer, and its prompt is all previous turns, each on a line that starts
with the name of its role. Records without a prompt or an answer are left out and counted.
"""

import json
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import numpy as np

from lilliput.corpus.examples import END, Example, Examples, gather
from lilliput.corpus.files.contents import RECORDS, text_members
from lilliput.corpus.files.expansion import BROKEN, COMPRESSED, chunks, open_packed
from lilliput.corpus.files.folders import Listing
from lilliput.corpus.files.listing import list_files, missing
from lilliput.corpus.settings import AUTOMATIC, FieldSettings, ReadSettings
from lilliput.corpus.tables.parquet import ParquetRecords
from lilliput.corpus.tables.records import TEXT, TURNS, Record, is_turns, listed, open_records
from lilliput.corpus.tables.text_fields import text_of
from lilliput.corpus.text.byte_decoding import TextDecoder
from lilliput.errors import CorpusError
from lilliput.wording import counted

_PAIRS = (
    (("prompt",), "answer"),
    (("prompt",), "completion"),
    (("prompt",), "response"),
    (("question",), "answer"),
    (("instruction", "input"), "output"),
    (("instruction", "context"), "response"),
    (("instruction",), "output"),
    (("instruction",), "response"),
    (("instruction",), "answer"),
    (("input",), "output"),
    (("source",), "target"),
)
"""Fields of a prompt (two are joined by a line end) and of its answer; the first match in a record counts."""
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_PIECE = 1 << 18
_SAMPLED = 20  # records that decide how a file is read


@dataclass(slots=True)
class _Shape:
    """The fields of prompts and answers, and counts of what was left out."""

    prompts: tuple[str, ...]
    answer: str
    chat: bool = False
    incomplete: int = 0
    """Pairs without a prompt or an answer."""
    empty_turns: int = 0
    others: dict[str, None] = field(default_factory=dict)
    """The fields left out, in order."""

    def examples(self, record: Record, where: str) -> Iterator[Example]:
        """Yield the examples of a record. Raises CorpusError for a field that is not text."""
        used = (*self.prompts, *([] if self.chat else [self.answer]))
        self.others.update(dict.fromkeys(key for key in record if key not in used))
        pairs = self._of_chat(record, where) if self.chat else self._of_fields(record, where)
        for prompt, answer in pairs:
            if prompt and answer:
                yield Example(prompt, answer)
            else:
                self.incomplete += 1

    def _of_fields(self, record: Record, where: str) -> Iterator[tuple[str, str]]:
        parts = [_text(where, name, record.get(name)) for name in self.prompts]
        answer = _text(where, self.answer, record.get(self.answer))
        yield "\n".join(part for part in parts if part) if parts[0] else "", answer

    def _of_chat(self, record: Record, where: str) -> Iterator[tuple[str, str]]:
        turns = record.get(self.prompts[0])
        if not is_turns(turns):
            yield "", ""
            return
        lines = ""
        for turn in cast(list[Record], turns):
            given_role = str(turn.get("role", turn.get("from")))
            role = _ROLES.get(given_role, given_role)
            value = turn.get("content", turn.get("value"))
            content = _text(where, role, text_of(value) if isinstance(value, list) else value)
            if role == "assistant" and lines:
                yield f"{lines}assistant: ", content
            lines += f"{role}: {content}\n" if content else ""
            self.empty_turns += not content and role != "assistant"

    def note(self, name: str, count: int) -> str:
        """Return the note on the fields that were read and left out."""
        if self.chat:
            fields = f"every turn of the assistant in {self.prompts[0]!r} is an answer, the turns before it its prompt"
        else:
            fields = f"prompt: {' and '.join(map(repr, self.prompts))}, answer: {self.answer!r}"
        note = f"read {name} as {counted(count, 'prompt with its answer', 'prompts with their answers')} ({fields})"
        if self.others:
            note += f"; left out: {listed(list(self.others))}"
        if self.incomplete:
            note += f"; {self.incomplete:,} without a prompt or an answer left out"
        if self.empty_turns:
            note += f"; {counted(self.empty_turns, 'turn')} without text left out"
        return note


def _text(where: str, name: str, value: Any) -> str:
    if isinstance(value, dict | list):
        raise CorpusError(
            f'{where}: "{name}" is {json.dumps(value)[:40]}, not a text: name the fields with data.fields.prompt and '
            "data.fields.answer"
        )
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    if END in text:
        raise CorpusError(f'{where}: "{name}" holds U+0003, which ends every answer: remove it')
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CorpusError(f'{where}: "{name}" holds half of a surrogate pair: write the whole character') from None
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _shape_of(record: Record, fields: FieldSettings) -> _Shape | None:
    """Return the fields of prompts and answers in a record; None if it is a text."""
    if fields.text is not None:
        return None
    if fields.prompt is not None and fields.answer is not None:
        return _Shape((fields.prompt,), fields.answer)
    for turns in TURNS:
        if is_turns(record.get(turns)) and any("role" in turn or turn.get("from") in _ROLES for turn in record[turns]):
            return _Shape((turns,), "", chat=True)
    names = {name.strip().lower(): name for name in reversed(record)}
    for prompts, answer in _PAIRS:
        if answer in names and all(name in names for name in prompts):
            return _Shape(tuple(names[name] for name in prompts), names[answer])
    return None


def open_examples(target: str | Path | Sequence[str | Path], settings: ReadSettings = AUTOMATIC) -> Examples | None:
    """Read tables of prompts and answers; None if the targets are something else.

    The first records of the first file decide. Raises CorpusError, with the line and the remedy, for a record that
    cannot be read, and for a later file that is not such a table.
    """
    try:
        listing = list_files([target] if isinstance(target, str | Path) else target, settings)
    except CorpusError:
        return None  # the reader of texts raises the error
    return examples_of(listing, settings)


def examples_of(listing: Listing, settings: ReadSettings) -> Examples | None:
    """Read listed files as `open_examples` does."""
    files = [path for path, _ in listing.files if path]
    if len(files) < max(1, len(listing.files)) or (first := _read(files[0], settings)) is None:
        return None
    parts = [first, *(_required(path, settings) for path in files[1:])]
    if len(parts) == 1:
        return first
    examples = gather(listing.name, chain.from_iterable(parts))
    return Examples(
        examples.name, examples.text, examples.bounds_N2, tuple(note for part in parts for note in part.notes)
    )


def require_examples(target: str | Path, settings: ReadSettings = AUTOMATIC) -> Examples:
    """Read prompts and answers. Raises CorpusError if the target is something else."""
    if not Path(target).expanduser().exists():
        raise missing(Path(target))
    examples = open_examples(target, settings)
    if examples is None:
        raise CorpusError(
            f"{target} holds no prompts and answers, which are needed here: give .jsonl, .json, .csv, .tsv or .parquet "
            'with fields such as "prompt" and "answer", or name them: --set data.fields.prompt=NAME --set '
            "data.fields.answer=NAME"
        )
    return examples


def _required(path: Path, settings: ReadSettings) -> Examples:
    examples = _read(path, settings)
    if examples is None:
        raise CorpusError(f"{path} holds no prompts and answers, unlike the files before it: give files of one kind")
    return examples


def _read(path: Path, settings: ReadSettings) -> Examples | None:
    examples: list[Example] = []
    numbers: list[int] = []
    shape: _Shape | None = None
    with ExitStack() as stack:
        records = _records(path, settings, stack)
        if records is None:
            return None
        first = list(islice(records, _SAMPLED))
        if settings.fields.prompt is None and any(record.get(TEXT) is not None for _, record in first):
            return None
        shape = next((shape for _, record in first if (shape := _shape_of(record, settings.fields))), None)
        if shape is None:
            return None
        for number, record in chain(first, records):
            of_record = list(shape.examples(record, f"{path.name}, line {number:,}"))
            examples += of_record
            numbers += [number] * len(of_record)
    if not examples:
        raise CorpusError(f"{path.name} holds no record with both {shape.prompts[0]!r} and {shape.answer!r}: fill them")
    return gather(path.name, examples, (shape.note(path.name, len(examples)),), np.array(numbers, np.int64))


def _records(path: Path, settings: ReadSettings, stack: ExitStack) -> Iterator[tuple[int, Record]] | None:
    """Return the records of a file, or None if it is not a table; open files are closed by `stack`."""
    try:
        file: IO[bytes] = stack.enter_context(path.open("rb"))
        inner = path.name
        if path.suffix.lower() == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(file))
            members, _ = text_members(path.name, archive, settings)
            if len(members) != 1:
                return None
            inner = members[0].filename
            file = stack.enter_context(archive.open(members[0]))
        while (suffix := PurePosixPath(inner).suffix.lower()) in COMPRESSED:
            file = stack.enter_context(open_packed(file, suffix))
            inner = inner[: -len(suffix)]
        if suffix == ".parquet" and inner == path.name:
            records: Iterator[tuple[int, Record]] = iter(ParquetRecords(path.name, file))
            return chain([next(records)], records)
        if suffix not in RECORDS:
            return None
        decoder = TextDecoder(path.name, settings.encoding)
        texts = stack.enter_context(closing(decoder.decode(chunks(path.name, file, path.stat().st_size, _PIECE))))
        records = iter(open_records(path.name, suffix, texts))
        return chain([next(records)], records)
    except (*BROKEN, CorpusError, StopIteration):
        return None  # the reader of texts raises the error
