"""Settings of a tokenizer: kind, vocabulary size and normalisation."""

import unicodedata
from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import Field

from lilliput.settings import Settings

Kind = Literal["char", "byte", "bpe", "wordpiece", "unigram", "word", "gpt2"]
Normalization = Literal["nfc", "nfkc", "lowercase"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NORMALIZATIONS: tuple[Normalization, ...] = get_args(Normalization)


class TokenizerSettings(Settings):
    """The kind of the tokenizer, its vocabulary size, and the normalisation of texts before encoding.

    With `reverse_lines`, a model reads and writes each line from its end, so that it begins with the rhyme.
    """

    kind: Kind = "char"
    vocabulary: int | None = Field(default=None, ge=1)
    normalize: tuple[Normalization, ...] = ("nfc",)
    reverse_lines: bool = False


def apply_normalization(text: str, normalize: Sequence[Normalization]) -> str:
    """Apply normalisations in this order."""
    for step in normalize:
        if step == "nfc":
            text = unicodedata.normalize("NFC", text)
        elif step == "nfkc":
            text = unicodedata.normalize("NFKC", text)
        else:
            text = text.lower()
    return text


def reverse_lines(text: str) -> str:
    """Return a text with the characters of each line in reverse order; twice gives the same text."""
    return "\n".join([line[::-1] for line in text.split("\n")])
