"""From the bytes of one file to the raw texts in it: plain, `.jsonl`, `.csv`, or these packed as `.gz`, `.xz`, `.zip`.

A line of a `.jsonl` file, a row of a `.csv` file and a member of a `.zip` file are documents of their own.
Left out: Parquet, which needs a large dependency, and `.json`, which has no one shape.
"""

import csv
import gzip
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from lilliput.corpus.decoding import decode
from lilliput.errors import CorpusError

PLAIN = (".txt", ".md", ".tokens", ".raw")
PACKED = (".gz", ".xz", ".zip")
KNOWN = (*PLAIN, ".jsonl", ".csv", *PACKED)

_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, NotImplementedError)
# Text packs to a third, poems to a fourth; a repeated line to a thousandth. More than this is no text of this world.
_MOST_EXPANSION = 200
_ALWAYS_ALLOWED = 64 << 20


@dataclass(frozen=True, slots=True)
class RawText:
    """Hold one document as it stood in its file, before cleaning."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """Hold the documents of one decoded file, and what to tell the user about it."""

    name: str
    documents: tuple[RawText, ...]
    encoding: str
    line_ends: str
    bytes: int
    note: str | None = None


def unpack(name: str, data: bytes, inner: str | None = None) -> Iterator[Found]:
    """Yield the decoded files in the bytes of one file; the suffix of `name` says how to read them.

    `inner` is the name less the suffixes of the packing already taken off.

    Raises CorpusError for binary data, a broken archive, or a line or table without a text.
    """
    inner = inner or name
    suffix = PurePosixPath(inner).suffix.lower()
    if suffix in (".gz", ".xz"):
        opened: Callable[[IO[bytes]], IO[bytes]] = gzip.open if suffix == ".gz" else lzma.open  # type: ignore[assignment]
        unpacked = _expand(name, len(data), lambda: opened(io.BytesIO(data)))
        yield from unpack(name, unpacked, inner[: -len(suffix)])
    elif suffix == ".zip":
        yield from _unpack_zip(name, data)
    elif data.strip(b"\x00 \t\r\n"):
        decoded = decode(data, name)
        note = None
        if suffix == ".jsonl":
            documents = tuple(_json_lines(name, decoded.text))
        elif suffix == ".csv":
            documents, note = _table(name, decoded.text)
        else:
            documents = (RawText(name, decoded.text),)
        yield Found(name, documents, decoded.encoding, decoded.line_ends, len(data), note)
    else:
        yield Found(name, (), "nothing", "one line", len(data))


def _expand(name: str, packed: int, opened: Callable[[], IO[bytes]]) -> bytes:
    most = max(_ALWAYS_ALLOWED, _MOST_EXPANSION * packed)
    try:
        with opened() as stream:
            data = stream.read(most + 1)
    except _BROKEN as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise CorpusError(f"{name} cannot be unpacked ({reason}): fetch or pack the file again") from error
    if len(data) > most:
        raise CorpusError(f"{name} unpacks to more than {most:,} bytes: unpack it by hand if that is really meant")
    return data


def _unpack_zip(name: str, data: bytes) -> Iterator[Found]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        raise CorpusError(f"{name} is no .zip file, or only a part of one: fetch or pack the file again") from error
    with archive:
        members = [member for member in archive.infolist() if _is_text(member.filename)]
        if not members:
            raise CorpusError(f"{name} holds no text: its members must end in one of {' '.join(KNOWN)}")
        for member in sorted(members, key=lambda member: member.filename):
            unpacked = _expand(f"{name}/{member.filename}", member.compress_size, lambda m=member: archive.open(m))  # type: ignore[misc]
            yield from unpack(member.filename, unpacked)


def _is_text(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and not name.endswith("/") and path.suffix.lower() in KNOWN


def _json_lines(name: str, text: str) -> Iterator[RawText]:
    # Not splitlines: U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise CorpusError(f"{name}, line {number:,} is not JSON ({error}): write one object a line") from error
        strings = {key: value for key, value in row.items() if isinstance(value, str)} if isinstance(row, dict) else {}
        if "text" in strings:
            yield RawText(f"{name}:{number}", strings["text"])
        elif len(strings) == 1:
            yield RawText(f"{name}:{number}", *strings.values())
        else:
            fields = ", ".join(strings) or "none"
            raise CorpusError(
                f'{name}, line {number:,} has no field "text" (fields with a string: {fields}): '
                "rename the field that holds the text"
            )


def _table(name: str, text: str) -> tuple[tuple[RawText, ...], str]:
    csv.field_size_limit(2**31 - 1)  # the default stops at 128 KiB, less than a chapter
    header = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t|", key=header.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise CorpusError(
            f'{name} is not a table ({error}, near line {reader.line_num:,}): quote fields with ""'
        ) from error
    columns = list(reader.fieldnames or ())
    if not rows:
        raise CorpusError(f"{name} has no row below its first: the first row must name the columns, one of them text")
    # A short row lacks columns, and what a long row has too much stands under the key None.
    lengths = {column: sum(len(row[column] or "") for row in rows) for column in columns}
    column = "text" if "text" in columns else max(columns, key=lambda column: lengths[column])
    documents = tuple(RawText(f"{name}:{number}", row[column] or "") for number, row in enumerate(rows, start=2))
    reason = "" if column == "text" or len(columns) == 1 else f", the longest of {len(columns)}"
    return documents, f"{name}: column {column!r} taken as the text{reason}; {len(rows):,} rows"
