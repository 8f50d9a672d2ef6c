"""Banned texts, and biases of tokens named by their text.

A text can be split into tokens in many ways, and a character outside the vocabulary is spelled by parts of its bytes.
So bans compare hexadecimal digits: those of the latest tokens with those of each possible next token.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lilliput.errors import GenerationError
from lilliput.generation.filters import Filter, Logits, ban, bias
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers.escape import NIBBLES, to_hex


def named_bias(tokenizer: Tokenizer, by_text: Mapping[str, float]) -> Filter:
    """Return the filter `bias` for tokens named by their text.

    Raises GenerationError for a text that is not a single token of this vocabulary.
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


def ban_text(tokenizer: Tokenizer, text: str) -> Filter:
    """Return a filter that forbids every token that would complete or contain `text`.

    `text` is normalised by the tokenizer. It may already be in the ids.
    """
    banned = _digits(tokenizer.normalized(text))
    digits = [_digits(piece) for piece in tokenizer.pieces]
    # Only a token of nibbles may begin in the middle of a byte.
    nibble_V = np.array([piece[:1] in NIBBLES for piece in tokenizer.pieces])
    inside = [
        ban(
            [id for id, piece in enumerate(digits) if _contains(piece, banned, first=1 if half and nibble_V[id] else 2)]
        )
        for half in (0, 1)
    ]
    completing = []
    for position in range(len(banned)):
        begins_V = np.array([piece.startswith(banned[position:]) for piece in digits])
        completing.append([ban(np.flatnonzero(begins_V & kind_V).tolist()) for kind_V in (nibble_V, ~nibble_V)])

    def forbid(logits_V: Logits, ids: Sequence[int]) -> Logits:
        tail, half = _tail(tokenizer.pieces, digits, ids, len(banned))
        for position, (nibbles, characters) in enumerate(completing):
            if not tail.endswith(banned[:position]):
                continue
            if position % 2 == half:
                logits_V = nibbles(logits_V, ids)
            # Half a byte before a character is dropped, so the character does not continue the banned text.
            if position == 0 or (position % 2 == 0 and not half):
                logits_V = characters(logits_V, ids)
        return inside[half](logits_V, ids)

    return forbid


def ban_characters(tokenizer: Tokenizer, characters: Collection[str]) -> list[Filter]:
    """Return filters that forbid these characters, inside any token and in any spelling."""
    forbidden = set(characters)
    tokens = [id for id, piece in enumerate(tokenizer.pieces) if not forbidden.isdisjoint(piece)]
    spelled = [character for character in characters if len(tokenizer.encode(character)) > 1]
    return [*([ban(tokens)] if tokens else []), *(ban_text(tokenizer, character) for character in spelled)]


def _tail(escaped: Sequence[str], digits: Sequence[str], ids: Sequence[int], length: int) -> tuple[str, int]:
    """Return the latest digits, at least `length` if the text has that many, and 1 if they end in half a byte."""
    tail, run, open_run, position = "", 0, True, len(ids)
    while position and (len(tail) < length or open_run):
        position -= 1
        tail = digits[ids[position]] + tail
        if open_run:
            piece = escaped[ids[position]]
            nibbles = len(piece) - len(piece.rstrip(NIBBLES))
            run, open_run = run + nibbles, nibbles == len(piece)
    return tail, run % 2


def _contains(piece: str, banned: str, first: int) -> bool:
    """Return whether the digits `banned` are in `piece` at position `first` or any number of whole bytes after it."""
    return any(piece.startswith(banned, position) for position in range(first, len(piece), 2))


def _digits(text: str) -> str:
    """Return the hexadecimal digits of an escaped text."""
    return "".join(
        to_hex(character) if character in NIBBLES else character.encode("utf-8", "surrogatepass").hex()
        for character in text
    )
