"""A recipe for a text that comes without one: sizes by the length of the text.

A text of its own gets characters as tokens, the modern shape and Muon; the shorter the text, the smaller the model and
the stronger the dropout, or it would learn by heart. Prompts with answers are treated alike, with as many to a step as
make up about the same number of tokens.
"""

from itertools import islice
from typing import Any

from lilliput.corpus import Examples, LargeText
from lilliput.recipe import Recipe, make_recipe
from lilliput.training.prepare import Source

DEFAULT_MINUTES = 5.0
MOST_CHARACTERS = 4000
"""A script with more characters than this keeps its most frequent ones as tokens and escapes the others."""

_TEXT_ROWS = 12
_EXAMPLE_TOKENS = 2048
"""Tokens of examples in a step, about; of short ones, 256 examples at most."""
_TOKENS_A_CHARACTER = 8
"""What a character takes that is not in the vocabulary: four bytes of two nibbles."""

_PIECES_SEEN = 8
# Characters of text (less than) -> layers, width, heads, window, dropout.
_SIZES = (
    (20_000, (2, 64, 2, 64, 0.2)),
    (200_000, (3, 96, 3, 128, 0.2)),
    (600_000, (3, 128, 4, 128, 0.1)),
    (None, (3, 128, 4, 128, 0.0)),
)


def plan_recipe(name: str, source: Source, settings: dict[str, Any]) -> Recipe:
    """Choose a recipe for a text or for examples; `settings` (dotted key -> value) have the last word."""
    # Of a large text its beginning stands for the whole: it tells which script it is.
    text = "".join(islice(source.pieces(), _PIECES_SEEN)) if isinstance(source, LargeText) else source.text
    layers, width, heads, window, dropout = next(size for bound, size in _SIZES if bound is None or len(text) < bound)
    rows, description = _TEXT_ROWS, f"planned for a text of {len(text):,} characters"
    if isinstance(source, LargeText):
        description = f"planned for a large text, {source.size:,} bytes on the disk"
    elif isinstance(source, Examples):
        # The context becomes that of the longest example; this is only its upper bound.
        window = _TOKENS_A_CHARACTER * (source.longest + 1)
        rows = max(1, min(256, _EXAMPLE_TOKENS * len(source) // len(text)))
        description = f"planned for {len(source):,} prompts with their answers"
    tokenizer: dict[str, Any] = {"kind": "char"}
    if len(set(text)) > MOST_CHARACTERS:
        tokenizer["vocabulary"] = MOST_CHARACTERS
    model: dict[str, Any] = {"kind": "gpt", "layers": layers, "width": width, "dropout": dropout}
    if settings.get("model.kind", "gpt") == "gpt":
        model |= {"shape": "modern", "heads": heads}
    values = {
        "name": name,
        "description": description,
        "data": {"window": window},
        "tokenizer": tokenizer,
        "model": model,
        "training": {
            "minutes": DEFAULT_MINUTES,
            "batch": rows,
            "optimizer": "muon",
            "learning_rate": 3e-3,
            "matrix_learning_rate": 0.02,
            "schedule": "linear",
            "final": 0.0,
        },
    }
    return make_recipe(values, settings, where=f"plan for {name}")
