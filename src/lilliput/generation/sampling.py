"""Choose a token: apply the filters in a fixed order and draw once.

The order: penalties, n-grams that must not repeat, bias, bans, the caller's filters; then top-k, temperature, top-p,
min-p, typical, XTC. The first group depends on the token and gets all logits. Top-k gives the same result before and
after the temperature; the later filters get only the tokens that it kept. With a vocabulary of 50,000, this makes a
choice faster than a step of the network. So top-p applies to the sharpened distribution over the k remaining tokens.

Stop strings and limits in characters are part of the settings but act on text, and bias and bans name tokens by their
text: the caller, who decodes, handles them.

Vectors of one axis: V vocabulary.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import neg
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import GenerationError
from lilliput.generation.filters import (
    CHUNK,
    COLDEST,
    Filter,
    Logits,
    Uniform,
    candidates_of,
    greatest,
    min_p,
    no_repeat_ngram,
    penalties,
    softmax,
    temperature,
    top_k,
    top_p,
    typical,
    xtc,
)
from lilliput.generation.settings import SamplingSettings

_FEW = 128
"""Up to this number of logits, lists are faster than arrays: NumPy's code is not in the CPU caches after a step."""


NOT_FINITE = "the logits are not finite: use an earlier checkpoint of this run"


@dataclass(frozen=True, slots=True)
class Token:
    """A new token and its probability in the model, at temperature 1 and before all filters.

    `top` has the most likely tokens by the same measure, as (id, log-probability), the most likely first, like the
    `logprobs` of OpenAI's API. It is empty unless requested from the sampler, and may lack the token that was drawn.
    """

    id: int
    probability: float
    top: tuple[tuple[int, float], ...] = ()


