"""Words as contexts: what stands before a token, told by the word that it continues and by the words before that.

A word is a run of tokens of which no two that meet are cut by anything but a letter or digit: " the", or "t", "h", "e".
White space is between words; a mark is a word of its own. Ideographs and kana, which are written without spaces, are a
word each. Words that differ in nothing but capital letters are the same; but a context tells whether its latest letter
is a capital, since "HAST" does not go on as "hast" does. Every context is told by a number that is made by multiplying
and adding, modulo 2^64 (Karp & Rabin, "Efficient Randomized Pattern-Matching Algorithms", IBM Journal of Research and
Development 31, 1987), so that it is found for all positions at once.

Axes: B rows, T time, V vocabulary, W contexts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

REACH = 64
"""Tokens that a context may go back; one that goes back further is not valid."""
CONTEXTS = ((True, False, False), (True, False, True), (True, True, False), (True, True, True))
"""Which of the word that is being written, the one before it, and the one before that make a context."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_MIXERS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93], dtype=np.uint64)
_CAPITAL = np.uint64(0xA0761D6478BD642F)
"""What a capital changes of a context's number."""
_WORDS, _ALL_BITS = 3, (1 << 64) - 1
"""Words of the longest context; numbers are taken modulo 2^64."""
_INSIDE = "'\N{RIGHT SINGLE QUOTATION MARK}\N{REPLACEMENT CHARACTER}"
"""What may stand in a word beside letters and digits; the last stands for a part of a character."""
_UNSPACED = ((0x2E80, 0xA4CF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""Code points of scripts without spaces of which a character is as good as a word."""


class Words:
    """How the tokens of a vocabulary make words; `texts` are what the tokens decode to, by id.

    Without `capitals` contexts tell nothing of them, as in runs of the first format.
    """

    def __init__(self, texts: Sequence[str], *, capitals: bool = True) -> None:
        self._gap_V = np.array([text.isspace() for text in texts])
        self._joins_left_V = np.array([bool(text) and _in_word(text[0]) for text in texts])
        self._joins_right_V = np.array([bool(text) and _in_word(text[-1]) for text in texts])
        ids = {text: id for id, text in reversed(list(enumerate(texts)))}
        folded_V = [ids.get(text.lower(), id) for id, text in enumerate(texts)]
        # An odd number for each token, far from those of others.
        self._value_V = np.array(folded_V, dtype=np.uint64) * _MIXERS[0] * np.uint64(2) + np.uint64(1)
        self._capital_V = np.array([capitals and text[-1:].isupper() for text in texts]) * _CAPITAL

    def contexts(self, ids_BT: NDArray[Any]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return for every position the numbers of its contexts, keys_BTW, and which of them are valid, valid_BTW.

        A context is valid if it begins after the first position and within `REACH` tokens, the one that cuts it off
        from what stands before included.
        """
        time_T = np.arange(ids_BT.shape[1])
        gap_BT = self._gap_V[ids_BT]
        begins_BT = np.ones(ids_BT.shape, dtype=bool)
        begins_BT[:, 1:] = ~(self._joins_right_V[ids_BT[:, :-1]] & self._joins_left_V[ids_BT[:, 1:]])
        start_BT = np.maximum.accumulate(np.where(begins_BT, time_T, 0), 1)
        # The latest position in a word, up to each position; -1 if there is none.
        latest_BT = np.maximum.accumulate(np.where(gap_BT, -1, time_T), 1)
        keys_BT = self._keys(ids_BT, start_BT)
        # A position between words continues no word.
        key_BT, first_BT = np.where(gap_BT, np.uint64(0), keys_BT), np.where(gap_BT, time_T + 1, start_BT)
        parts, firsts = [key_BT], [first_BT]
        for _ in range(2):
            end_BT = np.where(first_BT > 0, _take(latest_BT, first_BT - 1), -1)
            key_BT = np.where(end_BT >= 0, _take(keys_BT, end_BT), np.uint64(0))
            first_BT = np.where(end_BT >= 0, _take(start_BT, end_BT), 0)
            parts.append(key_BT)
            firsts.append(first_BT)
        # Of the latest letter, which a position between words does not have unless the word before is in the context.
        capital_BT = self._capital_V[_take(ids_BT, latest_BT)]
        keys, valid = [], []
        for number, chosen in enumerate(CONTEXTS):
            key_BT = np.where(gap_BT & (not chosen[1]), np.uint64(0), capital_BT) ^ np.uint64(number + 1)
            for part_BT, mixer, wanted in zip(parts, _MIXERS, chosen, strict=True):
                if wanted:
                    key_BT = (key_BT ^ part_BT) * mixer
                    key_BT ^= key_BT >> np.uint64(29)
            keys.append(key_BT)
            oldest_BT = firsts[max(place for place, wanted in enumerate(chosen) if wanted)]
            valid.append((oldest_BT > 0) & (time_T - oldest_BT + 1 < REACH))
        return np.stack(keys, -1), np.stack(valid, -1)

    def trail(self) -> "WordTrail":
        """Return what tells the contexts of a text token by token."""
        return WordTrail(self._value_V, self._capital_V, self._gap_V, self._joins_left_V, self._joins_right_V)

    def _keys(self, ids_BT: NDArray[Any], start_BT: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return for every position the number of the tokens from `start_BT` up to it."""
        length = ids_BT.shape[1]
        powers_T, inverse_T = _powers(_FACTOR, length), _powers(_INVERSE, length)
        sums_BT = np.zeros((ids_BT.shape[0], length + 1), dtype=np.uint64)
        np.cumsum(self._value_V[ids_BT] * inverse_T, 1, out=sums_BT[:, 1:])
        keys_BT: NDArray[np.uint64] = (sums_BT[:, 1:] - _take(sums_BT, start_BT)) * powers_T
        return keys_BT


class WordTrail:
    """The words of one text as its tokens come: the same contexts as those of `Words.contexts`, without arrays."""

    def __init__(
        self,
        value_V: NDArray[np.uint64],
        capital_V: NDArray[np.uint64],
        gap_V: NDArray[np.bool_],
        joins_left_V: NDArray[np.bool_],
        joins_right_V: NDArray[np.bool_],
    ) -> None:
        self._value_V, self._capital_V, self._gap_V = value_V, capital_V, gap_V
        self._joins_left_V, self._joins_right_V = joins_left_V, joins_right_V
        self._time = -1
        self._joins = False
        self._capital = 0
        # The latest words, the last one last: where each begins, and its number so far.
        self._words: tuple[tuple[int, int], ...] = ()

    def add(self, token: int) -> list[int | None]:
        """Return the number of each context after one more token; None for one that is not valid."""
        self._time += 1
        time, gap, value = self._time, self._gap_V[token], int(self._value_V[token])
        joined = self._joins and self._joins_left_V[token]
        self._joins = bool(self._joins_right_V[token])
        if not gap:
            self._capital = int(self._capital_V[token])
            if joined:
                first, key = self._words[-1]
                self._words = (*self._words[:-1], (first, (key * int(_FACTOR) + value) & _ALL_BITS))
            else:
                self._words = (*self._words[-_WORDS + 1 :], (time, value))
        parts = [*self._words[::-1], *[(0, 0)] * _WORDS]
        if gap:
            parts.insert(0, (time + 1, 0))
        keys: list[int | None] = []
        for number, chosen in enumerate(CONTEXTS):
            key, oldest = number + 1 if gap and not chosen[1] else (number + 1) ^ self._capital, 0
            for (first, part), mixer, wanted in zip(parts, _MIXERS.tolist(), chosen, strict=False):
                if wanted:
                    key = (key ^ part) * mixer & _ALL_BITS
                    key ^= key >> 29
                    oldest = first
            keys.append(key if oldest > 0 and time - oldest + 1 < REACH else None)
        return keys


def _powers(base: np.uint64, length: int) -> NDArray[np.uint64]:
    factors_T = np.full(length, base)
    factors_T[:1] = 1
    return np.cumprod(factors_T)


def _take(values_BT: NDArray[Any], places_BT: NDArray[np.int64]) -> NDArray[Any]:
    return np.take_along_axis(values_BT, np.maximum(places_BT, 0), 1)


def _in_word(character: str) -> bool:
    code = ord(character)
    return (character.isalnum() and not any(first <= code <= last for first, last in _UNSPACED)) or character in _INSIDE
