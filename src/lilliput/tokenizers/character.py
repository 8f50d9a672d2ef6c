"""Tokenizers of characters and of bytes, which need no training beyond counting.

A character tokenizer looks up code points in a table, and so encodes tens of millions of characters per second.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import TokenizerError
from lilliput.tokenizers.base import PieceTokenizer, kept_alphabet
from lilliput.tokenizers.escape import NIBBLES, keepable, to_nibbles
from lilliput.tokenizers.ids import Ids
from lilliput.tokenizers.settings import Normalization
from lilliput.tokenizers.storage import Stored

CODE_POINTS = 0x110000
MAX_CHARACTER_TOKENS = 4000
"""Default limit of tokens; in a script with more characters, the most frequent ones are kept."""
_SLICE = 1 << 22  # characters counted at once, to bound the memory


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code point of every character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def frequent_characters(texts: Iterable[str]) -> list[str]:
    """Return the keepable characters by decreasing frequency, ties by code point."""
    counts = np.zeros(CODE_POINTS, dtype=np.int64)
    for text in texts:
        for start in range(0, len(text), _SLICE):
            points = code_points(text[start : start + _SLICE])
            part_counts = np.bincount(points)
            counts[: len(part_counts)] += part_counts
    ranked = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    return [chr(point) for point in ranked.tolist() if keepable(chr(point))]


class CharTokenizer(PieceTokenizer):
    """One token per kept character, and sixteen nibbles for all others."""

    def __init__(self, pieces: Sequence[str], normalize: Sequence[Normalization] = ()) -> None:
        super().__init__("char", pieces, normalize)
        self._alphabet = kept_alphabet(pieces)
        points = [ord(piece) for piece in pieces]
        # The last entry is for all higher code points; `_unknown` is larger than any id.
        self._unknown = self.vocab_size
        self._escaped_table = np.full(max(points) + 2, self._unknown, dtype=np.uint32)
        self._escaped_table[points] = np.arange(self.vocab_size)
        # A nibble in the text itself must be escaped like any other character.
        self._table = self._escaped_table.copy()
        self._table[[ord(nibble) for nibble in NIBBLES]] = self._unknown

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int | None, normalize: Sequence[Normalization]) -> "CharTokenizer":
        """Keep the most frequent characters, by default up to `MAX_CHARACTER_TOKENS` tokens.

        TokenizerError: the text has fewer characters than `vocabulary` requires.
        """
        characters = frequent_characters(texts)
        most = len(characters) + len(NIBBLES)
        if vocabulary is None:
            vocabulary = min(most, MAX_CHARACTER_TOKENS)
        if vocabulary > most:
            raise TokenizerError(f"vocabulary {vocabulary} is too large: this text allows at most {most} for char")
        kept = sorted(characters[: vocabulary - len(NIBBLES)])
        return cls([*kept, *NIBBLES], normalize)

    @classmethod
    def restore(cls, stored: Stored) -> "CharTokenizer":
        """Restore a saved tokenizer."""
        return cls(stored.pieces, stored.normalize)

    def _encode(self, text: str) -> Ids:
        ids = self._look_up(text, self._table)
        if ids is None:
            ids = self._look_up(self._alphabet.escape(text), self._escaped_table)
        assert ids is not None, "escaped text has only characters of the alphabet"
        return ids

    def _look_up(self, text: str, table: NDArray[np.uint32]) -> "Ids | None":
        points = code_points(text)
        ids = table[np.minimum(points, len(table) - 1)]
        if len(ids) and int(ids.max()) == self._unknown:
            return None
        return ids.astype(self.dtype)


class ByteTokenizer(PieceTokenizer):
    """One token per byte of UTF-8, 256 in all."""

    SIZE = 256

    def __init__(self, normalize: Sequence[Normalization] = ()) -> None:
        super().__init__("byte", [to_nibbles(bytes([value])) for value in range(self.SIZE)], normalize)

    @classmethod
    def restore(cls, stored: Stored) -> "ByteTokenizer":
        """Restore a saved tokenizer."""
        return cls(stored.normalize)

    def _encode(self, text: str) -> Ids:
        return np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8).astype(self.dtype)

    def _stored(self) -> Stored:
        return Stored(kind=self.kind, normalize=self.normalize, counts=self.counts)