class Numbers:
    """Uniform random numbers from a seed, drawn 64 at a time: a call of NumPy after each step would be slow."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._next: list[float] = []

    def random(self) -> float:
        """Return the next number, in [0, 1)."""
        if not self._next:
            self._next = self._generator.random(64).tolist()[::-1]
        return self._next.pop()


class Sampler:
    """Chooses the tokens of one text, of which the first `start` are the prompt; `filters` are the caller's.

    They include bias and bans, which name tokens by their text. The choices follow from the logits, the settings and
    the seed. With `top`, each token also has that many of the most likely ones (`Token.top`); this changes no choice.
    """

    def __init__(
        self, settings: SamplingSettings, seed: int, start: int, filters: Sequence[Filter] = (), *, top: int = 0
    ) -> None:
        self._top = top
        self._generator = Numbers(seed)
        self._by_token = by_token(settings, filters)
        self._settings, self._start = settings, start
        self._temperatures = settings.temperatures or (settings.temperature,)
        self._by_value = by_value(settings, self._temperatures, start, self._generator)
        unordered = settings.xtc_probability or (settings.typical is not None and settings.typical < 1)
        self._by_order = not unordered
        """Whether all filters after top-k only drop the least likely tokens."""
        self._top_p = settings.top_p if settings.top_p is not None and settings.top_p < 1 else None
        self._min_p = settings.min_p
        self._cuts = (self._top_p, self._min_p) != (None, None)
        self._buffer: NDArray[Any] = np.empty(0)

    def choose(self, logits_V: Logits, ids: Sequence[int]) -> Token:
        """Return the token after `ids`. Raises GenerationError if the logits are not finite or no token is allowed."""
        few = logits_V.size <= _FEW
        greatest_logit, total = self._sum_of_few(logits_V) if few else self._sum_of_many(logits_V)
        if not math.isfinite(total):
            raise GenerationError(NOT_FINITE)
        filtered = logits_V
        for change in self._by_token:
            filtered = change(filtered, ids)
        if self._by_token and not math.isfinite(np.maximum.reduce(filtered)):
            raise GenerationError(
                f"after {len(ids)} tokens no token is allowed: the whole vocabulary is banned or "
                "filtered out; loosen ban, no_repeat_ngram or your own filters"
            )
        token = self._draw(filtered, ids)
        probability = math.exp(logits_V.item(token) - greatest_logit) / total
        if not self._top:
            return Token(token, probability)
        return Token(token, probability, most_likely(logits_V, self._top, greatest_logit + math.log(total)))

    def _sum_of_few(self, logits_V: Logits) -> tuple[float, float]:
        """Return the greatest logit, and the sum of exp(logit - greatest); the sum is not finite if a logit is not."""
        values: list[float] = logits_V.tolist()
        greatest_logit = max(values)
        return greatest_logit, sum([math.exp(value - greatest_logit) for value in values])

    def _sum_of_many(self, logits_V: Logits) -> tuple[float, float]:
        greatest_logit = np.maximum.reduce(logits_V)
        if not math.isfinite(greatest_logit):
            return greatest_logit, math.nan
        # Allocating an array takes as long as filling it, so there is one buffer.
        if self._buffer.size != logits_V.size:
            self._buffer = np.empty_like(logits_V)
        np.exp(np.subtract(logits_V, greatest_logit, out=self._buffer), out=self._buffer)
        return greatest_logit.item(), float(np.add.reduce(self._buffer))

    def _draw(self, logits_V: Logits, ids: Sequence[int]) -> int:
        """Draw from the filtered logits, in the fastest way for these settings."""
        temperatures, size = self._temperatures, logits_V.size
        value, top_k = temperatures[(len(ids) - self._start) % len(temperatures)], self._settings.top_k or size
        if top_k == 1 or value < COLDEST:
            return int(logits_V.argmax())
        if self._by_order and size <= _FEW:
            return self._draw_from_few(logits_V.tolist(), top_k, value)
        if self._by_order and top_k <= _FEW:
            return self._draw_from_top_k(logits_V, top_k, value)
        if self._by_order and self._cuts and top_k >= size:
            return self._draw_from_nucleus(logits_V, value)
        if top_k >= size:
            return draw(self._filter(logits_V, ids), self._generator)
        kept = greatest(logits_V, top_k)
        return int(kept[draw(self._filter(logits_V[kept], ids), self._generator)])

    def _draw_from_few(self, values: list[float], top_k: int, value: float) -> int:
        order = list(range(len(values)))
        if self._cuts or top_k < len(values):
            order = sorted(order, key=values.__getitem__, reverse=True)[:top_k]
        return order[self._draw_index(_weights([values[token] for token in order], value))]

    def _draw_from_top_k(self, logits_V: Logits, top_k: int, value: float) -> int:
        candidates = candidates_of(logits_V, top_k)
        order = candidates[np.argsort(-logits_V[candidates], kind="stable")[:top_k]]
        return int(order[self._draw_index(_weights(logits_V[order].tolist(), value))])

    def _draw_from_nucleus(self, logits_V: Logits, value: float) -> int:
        """Draw with top-p or min-p from a large vocabulary, and sort only a few tokens."""
        weights_V = np.exp((logits_V - np.maximum.reduce(logits_V)) / value)
        total = float(np.add.reduce(weights_V))
        least, enough = self._min_p or 0.0, (self._top_p or 1.0) * total
        for share in (0.0,) if self._top_p is None else (1e-3, 1e-4, 1e-5, 0.0):
            candidates = np.flatnonzero(weights_V >= max(share * total, least))
            if share * total <= least or np.add.reduce(weights_V[candidates]) >= enough:
                break
        order = candidates[np.argsort(-weights_V[candidates], kind="stable")]
        return int(order[self._draw_index(weights_V[order].tolist(), total)])

    def _draw_index(self, weights: list[float], total: float | None = None) -> int:
        """Apply top-p and min-p to weights, which are in descending order if either is set; return a drawn index.

        `total` is the total weight for top-p, by default that of `weights`.
        """
        sums = list(accumulate(weights))
        count = len(sums)
        if self._top_p is not None:
            count = min(count, 1 + bisect_left(sums, self._top_p * (sums[-1] if total is None else total)))
        if self._min_p is not None:
            count = min(count, bisect_right(weights, -self._min_p, key=neg))
        index = bisect_right(sums, self._generator.random() * sums[count - 1], hi=count)
        # Rounding may leave no index: take the last one with a weight.
        return index if index < count else bisect_left(sums, sums[count - 1])

    def _filter(self, logits: Logits, ids: Sequence[int]) -> Logits:
        for change in self._by_value:
            logits = change(logits, ids)
        return logits


def most_likely(logits_V: Logits, count: int, log_total: float) -> tuple[tuple[int, float], ...]:
    """Return up to `count` of the most likely tokens as (id, log-probability), the most likely first.

    `log_total` is the logarithm of the sum of the exponentials of all logits.
    """
    ids = greatest(logits_V, min(count, logits_V.size)).tolist()
    return tuple(sorted(((id_, logits_V.item(id_) - log_total) for id_ in ids), key=lambda token: -token[1]))


def _weights(values: list[float], value: float) -> list[float]:
    """Return the exponentials of the logits at temperature `value`, scaled to a maximum of 1."""
    greatest_logit = max(values)
    return [math.exp((logit - greatest_logit) / value) for logit in values]


def by_token(settings: SamplingSettings, filters: Sequence[Filter] = ()) -> list[Filter]:
    """Return the filters that depend on the token, in their order; the caller's `filters` come last."""
    chosen: list[Filter] = []
    strengths = (settings.repetition_penalty, settings.presence_penalty, settings.frequency_penalty)
    if strengths != (1, 0, 0):
        chosen.append(penalties(*strengths, settings.penalty_window))
    if settings.no_repeat_ngram is not None:
        chosen.append(no_repeat_ngram(settings.no_repeat_ngram))
    return [*chosen, *filters]


