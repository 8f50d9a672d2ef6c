"""Find the encoding of a text from its bytes alone.

The order matters: a byte-order mark is certain; strict UTF-8 is all but certain, since other encodings break its rules
at the first accent; UTF-16 without a mark shows itself by NULs that stand on one side of every pair. What is left is
taken for cp1252, the superset of Latin-1 that Western texts of the 1990s are really in, and for Latin-1 where cp1252
has no letter. Left out: encodings of other scripts (Shift-JIS, KOI8 and so on), which no rule tells apart safely.
"""

import codecs
import re
import unicodedata
from dataclasses import dataclass

from lilliput.errors import CorpusError

# UTF-32 stands before UTF-16: its little-endian mark begins with the other's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BEYOND_ASCII = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_MOST_CONTROLS = 0.01
_SAMPLE = 100_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """Hold a decoded text with its original line ends, and what to tell the user about it."""

    text: str
    encoding: str
    line_ends: str


def decode(data: bytes, name: str) -> Decoded:
    """Decode bytes of unknown encoding; `name` stands in the message.

    Raises CorpusError if the bytes are no text.
    """
    text, encoding = _decode(data, name)
    text = text.rstrip("\x1a")  # the end-of-file mark of CP/M and DOS
    controls = len(_CONTROL.findall(text))
    if "\x00" in text or controls > _MOST_CONTROLS * len(text):
        raise _binary(name)
    return Decoded(text, encoding, _line_ends(text))


def _decode(data: bytes, name: str) -> tuple[str, str]:
    for mark, codec, label in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(codec), label
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{name} begins as {label} and is broken at byte {error.start:,}: save it again as UTF-8"
                ) from error
    if b"\x00" in data:
        return _decode_unmarked_utf16(data, name)
    try:
        return data.decode(), "ASCII" if data.isascii() else "UTF-8"
    except UnicodeDecodeError:
        return _decode_western(data)


def _decode_unmarked_utf16(data: bytes, name: str) -> tuple[str, str]:
    even, odd = data[0::2].count(0), data[1::2].count(0)
    codec = "utf-16-le" if odd >= 10 * even else "utf-16-be" if even >= 10 * odd else None
    try:
        text = data.decode(codec) if codec else ""
    except UnicodeDecodeError:
        text = ""
    sample = text[:_SAMPLE]
    # Sound and tables of numbers decode too, but to code points that nobody has given a meaning.
    strange = sum(
        unicodedata.category(character) in ("Cc", "Cn", "Co") and character not in "\t\n\r" for character in sample
    )
    if not sample or strange > _MOST_CONTROLS * len(sample):
        raise _binary(name)
    return text, "UTF-16 without byte-order mark"


def _decode_western(data: bytes) -> tuple[str, str]:
    text = data.decode("utf-8", "surrogateescape")
    stray = len(_ESCAPED_BYTE.findall(text))
    # A file that is UTF-8 but for a few pasted bytes must not turn into two letters for every accent.
    if len(_BEYOND_ASCII.findall(text)) >= 10 * stray:
        mended = _ESCAPED_BYTE.sub(lambda match: _western_letter(ord(match[0]) - 0xDC00), text)
        return mended, f"UTF-8, {stray:,} stray bytes as cp1252"
    try:
        return data.decode("cp1252"), "Latin-1 (cp1252)"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1"


def _western_letter(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return "\N{REPLACEMENT CHARACTER}"


def _line_ends(text: str) -> str:
    pairs = text.count("\r\n")
    kinds = {"CRLF": pairs, "CR": text.count("\r") - pairs, "LF": text.count("\n") - pairs}
    found = [kind for kind, count in kinds.items() if count]
    return " and ".join(found) if found else "one line"


def _binary(name: str) -> CorpusError:
    return CorpusError(
        f"{name} is binary, not text: give plain text in UTF-8, UTF-16 or Latin-1 (or .gz, .xz, .zip of it)"
    )
