"""The four trained kinds: BPE, WordPiece, Unigram and whole words, from the `tokenizers` library.

- bpe: merge the most frequent pair of neighbours, repeatedly (Sennrich et al. 2016, section 3.2).
- wordpiece: trained the same way, but encodes a word by the longest matching piece, from the left (Devlin et al.
  2019; the library learns by pair counts, not by the likelihood of Schuster and Nakajima 2012). There is no "##"
  prefix: a piece may stand anywhere in a word, so that a vocabulary of 40 is enough.
- unigram: the most probable segmentation under independent pieces (Kudo 2018, section 3.2).
- word: the most frequent words, each with the space before it; all other words are spelled in characters.

The library sees escaped text only, so no character is unknown to it.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from lilliput.errors import TokenizerError
from lilliput.tokenizers.base import PieceTokenizer, kept_alphabet
from lilliput.tokenizers.character import frequent_characters
from lilliput.tokenizers.escape import NIBBLES, Alphabet
from lilliput.tokenizers.ids import Ids
from lilliput.tokenizers.pretokenize import LONGEST_WORD, WORD_PATTERN, cut, cut_batches
from lilliput.tokenizers.settings import Kind, Normalization
from lilliput.tokenizers.storage import FILE, Stored, broken

_MIN_FREQUENCY = 2  # a model cannot learn from a piece that occurs once

# Divisors of the vocabulary size. Measured on French and English verse and on synthetic Chinese, 40 to 2048 tokens:
# with a third, the token count is within 4 % of the best share; from a half on, it grows fast. Whole words need a half,
# since no piece merges the nibbles of a frequent character.
_ALPHABET_SHARES: dict[Kind, int] = {"bpe": 3, "wordpiece": 3, "unigram": 3, "word": 2}

# The library's threads do not survive a fork. This variable, which the library reads, avoids a warning and a deadlock
# in child processes. A value set by the user is kept.
if "TOKENIZERS_PARALLELISM" not in os.environ:
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: os.environ.update(TOKENIZERS_PARALLELISM="false"))


@dataclass(frozen=True)
class Vocabulary:
    """The result of training: pieces in the order of their ids, with merges (BPE) or scores (Unigram)."""

    pieces: tuple[str, ...]
    merges: tuple[tuple[int, int], ...] = ()
    scores: tuple[float, ...] = ()


def _library(model: Any) -> Library:
    library = Library(model)
    library.pre_tokenizer = pre_tokenizers.Split(Regex(WORD_PATTERN), "isolated")
    return library


def _learn(model: Any, trainer: Any, text: Iterator[str]) -> dict[str, Any]:
    """Train the library's model and return it as data."""
    library = _library(model)
    library.train_from_iterator(text, trainer)
    content: dict[str, Any] = json.loads(library.to_str())["model"]
    return content


def _by_id(vocabulary: dict[str, int]) -> tuple[str, ...]:
    return tuple(sorted(vocabulary, key=vocabulary.__getitem__))


def _learn_bpe(text: Iterator[str], alphabet: list[str], vocabulary: int) -> Vocabulary:
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=_MIN_FREQUENCY, initial_alphabet=alphabet, show_progress=False
    )
    content = _learn(models.BPE(), trainer, text)
    ids = content["vocab"]
    return Vocabulary(_by_id(ids), merges=tuple((ids[left], ids[right]) for left, right in content["merges"]))


def _learn_wordpiece(text: Iterator[str], alphabet: list[str], vocabulary: int) -> Vocabulary:
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=_MIN_FREQUENCY,
        initial_alphabet=alphabet,
        special_tokens=[],
        continuing_subword_prefix="",
        show_progress=False,
    )
    return Vocabulary(_by_id(_learn(_wordpiece({}), trainer, text)["vocab"]))


def _learn_unigram(text: Iterator[str], alphabet: list[str], vocabulary: int) -> Vocabulary:
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, initial_alphabet=alphabet, special_tokens=[], show_progress=False
    )
    learnt: dict[str, float | None] = dict(_learn(models.Unigram(), trainer, text)["vocab"])
    # On a text of barely more than one word the library returns None for some scores. With a negative score the
    # segmentation with the fewest pieces is still the most probable.
    least = min((score for score in learnt.values() if score is not None), default=-1.0)
    # The library visits words in an order that changes from run to run. This affects the last digits, and the scores of
    # characters dropped in training, which it spaces by a ten-thousandth above the least score. One score for all of
    # these, and rounding, make training deterministic.
    lost = least + 1e-4 * (len(alphabet) + 1)
    steady: dict[str, float] = {}
    for piece, score in learnt.items():
        steady[piece] = round(score if score is not None and (len(piece) > 1 or score >= lost) else least, 6)
    # Near the size of the alphabet the library keeps more pieces than requested.
    ranked = sorted(steady, key=lambda piece: (len(piece) > 1, -steady[piece], piece))[:vocabulary]
    return Vocabulary(tuple(ranked), scores=tuple(steady[piece] for piece in ranked))


