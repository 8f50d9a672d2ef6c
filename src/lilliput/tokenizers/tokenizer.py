"""The interface of all tokenizers.

Left out: unknown-token symbols (every text can be encoded, see `escape`), padding and begin-of-text symbols (batches
have weights instead), offsets into the text.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lilliput.tokenizers.ids import Ids
from lilliput.tokenizers.settings import Kind, Normalization

if TYPE_CHECKING:
    import numpy as np


class Tokenizer(Protocol):
    """Encode text as ids and decode ids: `decode(encode(text)) == normalized(text)` for every string, if `lossless`."""

    @property
    def kind(self) -> Kind:
        """Return the kind of the tokenizer."""

    @property
    def vocab_size(self) -> int:
        """Return the number of tokens; ids run from 0 to `vocab_size - 1`."""

    @property
    def lossless(self) -> bool:
        """Return whether every string survives encoding and decoding."""

    @property
    def normalize(self) -> tuple[Normalization, ...]:
        """Return the normalisations that `encode` applies first, in order."""

    @property
    def reverse_lines(self) -> bool:
        """Return whether `encode` reverses each line, and `decode` reverses it back."""

    @property
    def pieces(self) -> Sequence[str]:
        """Return the text of each token in escaped form (see `escape`): part of a character is a run of nibbles.

        With `reverse_lines`, these are parts of the reversed lines.
        """

    @property
    def dtype(self) -> "np.dtype[np.unsignedinteger]":
        """Return the dtype of ids: uint16 up to 65,536 tokens, else uint32."""

    @property
    def cuts_before(self) -> str:
        """Return the characters before which a text may be cut.

        If the character before the cut is visible, the ids of the two parts, joined, are those of the whole text.
        """

    @property
    def fingerprint(self) -> str:
        """Return a checksum of everything that determines the ids of a text."""

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Return how often each token occurs in the training text, or None if not counted."""

    @property
    def special(self) -> tuple[int, ...]:
        """Return the ids of special tokens, to which no text is encoded."""

    def normalized(self, text: str) -> str:
        """Apply the stored normalisations."""

    def encode(self, text: str) -> Ids:
        """Return the ids of a text: one axis, of type `dtype`."""

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; invalid UTF-8 becomes U+FFFD. TokenizerError: an id is out of range."""

    def count(self, parts: Iterable[Ids]) -> None:
        """Count the tokens of the training text, given in parts; the counts are saved with the tokenizer."""

    def save(self, folder: Path) -> None:
        """Save tokenizer.json, which `load` reads, and vocabulary.txt, for people, to a folder."""
