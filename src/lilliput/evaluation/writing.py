"""Four measures of generated text against the training text.

The share of real words (words of the training text), the variety of word pairs (distinct-2; Li et al., "A
Diversity-Promoting Objective Function for Neural Conversation Models", NAACL 2016), the share of word 5-grams copied
from the training text, and the longest copied run of words. No figure means much by itself: a new text by the same
authors also has unknown words and shares phrases with the training text. So measure held-out text as well.

Words are compared without case and punctuation. A run may cross line ends but not empty lines: these separate stanzas
or poems, and in generated text often different samples. Word n-grams are compared by sorted 64-bit hashes: n log n
work, and one false match in a billion texts.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.corpus.items import ItemKind, item_spans, split_items
from lilliput.errors import CorpusError
from lilliput.evaluation.words import BREAK, word_spans, words_of
from lilliput.models.mixing.rolling_hash import FACTOR, INVERSE, powers

COPIED_WORDS = 5
"""The length n of the word n-grams for the copied share."""


@dataclass(frozen=True, slots=True)
class CopiedSpan:
    """A run of words that occurs in both texts; positions are in characters."""

    words: int
    text: str
    """The run as spelled in the generated text."""
    start: int
    source: int
    """Its start in the training text."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one text."""

    words: int
    real_words: float
    """Share of the words that occur in the training text."""
    copied: float | None
    """Share of the 5-grams that occur in the training text; None for a text without 5-grams."""
    longest: CopiedSpan | None


class Learnt:
    """An index of the words of a training text; `language` decides how apostrophes split words.

    With `items`, for a list or a collection, whole items are indexed too, because a copied name may be a single word.
    """

    def __init__(self, text: str, language: str | None = None, items: ItemKind | None = None) -> None:
        self.text = text
        self.language = language
        self._kind = items
        self._items = set(split_items(text, items)) if items else set()
        self._numbers: dict[str, int] = {BREAK: 0}
        ids = [self._numbers.setdefault(word, len(self._numbers)) for word in words_of(text, language)]
        self._hashes = _Hashes(np.array(ids, dtype=np.uint64))

    def measure(self, text: str) -> Measures:
        """Measure a text. Raises CorpusError for a text without words."""
        words = words_of(text, self.language)
        plain = [word for word in words if word != BREAK]
        if not plain:
            raise CorpusError("a text without words cannot be judged: give a text of at least a few hundred words")
        real = sum(word in self._numbers for word in plain)
        hashes, whole = self._look_up(words)
        copied = len(self._copied(hashes)) / int(whole.sum()) if whole.any() else None
        return Measures(len(plain), real / len(plain), copied, self._longest(text, hashes))

    def copied_spans(self, text: str) -> list[tuple[int, int]]:
        """Return the spans (start, end) in characters that are copied: at least five words, or a whole item."""
        hashes, _ = self._look_up(words_of(text, self.language))
        words = list(word_spans(text, self.language))
        copied = [(words[first][0], words[first + COPIED_WORDS - 1][1]) for first in self._copied(hashes).tolist()]
        if self._kind:
            copied += [span for span in item_spans(text, self._kind) if text[slice(*span)] in self._items]
        spans: list[tuple[int, int]] = []
        for span in sorted(copied):
            if spans and span[0] <= spans[-1][1]:
                begins, ends = spans.pop()
                spans.append((begins, max(ends, span[1])))
            else:
                spans.append(span)
        return spans

    def copied_items(self, text: str) -> float | None:
        """Return the share of a text's items that occur in the training text; None without items."""
        items = split_items(text, self._kind) if self._kind else []
        return sum(item in self._items for item in items) / len(items) if items else None

    def _look_up(self, words: Sequence[str]) -> tuple["_Hashes", NDArray[np.bool_]]:
        """Return the hashes of a text's words, and which of its 5-grams contain no break."""
        # Breaks and unknown words get numbers that the training text lacks, so no match crosses them.
        missing, gap = len(self._numbers), len(self._numbers) + 1
        ids = [gap if word == BREAK else self._numbers.get(word, missing) for word in words]
        return _Hashes(np.array(ids, dtype=np.uint64)), _unbroken(np.array(ids) != gap, COPIED_WORDS)

    def _copied(self, hashes: "_Hashes") -> NDArray[np.int64]:
        """Return the starts of the 5-grams that occur in the training text."""
        starts, training_starts = hashes.all(COPIED_WORDS), self._hashes.all(COPIED_WORDS)
        return _common(hashes, starts, self._hashes, training_starts, COPIED_WORDS)[0]

    def _longest(self, text: str, hashes: "_Hashes") -> CopiedSpan | None:
        low, high = 0, 1
        best = (hashes.all(1), self._hashes.all(1))
        # Every part of a copied run is copied as well: double the length while there is a match, then bisect.
        doubling = True
        while doubling or high - low > 1:
            length = high if doubling else (low + high) // 2
            common = _common(hashes, best[0], self._hashes, best[1], length)
            if len(common[0]):
                low, best = length, common
                high = high * 2 if doubling else high
            else:
                high, doubling = length, False
        if low == 0:
            return None
        start = int(best[0][0])
        # Report the first of several occurrences in the training text.
        source = int(best[1][self._hashes.of(best[1], low) == hashes.of(best[0][:1], low)][0])
        spans = list(itertools.islice(word_spans(text, self.language), start, start + low))
        begins = next(itertools.islice(word_spans(self.text, self.language), source, None))[0]
        return CopiedSpan(low, text[spans[0][0] : spans[-1][1]], spans[0][0], begins)


