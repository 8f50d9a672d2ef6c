"""Decode tokens incrementally: one at a time, as a model generates them, or in batches.

A token may be part of a character. Incomplete characters are held back, so that the decoded strings, joined, are
exactly `decode` of all the ids. If the tokenizer reverses lines, incomplete lines are held back too.
"""

import codecs
from collections.abc import Iterable

from lilliput.tokenizers.escape import BROKEN, ERRORS, NIBBLE_RUN, to_hex
from lilliput.tokenizers.ids import check_id
from lilliput.tokenizers.settings import reverse_lines
from lilliput.tokenizers.tokenizer import Tokenizer


class TextStream:
    """Decode ids one by one, without the first `skip` characters of the first token's escaped text.

    >>> stream = TextStream(tokenizer)
    >>> text = "".join(stream.push(token) for token in ids) + stream.finish()
    """

    def __init__(self, tokenizer: Tokenizer, skip: int = 0) -> None:
        self._pieces = tokenizer.pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")(ERRORS)
        self._half = ""  # the first hexadecimal digit of an incomplete byte
        self._open = False  # whether a character is incomplete
        self._skip = skip
        self._line = "" if tokenizer.reverse_lines else None  # an incomplete line, reversed

    def push(self, token: int) -> str:
        """Return the text that this id completes, perhaps none. TokenizerError: the id is out of range."""
        piece = self._pieces[check_id(token, len(self._pieces))]
        text = piece if piece.isascii() and not self._open and not self._skip else self._add(piece)
        return text if self._line is None else self._whole_lines(text)

    def push_all(self, tokens: Iterable[int]) -> str:
        """Return the text that these ids complete. TokenizerError: an id is out of range."""
        text = self._add("".join([self._pieces[check_id(token, len(self._pieces))] for token in tokens]))
        return text if self._line is None else self._whole_lines(text)

    def _whole_lines(self, text: str) -> str:
        """Add to the incomplete line; return the lines that this completes."""
        lines, end, self._line = ((self._line or "") + text).rpartition("\n")
        return reverse_lines(lines) + end

    def _add(self, piece: str) -> str:
        text = ""
        if self._skip and piece:
            piece, self._skip = piece[self._skip :], 0
        for index, part in enumerate(NIBBLE_RUN.split(piece)):
            if index % 2:
                digits = self._half + to_hex(part)
                even = len(digits) - len(digits) % 2
                self._half, self._open = digits[even:], True
                text += self._decoder.decode(bytes.fromhex(digits[:even]))
            elif part:
                text += self._flush() + part
        return text

    def finish(self) -> str:
        """Return an incomplete line and U+FFFD for incomplete characters, and reset the stream."""
        if self._line is None:
            return self._flush()
        text, self._line = reverse_lines(self._line + self._flush()), ""
        return text

    def _flush(self) -> str:
        """Return U+FFFD for incomplete characters, which are dropped."""
        text = self._decoder.decode(b"", True) + BROKEN * len(self._half)
        self._decoder.reset()
        self._half, self._open = "", False
        return text
