"""The lossless escape: any text, written with a small alphabet.

A small vocabulary has no room for every character, and a prompt may hold characters that no training text held. So
an alphabet is some kept characters and sixteen nibbles. A character that is not kept is written as its UTF-8 bytes,
two nibbles a byte, before any tokenizer library sees the text; the library meets known characters only, and an
unknown-token symbol is not needed. Byte fallback (Kudo and Richardson 2018, SentencePiece) is the same idea with 256
symbols; sixteen leave room for letters in a vocabulary of 40.

The nibbles are private-use characters. They are never kept themselves, so a text that holds them is escaped like any
other. Lone surrogates, which Python strings may hold and UTF-8 may not, travel in the three bytes UTF-8 would give
them ("surrogatepass").
"""

import codecs
import re
from collections.abc import Iterable

NIBBLES = "".join(chr(0xEE00 + value) for value in range(16))
NIBBLE_RUN = re.compile(f"([{NIBBLES[0]}-{NIBBLES[-1]}]+)")
LEAST_VOCABULARY = len(NIBBLES) + 1  # the nibbles and one character
BROKEN = "\N{REPLACEMENT CHARACTER}"
ERRORS = "lilliput.surrogates_or_replacement"

_TO_NIBBLE = str.maketrans("0123456789abcdef", NIBBLES)
_TO_HEX = str.maketrans(NIBBLES, "0123456789abcdef")


def _mend(error: UnicodeError) -> tuple[str, int]:
    """Give the surrogate that stands at a decoding error, else one replacement character."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    three = error.object[error.start : error.start + 3]
    try:
        return three.decode("utf-8", "surrogatepass"), error.start + 3
    except UnicodeDecodeError:
        return BROKEN, error.end


# "surrogatepass" alone raises on other broken bytes, and "replace" alone destroys surrogates. A handler with both
# works in the incremental decoder too, so a stream and a whole text decode alike.
codecs.register_error(ERRORS, _mend)


def to_nibbles(data: bytes) -> str:
    """Write bytes as nibbles, two a byte."""
    return from_hex(data.hex())


def from_hex(digits: str) -> str:
    """Write hexadecimal digits as nibbles."""
    return digits.translate(_TO_NIBBLE)


def to_hex(nibbles: str) -> str:
    """Write a run of nibbles as hexadecimal digits."""
    return nibbles.translate(_TO_HEX)


def unescape(text: str) -> str:
    """Turn runs of nibbles back into characters; broken bytes and a half byte at a run's end become U+FFFD."""
    return NIBBLE_RUN.sub(_decode_run, text)


def _decode_run(match: re.Match[str]) -> str:
    digits = to_hex(match.group())
    odd = len(digits) % 2
    return bytes.fromhex(digits[: len(digits) - odd]).decode("utf-8", ERRORS) + BROKEN * odd


def keepable(character: str) -> bool:
    """Say whether an alphabet may keep a character: nibbles and surrogates are always escaped."""
    return character not in NIBBLES and not 0xD800 <= ord(character) <= 0xDFFF


class Alphabet:
    """The characters that stand for themselves; every other one is escaped."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(sorted(set(characters)))
        kept = "".join(re.escape(character) for character in self.characters)
        self._foreign = re.compile(f"[^{kept}]+" if kept else r"[\s\S]+")

    def escape(self, text: str) -> str:
        """Write a text with kept characters and nibbles only."""
        return self._foreign.sub(_escape_run, text)


def _escape_run(match: re.Match[str]) -> str:
    return to_nibbles(match.group().encode("utf-8", "surrogatepass"))
