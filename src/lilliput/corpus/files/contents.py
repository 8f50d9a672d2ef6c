"""Read the documents of open files, as a stream of fragments in the canonical form.

A file is plain text, a table or a document, packed or not. Each record of a table, each member of a `.zip` file and
each text between two marks (`text.marks`) is a document.

The files of a small text are read whole. So are files of a few megabytes in a large text, while a longer file is read
as a stream. Both ways give the same documents. Left out in streams: Project Gutenberg's frames without `*** START OF`,
which occur only around single books of a few megabytes.
"""

import io
import math
import zipfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from functools import partial
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import IO

from lilliput.corpus.document import Fragment, Origin
from lilliput.corpus.documents.formats import DOCUMENTS, begins_document, document_format
from lilliput.corpus.documents.readers import extract
from lilliput.corpus.files.expansion import BROKEN, COMPRESSED, cannot_unpack, chunks, open_packed
from lilliput.corpus.files.folders import Choice, unreadable
from lilliput.corpus.files.report import FileReport, ReadingReport
from lilliput.corpus.settings import ReadSettings
from lilliput.corpus.tables.parquet import ParquetTable
from lilliput.corpus.tables.records import STREAMED, UnknownShapeError, open_records
from lilliput.corpus.tables.text_fields import RawText, TextTable
from lilliput.corpus.text.byte_decoding import TextDecoder, decode
from lilliput.corpus.text.cleaning import clean
from lilliput.corpus.text.streams import PIECE, canonical_stream, drained, until
from lilliput.errors import CorpusError

RECORDS = (*STREAMED, ".json")
FORMATS = (*RECORDS, *DOCUMENTS, ".parquet", ".zip")
"""Suffixes of files that are not read as plain text."""
_ALWAYS_WHOLE = tuple(suffix for suffix in FORMATS if suffix not in STREAMED)


def read_documents(
    files: Iterable[tuple[IO[bytes], str, str]], reader: "FileReader", members: str = "*"
) -> Iterator[Fragment]:
    """Yield the documents of open files, given with their names and folders; blank documents are left out.

    The fragments of a document are consecutive and share one `Origin`. If names of archive members match `members` (a
    pattern as in fnmatch), only these are read. Raises CorpusError for binary data, a damaged file, or a line or table
    without text, and DependencyError if a file needs a library that is not installed.
    """
    for file, name, folder in files:
        for origin, fragments in groupby(reader.fragments(file, name, folder, members), itemgetter(0)):
            blank: list[str] | None = []  # white space before the first visible character
            for _, text in fragments:
                if blank is None:
                    yield origin, text
                elif text.strip():
                    yield origin, "".join([*blank, text]) if blank else text
                    blank = None
                else:
                    blank.append(text)
            if blank is None:
                reader.report.documents += 1
            else:
                reader.report.empty += 1


def open_files(files: Sequence[tuple[Path, str]]) -> Generator[tuple[IO[bytes], str, str], None, None]:
    """Open files one by one and yield each with its name and the name of its folder.

    Raises CorpusError for a file that cannot be read.
    """
    for path, name in files:
        try:
            file = path.open("rb")
        except OSError as error:
            raise unreadable(path, error) from error
        with file:
            yield file, name, path.resolve().parent.name


