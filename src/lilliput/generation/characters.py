"""Tokens that exist for technical reasons are not drawn as text.

A token that holds a part of a character is allowed where it can still become a whole one, and where the training text
has no such token, nowhere. Nor is a control character that the text does not have, or a token that stands for no text.
What has begun stands at the end of the text, as nibbles (`tokenizers.escape`); UTF-8 tells how it may go on.

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
"""What may be written of control characters where it is not known what the text has."""
_SPELLED = "|".join(
    [
        "0[9ad]|[2-6][0-f]|7[0-e]",
        "c2[ab][0-f]|c[3-f][89ab][0-f]|d[0-f][89ab][0-f]",
        "e0[ab][0-f][89ab][0-f]|ed[89][0-f][89ab][0-f]|e[1-cef][89ab][0-f][89ab][0-f]",
        "f0[9ab][0-f][89ab][0-f][89ab][0-f]|f[1-3][89ab][0-f][89ab][0-f][89ab][0-f]|f48[0-f][89ab][0-f][89ab][0-f]",
    ]
)
"""The UTF-8 of one character that is no control character, in hexadecimal digits (RFC 3629, section 4)."""
_CHARACTERS = regex.compile(f"(?:{from_hex(_SPELLED)}|[^{NIBBLES}])*+")
"""Whole characters of escaped text."""


class Characters:
    """What a vocabulary may write; `tokenizer` knows which of its tokens stand in the training text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        pieces, counts = tokenizer.pieces, tokenizer.counts
        spelled = {id: NIBBLE_RUN.findall(piece) for id, piece in enumerate(pieces) if NIBBLE_RUN.search(piece)}
        # Where one run of nibbles ends in half a byte, any of them may begin with the other half.
        halves = any(len(run) % 2 for runs in spelled.values() for run in runs)
        texts = [unescape(piece) if id in spelled else piece for id, piece in enumerate(pieces)]
        parts = [id for id in spelled if halves or BROKEN in texts[id]]
        self._parts = {id: pieces[id] for id in parts}
        self._opens = {
            id for id in parts if pieces[id][0] not in NIBBLES or not (halves or pieces[id][0] in from_hex("89ab"))
        }
        """Those with which a character begins, whatever stands before."""
        # Without counts it is known of an alphabet that was learnt what the text has, of one of all bytes it is not.
        met_V = counts or [
            id in self._parts or id not in spelled or texts[id] in _WHITE_SPACE for id in range(len(texts))
        ]
        self._choices = [[id for id in parts if met_V[id]], parts]
        """The parts of characters that stand in the training text, and all."""
        controls = [id for id, text in enumerate(texts) if _CONTROLS.search(text)]
        barred = {*tokenizer.special, *parts, *(id for id in controls if not met_V[id])}
        self._barred = np.array(sorted(barred.difference(self._going_on("")[0].tolist())), dtype=np.int64)
        self._known: dict[str, list[NDArray[np.int64]]] = {}

    def behind(self, start: int, rest: str = "") -> Filter:
        """Return a filter for the tokens behind the first `start`, which with the `rest` are whole characters.

        The first of these tokens begins with the rest, in escaped form.
        Where all that it allows is forbidden already, it forbids nothing.
        """

        def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
            begun = self._begun(ids, start, len(rest))
            if not begun:
                result_V = without(logits_V, self._barred)
                return result_V if math.isfinite(np.maximum.reduce(result_V)) else logits_V
            if begun not in self._known:
                self._known[begun] = self._going_on(begun)
            for allowed in self._known[begun]:
                if math.isfinite(np.maximum.reduce(logits_V[allowed], initial=-np.inf)):
                    return only(logits_V, allowed)
            return logits_V

        return keep

    def _begun(self, ids: Sequence[int], start: int, skip: int) -> str:
        """Return the nibbles of the character that has begun; none if the text ends with a whole one."""
        place, run = len(ids), ""
        while place > start and ids[place - 1] in self._parts:
            place -= 1
            run = self._parts[ids[place]][skip if place == start else 0 :] + run
            if ids[place] in self._opens:
                break
        if not run:
            return ""
        begun = _CHARACTERS.sub("", run, 1)
        # What a filter of the caller has broken is left as it is.
        return begun if _may_become_whole(begun) else ""

    def _going_on(self, begun: str) -> list[NDArray[np.int64]]:
        """Return the tokens of each choice that may follow."""
        found = ([id for id in choice if _may_become_whole(begun + self._parts[id])] for choice in self._choices)
        return [np.array(ids, dtype=np.int64) for ids in found]


def _may_become_whole(text: str) -> bool:
    return _CHARACTERS.fullmatch(text, partial=True) is not None
