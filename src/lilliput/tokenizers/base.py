"""The base class of all tokenizers: a list of pieces of escaped text, decoding by joining them, and saving.

A subclass implements `_encode`, and `_stored` if `load` needs more than the pieces.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lilliput.tokenizers.escape import Alphabet, keepable, unescape
from lilliput.tokenizers.ids import Ids, check_id
from lilliput.tokenizers.settings import Kind, Normalization, apply_normalization, reverse_lines
from lilliput.tokenizers.storage import Stored, write


class PieceTokenizer(ABC):
    """A list of pieces; the index of a piece is its id."""

    lossless = True
    reverse_lines = False
    _cuts = " \n"
    special: tuple[int, ...] = ()  # see `Tokenizer.special`

    def __init__(self, kind: Kind, pieces: Sequence[str], normalize: Sequence[Normalization] = ()) -> None:
        self.kind = kind
        self.pieces = tuple(pieces)
        self.normalize = tuple(normalize)
        self.vocab_size = len(self.pieces)
        self.counts: tuple[int, ...] | None = None  # how often each token occurs in the training text
        self.dtype: np.dtype[np.unsignedinteger] = np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)

    @property
    def cuts_before(self) -> str:
        """Return the characters before which a text may be cut (`Tokenizer.cuts_before`)."""
        return self._cuts.replace(" ", "") if self.reverse_lines else self._cuts

    @property
    def fingerprint(self) -> str:
        """Return a checksum of everything that determines the ids of a text, so without the counts."""
        content = self._complete().model_copy(update={"counts": None})
        # Without a key for lines as they are, fingerprints of older versions stay valid.
        excluded = set() if self.reverse_lines else {"reverse_lines"}
        return hashlib.sha256(content.model_dump_json(exclude=excluded).encode()).hexdigest()

    def normalized(self, text: str) -> str:
        """Apply the stored normalisations."""
        return apply_normalization(text, self.normalize)

    def encode(self, text: str) -> Ids:
        """Return the ids of a text: one axis, of type `dtype`."""
        text = self.normalized(text)
        return self._encode(reverse_lines(text) if self.reverse_lines else text)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; invalid UTF-8 becomes U+FFFD. TokenizerError: an id is out of range."""
        numbers = ids.tolist() if isinstance(ids, np.ndarray) else ids
        text = unescape("".join([self.pieces[check_id(number, self.vocab_size)] for number in numbers]))
        return reverse_lines(text) if self.reverse_lines else text

    def save(self, folder: Path) -> None:
        """Save tokenizer.json, which `load` reads, and vocabulary.txt, for people, to a folder."""
        write(folder, self._complete(), self.pieces)

    def count(self, parts: Iterable[Ids]) -> None:
        """Count the tokens of the training text, given in parts; the counts are saved with the tokenizer."""
        counts = np.zeros(self.vocab_size, dtype=np.int64)
        for ids in parts:
            counts += np.bincount(ids, minlength=self.vocab_size)
        self.counts = tuple(counts.tolist())

    @abstractmethod
    def _encode(self, text: str) -> Ids:
        """Return the ids of a normalised text."""

    def _complete(self) -> Stored:
        return self._stored().model_copy(update={"reverse_lines": self.reverse_lines})

    def _stored(self) -> Stored:
        return Stored(kind=self.kind, normalize=self.normalize, pieces=self.pieces, counts=self.counts)


def kept_alphabet(pieces: Iterable[str]) -> Alphabet:
    """Return the alphabet of a vocabulary: its pieces of one character."""
    return Alphabet(piece for piece in pieces if len(piece) == 1 and keepable(piece))
