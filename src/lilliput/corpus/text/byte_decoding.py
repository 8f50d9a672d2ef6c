"""Decode bytes and detect their encoding.

The order matters: a byte-order mark is certain; strict UTF-8 is nearly certain, since other encodings break its rules
at the first accent; UTF-16 without a mark is recognised by NULs, mostly on one side of the pairs. For all others
`encodings` guesses; the fallback is cp1252, and Latin-1 for bytes that cp1252 lacks. An encoding named by the user is
always used.

In a stream, the first chunk decides. If the whole text would have been detected as another encoding, the stream ends in
an error, so that the result never depends on how a text is read.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain

from lilliput.corpus.text.codes import Codes
from lilliput.corpus.text.encodings import ENCODINGS, EncodingGuess, EncodingSample
from lilliput.errors import CorpusError
from lilliput.wording import counted

# UTF-32 comes before UTF-16, since its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with byte-order mark"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_MARKED_UTF8 = _MARKS[0][2]
_END_OF_FILE = "\x1a"  # of CP/M and DOS
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BEYOND_ASCII = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_MOST_CONTROLS = 0.01
_SAMPLE = 100_000
_PART = 1 << 18
_SHOWN = 60
_REMEDY = ": name another with --encoding, or leave it out"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded text with its original line ends, and notes for the user."""

    text: str
    encoding: str
    line_ends: str
    notes: tuple[str, ...] = ()
    """The first line in a guessed encoding, with alternative encodings, and the codes that were removed."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    text: str
    label: str
    codec: str
    others: tuple[str, ...] = ()
    guessed: bool = False

    def notes(self, name: str) -> tuple[str, ...]:
        if not self.guessed:
            return ()
        line = next((line.strip() for line in self.text.split("\n") if not line.isascii()), "")
        excerpt = f'as read: "{line[:_SHOWN].rstrip()}{" ..." * (len(line) > _SHOWN)}"'
        if not self.others:
            return (f"{name}, {excerpt}",)
        others = " or ".join(self.others)
        return (f"{name} may be in {others} instead of {self.label}; {excerpt}; choose with --encoding NAME",)


def decode(data: bytes, name: str, encoding: str | None = None) -> Decoded:
    """Decode bytes of unknown encoding, or of the given one; `name` is the name of the file in messages.

    Raises CorpusError if the bytes are not text, or not in the given encoding.
    """
    encoded = _decode(data, name, encoding)
    codes = Codes()
    text = codes.remove(encoded.text.rstrip(_END_OF_FILE))
    _require_text(text, name)
    ends = _LineEnds()
    ends.count(text)
    return Decoded(text, encoded.label, str(ends), (*encoded.notes(name), *codes.notes(name)))


def is_text(head: bytes, whole: bool) -> bool:
    """Return whether a file is text in any encoding, by its first bytes, or all of them if `whole`."""
    try:
        if b"\x00" in head or _mark_length(head):
            text = _decode(head, "", None, whole).text
        else:
            text = head.decode(
                "ascii", "replace"
            )  # other encodings have letters among the bytes of Unicode's later controls
        _require_text(Codes().remove(text.rstrip(_END_OF_FILE)), "")
    except CorpusError:
        return False
    return True


class TextDecoder:
    """Decode bytes in chunks; the first chunk decides the encoding and should be large.

    Joined, the pieces of text are the result of `decode` for all bytes, and none but the last ends between CR and LF.
    `encoding`, `notes` and `line_ends` describe the text so far. Raises CorpusError if the bytes are not text, or if a
    later chunk is in another encoding.
    """

    def __init__(self, name: str, encoding: str | None = None) -> None:
        self.encoding = "nothing"
        self._guess: tuple[str, ...] = ()
        self._codes = Codes()
        self._name = name
        self._given_encoding = encoding
        self._ends = _LineEnds()
        self._sample = EncodingSample()
        self._bytes = 0
        self._stray = self._beyond_ascii = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the notes, as in `Decoded`."""
        return (*self._guess, *self._codes.notes(self._name))

    @property
    def line_ends(self) -> str:
        """Return the names of the line ends."""
        return str(self._ends)

    def decode(self, chunks: Iterator[bytes]) -> Generator[str, None, None]:
        """Yield the text of the chunks."""
        head = next(chunks, b"")
        encoded = _decode(head, self._name, self._given_encoding, whole=False)
        self.encoding, self._guess, codec = encoded.label, encoded.notes(self._name), encoded.codec
        _require_text(Codes().remove(encoded.text.rstrip(_END_OF_FILE)), self._name)
        # Decode the head again, so that the decoder handles a character that the first chunk cuts in two.
        texts = self._texts(chain(_parts(head[_mark_length(head) :]), chunks), codec)
        del head, encoded  # to save memory
        held = ""
        for text in chain((self._codes.remove(text, final=False) for text in texts), [None]):
            whole = held + (self._codes.remove("") if text is None else text)
            kept = whole.rstrip("\r" + _END_OF_FILE)
            held = whole[len(kept) :]
            if "\x00" in kept:
                raise _binary(kept, self._name)
            self._ends.count(kept)
            yield kept
        last = held.rstrip(_END_OF_FILE)
        self._ends.count(last)
        yield last
        if self._given_encoding is None:
            self._require_one_encoding(codec)

    def _texts(self, chunks: Iterator[bytes], codec: str) -> Iterator[str]:
        unicode = codec.startswith("utf")
        mends = codec == "utf-8" and self._given_encoding is None
        decoder = codecs.getincrementaldecoder(codec)("surrogateescape" if mends else "strict")
        # Only at the end is it clear that a text in another encoding is not UTF-8 with stray bytes.
        other = None if unicode else codecs.getincrementaldecoder("utf-8")("surrogateescape")
        for chunk in chain(chunks, [b""]):
            final = not chunk
            try:
                text = decoder.decode(chunk, final)
            except UnicodeDecodeError as error:
                raise self._contradiction(f"is invalid at byte {self._bytes + error.start:,}") from error
            self._bytes += len(chunk)
            if not unicode:
                self._sample.add(chunk)
            self._count(text if other is None else other.decode(chunk, final))
            yield _mended(text) if mends else text

    def _count(self, text: str) -> None:
        if not text.isascii():
            stray = len(_ESCAPED_BYTE.findall(text))
            self._stray += stray
            self._beyond_ascii += len(text) - stray - len(text.encode("ascii", "ignore"))
            if self.encoding == "ASCII":
                self.encoding = "UTF-8"

    def _require_one_encoding(self, codec: str) -> None:
        mended = self._beyond_ascii >= 10 * self._stray
        if codec == "utf-8" and self._stray:
            if not mended or self.encoding == _MARKED_UTF8:
                raise self._contradiction(f"has {counted(self._stray, 'byte that is', 'bytes that are')} not")
            self.encoding = _with_strays(self._stray)
        elif not codec.startswith("utf"):
            if mended:
                raise self._contradiction("continues as UTF-8")
            guess = self._sample.guess()
            if guess is not None and guess.codec != codec and not (guess.codec == "cp1252" and codec == "latin-1"):
                raise self._contradiction(f"continues as {ENCODINGS[guess.codec]}")

    def _contradiction(self, fault: str) -> CorpusError:
        remedy = (
            ": save it again as UTF-8, or name its encoding with --encoding"
            if self._given_encoding is None
            else _REMEDY
        )
        return CorpusError(f"{self._name} begins as {self.encoding} and {fault}{remedy}")


