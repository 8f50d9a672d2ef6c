"""One pass over files of any size: every document as a stream of cleaned fragments.

What comes out is what `read_files` makes of the same files; only the memory differs. A file of up to 8 MB, unpacked, is
read whole, by the same code as there. Of a larger one a few megabytes are in memory at a time.

The canonical form is made piece by piece. A cut between a visible character and a space or a line end changes nothing:
neither composes with what stands before it. Project Gutenberg's frames are taken off a large file if one begins in its
first 8 MB, book by book. Left out, for large files: older frames without `*** START OF`, which stand around single
books of a few megabytes.
"""

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from itertools import chain
from pathlib import PurePosixPath
from typing import IO, TypeVar

from lilliput.corpus.document import JOINT
from lilliput.corpus.documents.formats import begins_document
from lilliput.corpus.files.expansion import BROKEN, COMPRESSED, cannot_unpack, chunks, open_packed
from lilliput.corpus.files.findings import Reading
from lilliput.corpus.files.unpacking import (
    FORMATS,
    Found,
    text_members,
    unpack,
)
from lilliput.corpus.tables.parquet import ParquetTable
from lilliput.corpus.tables.records import STREAMED, open_records
from lilliput.corpus.tables.text_fields import RawText, TextTable
from lilliput.corpus.text.cleaning import FRAME_END, FRAME_START, without_frame
from lilliput.corpus.text.decoding import TextDecoder
from lilliput.errors import CorpusError

Part = TypeVar("Part", str, bytes)

PIECE = 1 << 18
"""Characters of a piece, and bytes that are read at once. Larger ones leave larger holes in the memory."""
SAFE_CUT = re.compile(r"\S(?=[ \n])")
"""Where a text may be cut: neither normalisation nor any tokenizer looks across."""
WHOLE = 8 << 20
"""Bytes of an unpacked file that is read whole."""
_WHOLE = tuple(suffix for suffix in FORMATS if suffix not in STREAMED)
_FRAME_LINES = 4096  # characters that the line of a frame, which may be several, does not exceed


def cut_stream(fragments: Iterable[str], size: int = PIECE) -> Iterator[str]:
    """Cut a stream anew, into pieces of about `size` characters; a text without spaces and line ends is not cut."""
    waiting: list[str] = []
    length, enough = 0, size + 1
    for fragment in chain(fragments, [None]):
        waiting.append(fragment or "")
        length += len(waiting[-1])
        if length < enough and fragment is not None:
            continue
        text = "".join(waiting)
        start = 0
        while found := SAFE_CUT.search(text, start + size):
            yield text[start : found.end()]
            start = found.end()
        waiting, length = [text[start:]], len(text) - start
        # A text that cannot be cut is looked through again only when it has doubled.
        enough = 1 + (2 * length if length > size else size)
    if length:
        yield "".join(waiting)


