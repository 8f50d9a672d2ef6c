"""How a token is chosen: filters in one order, and one draw.

The order: penalties, groups that must not come again, bias, bans, the caller's own filters; then top-k, temperature,
top-p, min-p, typical, XTC. The first look at which token it is and are given all logits. After top-k, which comes to
the same before and after a temperature, only the tokens that it kept are looked at: in a vocabulary of 50,000 that is
what makes a choice cheaper than the network's step. So the mass that top-p counts is that of the sharpened distribution
over the k that are left.

Stop strings and lengths in characters are part of the settings but act on text, and bias and bans name tokens by their
text: the caller who decodes sees to them.

Vectors of one axis: V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lilliput.errors import GenerationError
from lilliput.generation.filters import (
    Filter,
    Logits,
    greatest,
    min_p,
    no_repeat_ngram,
    penalties,
    temperature,
    top_p,
    typical,
    xtc,
)
from lilliput.generation.settings import SamplingSettings

_CHUNK = 256
"""Of a large vocabulary first a part of this size is drawn, then a token of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A new token and the probability that the model gave it, before all filters."""

    id: int
    probability: float


class Sampler:
    """Chooses the tokens of one text, of which the first `start` are the prompt; `own` are filters of the caller.

    Bias and bans are among these: what they name are texts, and only the caller knows which tokens those are. The
    choices follow from the logits, the settings and the seed.
    """

    def __init__(self, settings: SamplingSettings, seed: int, start: int, own: Sequence[Filter] = ()) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._first = by_token(settings, own)
        temperatures = settings.temperatures or (settings.temperature,)
        self._top_k = 1 if temperatures == (0,) else settings.top_k
        self._then = by_value(settings, temperatures, start, self._generator)

    def choose(self, logits_V: Logits, ids: Sequence[int]) -> Token:
        """Return the token after `ids`. Raises GenerationError if the logits are not finite or nothing is allowed."""
        greatest_logit = logits_V.max()
        if not np.isfinite(greatest_logit):
            raise GenerationError(
                "the logits are not finite, so nothing can be drawn: take an earlier checkpoint of this run"
            )
        filtered = logits_V
        for change in self._first:
            filtered = change(filtered, ids)
        if self._first and not np.isfinite(filtered.max()):
            raise GenerationError(
                f"after {len(ids)} tokens nothing is allowed any more: all tokens of the vocabulary are banned or "
                "filtered out; loosen ban, no_repeat_ngram or your own filters"
            )
        token = self._of_the_allowed(filtered, ids)
        whole = np.exp(logits_V - greatest_logit).sum(dtype=np.float64)
        return Token(token, float(np.exp(np.float64(logits_V[token]) - greatest_logit) / whole))

    def _of_the_allowed(self, logits_V: Logits, ids: Sequence[int]) -> int:
        if self._top_k == 1:
            return int(logits_V.argmax())
        if self._top_k is None or self._top_k >= logits_V.size:
            return draw(self._cut(logits_V, ids), self._generator)
        kept = greatest(logits_V, self._top_k)
        return int(kept[draw(self._cut(logits_V[kept], ids), self._generator)])

    def _cut(self, logits: Logits, ids: Sequence[int]) -> Logits:
        for change in self._then:
            logits = change(logits, ids)
        return logits


def by_token(settings: SamplingSettings, own: Sequence[Filter] = ()) -> list[Filter]:
    """Return the filters that look at which token it is, in the order in which they act; `own` come last."""
    chosen: list[Filter] = []
    strengths = (settings.repetition_penalty, settings.presence_penalty, settings.frequency_penalty)
    if strengths != (1, 0, 0):
        chosen.append(penalties(*strengths, settings.penalty_window))
    if settings.no_repeat_ngram is not None:
        chosen.append(no_repeat_ngram(settings.no_repeat_ngram))
    return [*chosen, *own]


def by_value(
    settings: SamplingSettings, temperatures: Sequence[float], start: int, generator: np.random.Generator
) -> list[Filter]:
    """Return the filters that act after top-k, in their order; the first new token stands at `start`."""
    chosen: list[Filter] = []
    if tuple(temperatures) != (1,):
        chosen.append(temperature(temperatures, start))
    if settings.top_p is not None and settings.top_p < 1:
        chosen.append(top_p(settings.top_p))
    if settings.min_p is not None:
        chosen.append(min_p(settings.min_p))
    if settings.typical is not None and settings.typical < 1:
        chosen.append(typical(settings.typical))
    if settings.xtc_probability:
        chosen.append(xtc(settings.xtc_threshold, settings.xtc_probability, generator))
    return chosen


def draw(logits_V: Logits, generator: np.random.Generator) -> int:
    """Return the place of one drawn from the softmax of the logits; one of probability zero is never drawn."""
    weights_V = np.exp(logits_V - logits_V.max())
    first, number = 0, generator.random()
    if weights_V.size > 2 * _CHUNK:
        # Sums of parts take a fifth of the time of running sums.
        chunks = np.add.reduceat(weights_V, np.arange(0, weights_V.size, _CHUNK)).cumsum(dtype=np.float64)
        part = int(np.searchsorted(chunks, number * chunks[-1], side="right"))
        earlier = chunks[part - 1] if part else 0.0
        first, weights_V = part * _CHUNK, weights_V[part * _CHUNK : (part + 1) * _CHUNK]
        cumulative = weights_V.cumsum(dtype=np.float64)
        target = min(number * chunks[-1] - earlier, np.nextafter(cumulative[-1], 0))
    else:
        cumulative = weights_V.cumsum(dtype=np.float64)
        target = number * cumulative[-1]
    return first + int(np.searchsorted(cumulative, target, side="right"))