def by_value(settings: SamplingSettings, temperatures: Sequence[float], start: int, generator: Uniform) -> list[Filter]:
    """Return the filters that act after top-k, in their order; the first new token is at position `start`."""
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


def sampling_probabilities(
    logits_V: Logits, ids: Sequence[int], settings: SamplingSettings, start: int, filters: Sequence[Filter] = ()
) -> NDArray[np.float64]:
    """Return probabilities_V: how likely a `Sampler` with these settings and filters draws each token after `ids`.

    The first `start` ids are the prompt. Raises GenerationError if no token is allowed.
    """
    for change in by_token(settings, filters):
        logits_V = change(logits_V, ids)
    if not math.isfinite(np.maximum.reduce(logits_V)):
        raise GenerationError("no token is allowed here: the whole vocabulary is banned or filtered out")
    if settings.top_k is not None:
        logits_V = top_k(settings.top_k)(logits_V, ids)
    temperatures, probabilities_V = settings.temperatures or (settings.temperature,), np.zeros(logits_V.size)
    # XTC excludes the top choices at some tokens only.
    for number, share in ((0.0, settings.xtc_probability), (1.0, 1 - settings.xtc_probability)):
        filtered_V = logits_V
        for change in by_value(settings, temperatures, start, _Always(number)):
            filtered_V = change(filtered_V, ids)
        probabilities_V += share * softmax(filtered_V.astype(np.float64))
    return probabilities_V


@dataclass(frozen=True, slots=True)
class _Always:
    """A generator of one number."""

    number: float

    def random(self) -> float:
        return self.number


def draw(logits_V: Logits, generator: Uniform) -> int:
    """Return an index drawn from the softmax of the logits; one of probability zero is never drawn."""
    weights_V = np.exp(logits_V - logits_V.max())
    first, number = 0, generator.random()
    if weights_V.size > 2 * CHUNK:
        # Sums of chunks take a fifth of the time of running sums.
        chunks = np.add.reduceat(weights_V, np.arange(0, weights_V.size, CHUNK)).cumsum(dtype=np.float64)
        part = int(np.searchsorted(chunks, number * chunks[-1], side="right"))
        earlier = chunks[part - 1] if part else 0.0
        first, weights_V = part * CHUNK, weights_V[part * CHUNK : (part + 1) * CHUNK]
        cumulative = weights_V.cumsum(dtype=np.float64)
        target = min(number * chunks[-1] - earlier, np.nextafter(cumulative[-1], 0))
    else:
        cumulative = weights_V.cumsum(dtype=np.float64)
        target = number * cumulative[-1]
    return first + int(np.searchsorted(cumulative, target, side="right"))
