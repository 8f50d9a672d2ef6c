"""What every tokenizer offers, whatever its kind.

Left out: unknown-token symbols (nothing is unknown, see `escape`), padding and begin-of-text symbols (a batch carries
weights instead), offsets into the text.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lilliput.tokenizers.ids import Ids
from lilliput.tokenizers.settings import Kind, Normalization

if TYPE_CHECKING:
    import numpy as np


class Tokenizer(Protocol):
    """Turn text into ids and back: `decode(encode(text)) == normalized(text)` for every string, if `lossless`."""

    @property
    def kind(self) -> Kind:
        """Name the method."""

    @property
    def vocab_size(self) -> int:
        """Count the tokens; ids run from 0 to one less."""

    @property
    def lossless(self) -> bool:
        """Say whether every string survives encoding and decoding."""

    @property
    def normalize(self) -> tuple[Normalization, ...]:
        """List the normalisations that `encode` applies first, in order."""

    @property
    def pieces(self) -> Sequence[str]:
        """Give each token's text in escaped form (see `escape`): part of a character is a run of nibbles."""

    @property
    def dtype(self) -> "np.dtype[np.unsignedinteger]":
        """Name the number format of ids: uint16 up to 65,536 tokens and uint32 above."""

    @property
    def cuts_before(self) -> str:
        """List the characters before which a text may be cut.

        If a visible character stands before the cut, the ids of the two parts are together those of the whole.
        """

    @property
    def fingerprint(self) -> str:
        """Give a checksum of all that decides which ids a text gets."""

    @property
    def counts(self) -> tuple[int, ...] | None:
        """How often each token stands in the training text, if that was counted."""

    @property
    def special(self) -> tuple[int, ...]:
        """List the tokens that stand for no text: no text is encoded to them."""

    def normalized(self, text: str) -> str:
        """Apply the stored normalisations."""

    def encode(self, text: str) -> Ids:
        """Give the ids of a text: one axis, uint16 up to 65,536 tokens and uint32 above."""

    def decode(self, ids: Iterable[int]) -> str:
        """Give the text of ids; bytes that form no character become U+FFFD. TokenizerError: an id out of range."""

    def count(self, parts: Iterable[Ids]) -> None:
        """Count each token in the ids of the training text, part by part; the counts are saved with the tokenizer."""

    def save(self, folder: Path) -> None:
        """Write tokenizer.json for `load` and vocabulary.txt for people into a folder."""
