"""From the bytes of one file to the raw texts in it: plain, a table or a document, packed or not.

A record of a table (`tables`) and a member of a `.zip` file are documents of their own. A file that is too large for
this is read by `streaming`.
"""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from lilliput.corpus.documents.formats import DOCUMENTS, document_format
from lilliput.corpus.documents.readers import extract
from lilliput.corpus.files.expansion import BROKEN, COMPRESSED, cannot_unpack, expand, open_packed
from lilliput.corpus.files.folders import Choice
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.corpus.tables.parquet import open_parquet
from lilliput.corpus.tables.records import STREAMED, UnknownShapeError, open_records
from lilliput.corpus.tables.text_fields import RawText, TextTable
from lilliput.corpus.text.decoding import decode
from lilliput.errors import CorpusError

RECORDS = (*STREAMED, ".json")
FORMATS = (*RECORDS, *DOCUMENTS, ".parquet", ".zip")
"""Suffixes of the files that are not read as plain text."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hold the documents of one decoded file, and what to tell the user about it."""

    name: str
    documents: tuple[RawText, ...]
    encoding: str
    line_ends: str
    bytes: int
    notes: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()
    """What was left out of the archive that begins with this file."""


def unpack(
    name: str, data: bytes, settings: ReadSettings = AUTOMATIC, inner: str | None = None, alone: bool = True
) -> Iterator[Found]:
    """Yield the decoded files in the bytes of one file; the suffix of `name` says how to read them.

    `inner` is the name less the suffixes of the packing already taken off. Among other files, JSON that is no table is
    read as plain text, and a document that cannot be read is left out; `alone`, they are refused.

    Raises CorpusError for binary data, a broken archive or document, or a line or table without a text,
    DependencyError for a file that takes a library which is not there.
    """
    inner = inner or name
    suffix = PurePosixPath(inner).suffix.lower()
    if suffix in COMPRESSED:
        unpacked = expand(name, len(data), lambda: open_packed(io.BytesIO(data), suffix))
        yield from unpack(name, unpacked, settings, inner[: -len(suffix)], alone)
    elif suffix == ".zip":
        yield from _unpack_zip(name, data, settings, alone)
    elif suffix == ".parquet":
        yield _unpack_parquet(name, data, settings)
    elif data.strip(b"\x00 \t\r\n"):
        document = document_format(name, suffix, data)
        if document:
            yield _unpack_document(name, document, data, settings, alone)
        else:
            yield _unpack_text(name, suffix, data, settings, alone)
    else:
        yield Found(name, (), "nothing", "one line", len(data))


def _unpack_document(name: str, suffix: str, data: bytes, settings: ReadSettings, alone: bool) -> Found:
    try:
        found = extract(name, suffix, data, settings.encoding)
    except CorpusError as error:
        if alone:
            raise
        return Found(name, (), "nothing", "one line", len(data), (f"left out: {error}",))
    documents = (RawText(name, found.text),) if found.text else ()
    return Found(name, documents, found.format, found.parts, len(data), found.notes)


def _unpack_text(name: str, suffix: str, data: bytes, settings: ReadSettings, alone: bool) -> Found:
    decoded = decode(data, name, settings.encoding)
    documents: tuple[RawText, ...] = (RawText(name, decoded.text),)
    notes = decoded.notes
    if suffix in RECORDS:
        try:
            records = open_records(name, suffix, [decoded.text])
        except UnknownShapeError:
            if alone:
                raise
            notes = (*notes, f"{name}: this JSON is no list of texts and was read as plain text")
        else:
            table = TextTable(name, records, settings.fields)
            documents = tuple(table.documents())
            notes = (*notes, *records.notes, table.note)
    return Found(name, documents, decoded.encoding, decoded.line_ends, len(data), notes)


def _unpack_parquet(name: str, data: bytes, settings: ReadSettings) -> Found:
    table = open_parquet(name, data, settings.fields)
    documents = (RawText(name, "".join(table.lines())),) if table.are_lines else tuple(table.documents())
    return Found(name, documents, "Parquet", "lines" if table.are_lines else "rows", len(data), (table.note,))


def _unpack_zip(name: str, data: bytes, settings: ReadSettings, alone: bool) -> Iterator[Found]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except BROKEN as error:
        raise CorpusError(f"{name} is no .zip file, or only a part of one: fetch or pack the file again") from error
    with archive:
        members, notes = text_members(name, archive, settings, alone)
        if not members:
            yield Found(name, (), "nothing", "one line", len(data), notes)
        for member in members:
            unpacked = expand(f"{name}/{member.filename}", member.compress_size, lambda m=member: archive.open(m))  # type: ignore[misc]
            for found in unpack(member.filename, unpacked, settings, alone=alone and len(members) == 1):
                yield replace(found, archive=(*notes, *found.archive))
                notes = ()


def text_members(
    name: str, archive: zipfile.ZipFile, settings: ReadSettings, alone: bool = True
) -> tuple[list[zipfile.ZipInfo], tuple[str, ...]]:
    """Return the members that are texts, in the order of their names, and what to tell the user.

    Raises CorpusError if there are none and the archive is the only file, `alone`.
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
