"""Words as contexts: the word that a token continues, and the words before it.

A word is a run of tokens that join at letters or digits: " the", or "t", "h", "e". White space separates words; a
punctuation mark is a word. Ideographs and kana, which are written without spaces, are one word each. Case is ignored,
but a context records whether its latest letter is a capital, since "HAST" is not continued as "hast" is. Contexts are
identified by a rolling hash modulo 2^64 (Karp & Rabin, "Efficient Randomized Pattern-Matching Algorithms", IBM Journal
of Research and Development 31, 1987), which can be computed for all positions at once.

Axes: B rows, T time, V vocabulary, W contexts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.models.mixing.rolling_hash import FACTOR, INVERSE, powers

REACH = 64
"""The longest valid context in tokens."""
CONTEXTS = ((True, False, False), (True, False, True), (True, True, False), (True, True, True))
"""Each context, as flags: the current word, the word before it, and the word before that."""

_MIXERS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93], dtype=np.uint64)
_CAPITAL = np.uint64(0xA0761D6478BD642F)
"""Combined with the hash of a context after a capital."""
_WORDS, _ALL_BITS = 3, (1 << 64) - 1
"""The number of words in the longest context; hashes are modulo 2^64."""
_INSIDE = "'\N{RIGHT SINGLE QUOTATION MARK}\N{REPLACEMENT CHARACTER}"
"""Characters allowed in a word besides letters and digits; the last marks a part of a character."""
_UNSPACED = ((0x2E80, 0xA4CF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
"""Code points of scripts without spaces, where each character is a word."""


class Words:
    """How the tokens of a vocabulary form words; `texts` are the decoded tokens, by id.

    Without `capitals` contexts ignore case, as in runs of the first format.
    """

    def __init__(self, texts: Sequence[str], *, capitals: bool = True) -> None:
        self._gap_V = np.array([text.isspace() for text in texts])
        self._joins_left_V = np.array([bool(text) and _in_word(text[0]) for text in texts])
        self._joins_right_V = np.array([bool(text) and _in_word(text[-1]) for text in texts])
        ids = {text: id for id, text in reversed(list(enumerate(texts)))}
        folded_V = [ids.get(text.lower(), id) for id, text in enumerate(texts)]
        # An odd number for each token, spread over 64 bits.
        self._value_V = np.array(folded_V, dtype=np.uint64) * _MIXERS[0] * np.uint64(2) + np.uint64(1)
        self._capital_V = np.array([capitals and text[-1:].isupper() for text in texts]) * _CAPITAL

    def contexts(self, ids_BT: NDArray[Any]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return for every position the hashes of its contexts, keys_BTW, and which of them are valid, valid_BTW.

        A context is valid if it starts after the first position and within `REACH` tokens, counting the token before
        its start.
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
        # Between words the latest letter counts only if the context includes the previous word.
        capital_BT = self._capital_V[_take(ids_BT, latest_BT)]
        keys, valid = [], []
        for number, chosen in enumerate(CONTEXTS):
            key_BT = np.where(gap_BT & (not chosen[1]), np.uint64(0), capital_BT) ^ np.uint64(number + 1)
            for part_BT, mixer, wanted in zip(parts, _MIXERS, chosen, strict=True):
                if wanted:
                    key_BT = (key_BT ^ part_BT) * mixer
                    key_BT ^= key_BT >> np.uint64(29)
            keys.append(key_BT)
            oldest_BT = firsts[max(index for index, wanted in enumerate(chosen) if wanted)]
            valid.append((oldest_BT > 0) & (time_T - oldest_BT + 1 < REACH))
        return np.stack(keys, -1), np.stack(valid, -1)

    def trail(self) -> "WordTrail":
        """Return a trail, which updates the contexts of a text token by token."""
        return WordTrail(self._value_V, self._capital_V, self._gap_V, self._joins_left_V, self._joins_right_V)

    def _keys(self, ids_BT: NDArray[Any], start_BT: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return for every position the hash of the tokens from `start_BT` up to it."""
        length = ids_BT.shape[1]
        powers_T, inverse_T = powers(FACTOR, length), powers(INVERSE, length)
        sums_BT = np.zeros((ids_BT.shape[0], length + 1), dtype=np.uint64)
        np.cumsum(self._value_V[ids_BT] * inverse_T, 1, out=sums_BT[:, 1:])
        keys_BT: NDArray[np.uint64] = (sums_BT[:, 1:] - _take(sums_BT, start_BT)) * powers_T
        return keys_BT


class WordTrail:
    """The words of one text, updated token by token: the same contexts as `Words.contexts`, without arrays."""

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
        # The latest words, the last one last: the start of each, and its hash so far.
        self._words: tuple[tuple[int, int], ...] = ()

    def add(self, token: int) -> list[int | None]:
        """Return the hash of each context after one more token; None for an invalid context."""
        self._time += 1
        time, gap, value = self._time, self._gap_V[token], int(self._value_V[token])
        joined = self._joins and self._joins_left_V[token]
        self._joins = bool(self._joins_right_V[token])
        if not gap:
            self._capital = int(self._capital_V[token])
            if joined:
                first, key = self._words[-1]
                self._words = (*self._words[:-1], (first, (key * FACTOR + value) & _ALL_BITS))
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


def _take(values_BT: NDArray[Any], positions_BT: NDArray[np.int64]) -> NDArray[Any]:
    return np.take_along_axis(values_BT, np.maximum(positions_BT, 0), 1)


def _in_word(character: str) -> bool:
    code = ord(character)
    return (character.isalnum() and not any(first <= code <= last for first, last in _UNSPACED)) or character in _INSIDE
