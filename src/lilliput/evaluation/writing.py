"""How does a model write? Four counts over a written text, beside the text that the model has learnt.

The share of real words (those that the training text has), the variety of word pairs (distinct-2; Li and others, "A
Diversity-Promoting Objective Function for Neural Conversation Models", NAACL 2016), the share of word 5-grams that
stand in the training text, and the longest stretch of words that was copied. None means much alone: a new text by the
same authors has unknown words too, and phrases in common with the training text. So measure held-out text beside it.

Words are compared without case and punctuation. A stretch may run over line ends but not over empty lines: what stands
on the two sides of one are different stanzas or poems, and in a written text often different samples, which touch by
accident. Word n-grams are compared by 64-bit hashes, sorted: n log n work, and one false match in a billion texts.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.corpus.items import ItemKind, item_spans, split_items
from lilliput.errors import CorpusError
from lilliput.evaluation.words import BREAK, places_of, words_of

COPIED_WORDS = 5
"""The length of the word n-grams of which the copied share is counted."""
_FACTOR = 0x9E3779B97F4A7C15  # any odd number will do


@dataclass(frozen=True, slots=True)
class CopiedSpan:
    """A stretch of words that stands in both texts; places are in characters."""

    words: int
    text: str
    """As it stands in the written text."""
    start: int
    source: int
    """Where it begins in the training text."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What was counted on one text."""

    words: int
    real_words: float
    """Share of the words that the training text has."""
    copied: float | None
    """Share of the 5-grams that stand in the training text; None for a text without any."""
    longest: CopiedSpan | None


class Learnt:
    """A training text, indexed by its words; `language` says how apostrophes are cut.

    Of a list or a collection, which is made of `items`, these are indexed too: a name may be a copy and have one word.
    """

    def __init__(self, text: str, language: str | None = None, items: ItemKind | None = None) -> None:
        self.text = text
        self.language = language
        self._kind = items
        self._items = set(split_items(text, items)) if items else set()
        self._numbers: dict[str, int] = {BREAK: 0}
        ids = [self._numbers.setdefault(word, len(self._numbers)) for word in words_of(text, language)]
        self._hashes = _Hashes(np.array(ids, dtype=np.uint64))

    def measure(self, text: str) -> Writing:
        """Count over a text. Raises CorpusError for a text without words."""
        words = words_of(text, self.language)
        plain = [word for word in words if word != BREAK]
        if not plain:
            raise CorpusError("a text without words cannot be judged: give a text of at least some hundred words")
        known = sum(word in self._numbers for word in plain)
        hashes, whole = self._look_up(words)
        copied = len(self._copied(hashes)) / int(whole.sum()) if whole.any() else None
        return Writing(len(plain), known / len(plain), copied, self._longest(text, hashes))

    def copied_spans(self, text: str) -> list[tuple[int, int]]:
        """Return where in a text words stand that stand so in the training text too: five at least, or a whole item.

        Each span is its first character and the one behind its last.
        """
        hashes, _ = self._look_up(words_of(text, self.language))
        places = list(places_of(text, self.language))
        found = [(places[first][0], places[first + COPIED_WORDS - 1][1]) for first in self._copied(hashes).tolist()]
        if self._kind:
            found += [span for span in item_spans(text, self._kind) if text[slice(*span)] in self._items]
        spans: list[tuple[int, int]] = []
        for span in sorted(found):
            if spans and span[0] <= spans[-1][1]:
                begins, ends = spans.pop()
                spans.append((begins, max(ends, span[1])))
            else:
                spans.append(span)
        return spans

    def copied_items(self, text: str) -> float | None:
        """Return the share of a text's items that the training text has; None where there are no items."""
        found = split_items(text, self._kind) if self._kind else []
        return sum(item in self._items for item in found) / len(found) if found else None

    def _look_up(self, words: Sequence[str]) -> tuple["_Hashes", NDArray[np.bool_]]:
        """Return the hashes of a text's words, and which of its 5-grams have no break in them."""
        # A break and an unknown word get numbers that the training text lacks, so nothing runs over them.
        missing, gap = len(self._numbers), len(self._numbers) + 1
        ids = [gap if word == BREAK else self._numbers.get(word, missing) for word in words]
        return _Hashes(np.array(ids, dtype=np.uint64)), _unbroken(np.array(ids) != gap, COPIED_WORDS)

    def _copied(self, hashes: "_Hashes") -> NDArray[np.int64]:
        """Return where 5-grams begin that the training text has."""
        mine, known = hashes.all(COPIED_WORDS), self._hashes.all(COPIED_WORDS)
        return _common(hashes, mine, self._hashes, known, COPIED_WORDS)[0]

    def _longest(self, text: str, hashes: "_Hashes") -> CopiedSpan | None:
        low, high = 0, 1
        best = (hashes.all(1), self._hashes.all(1))
        # A part of a copied stretch is copied as well: double the length while there is one, then halve the distance.
        doubling = True
        while doubling or high - low > 1:
            length = high if doubling else (low + high) // 2
            found = _common(hashes, best[0], self._hashes, best[1], length)
            if len(found[0]):
                low, best = length, found
                high = high * 2 if doubling else high
            else:
                high, doubling = length, False
        if low == 0:
            return None
        start = int(best[0][0])
        # Of several places in the training text the first is told.
        source = int(best[1][self._hashes.of(best[1], low) == hashes.of(best[0][:1], low)][0])
        places = list(itertools.islice(places_of(text, self.language), start, start + low))
        begins = next(itertools.islice(places_of(self.text, self.language), source, None))[0]
        return CopiedSpan(low, text[places[0][0] : places[-1][1]], places[0][0], begins)