def _decode(data: bytes, name: str, encoding: str | None, whole: bool = True) -> _Encoded:
    """Decode; data that are not `whole` may end within a character, which is dropped."""
    if encoding is not None:
        return _decode_as(data, name, encoding, whole)
    for mark, codec, label in _MARKS:
        if data.startswith(mark):
            try:
                return _Encoded(_strict(data[len(mark) :], codec, whole), label, codec)
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{name} begins as {label} and is broken at byte {error.start:,}: save it again as UTF-8"
                ) from error
    if b"\x00" in data:
        return _decode_unmarked_utf16(data, name, whole)
    try:
        return _Encoded(_strict(data, "utf-8", whole), "ASCII" if data.isascii() else "UTF-8", "utf-8")
    except UnicodeDecodeError:
        return _guess(data, whole)


def _decode_as(data: bytes, name: str, encoding: str, whole: bool) -> _Encoded:
    label = ENCODINGS.get(encoding.replace("-", "_"), encoding.upper())
    try:
        return _Encoded(_strict(data[_mark_length(data) :], encoding, whole), label, encoding)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name} is not in {label} (at byte {error.start:,}){_REMEDY}") from error


def _strict(data: bytes, codec: str, whole: bool) -> str:
    return codecs.getincrementaldecoder(codec)().decode(data, whole)


