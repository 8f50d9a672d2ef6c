"""Forbid tokens that would not become valid text.

A token with part of a character is allowed only if the character can still be completed. A character begins only with
tokens that the training text has, and continues with them unless other filters forbid them all. Control characters that
the training text lacks and special tokens are forbidden too. An incomplete character is a run of nibbles at the end of
the text (`tokenizers.escape`); UTF-8 determines what can complete it.

Vectors of one axis: V vocabulary.
"""

import math
from collections.abc import Sequence

import numpy as np
import regex
from numpy.typing import NDArray

from lilliput.generation.filters import Filter, Logits, only, without
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers.escape import BROKEN, NIBBLE_RUN, NIBBLES, from_hex, unescape

_CONTROLS = regex.compile(r"[\x00-\x1f\x7f-\x9f]")
_WHITE_SPACE = ("\t", "\n", "\r")
"""The control characters that are allowed if the characters of the training text are unknown."""
_SPELLED = "|".join(
    [
        "0[9ad]|[2-6][0-f]|7[0-e]",
        "c2[ab][0-f]|c[3-f][89ab][0-f]|d[0-f][89ab][0-f]",
        "e0[ab][0-f][89ab][0-f]|ed[89][0-f][89ab][0-f]|e[1-cef][89ab][0-f][89ab][0-f]",
        "f0[9ab][0-f][89ab][0-f][89ab][0-f]|f[1-3][89ab][0-f][89ab][0-f][89ab][0-f]|f48[0-f][89ab][0-f][89ab][0-f]",
    ]
)
"""The UTF-8 of one character, control characters excluded, in hexadecimal digits (RFC 3629, section 4)."""
_CHARACTERS = regex.compile(f"(?:{from_hex(_SPELLED)}|[^{NIBBLES}])*+")
"""Whole characters of escaped text."""


class Characters:
    """Filters for the tokens of a vocabulary; `tokenizer.counts` says which of them the training text has."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        pieces, counts = tokenizer.pieces, tokenizer.counts
        spelled = {id: NIBBLE_RUN.findall(piece) for id, piece in enumerate(pieces) if NIBBLE_RUN.search(piece)}
        # If one run of nibbles ends in half a byte, any other may begin with the second half.
        halves = any(len(run) % 2 for runs in spelled.values() for run in runs)
        texts = [unescape(piece) if id in spelled else piece for id, piece in enumerate(pieces)]
        parts = [id for id in spelled if halves or BROKEN in texts[id]]
        self._parts = {id: pieces[id] for id in parts}
        self._opens = {
            id for id in parts if pieces[id][0] not in NIBBLES or not (halves or pieces[id][0] in from_hex("89ab"))
        }
        """Parts that always start a new character."""
        # Without counts, a learnt alphabet still shows which characters the text has; one of all bytes does not.
        seen_V = counts or [
            id in self._parts or id not in spelled or texts[id] in _WHITE_SPACE for id in range(len(texts))
        ]
        self._choices = [[id for id in parts if seen_V[id]], parts]
        """The parts of characters that the training text has; then all parts."""
        controls = [id for id, text in enumerate(texts) if _CONTROLS.search(text)]
        barred = {*tokenizer.special, *parts, *(id for id in controls if not seen_V[id])}
        self._barred = np.array(sorted(barred.difference(self._completing("")[0].tolist())), dtype=np.int64)
        self._cache: dict[str, list[NDArray[np.int64]]] = {}

    def filter(self, start: int, rest: str = "") -> Filter:
        """Return a filter that keeps the text from position `start` valid.

        The token at `start` begins with `rest` (escaped), which is skipped. If all tokens that the filter allows are
        already forbidden, it forbids none.
        """

        def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
            incomplete = self._incomplete(ids, start, len(rest))
            if not incomplete:
                result_V = without(logits_V, self._barred)
                return result_V if math.isfinite(np.maximum.reduce(result_V)) else logits_V
            if incomplete not in self._cache:
                self._cache[incomplete] = self._completing(incomplete)
            for allowed in self._cache[incomplete]:
                if math.isfinite(np.maximum.reduce(logits_V[allowed], initial=-np.inf)):
                    return only(logits_V, allowed)
            return logits_V

        return keep

    def _incomplete(self, ids: Sequence[int], start: int, skip: int) -> str:
        """Return the nibbles of an incomplete character at the end; empty if the text ends with a whole one."""
        position, run = len(ids), ""
        while position > start and ids[position - 1] in self._parts:
            position -= 1
            run = self._parts[ids[position]][skip if position == start else 0 :] + run
            if ids[position] in self._opens:
                break
        if not run:
            return ""
        incomplete = _CHARACTERS.sub("", run, 1)
        # A caller's filter may have broken a character; nothing completes it.
        return incomplete if _may_become_whole(incomplete) else ""

    def _completing(self, incomplete: str) -> list[NDArray[np.int64]]:
        """Return the tokens of each choice that may follow an incomplete character."""
        allowed = ([id for id in choice if _may_become_whole(incomplete + self._parts[id])] for choice in self._choices)
        return [np.array(ids, dtype=np.int64) for ids in allowed]


def _may_become_whole(text: str) -> bool:
    return _CHARACTERS.fullmatch(text, partial=True) is not None
