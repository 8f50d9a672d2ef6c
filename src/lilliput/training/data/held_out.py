"""The size of a held-out text and its baselines, measured before training.

Under a time budget, a model may be measured on some pieces of the text only. So the baselines' cost of each piece is
stored, and model and baselines are compared on the same pieces.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lilliput.corpus import count_words, unmark
from lilliput.data.tokens import Tokens
from lilliput.evaluation.baselines import measure_baselines, measure_likeness
from lilliput.evaluation.loss import cut, piece_length, targets_of
from lilliput.segments import WHOLE, Starts, segments, starts_of
from lilliput.tokenizers import TextStream, Tokenizer


def held_out_facts(
    tokenizer: Tokenizer,
    ids: Tokens,
    texts: list[str],
    learned: list[str],
    window: int,
    *,
    starts: Starts = WHOLE,
    labelled: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Return the part of `facts.json` about a held-out text with the tokens `ids`, including the baselines.

    `texts` are its segments without labels, with tokens from `starts` on; `labelled` is true if the tokens have
    labels. `learned` are the segments of the training text, or of its end, as the tokenizer sees them and without
    labels. `progress` gets the finished share of the baselines.
    """
    length, text = piece_length(window), "".join(texts)
    pieces = _piece_texts(tokenizer, ids, length, starts)
    if labelled:
        pieces = [unmark(piece) for piece in pieces]
    normalized = [tokenizer.normalized(part) for part in texts]
    baselines = measure_baselines(
        "".join(learned),
        "".join(normalized),
        pieces=pieces,
        starts=(starts_of(map(len, learned)), starts_of(map(len, normalized))),
        progress=progress,
    )
    return {
        "validation": {
            "characters": len(text),
            "bytes": len(text.encode("utf-8", "surrogatepass")),
            "words": count_words(text),
            "tokens": len(ids),
        },
        "characters_per_token": len(text) / len(ids),
        "baselines": baselines.as_dict(),
        "pieces": {"targets": length, "costs": baselines.piece_costs()},
    }


def likeness_facts(learned: str, text: str) -> dict[str, Any]:
    """Return the part of `facts.json` about how similar the held-out end is to the middle of the text."""
    likeness = measure_likeness(learned, text)
    return {} if likeness is None else {"likeness": likeness.as_dict()}


def baselines_on_part(facts: dict[str, Any], targets: Sequence[range], stretches: Sequence[range]) -> dict[str, Any]:
    """Return the baselines for a part of the held-out text, which consists of `stretches` of its `targets`.

    A baseline without costs by piece, such as xz, keeps its figure for the whole text, with a `sampled_share` of 1.
    Runs of earlier versions have no costs by piece.
    """
    pieces = facts.get("pieces", {"targets": 0, "costs": {}})
    grid = cut(targets, pieces["targets"]) if pieces["targets"] else []
    indices = {piece: index for index, piece in enumerate(grid)}
    on_part: dict[str, Any] = {}
    for name, baseline in facts["baselines"].items():
        costs = pieces["costs"].get(name, [])
        with_costs = [stretch for stretch in stretches if indices.get(stretch, 0) < len(costs)]
        on_part[name] = baseline | {"sampled_share": 1.0}
        if with_costs and all(stretch in indices for stretch in with_costs):
            part = sum(costs[indices[stretch]] for stretch in with_costs) / sum(map(len, with_costs))
            whole = sum(costs) / sum(map(len, grid[: len(costs)]))
            share = sum(map(len, with_costs)) / sum(map(len, targets))
            bits = round(baseline["bits_per_character"] * part / whole, 5)
            on_part[name] = baseline | {"bits_per_character": bits, "sampled_share": round(share, 5)}
    return on_part


def _piece_texts(tokenizer: Tokenizer, ids: Tokens, length: int, starts: Starts) -> list[str]:
    """Return the text in pieces of `length` targets; the first token of a segment is added to its first piece."""
    stream, texts = TextStream(tokenizer), []
    for part, targets in zip(segments(len(ids), starts), targets_of(len(ids), starts), strict=True):
        for piece in cut([targets], length):
            first = piece.start + (piece.start > part.start)
            texts.append(stream.push_all(ids[first : piece.stop + 1].tolist()))
        texts[-1] += stream.finish()
    return texts
