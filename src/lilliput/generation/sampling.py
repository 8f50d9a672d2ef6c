"""How a token is chosen: filters that change the logits, and one draw.

A filter is a plain callable `(logits_V, ids) -> logits_V`; a token that it forbids gets minus infinity. `ids` are the
prompt and the tokens so far. The filters act in one order: temperature, top-k, top-p. So the mass that top-p counts is
that of the sharpened distribution over the k that are left, and is summed anew over them.

Source: top-k from Fan et al. 2018 (arXiv 1805.04833), section 5.4; top-p from Holtzman et al. 2020 (arXiv 1904.09751),
section 3.1. Stop strings are part of the settings but act on text, so the caller who decodes looks for them.

Vectors of one axis: V vocabulary.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lilliput.errors import GenerationError
from lilliput.settings import Settings

Logits = NDArray[np.floating[Any]]
Filter = Callable[[Logits, Sequence[int]], Logits]


class SamplingSettings(Settings):
    """Say how tokens are drawn: `length` in tokens; `temperature` 0 takes the likeliest token every time.

    `stop` strings end a text before they appear in it.
    """

    temperature: float = Field(default=0.8, ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    length: int = Field(default=500, ge=1)
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()


def filters(settings: SamplingSettings) -> list[Filter]:
    """Return the filters of the settings in the order in which they act."""
    if settings.temperature == 0:
        return [top_k(1)]
    chosen = []
    if settings.temperature != 1:
        chosen.append(temperature(settings.temperature))
    if settings.top_k is not None:
        chosen.append(top_k(settings.top_k))
    if settings.top_p is not None and settings.top_p < 1:
        chosen.append(top_p(settings.top_p))
    return chosen


def temperature(value: float) -> Filter:
    """Return a filter that divides the logits by `value` > 0: below 1 sharpens, above 1 flattens."""

    def divide(logits_V: Logits, ids: Sequence[int]) -> Logits:
        # With the greatest logit at zero, a tiny temperature sends the others to minus infinity and makes no NaN.
        with np.errstate(over="ignore"):
            sharpened_V: Logits = (logits_V - logits_V.max()) / np.float64(value)
        return sharpened_V

    return divide


def top_k(count: int) -> Filter:
    """Return a filter that keeps exactly `count` tokens; among equal logits the lower ids stay."""

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        if count >= logits_V.size:
            return logits_V
        least = np.partition(logits_V, -count)[-count]
        kept = logits_V > least
        equal = np.flatnonzero(logits_V == least)
        kept[equal[: count - np.count_nonzero(kept)]] = True
        return np.where(kept, logits_V, -np.inf)

    return keep


def top_p(mass: float) -> Filter:
    """Return a filter that keeps the fewest likeliest tokens that together have at least `mass`, and always one.

    Among equal logits the lower ids stay.
    """

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        probabilities_V = softmax(logits_V)
        # All tokens below this line together have less than 1 - mass, so none of them is needed: sort only the others.
        candidates = np.flatnonzero(probabilities_V >= (1 - mass) / logits_V.size)
        candidates = candidates[np.argsort(-probabilities_V[candidates], kind="stable")]
        before = np.cumsum(probabilities_V[candidates]) - probabilities_V[candidates]
        kept = candidates[before < mass]
        result_V = np.full_like(logits_V, -np.inf)
        result_V[kept] = logits_V[kept]
        return result_V

    return keep


def softmax(logits_V: Logits) -> NDArray[np.float64]:
    """Return the probabilities of the logits in double precision."""
    exponentials_V = np.exp(logits_V - logits_V.max(), dtype=np.float64)
    probabilities_V: NDArray[np.float64] = exponentials_V / exponentials_V.sum()
    return probabilities_V


def draw(logits_V: Logits, generator: np.random.Generator) -> int:
    """Return the id of one token drawn from the softmax of the logits.

    A token of probability zero is never drawn. Raises GenerationError if there is no greatest logit to start from.
    """
    if not np.isfinite(logits_V.max()):
        raise GenerationError(
            "the logits are not finite, so nothing can be drawn: take an earlier checkpoint of this run"
        )
    cumulative_V = np.cumsum(softmax(logits_V))
    return int(np.searchsorted(cumulative_V, generator.random() * cumulative_V[-1], side="right"))
