"""From the bytes of one file to the raw texts in it: plain or a table, as it is or packed as `.gz`, `.xz`, `.zip`.

A row of a table (`tables`) and a member of a `.zip` file are documents of their own. A file that is too large for this
is read by `streaming`. Left out: `.json`, which has no one shape.
"""

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from lilliput.corpus.decoding import decode
from lilliput.corpus.settings import AUTOMATIC, ReadSettings
from lilliput.corpus.tables import CsvTable, RawText, json_lines, open_parquet
from lilliput.errors import CorpusError

PLAIN = (".txt", ".md", ".tokens", ".raw")
PACKED = (".gz", ".xz", ".zip")
KNOWN = (*PLAIN, ".jsonl", ".csv", ".parquet", *PACKED)

BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
# Text packs to a third, poems to a fourth; a repeated line to a thousandth. More than this is no text of this world.
_MOST_EXPANSION = 200
_ALWAYS_ALLOWED = 64 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """Hold the documents of one decoded file, and what to tell the user about it."""

    name: str
    documents: tuple[RawText, ...]
    encoding: str
    line_ends: str
    bytes: int
    notes: tuple[str, ...] = ()


def unpack(name: str, data: bytes, settings: ReadSettings = AUTOMATIC, inner: str | None = None) -> Iterator[Found]:
    """Yield the decoded files in the bytes of one file; the suffix of `name` says how to read them.

    `inner` is the name less the suffixes of the packing already taken off.

    Raises CorpusError for binary data, a broken archive, or a line or table without a text.
    """
    inner = inner or name
    suffix = PurePosixPath(inner).suffix.lower()
    if suffix in (".gz", ".xz"):
        opened: Callable[[IO[bytes]], IO[bytes]] = gzip.open if suffix == ".gz" else lzma.open  # type: ignore[assignment]
        unpacked = expand(name, len(data), lambda: opened(io.BytesIO(data)))
        yield from unpack(name, unpacked, settings, inner[: -len(suffix)])
    elif suffix == ".zip":
        yield from _unpack_zip(name, data, settings)
    elif suffix == ".parquet":
        yield _unpack_parquet(name, data)
    elif data.strip(b"\x00 \t\r\n"):
        decoded = decode(data, name, settings.encoding)
        notes: tuple[str, ...] = ()
        if suffix == ".jsonl":
            # Not splitlines: U+2028 and its like may stand inside a JSON string.
            documents = tuple(json_lines(name, decoded.text.split("\n")))
        elif suffix == ".csv":
            table = CsvTable(name, io.StringIO(decoded.text, newline=""))
            documents = tuple(table.documents())
            notes = (table.note,)
        else:
            documents = (RawText(name, decoded.text),)
        yield Found(name, documents, decoded.encoding, decoded.line_ends, len(data), (*decoded.notes, *notes))
    else:
        yield Found(name, (), "nothing", "one line", len(data))


def expand(name: str, packed: int, opened: Callable[[], IO[bytes]]) -> bytes:
    """Unpack a file that takes `packed` bytes. Raises CorpusError if it is broken or grows beyond all measure."""
    most = most_expansion(packed)
    try:
        with opened() as stream:
            data = stream.read(most + 1)
    except BROKEN as error:
        raise cannot_unpack(name, error) from error
    if len(data) > most:
        raise expands_too_much(name, most)
    return data


def most_expansion(packed: int) -> int:
    """Return the bytes that so many packed bytes may come to."""
    return max(_ALWAYS_ALLOWED, _MOST_EXPANSION * packed)


def cannot_unpack(name: str, error: Exception) -> CorpusError:
    """Return the error for a packed file that is broken."""
    reason = str(error).split("\n")[0] or type(error).__name__
    return CorpusError(f"{name} cannot be unpacked ({reason}): fetch or pack the file again")


def expands_too_much(name: str, most: int) -> CorpusError:
    """Return the error for a packed file that unpacks to more than it may."""
    return CorpusError(f"{name} unpacks to more than {most:,} bytes: unpack it by hand if that is really meant")


def _unpack_parquet(name: str, data: bytes) -> Found:
    table = open_parquet(name, data)
    documents = (RawText(name, "".join(table.lines())),) if table.are_lines else tuple(table.documents())
    return Found(name, documents, "Parquet", "lines" if table.are_lines else "rows", len(data), (table.note,))


def _unpack_zip(name: str, data: bytes, settings: ReadSettings) -> Iterator[Found]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except BROKEN as error:
        raise CorpusError(f"{name} is no .zip file, or only a part of one: fetch or pack the file again") from error
    with archive:
        for member in text_members(name, archive):
            unpacked = expand(f"{name}/{member.filename}", member.compress_size, lambda m=member: archive.open(m))  # type: ignore[misc]
            yield from unpack(member.filename, unpacked, settings)


def text_members(name: str, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members that are texts, in the order of their names.

    Raises CorpusError if there are none.
    """
    members = [member for member in archive.infolist() if _is_text(member.filename)]
    if not members:
        raise CorpusError(f"{name} holds no text: its members must end in one of {' '.join(KNOWN)}")
    return sorted(members, key=lambda member: member.filename)


def _is_text(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and not name.endswith("/") and path.suffix.lower() in KNOWN