def distinct_pairs(words: Sequence[str], limit: int | None = None) -> float | None:
    """Return the share of different pairs among the pairs of neighbouring words; None without a pair.

    `words` is as `words_of` gives it; only the first `limit` words count. The share falls with the length of a text, so
    compare texts at an equal number of words.
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
    """Tell for each stretch of `length` flags whether all are set."""
    sums = np.concatenate([[0], np.cumsum(flags)])
    whole: NDArray[np.bool_] = sums[length:] - sums[:-length] == length
    return whole


class _Hashes:
    """The hashes of all stretches of a sequence: polynomials in an odd factor, modulo 2 to the 64.

    The factor has an inverse, so the hash of any stretch is a difference of two running sums, moved to the origin.
    """

    def __init__(self, ids: NDArray[np.uint64]) -> None:
        self.length = len(ids)
        sums = np.cumsum(_mixed(ids) * _powers(_FACTOR, len(ids)), dtype=np.uint64)
        self.sums = np.concatenate([np.zeros(1, dtype=np.uint64), sums])
        self.origin = _powers(pow(_FACTOR, -1, 1 << 64), len(ids))

    def all(self, length: int) -> NDArray[np.int64]:
        """Return where stretches of this length begin."""
        return np.arange(max(0, self.length - length + 1))

    def of(self, starts: NDArray[np.int64], length: int) -> NDArray[np.uint64]:
        """Return the hashes of the stretches that begin at `starts`, shape of `starts`."""
        hashes: NDArray[np.uint64] = (self.sums[starts + length] - self.sums[starts]) * self.origin[starts]
        return hashes


def _common(
    first: _Hashes, starts: NDArray[np.int64], second: _Hashes, others: NDArray[np.int64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return those of the places in two sequences where a stretch begins that both have."""
    starts = starts[starts <= first.length - length]
    others = others[others <= second.length - length]
    mine, theirs = first.of(starts, length), second.of(others, length)
    return starts[np.isin(mine, theirs)], others[np.isin(theirs, mine)]


def _powers(factor: int, count: int) -> NDArray[np.uint64]:
    """Return the powers of a factor from 0 on, modulo 2 to the 64, shape (count,)."""
    powers = np.full(count, factor, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)


def _mixed(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread small numbers over 64 bits, so that sums of them do not meet (the finaliser of SplitMix64)."""
    mixed = ids + np.uint64(_FACTOR)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result
