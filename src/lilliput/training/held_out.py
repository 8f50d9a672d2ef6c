"""What is known of a held-out text before a model is measured on it: its size, and what the floors need for it.

Under a time budget a model may be measured on pieces of the text only. So what each piece costs the floors is kept, and
model and floors stand side by side on the same part.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from lilliput.corpus import count_words, unmark
from lilliput.data.tokens import Tokens
from lilliput.evaluation.floors import measure_floors, measure_likeness
from lilliput.evaluation.loss import piece_length
from lilliput.tokenizers import TextStream, Tokenizer


def held_out_facts(
    tokenizer: Tokenizer,
    ids: Tokens,
    text: str,
    learned: str,
    window: int,
    *,
    labelled: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Return what `facts.json` holds of a held-out `text`, of which the tokens are `ids`, and the floors for it.

    `text` is without labels, which the tokens have if they are `labelled`, and so is `learned`, the end of the training
    text as the tokenizer sees it. `progress` is called with the share of the floors that is measured.
    """
    length = piece_length(window)
    pieces = _piece_texts(tokenizer, ids, length)
    if labelled:
        pieces = [unmark(piece) for piece in pieces]
    floors = measure_floors(learned, tokenizer.normalized(text), pieces=pieces, progress=progress)
    return {
        "validation": {
            "characters": len(text),
            "bytes": len(text.encode("utf-8", "surrogatepass")),
            "words": count_words(text),
            "tokens": len(ids),
        },
        "characters_per_token": len(text) / len(ids),
        "floors": floors.as_dict(),
        "pieces": {"targets": length, "costs": floors.piece_costs()},
    }


def likeness_facts(learned: str, text: str) -> dict[str, Any]:
    """Return what `facts.json` holds of how like a held-out end is to the middle, both as the tokenizer sees them."""
    likeness = measure_likeness(learned, text)
    return {} if likeness is None else {"likeness": likeness.as_dict()}


def floors_on_part(facts: dict[str, Any], stretches: Sequence[range]) -> dict[str, Any]:
    """Return the floors for a part of the held-out text, which consists of `stretches` of targets.

    Where the cost of a part is not known, as that of a part in xz, a floor is that of the whole text and says so by its
    `sampled_share` of 1. Runs of earlier versions know of no part.
    """
    pieces = facts.get("pieces", {"targets": 0, "costs": {}})
    length, targets = pieces["targets"], facts["validation"]["tokens"] - 1
    found: dict[str, Any] = {}
    for name, floor in facts["floors"].items():
        costs = pieces["costs"].get(name, [])
        known = [stretch for stretch in stretches if length and stretch.start // length < len(costs)]
        found[name] = floor | {"sampled_share": 1.0}
        if known and all(stretch.start % length == 0 for stretch in known):
            part = sum(costs[stretch.start // length] for stretch in known) / sum(map(len, known))
            whole = sum(costs) / min(targets, len(costs) * length)
            share = sum(map(len, known)) / targets
            bits = round(floor["bits_per_character"] * part / whole, 5)
            found[name] = floor | {"bits_per_character": bits, "sampled_share": round(share, 5)}
    return found


def _piece_texts(tokenizer: Tokenizer, ids: Tokens, length: int) -> list[str]:
    """Return the text in pieces of so many targets; the first token is no target, and stands before the first piece."""
    stream = TextStream(tokenizer)
    ends = [*range(length + 1, len(ids), length), len(ids)]
    texts = [stream.push_all(ids[start:end].tolist()) for start, end in pairwise([0, *ends])]
    return [*texts[:-1], texts[-1] + stream.finish()]
