"""What all tokenizers share: pieces of escaped text in a list, decoding by joining them, and the folder they lie in.

A subclass adds how a text is taken apart (`_encode`) and what `load` needs beside the pieces (`_stored`).
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lilliput.tokenizers.escape import Alphabet, keepable, unescape
from lilliput.tokenizers.ids import Ids, check_id
from lilliput.tokenizers.settings import Kind, Normalization, apply_normalization
from lilliput.tokenizers.storage import Stored, write


class PieceTokenizer(ABC):
    """A list of pieces; a piece's place in the list is its id."""

    lossless = True
    cuts_before = " \n"  # see `Tokenizer.cuts_before`
    special: tuple[int, ...] = ()  # see `Tokenizer.special`

    def __init__(self, kind: Kind, pieces: Sequence[str], normalize: Sequence[Normalization] = ()) -> None:
        self.kind = kind
        self.pieces = tuple(pieces)
        self.normalize = tuple(normalize)
        self.vocab_size = len(self.pieces)
        self.counts: tuple[int, ...] | None = None  # how often each token stands in the training text
        self.dtype: np.dtype[np.unsignedinteger] = np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)

    @property
    def fingerprint(self) -> str:
        """Give a checksum of all that decides which ids a text gets; the counts do not."""
        content = self._stored().model_copy(update={"counts": None})
        return hashlib.sha256(content.model_dump_json().encode()).hexdigest()

    def normalized(self, text: str) -> str:
        """Apply the stored normalisations."""
        return apply_normalization(text, self.normalize)

    def encode(self, text: str) -> Ids:
        """Give the ids of a text: one axis, uint16 up to 65,536 tokens and uint32 above."""
        return self._encode(self.normalized(text))

    def decode(self, ids: Iterable[int]) -> str:
        """Give the text of ids; bytes that form no character become U+FFFD. TokenizerError: an id out of range."""
        numbers = ids.tolist() if isinstance(ids, np.ndarray) else ids
        return unescape("".join([self.pieces[check_id(number, self.vocab_size)] for number in numbers]))

    def save(self, folder: Path) -> None:
        """Write tokenizer.json for `load` and vocabulary.txt for people into a folder."""
        write(folder, self._stored(), self.pieces)

    def count(self, parts: Iterable[Ids]) -> None:
        """Count each token in the ids of the training text, part by part; the counts are saved with the tokenizer."""
        counts = np.zeros(self.vocab_size, dtype=np.int64)
        for ids in parts:
            counts += np.bincount(ids, minlength=self.vocab_size)
        self.counts = tuple(counts.tolist())

    @abstractmethod
    def _encode(self, text: str) -> Ids:
        """Give the ids of a normalised text."""

    def _stored(self) -> Stored:
        return Stored(kind=self.kind, normalize=self.normalize, pieces=self.pieces, counts=self.counts)


def kept_alphabet(pieces: Iterable[str]) -> Alphabet:
    """Find the alphabet of a vocabulary: its pieces of one character."""
    return Alphabet(piece for piece in pieces if len(piece) == 1 and keepable(piece))