def distinct_pairs(words: Sequence[str], limit: int | None = None) -> float | None:
    """Return distinct-2: the share of different pairs among the pairs of neighbouring words; None without a pair.

    `words` is the result of `words_of`; only the first `limit` words count. The share falls with the length of a text,
    so compare texts at an equal number of words.
    """
    kept: list[str] = []
    left = len(words) if limit is None else limit
    for word in words:
        if left == 0:
            break
        left -= word != BREAK
        kept.append(word)
    pairs = [pair for pair in itertools.pairwise(kept) if BREAK not in pair]
    return len(set(pairs)) / len(pairs) if pairs else None


def _unbroken(flags: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Return for each run of `length` flags whether all are set."""
    sums = np.concatenate([[0], np.cumsum(flags)])
    whole: NDArray[np.bool_] = sums[length:] - sums[:-length] == length
    return whole


class _Hashes:
    """Hashes of all runs of a sequence: polynomials in an odd factor, modulo 2 to the 64.

    The factor has an inverse, so the hash of any run is a difference of two running sums, shifted to the origin.
    """

    def __init__(self, ids: NDArray[np.uint64]) -> None:
        self.length = len(ids)
        sums = np.cumsum(_mixed(ids) * powers(FACTOR, len(ids)), dtype=np.uint64)
        self.sums = np.concatenate([np.zeros(1, dtype=np.uint64), sums])
        self.origin = powers(INVERSE, len(ids))

    def all(self, length: int) -> NDArray[np.int64]:
        """Return the starts of all runs of this length."""
        return np.arange(max(0, self.length - length + 1))

    def of(self, starts: NDArray[np.int64], length: int) -> NDArray[np.uint64]:
        """Return the hashes of the runs that start at `starts`, in its shape."""
        hashes: NDArray[np.uint64] = (self.sums[starts + length] - self.sums[starts]) * self.origin[starts]
        return hashes


def _common(
    first: _Hashes, starts: NDArray[np.int64], second: _Hashes, others: NDArray[np.int64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the starts, in each of two sequences, of the runs that occur in both."""
    starts = starts[starts <= first.length - length]
    others = others[others <= second.length - length]
    mine, theirs = first.of(starts, length), second.of(others, length)
    return starts[np.isin(mine, theirs)], others[np.isin(theirs, mine)]


def _mixed(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread small numbers over 64 bits, so that their sums do not collide (the finaliser of SplitMix64)."""
    mixed = ids + np.uint64(FACTOR)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result
