"""A recipe for a text that comes without one: sizes by the length of the text.

A text of its own gets characters as tokens, the modern shape and Muon; the shorter the text, the smaller the model and
the stronger the dropout, or it would learn by heart.
"""

from typing import Any

from lilliput.corpus import Corpus
from lilliput.recipe import Recipe, make_recipe

DEFAULT_MINUTES = 5.0
MOST_CHARACTERS = 4000
"""A script with more characters than this keeps its most frequent ones as tokens and escapes the others."""

# Characters of text (less than) -> layers, width, heads, window, dropout.
_SIZES = (
    (20_000, (2, 64, 2, 64, 0.2)),
    (200_000, (3, 96, 3, 128, 0.2)),
    (600_000, (3, 128, 4, 128, 0.1)),
    (None, (3, 128, 4, 128, 0.0)),
)


def plan_recipe(name: str, corpus: Corpus, settings: dict[str, Any]) -> Recipe:
    """Choose a recipe for `corpus`; `settings` (dotted key -> value) have the last word."""
    length = corpus.characters
    layers, width, heads, window, dropout = next(size for bound, size in _SIZES if bound is None or length < bound)
    tokenizer: dict[str, Any] = {"kind": "char"}
    if len(set(corpus.text)) > MOST_CHARACTERS:
        tokenizer["vocabulary"] = MOST_CHARACTERS
    model: dict[str, Any] = {"kind": "gpt", "layers": layers, "width": width, "dropout": dropout}
    if settings.get("model.kind", "gpt") == "gpt":
        model |= {"shape": "modern", "heads": heads}
    values = {
        "name": name,
        "description": f"planned for a text of {length:,} characters",
        "data": {"window": window},
        "tokenizer": tokenizer,
        "model": model,
        "training": {
            "minutes": DEFAULT_MINUTES,
            "batch": 12,
            "optimizer": "muon",
            "learning_rate": 3e-3,
            "matrix_learning_rate": 0.02,
            "schedule": "linear",
            "final": 0.0,
        },
    }
    return make_recipe(values, settings, where=f"plan for {name}")