def _parts(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PART):
        yield data[start : start + _PART]


def _mark_length(data: bytes) -> int:
    return next((len(mark) for mark, _, _ in _MARKS if data.startswith(mark)), 0)


def _decode_unmarked_utf16(data: bytes, name: str, whole: bool) -> _Encoded:
    even, odd = data[0::2].count(0), data[1::2].count(0)
    for zeros, codec in sorted(((odd, "utf-16-le"), (even, "utf-16-be")), reverse=True):
        if not zeros:
            continue
        try:
            text = _strict(data, codec, whole)
        except UnicodeDecodeError:
            continue
        sample = text[:_SAMPLE]
        # Sound and tables of numbers decode too, but to unassigned code points.
        strange = sum(
            unicodedata.category(character) in ("Cc", "Cn", "Co") and character not in "\t\n\r" for character in sample
        )
        if sample and strange <= _MOST_CONTROLS * len(sample):
            return _Encoded(text, "UTF-16 without byte-order mark", codec)
    raise _binary(data.decode("latin-1"), name)


def _guess(data: bytes, whole: bool) -> _Encoded:
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(data, whole)
    stray = len(_ESCAPED_BYTE.findall(text))
    # UTF-8 with a few stray bytes must not become two letters for every accent.
    if len(_BEYOND_ASCII.findall(text)) >= 10 * stray:
        return _Encoded(_mended(text), _with_strays(stray), "utf-8")
    sample = EncodingSample()
    sample.add(data)
    guess = sample.guess() or EncodingGuess("cp1252")
    try:
        text = _strict(data, guess.codec, whole)
    except UnicodeDecodeError:
        if guess.codec == "cp1252":
            return _Encoded(data.decode("latin-1"), "Latin-1", "latin-1", guessed=True)
        text = data.decode(guess.codec, "replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    label = ENCODINGS[guess.codec] + (f", {broken:,} broken bytes replaced by U+FFFD" if broken else "")
    return _Encoded(text, label, guess.codec, tuple(ENCODINGS[codec] for codec in guess.others), True)


def _with_strays(stray: int) -> str:
    return f"UTF-8, {stray:,} stray bytes as cp1252"


def _mended(text: str) -> str:
    return text if text.isascii() else _ESCAPED_BYTE.sub(lambda match: _western_letter(ord(match[0]) - 0xDC00), text)


def _western_letter(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return "\N{REPLACEMENT CHARACTER}"


class _LineEnds:
    """The kinds of line ends in a text; no part of it may end between CR and LF."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()

    def count(self, text: str) -> None:
        pairs = text.count("\r\n")
        counts = {"CRLF": pairs, "CR": text.count("\r") - pairs, "LF": text.count("\n") - pairs}
        self._kinds |= {kind for kind, count in counts.items() if count}

    def __str__(self) -> str:
        return " and ".join(kind for kind in ("CRLF", "CR", "LF") if kind in self._kinds) or "one line"


def _require_text(text: str, name: str) -> None:
    if "\x00" in text or len(_CONTROL.findall(text)) > _MOST_CONTROLS * len(text):
        raise _binary(text, name)


def _binary(text: str, name: str) -> CorpusError:
    controls = Counter(_CONTROL.findall(text))
    [(most, _)] = controls.most_common(1)
    return CorpusError(
        f"{name} is binary, not text: {controls.total() / len(text):.1%} of it are control characters, most of them "
        f"U+{ord(most):04X}; give plain text (or .gz, .xz, .zip of it)"
    )