def documents(file: IO[bytes], name: str, reading: Reading, members: str = "*") -> Iterator[Iterable[str]]:
    """Yield the documents of an open file; one must be read to its end before the next is asked for.

    Of an archive only `members` (a pattern as in fnmatch) are read, if some have such a name.

    Raises CorpusError for binary data, a broken archive, or a line or table without a text.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".zip":
        yield from _zip_documents(file, name, reading, members)
    elif suffix == ".parquet":
        yield from _parquet_documents(file, name, reading)
    else:
        packed = file.seek(0, io.SEEK_END)
        file.seek(0)
        yield from _unpacked(name, name, file, packed, reading)


def _zip_documents(file: IO[bytes], name: str, reading: Reading, members: str) -> Iterator[Iterable[str]]:
    try:
        archive = zipfile.ZipFile(file)
    except BROKEN as error:
        raise CorpusError(f"{name} is no .zip file, or only a part of one: fetch or pack the file again") from error
    with archive:
        found, notes = text_members(name, archive, reading.settings, reading.alone)
        reading.left_out += notes
        alone, reading.alone = reading.alone, reading.alone and len(found) == 1
        chosen = [member for member in found if fnmatch(member.filename, members)]
        for member in chosen or found:
            try:
                stream = archive.open(member)
            except BROKEN as error:
                raise cannot_unpack(f"{name}/{member.filename}", error) from error
            with stream:
                yield from _unpacked(member.filename, member.filename, stream, member.compress_size, reading)
        reading.alone = alone


def _parquet_documents(file: IO[bytes], name: str, reading: Reading) -> Iterator[Iterable[str]]:
    size = file.seek(0, io.SEEK_END)
    table = ParquetTable(name, file, reading.settings.fields)
    if table.are_lines:
        yield _cleaned_stream(table.lines(), reading)
    else:
        yield from _joined(reading, table.documents())
    reading.files.append(Found(name, (), "Parquet", "lines" if table.are_lines else "rows", size, (table.note,)))


def _unpacked(name: str, inner: str, stream: IO[bytes], packed: int, reading: Reading) -> Iterator[Iterable[str]]:
    """Yield the documents of a stream; `inner` is the name less the suffixes of the packing already taken off."""
    suffix = PurePosixPath(inner).suffix.lower()
    if suffix in COMPRESSED:
        with open_packed(stream, suffix) as unpacking:
            yield from _unpacked(name, inner[: -len(suffix)], unpacking, packed, reading)
        return
    rest = chunks(name, stream, packed, PIECE)
    head = b"".join(_until(rest, WHOLE))
    # What wants to be read from its end cannot be a stream within a stream.
    if len(head) <= WHOLE or suffix in _WHOLE or begins_document(head):
        for found in unpack(name, head + b"".join(rest), reading.settings, inner, reading.alone):
            reading.left_out += found.archive
            if found.documents:
                reading.files.append(found)
                yield from _joined(reading, found.documents)
            else:
                reading.left_out += found.notes
                reading.empty += not found.notes
        return
    read = _Counter(_drained([head], rest))
    decoder = TextDecoder(name, reading.settings.encoding)
    texts = decoder.decode(read)
    del head
    notes: tuple[str, ...] = ()
    if suffix in STREAMED:
        records = open_records(name, suffix, texts)
        table = TextTable(name, records, reading.settings.fields)
        yield from _joined(reading, table.documents())
        notes = (*records.notes, table.note)
    else:
        yield _cleaned_stream(texts, reading)
    reading.files.append(Found(name, (), decoder.encoding, decoder.line_ends, read.bytes, (*decoder.notes, *notes)))


def _joined(reading: Reading, texts: Iterable[RawText]) -> Iterator[list[str]]:
    for parts in reading.clean(texts):
        yield [JOINT.join(parts)]


def _until(parts: Iterator[Part], size: int) -> Iterator[Part]:
    """Yield parts until they are together longer than `size`; the others stay."""
    done = 0
    while done <= size and (part := next(parts, None)):
        done += len(part)
        yield part


def _drained(head: list[Part], rest: Iterator[Part]) -> Iterator[Part]:
    """Yield the parts of a list, which lets go of them, and then the rest."""
    head.reverse()
    while head:
        yield head.pop()
    yield from rest


class _Counter:
    """Chunks that are counted as they pass."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.bytes += len(chunk)
        return chunk


def _cleaned_stream(texts: Iterable[str], reading: Reading) -> Iterator[str]:
    """Bring one long document, which holds no halves of pairs, into the canonical form."""
    pieces = (unicodedata.normalize("NFC", piece) for piece in cut_stream(_line_feeds(texts)))
    head = list(_until(pieces, WHOLE))
    framed = FRAME_START.search("".join(head))
    whole = _drained(head, pieces)
    return reading.marks.stream(_without_frames(whole, reading) if framed else whole)


def _line_feeds(texts: Iterable[str]) -> Iterator[str]:
    """Turn all line ends into LF and take byte-order marks off the beginning."""
    began, held = False, ""
    for part in texts:
        text = held + part
        held = "\r" if text.endswith("\r") else ""  # the next text may begin with the other half of the pair
        text = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n")
        if not began:
            text = text.lstrip("\ufeff")
            began = bool(text)
        yield text
    yield held.replace("\r", "\n")


def _without_frames(pieces: Iterable[str], reading: Reading) -> Iterator[str]:
    """Take every book out of its frame; one book at a time is in memory."""
    text, given, kept = "", 0, 0
    for piece in chain(pieces, [""]):
        text += piece
        given += len(piece)
        while book := _first_book(text, final=not piece):
            body = without_frame(text[book])
            text = text[book.stop :]
            if body:
                body = JOINT + body if kept else body
                kept += len(body)
                yield body
        if not FRAME_START.search(text):
            text = text[text.rfind("\n", 0, max(0, len(text) - _FRAME_LINES)) + 1 :]
    reading.frames.append(given - kept)


def _first_book(text: str, final: bool) -> slice | None:
    """Find the first book with its frame; one whose end might go on behind the text counts only if that is final."""
    start = FRAME_START.search(text)
    if start is None:
        return None
    end = FRAME_END.search(text, start.end())
    if end and (final or end.end() + _FRAME_LINES < len(text)):
        return slice(start.start(), end.end())
    return slice(start.start(), len(text)) if final else None