class FileReader:
    """Read open files one by one, and add notes for the user to `report`.

    If a file is the only one (`alone`), JSON that is not a table and a document that cannot be read are errors. Among
    other files, such JSON is read as plain text, and such a document is left out. Files of up to `whole` bytes,
    unpacked, are read at once.
    """

    def __init__(self, settings: ReadSettings, report: ReadingReport, alone: bool, whole: float = math.inf) -> None:
        self.report = report
        self._settings = settings
        self._alone = alone
        self._whole = whole

    def fragments(self, file: IO[bytes], name: str, folder: str, members: str = "*") -> Iterator[Fragment]:
        """Yield the fragments of the documents in a file, including blank ones; the suffix decides how to read it.

        The folder of a document is its folder in the archive, else `folder`.
        """
        suffix = PurePosixPath(name).suffix.lower()
        if suffix == ".zip":
            yield from self._zip(file, name, folder, members)
        elif suffix == ".parquet":
            yield from self._parquet(file, name, folder)
        else:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            yield from self._stream(file, name, name, size, folder, name)

    def _zip(self, file: IO[bytes], name: str, folder: str, members: str = "*") -> Iterator[Fragment]:
        try:
            archive = zipfile.ZipFile(file)
        except BROKEN as error:
            raise CorpusError(f"{name} is not a valid .zip file: download or pack the file again") from error
        with archive:
            texts, notes = text_members(name, archive, self._settings, self._alone)
            self.report.left_out += notes
            reader = FileReader(self._settings, self.report, self._alone and len(texts) == 1, self._whole)
            chosen = [member for member in texts if fnmatch(member.filename, members)]
            for member in chosen or texts:
                path = f"{name}/{member.filename}"
                try:
                    stream = archive.open(member)
                except BROKEN as error:
                    raise cannot_unpack(path, error) from error
                with stream:
                    yield from reader._stream(
                        stream, member.filename, member.filename, member.compress_size, folder, path
                    )

    def _parquet(self, file: IO[bytes], name: str, folder: str) -> Iterator[Fragment]:
        size = file.seek(0, io.SEEK_END)
        table = ParquetTable(name, file, self._settings.fields)
        if table.are_lines:
            has_documents = yield from self._long_document(table.lines(), name, folder)
        else:
            has_documents = yield from self._documents(table.documents(), name, folder)
        kind = "lines" if table.are_lines else "rows"
        self.report.add(FileReport(name, "Parquet", kind, size, (table.note,)), has_documents)

    def _stream(
        self, stream: IO[bytes], name: str, inner: str, packed: int, folder: str, path: str
    ) -> Iterator[Fragment]:
        """Yield the documents of a stream of `packed` bytes, named `path` in errors.

        `inner` is its name without the suffixes of the compression already removed.
        """
        suffix = PurePosixPath(inner).suffix.lower()
        if suffix in COMPRESSED:
            with open_packed(stream, suffix) as unpacking:
                yield from self._stream(unpacking, name, inner[: -len(suffix)], packed, folder, path)
            return
        rest = chunks(path, stream, packed, PIECE)
        head = [b"".join(until(rest, self._whole))]
        # Formats that are read from the end cannot be a stream within a stream.
        if len(head[0]) <= self._whole or suffix in _ALWAYS_WHOLE or begins_document(head[0]):
            yield from self._bytes(b"".join(chain(head, rest)), name, suffix, folder)
        else:
            yield from self._long_text(drained(head, rest), name, suffix, folder)

    def _bytes(self, data: bytes, name: str, suffix: str, folder: str) -> Iterator[Fragment]:
        if suffix == ".zip":
            yield from self._zip(io.BytesIO(data), name, folder)
        elif suffix == ".parquet":
            yield from self._parquet(io.BytesIO(data), name, folder)
        elif not data.strip(b"\x00 \t\r\n"):
            self.report.empty += 1
        elif kind := document_format(name, suffix, data):
            yield from self._document(data, name, kind, folder)
        else:
            yield from self._text(data, name, suffix, folder)

    def _document(self, data: bytes, name: str, kind: str, folder: str) -> Iterator[Fragment]:
        try:
            extracted = extract(name, kind, data, self._settings.encoding)
        except CorpusError as error:
            if self._alone:
                raise
            self.report.left_out.append(f"left out: {error}")
            return
        texts = [RawText(name, extracted.text)] if extracted.text else []
        has_documents = yield from self._documents(texts, name, folder)
        self.report.add(FileReport(name, extracted.format, extracted.parts, len(data), extracted.notes), has_documents)

    def _text(self, data: bytes, name: str, suffix: str, folder: str) -> Iterator[Fragment]:
        decoded = decode(data, name, self._settings.encoding)
        table: TextTable | None = None
        notes = decoded.notes
        if suffix in RECORDS:
            try:
                records = open_records(name, suffix, [decoded.text])
                table = TextTable(name, records, self._settings.fields)
            except UnknownShapeError:
                if self._alone:
                    raise
                notes = (*notes, f"{name}: this JSON is not a list of texts and was read as plain text")
        texts = table.documents() if table else [RawText(name, decoded.text)]
        has_documents = yield from self._documents(texts, name, folder)
        notes = (*notes, *table.notes) if table else notes
        self.report.add(FileReport(name, decoded.encoding, decoded.line_ends, len(data), notes), has_documents)

    def _long_text(self, data: Iterator[bytes], name: str, suffix: str, folder: str) -> Iterator[Fragment]:
        counted = _CountedChunks(data)
        decoder = TextDecoder(name, self._settings.encoding)
        texts = decoder.decode(counted)
        notes: tuple[str, ...] = ()
        if suffix in STREAMED:
            table = TextTable(name, open_records(name, suffix, texts), self._settings.fields)
            has_documents = yield from self._documents(table.documents(), name, folder)
            notes = table.notes
        else:
            has_documents = yield from self._long_document(texts, name, folder)
        notes = (*decoder.notes, *notes)
        self.report.add(FileReport(name, decoder.encoding, decoder.line_ends, counted.bytes, notes), has_documents)

    def _documents(self, texts: Iterable[RawText], name: str, folder: str) -> Generator[Fragment, None, bool]:
        """Yield the documents of one file, and return whether there are any."""
        has_documents = False
        folder = PurePosixPath(name).parent.name or folder
        for raw in texts:
            has_documents = True
            cleaned = clean(raw.text)
            self.report.replaced += cleaned.replaced
            if cleaned.frame and cleaned.text.strip():
                self.report.frames.append(cleaned.frame)
            for text in self.report.marks.parts(cleaned.text):
                yield Origin(raw.name, folder, raw.label), text
        return has_documents

    def _long_document(self, texts: Iterable[str], name: str, folder: str) -> Generator[Fragment, None, bool]:
        """Like `_documents`, for one text without lone surrogates, which may be larger than memory."""
        rest = iter(texts)
        head = list(until(rest, self._whole))
        if sum(map(len, head)) <= self._whole:
            return (yield from self._documents([RawText(name, "".join(head))], name, folder))
        folder = PurePosixPath(name).parent.name or folder
        origin = Origin(name, folder)
        pieces = canonical_stream(drained(head, rest), self._whole, self.report.frames)
        for begins, text in self.report.marks.stream(pieces):
            if begins:
                origin = Origin(name, folder)
            yield origin, text
        return True


class _CountedChunks:
    """An iterator over chunks that counts their bytes."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.bytes += len(chunk)
        return chunk


def text_members(
    name: str, archive: zipfile.ZipFile, settings: ReadSettings, alone: bool = True
) -> tuple[list[zipfile.ZipInfo], tuple[str, ...]]:
    """Return the members with text, sorted by name, and notes for the user.

    Raises CorpusError if there are none and the archive is the only file (`alone`).
    """
    choice = Choice(settings)
    members = []
    for member in archive.infolist():
        try:
            opened = partial(archive.open, member)
            if not member.is_dir() and choice.takes(member.filename, FORMATS, opened):
                members.append(member)
        except BROKEN as error:
            raise cannot_unpack(f"{name}/{member.filename}", error) from error
    if not members:
        reason = f"{name} holds no text{choice.left_out()}: give an archive with texts in it"
        if alone:
            raise CorpusError(reason)
        return [], (f"left out: {reason}",)
    return sorted(members, key=lambda member: member.filename), choice.notes(name)
