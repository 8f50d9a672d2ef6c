"""Decode tokens incrementally: one at a time, as a model generates them, or in batches.

A token may be part of a character. Incomplete characters are held back, so that the decoded strings, joined, are
exactly `decode` of all the ids. If the tokenizer reverses lines, incomplete lines are held back too; `place_tokens`
tells where each token's own text stands.
"""

import codecs
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from lilliput.errors import TokenizerError
from lilliput.tokenizers.escape import BROKEN, ERRORS, NIBBLE_RUN, to_hex
from lilliput.tokenizers.ids import check_id
from lilliput.tokenizers.settings import reverse_lines
from lilliput.tokenizers.tokenizer import Tokenizer


class TextStream:
    """Decode ids one by one, without the first `skip` characters of the first token's escaped text.

    With `hold_lines=False`, nothing waits for the end of a line: reversed lines come as the model reads them, from
    their last character to their first.

    >>> stream = TextStream(tokenizer)
    >>> text = "".join(stream.push(token) for token in ids) + stream.finish()
    """

    def __init__(self, tokenizer: Tokenizer, skip: int = 0, *, hold_lines: bool = True) -> None:
        self._pieces = tokenizer.pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")(ERRORS)
        self._half = ""  # the first hexadecimal digit of an incomplete byte
        self._open = False  # whether a character is incomplete
        self._skip = skip
        self._line = "" if tokenizer.reverse_lines and hold_lines else None  # an incomplete line, reversed

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


def place_tokens(
    tokenizer: Tokenizer, ids: Sequence[int], shown: Callable[[str], str] = lambda text: text
) -> list[tuple[str, int]]:
    """Return for each id the text that it adds and the number of characters before it in the decoded text.

    A token that completes no character adds no text. `shown` changes the text of a token before it is placed. Raises
    TokenizerError if an id is out of range, or if a token of reversed lines has parts of two lines.
    """
    stream = TextStream(tokenizer, hold_lines=False)
    texts = [shown(stream.push(id_)) for id_ in ids]
    if not tokenizer.reverse_lines:
        return list(zip(texts, accumulate(map(len, texts), initial=0), strict=False))
    placed: list[tuple[str, int]] = []
    line: list[str] = []
    position = 0
    for text in [*texts, "\n"]:
        if "\n" not in text:
            line.append(text[::-1])
            continue
        if text.strip("\n"):
            raise TokenizerError("a token has parts of two lines: its place in the text is not defined")
        length = sum(map(len, line))
        # The first token stands at the end of the line.
        before = [*(position + length - end for end in accumulate(map(len, line))), position + length]
        for index in reversed(range(len(line))):
            if not line[index]:  # a part of the character that the next token completes
                before[index] = before[index + 1]
        placed += zip([*line, text], before, strict=True)
        position, line = position + length + len(text), []
    return placed[:-1]