def _learn_word(text: Iterator[str], alphabet: list[str], vocabulary: int) -> Vocabulary:
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary, min_frequency=_MIN_FREQUENCY, special_tokens=[], show_progress=False
    )
    ranked = _by_id(_learn(models.WordLevel(), trainer, text)["vocab"])
    words = [word for word in ranked if len(word) > 1]
    return Vocabulary((*alphabet, *words[: vocabulary - len(alphabet)]))


def _wordpiece(ids: dict[str, int]) -> Any:
    return models.WordPiece(ids, unk_token="", max_input_chars_per_word=LONGEST_WORD, continuing_subword_prefix="")


def _model(kind: Kind, vocabulary: Vocabulary) -> Any:
    """Return the library's model for a vocabulary."""
    pieces = vocabulary.pieces
    ids = {piece: number for number, piece in enumerate(pieces)}
    if kind == "unigram":
        return models.Unigram(list(zip(pieces, vocabulary.scores, strict=True)), None, False)
    if kind == "wordpiece":
        return _wordpiece(ids)
    merges = [(pieces[left], pieces[right]) for left, right in vocabulary.merges]
    # Without merges BPE splits into characters; with ignore_merges a word of the vocabulary stays whole.
    return models.BPE(ids, merges, ignore_merges=kind == "word")


_LEARN: dict[Kind, Callable[[Iterator[str], list[str], int], Vocabulary]] = {
    "bpe": _learn_bpe,
    "wordpiece": _learn_wordpiece,
    "unigram": _learn_unigram,
    "word": _learn_word,
}


def _find(kind: Kind, texts: Sequence[str], characters: Sequence[str], vocabulary: int) -> Vocabulary:
    """Learn a vocabulary of at most a given size."""
    room = min(vocabulary // _ALPHABET_SHARES[kind], vocabulary - len(NIBBLES))
    alphabet = Alphabet(characters[:room])
    parts = (part for text in texts for part in cut(alphabet.escape(text)))
    return _LEARN[kind](parts, [*alphabet.characters, *NIBBLES], vocabulary)


def default_vocabulary(kind: Kind, characters: int) -> int:
    """Return the vocabulary size for a text of this length: about one token per 1,000 characters.

    It is a power of two from 128 to 8192, and four times that for whole words, which are less frequent than pieces.
    """
    exponent = max(7, min(13, (characters // 1000).bit_length() - 1))
    return (4 if kind == "word" else 1) << exponent


class SubwordTokenizer(PieceTokenizer):
    """A tokenizer trained by the library: bpe, wordpiece, unigram or word."""

    def __init__(self, kind: Kind, vocabulary: Vocabulary, normalize: Sequence[Normalization] = ()) -> None:
        super().__init__(kind, vocabulary.pieces, normalize)
        self._vocabulary = vocabulary
        self._alphabet = kept_alphabet(vocabulary.pieces)
        self._library = _library(_model(kind, vocabulary))
        # The library treats escaped white space as a letter, part of the word beside it.
        self._cuts = "".join(character for character in " \n" if character in self._alphabet.characters)

    @classmethod
    def train(
        cls, kind: Kind, texts: Sequence[str], vocabulary: int | None, normalize: Sequence[Normalization]
    ) -> "SubwordTokenizer":
        """Learn a vocabulary of exactly this size, by default of at most `default_vocabulary` tokens.

        TokenizerError: the text allows fewer tokens; the message gives the largest possible size.
        """
        characters = frequent_characters(texts)
        size = vocabulary or default_vocabulary(kind, sum(map(len, texts)))
        learned = _find(kind, texts, characters, size)
        # A smaller vocabulary keeps fewer characters and may shrink again: repeat until the size is stable.
        while len(learned.pieces) < size:
            size = len(learned.pieces)
            learned = _find(kind, texts, characters, size)
        if vocabulary is not None and size < vocabulary:
            raise TokenizerError(f"vocabulary {vocabulary} is too large: this text allows at most {size} for {kind}")
        return cls(kind, learned, normalize)

    @classmethod
    def restore(cls, stored: Stored, folder: Path) -> "SubwordTokenizer":
        """Restore a saved tokenizer. TokenizerError: the library rejects it."""
        try:
            return cls(stored.kind, Vocabulary(stored.pieces, stored.merges, stored.scores), stored.normalize)
        except Exception as error:  # the library raises bare Exception
            raise broken(folder / FILE, str(error)) from error

    def _encode(self, text: str) -> Ids:
        arrays = [
            np.asarray(encoding.ids, dtype=self.dtype)
            for batch in cut_batches(self._alphabet.escape(text))
            for encoding in self._library.encode_batch_fast(batch, add_special_tokens=False)
        ]
        return np.concatenate(arrays) if arrays else np.empty(0, dtype=self.dtype)

    def _stored(self) -> Stored:
        return (
            super()._stored().model_copy(update={"merges": self._vocabulary.merges, "scores": self._vocabulary.scores})
        )
