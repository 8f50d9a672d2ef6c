"""A lossless escape: write any text in a small alphabet.

A small vocabulary has no room for every character, and a prompt may contain characters that the training text did not.
So an alphabet consists of some kept characters and sixteen nibbles. All other characters are escaped as their UTF-8
bytes, two nibbles per byte, before the tokenizer library sees the text. Then the library needs no unknown-token symbol.
Byte fallback (Kudo and Richardson 2018, SentencePiece) is the same idea with 256 symbols; with sixteen, a vocabulary of
40 has room for letters.

The nibbles are private-use characters. They are never kept themselves, so that a text that contains them is escaped
like any other. Lone surrogates, which are valid in Python strings but not in UTF-8, are escaped as the three bytes of
"surrogatepass".
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
    """Return the surrogate at a decoding error, or else one replacement character."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    three = error.object[error.start : error.start + 3]
    try:
        return three.decode("utf-8", "surrogatepass"), error.start + 3
    except UnicodeDecodeError:
        return BROKEN, error.end


# "surrogatepass" alone raises on other broken bytes, and "replace" alone destroys surrogates. A handler with both
# works in the incremental decoder too, so that a stream decodes like a whole text.
codecs.register_error(ERRORS, _mend)


def to_nibbles(data: bytes) -> str:
    """Write bytes as nibbles, two per byte."""
    return from_hex(data.hex())


def from_hex(digits: str) -> str:
    """Write hexadecimal digits as nibbles."""
    return digits.translate(_TO_NIBBLE)


def to_hex(nibbles: str) -> str:
    """Write a run of nibbles as hexadecimal digits."""
    return nibbles.translate(_TO_HEX)


def unescape(text: str) -> str:
    """Decode runs of nibbles; invalid UTF-8 and half a byte at the end of a run become U+FFFD."""
    return NIBBLE_RUN.sub(_decode_run, text)


def _decode_run(match: re.Match[str]) -> str:
    digits = to_hex(match.group())
    odd = len(digits) % 2
    return bytes.fromhex(digits[: len(digits) - odd]).decode("utf-8", ERRORS) + BROKEN * odd


def keepable(character: str) -> bool:
    """Return whether an alphabet may keep a character; nibbles and surrogates are always escaped."""
    return character not in NIBBLES and not 0xD800 <= ord(character) <= 0xDFFF


class Alphabet:
    """The characters that are kept; all others are escaped."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = tuple(sorted(set(characters)))
        kept = "".join(re.escape(character) for character in self.characters)
        self._foreign = re.compile(f"[^{kept}]+" if kept else r"[\s\S]+")

    def escape(self, text: str) -> str:
        """Escape a text: only kept characters and nibbles remain."""
        return self._foreign.sub(_escape_run, text)


def _escape_run(match: re.Match[str]) -> str:
    return to_nibbles(match.group().encode("utf-8", "surrogatepass"))
