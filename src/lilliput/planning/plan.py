"""Plans a recipe for a text without one, by the length of the text and the time.

The plan has characters as tokens, the modern shape with n-gram embeddings and counts, and Muon. A shorter text gets a
smaller model and more dropout, against memorising; with much time for the text, the plan is an ensemble. Minutes are
weighed by the speed of the machine. A length in steps gives the same plan on every machine. Prompts with answers get
the same plan without n-grams and counts, with about the same number of tokens per step.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lilliput.corpus import Examples, LargeText
from lilliput.recipe import Recipe, make_recipe, plan_again
from lilliput.runtime import can_compile
from lilliput.training.data.prepare import Source

DEFAULT_MINUTES = 5.0

_TEXT_ROWS = 12
_EXAMPLE_TOKENS = 2048
"""Approximate tokens per step for examples; at most 256 examples."""
_TOKENS_A_CHARACTER = 8
"""Tokens of a character outside the vocabulary: four bytes of two nibbles."""

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
"""Below this, more steps with shorter windows are better."""
_MEASURED_MINUTES = 0.2
"""From this length on, the speed of the machine is measured, which takes half a second."""
_TOKENS_A_MINUTE = 1e6
"""Throughput of the reference machine with a planned model; it converts steps into minutes."""
_MOST_COUNTED = 2**53
"""The smallest integer beyond which a float is inexact."""
_ENSEMBLE = (9.0, 30.0, 80.0)
"""Minutes of the machine that plans were measured on, for a million characters, from which on one more network is
trained: what one would learn by heart is left."""


@dataclass(frozen=True)
class Plan:
    """The planned values for a text, and the settings given by hand, which take precedence."""

    values: dict[str, Any]
    settings: dict[str, Any]

    def recipe(self, begun: Recipe | None = None) -> Recipe:
        """Return the recipe; a run that was `begun` keeps its earlier plan."""
        values = self.values
        if begun is not None:
            # The description is that of the earlier plan.
            values = plan_again(values, self.settings, begun) | {"description": begun.description}
        return make_recipe(values, self.settings, where=f"plan for {self.values['name']}")


def make_plan(name: str, source: Source, settings: dict[str, Any], speed: Callable[[], float] = lambda: 1.0) -> Plan:
    """Plan a recipe for a text or for examples; `settings` (dotted key -> value) take precedence.

    `speed` returns the speed of this machine as a multiple of the reference machine. It is called only if the plan
    depends on it.
    """
    # The beginning of a large text stands for the whole.
    text = "".join(islice(source.pieces(), _PIECES_SEEN)) if isinstance(source, LargeText) else source.text
    layers, width, heads, window, dropout, table_rows = next(
        size for bound, size in _SIZES if bound is None or len(text) < bound
    )
    time = _time(settings, speed)
    if time is not None and time.worth < _BRIEF_MINUTES:
        window = min(window, _BRIEF_WINDOW)
    rows, description = _TEXT_ROWS, f"planned for {len(text):,} characters"
    if isinstance(source, LargeText):
        description = f"planned for a large text of {source.size:,} bytes"
    elif isinstance(source, Examples):
        # The context will be that of the longest example; this is an upper bound.
        window = _TOKENS_A_CHARACTER * (source.longest + 1)
        rows = max(1, min(256, _EXAMPLE_TOKENS * len(source) // len(text)))
        description = f"planned for {len(source):,} prompts with answers"
    model: dict[str, Any] = {"kind": "gpt", "layers": layers, "width": width, "dropout": dropout}
    if settings.get("model.kind", "gpt") == "gpt":
        model |= {"shape": "modern", "heads": heads}
        # The other shapes are published networks, without n-gram embeddings or counts.
        if settings.get("model.shape", "modern") == "modern" and not isinstance(source, Examples):
            length = source.size if isinstance(source, LargeText) else len(text)
            model |= {"ngrams": _LONGEST_NGRAM, "ngram_rows": table_rows, "counts": True}
            tokens = _whole(settings, "training.batch", rows) * _whole(settings, "data.window", window)
            model |= _by_time(length, settings, time, tokens)
    values: dict[str, Any] = {
        "name": name,
        "description": description,
        "data": {"window": window},
        "tokenizer": {"kind": "char"},
        "model": model,
        "training": {
            "minutes": DEFAULT_MINUTES,
            "batch": rows,
            "optimizer": "muon",
            "learning_rate": 3e-3,
            "matrix_learning_rate": 0.02,
            "schedule": "linear",
            "final": 0.0,
            "compile": _compiles(source, settings, time),
        },
    }
    sections = ((section, part) for section, part in values.items() if isinstance(part, dict))
    chosen = (f"{section}.{key}" for section, part in sections for key in part)
    # The length is up to the user.
    values["planned"] = [key for key in chosen if key not in settings and key != "training.minutes"]
    return Plan(values, settings)


@dataclass(frozen=True)
class _Time:
    """The minutes of a run, and the speed of this machine; 1 if it was not measured."""

    minutes: float
    speed: float

    @property
    def worth(self) -> float:
        """Return the minutes as minutes of the reference machine."""
        return self.minutes * self.speed


def _time(settings: dict[str, Any], speed: Callable[[], float]) -> _Time | None:
    """Return the time of a run; None if its length is in steps."""
    if settings.get("training.steps") is not None:
        return None
    minutes = settings.get("training.minutes")
    # The recipe refuses impossible values later.
    if not isinstance(minutes, int | float) or not 0 < minutes < math.inf:
        minutes = DEFAULT_MINUTES
    return _Time(minutes, speed() if minutes >= _MEASURED_MINUTES else 1.0)


def _whole(settings: dict[str, Any], key: str, otherwise: int) -> int:
    """Return the number under a key, or `otherwise` if it is missing or invalid."""
    value = settings.get(key)
    return value if isinstance(value, int) and 1 <= value < _MOST_COUNTED else otherwise


def _compiles(source: Source, settings: dict[str, Any], time: _Time | None) -> bool:
    gpt = settings.get("model.kind", "gpt") == "gpt" and not isinstance(source, Examples)
    # A faster machine does not compile faster: much of that is waiting for other programs.
    return gpt and time is not None and min(time.minutes, time.worth) >= _COMPILED_MINUTES and can_compile()


def _by_time(characters: int, settings: dict[str, Any], time: _Time | None, tokens_a_step: int) -> dict[str, Any]:
    """Return how many networks share the time for a text, and what each leaves out of the n-grams."""
    networks = settings.get("model.ensemble")
    if time is not None:
        minutes = time.worth
    else:
        minutes = tokens_a_step * _whole(settings, "training.steps", 1) / _TOKENS_A_MINUTE
    per_million = max(1e-9, minutes * 1e6 / max(1, characters))
    if not isinstance(networks, int) or networks < 1:
        # An ensemble multiplies the time of a step: with a length in steps its size is up to the user.
        networks = 1 if time is None else 1 + sum(per_million >= bound for bound in _ENSEMBLE)
    # Each network gets its share of the time, but all of them take part in every step.
    return {"ensemble": networks, "ngram_dropout": _ngram_dropout(per_million / (1 if time is None else networks))}


def _ngram_dropout(minutes_per_million: float) -> float:
    """Return the dropout of the n-grams: the more epochs, the more they memorise.

    The line goes near what was best of a few values for plays of 0.9 million characters in 1.8 minutes and for verse of
    0.2 million in two; its slope is a guess between the two.
    """
    return round(min(0.7, max(0.0, 0.35 + 0.2 * math.log10(minutes_per_million))), 2)
