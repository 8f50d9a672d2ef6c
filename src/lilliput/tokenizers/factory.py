"""Train tokenizers on a text, or load them from a folder.

Each kind is imported on first use, so that settings and `--help` stay fast.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.errors import TokenizerError
from lilliput.tokenizers.settings import (
    KINDS,
    NORMALIZATIONS,
    Kind,
    Normalization,
    apply_normalization,
)
from lilliput.tokenizers.settings import reverse_lines as reversed_lines
from lilliput.tokenizers.tokenizer import Tokenizer

if TYPE_CHECKING:
    from lilliput.tokenizers.base import PieceTokenizer


def train(
    kind: Kind,
    text: str | Iterable[str],
    vocabulary: int | None = None,
    normalize: Sequence[Normalization] = (),
    ranks: Path | None = None,
    reverse_lines: bool = False,
) -> Tokenizer:
    """Train a tokenizer on one text or several separate ones; char and byte keep one of them in memory at a time.

    The default vocabulary: char keeps the most frequent characters, up to 4,000 tokens; byte has 256 tokens; gpt2 those
    of its file; the other kinds about one per thousand characters. `ranks` is the vocabulary file of gpt2, and only for
    it. With `reverse_lines`, `encode` reverses each line.

    TokenizerError: the kind or a normalisation is unknown, the text is empty, or the vocabulary size is impossible; the
    message gives the smallest or largest possible size. DependencyError: gpt2 without tiktoken.
    """
    if kind not in KINDS:
        raise TokenizerError(f"unknown tokenizer kind {kind!r}: choose one of {', '.join(KINDS)}")
    for step in normalize:
        if step not in NORMALIZATIONS:
            raise TokenizerError(f"unknown normalisation {step!r}: choose from {', '.join(NORMALIZATIONS)}")
    if kind == "gpt2":
        gpt2 = _open_gpt2(vocabulary, normalize, ranks)
        gpt2.reverse_lines = reverse_lines
        return gpt2
    if ranks is not None:
        raise TokenizerError(f"a ranks file is for gpt2 only: leave it out for {kind}")
    given = [text] if isinstance(text, str) else text
    texts = (normalized for part in given if (normalized := apply_normalization(part, normalize)))
    first = next(texts, None)
    if first is None:
        raise TokenizerError(f"the text is empty: {kind} needs at least one character to train on")
    all_texts = chain([first], texts)
    ordered = (reversed_lines(part) if reverse_lines else part for part in all_texts)
    trained = _train(kind, ordered, vocabulary, normalize)
    trained.reverse_lines = reverse_lines
    return trained


def _train(
    kind: Kind, texts: Iterator[str], vocabulary: int | None, normalize: Sequence[Normalization]
) -> "PieceTokenizer":
    from lilliput.tokenizers.character import ByteTokenizer, CharTokenizer
    from lilliput.tokenizers.escape import LEAST_VOCABULARY
    from lilliput.tokenizers.subword import SubwordTokenizer

    if kind == "byte":
        _must_be(kind, vocabulary, ByteTokenizer.SIZE)
        return ByteTokenizer(normalize)
    if vocabulary is not None and vocabulary < LEAST_VOCABULARY:
        raise TokenizerError(f"vocabulary {vocabulary} is too small: {kind} needs at least {LEAST_VOCABULARY}")
    if kind == "char":
        return CharTokenizer.train(texts, vocabulary, normalize)
    return SubwordTokenizer.train(kind, list(texts), vocabulary, normalize)


def _open_gpt2(vocabulary: int | None, normalize: Sequence[Normalization], ranks: Path | None) -> "PieceTokenizer":
    from lilliput.tokenizers.gpt2 import GPT2Tokenizer

    if ranks is None:
        raise TokenizerError("gpt2 is not trained but read from a file: give gpt2.tiktoken or vocab.bpe as ranks")
    tokenizer = GPT2Tokenizer.from_file(ranks, normalize)
    _must_be("gpt2", vocabulary, tokenizer.vocab_size)
    return tokenizer


def _must_be(kind: Kind, vocabulary: int | None, size: int) -> None:
    if vocabulary not in (None, size):
        raise TokenizerError(f"vocabulary {vocabulary} is impossible: {kind} has exactly {size}; leave it out")


def load(folder: Path) -> Tokenizer:
    """Load a tokenizer from a folder, without executing code from it.

    TokenizerError: a file is missing, damaged, of another program or of a newer version.
    DependencyError: gpt2 without tiktoken.
    """
    from lilliput.tokenizers import storage
    from lilliput.tokenizers.character import ByteTokenizer, CharTokenizer
    from lilliput.tokenizers.gpt2 import GPT2Tokenizer
    from lilliput.tokenizers.subword import SubwordTokenizer

    folder = Path(folder)
    stored = storage.read(folder)
    tokenizer: CharTokenizer | ByteTokenizer | GPT2Tokenizer | SubwordTokenizer
    if stored.kind == "char":
        tokenizer = CharTokenizer.restore(stored)
    elif stored.kind == "byte":
        tokenizer = ByteTokenizer.restore(stored)
    elif stored.kind == "gpt2":
        tokenizer = GPT2Tokenizer.restore(stored, folder)
    else:
        tokenizer = SubwordTokenizer.restore(stored, folder)
    if stored.counts is not None and len(stored.counts) != tokenizer.vocab_size:
        raise storage.broken(folder / storage.FILE, "the number of counts is not that of the pieces")
    tokenizer.counts = stored.counts
    tokenizer.reverse_lines = stored.reverse_lines
    return tokenizer
