"""Texts that must not be written, and tokens that are named by their text.

A text may be written by any split into tokens, and where a character is none of the vocabulary by parts of its bytes.
So what is compared are hexadecimal digits: of the latest tokens, and of each one that might follow.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lilliput.errors import GenerationError
from lilliput.generation.filters import Filter, Logits, ban, bias
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers.escape import NIBBLES, to_hex


def named_bias(tokenizer: Tokenizer, by_text: Mapping[str, float]) -> Filter:
    """Return the filter `bias` for tokens that are named by their text.

    Raises GenerationError for a text that is no single token of this vocabulary.
    """
    values = {}
    for text, value in by_text.items():
        ids = tokenizer.encode(text)
        if len(ids) != 1:
            raise GenerationError(
                f"sampling: bias: {text!r} is {len(ids)} tokens of this model, and a bias is given to one; "
                "`tokenizer/vocabulary.txt` of the run lists them"
            )
        values[int(ids[0])] = value
    return bias(values)


def never(tokenizer: Tokenizer, text: str) -> Filter:
    """Return a filter that forbids every token with which the text so far would end in, or go on past, `text`.

    `text` is normalised as the tokenizer does. What the ids hold already is no matter.
    """
    wanted = _digits(tokenizer.normalized(text))
    digits = [_digits(piece) for piece in tokenizer.pieces]
    # A token of nibbles may begin in the middle of a byte, no other one may.
    free_V = np.array([piece[:1] in NIBBLES for piece in tokenizer.pieces])
    inside = [
        ban([id for id, piece in enumerate(digits) if _holds(piece, wanted, first=1 if half and free_V[id] else 2)])
        for half in (0, 1)
    ]
    completing = []
    for place in range(len(wanted)):
        begins_V = np.array([piece.startswith(wanted[place:]) for piece in digits])
        completing.append([ban(np.flatnonzero(begins_V & kind_V).tolist()) for kind_V in (free_V, ~free_V)])

    def forbid(logits_V: Logits, ids: Sequence[int]) -> Logits:
        tail, half = _tail(tokenizer.pieces, digits, ids, len(wanted))
        for place, (nibbles, characters) in enumerate(completing):
            if not tail.endswith(wanted[:place]):
                continue
            if place % 2 == half:
                logits_V = nibbles(logits_V, ids)
            # Half a byte that a character follows is lost: what stood before is cut off from it.
            if place == 0 or (place % 2 == 0 and not half):
                logits_V = characters(logits_V, ids)
        return inside[half](logits_V, ids)

    return forbid


def never_marks(tokenizer: Tokenizer, marks: Collection[str]) -> list[Filter]:
    """Return filters that forbid these characters, which stand for something and are never spelled by accident."""
    forbidden = set(marks)
    tokens = [id for id, piece in enumerate(tokenizer.pieces) if not forbidden.isdisjoint(piece)]
    spelled = [mark for mark in marks if len(tokenizer.encode(mark)) > 1]
    return [*([ban(tokens)] if tokens else []), *(never(tokenizer, mark) for mark in spelled)]


def _tail(escaped: Sequence[str], digits: Sequence[str], ids: Sequence[int], length: int) -> tuple[str, int]:
    """Return the latest digits, `length` of them at least if there are, and whether they end in half a byte."""
    tail, run, open_run, place = "", 0, True, len(ids)
    while place and (len(tail) < length or open_run):
        place -= 1
        tail = digits[ids[place]] + tail
        if open_run:
            piece = escaped[ids[place]]
            nibbles = len(piece) - len(piece.rstrip(NIBBLES))
            run, open_run = run + nibbles, nibbles == len(piece)
    return tail, run % 2


def _holds(piece: str, wanted: str, first: int) -> bool:
    """Tell whether the digits `wanted` stand in `piece` at the place `first` or any whole bytes behind it."""
    return any(piece.startswith(wanted, place) for place in range(first, len(piece), 2))


def _digits(text: str) -> str:
    """Return the hexadecimal digits of an escaped text."""
    return "".join(
        to_hex(character) if character in NIBBLES else character.encode("utf-8", "surrogatepass").hex()
        for character in text
    )
