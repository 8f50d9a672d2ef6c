"""A recipe for a text that comes without one: sizes by the length of the text.

A text of its own gets characters as tokens, the modern shape with embeddings of n-grams and counts mixed in, and Muon;
the shorter the text, the smaller the model and the stronger the dropout, or it would learn by heart; where there is
much time for the text, several networks share it. What a minute is worth depends on the machine's speed. Prompts with
answers are treated alike, without n-grams and counts and with as many to a step as make up about the same number of
tokens.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lilliput.corpus import Examples, LargeText
from lilliput.recipe import Recipe, make_recipe, plan_again
from lilliput.runtime import can_compile
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
# Characters of text (less than) -> layers, width, heads, window, dropout, rows of an n-gram table.
_SIZES = (
    (20_000, (2, 64, 2, 64, 0.2, 4096)),
    (200_000, (3, 96, 3, 128, 0.2, 8192)),
    (600_000, (3, 128, 4, 256, 0.1, 16384)),
    (None, (3, 128, 4, 256, 0.0, 16384)),
)
_LONGEST_NGRAM = 5
_COMPILED_MINUTES = 3.0
"""From which on a model is compiled: it saves a quarter of the time, and takes half a minute when it is not kept from
an earlier run."""
_BRIEF_MINUTES, _BRIEF_WINDOW = 0.5, 128
"""In less time than this, more steps of shorter windows teach more."""
_MEASURED_MINUTES = 1.0
"""From which on it is worth to look how fast the machine is."""
_MEMBERS = (9.0, 30.0, 80.0)
"""Minutes of the machine that plans were measured on, for a million characters, from which on one more network is
trained: what one would learn by heart is left."""


@dataclass(frozen=True)
class Plan:
    """What was chosen for a text, and what was set by hand, which has the last word."""

    values: dict[str, Any]
    settings: dict[str, Any]

    def recipe(self, begun: Recipe | None = None) -> Recipe:
        """Return the recipe; for a run that was `begun` with an earlier plan, with what that one chose."""
        values = self.values if begun is None else plan_again(self.values, self.settings, begun)
        return make_recipe(values, self.settings, where=f"plan for {self.values['name']}")


def make_plan(name: str, source: Source, settings: dict[str, Any], speed: Callable[[], float] = lambda: 1.0) -> Plan:
    """Choose a recipe for a text or for examples; `settings` (dotted key -> value) have the last word.

    `speed` tells how many times as fast this machine is as the one that plans were measured on. It is asked only where
    something depends on it.
    """
    # Of a large text its beginning stands for the whole: it tells which script it is.
    text = "".join(islice(source.pieces(), _PIECES_SEEN)) if isinstance(source, LargeText) else source.text
    layers, width, heads, window, dropout, table_rows = next(
        size for bound, size in _SIZES if bound is None or len(text) < bound
    )
    if not settings.get("training.steps") and _minutes(settings) < _BRIEF_MINUTES:
        window = min(window, _BRIEF_WINDOW)
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
        # The other shapes are those of published networks, which have neither such embeddings nor counts.
        if settings.get("model.shape", "modern") == "modern" and not isinstance(source, Examples):
            length = source.size if isinstance(source, LargeText) else len(text)
            model |= {"ngrams": _LONGEST_NGRAM, "ngram_rows": table_rows, "counts": True}
            model |= _by_time(length, settings, speed)
    values: dict[str, Any] = {
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
            "compile": _compiles(source, settings),
        },
    }
    sections = ((section, part) for section, part in values.items() if isinstance(part, dict))
    chosen = (f"{section}.{key}" for section, part in sections for key in part)
    # The length is the user's dial, chosen or not.
    values["planned"] = [key for key in chosen if key not in settings and key != "training.minutes"]
    return Plan(values, settings)


def _compiles(source: Source, settings: dict[str, Any]) -> bool:
    gpt = settings.get("model.kind", "gpt") == "gpt" and not isinstance(source, Examples)
    return gpt and not settings.get("training.steps") and _minutes(settings) >= _COMPILED_MINUTES and can_compile()


def _minutes(settings: dict[str, Any]) -> float:
    minutes = settings.get("training.minutes")
    # What the recipe will refuse is not judged here.
    return minutes if isinstance(minutes, int | float) and 0 < minutes < math.inf else DEFAULT_MINUTES


def _by_time(characters: int, settings: dict[str, Any], speed: Callable[[], float]) -> dict[str, Any]:
    """Return how many networks share the time for a text, and what each leaves out of the n-grams."""
    members = settings.get("model.members")
    minutes = _minutes(settings)
    if minutes >= _MEASURED_MINUTES:
        minutes *= speed()
    per_million = max(1e-9, minutes * 1e6 / max(1, characters))
    if not isinstance(members, int) or members < 1:
        # How much time so many steps take is not known here.
        members = 1 if settings.get("training.steps") else 1 + sum(per_million >= bound for bound in _MEMBERS)
    return {"members": members, "ngram_dropout": _ngram_dropout(per_million / members)}


def _ngram_dropout(minutes_per_million: float) -> float:
    """Return how much of the n-grams to leave out: the more often a text is read, the more of it they know by heart.

    The line goes near what was best of a few values for plays of 0.9 million characters in 1.8 minutes and for verse of
    0.2 million in two; its slope is a guess between the two.
    """
    return round(min(0.7, max(0.0, 0.35 + 0.2 * math.log10(minutes_per_million))), 2)
