"""Filters: plain callables that change the logits of the next token.

A filter is `(logits_V, ids) -> logits_V`: `ids` are the prompt and the tokens so far. It gives a forbidden token minus
infinity and does not change its input. The filters from `top_k` on depend on the values only: they also work on the
logits of a few tokens, and keep at least one. `sampling` applies them in order.

Sources: top-k from Fan et al. 2018 (arXiv 1805.04833), section 5.4; top-p from Holtzman et al. 2020 (arXiv 1904.09751),
section 3.1; min-p from Nguyen et al. 2024 (arXiv 2407.01082); typical sampling from Meister et al. 2022 (arXiv
2202.00666); the repetition penalty from Keskar et al. 2019 (arXiv 1909.05858), section 4.1, with the sign of the logit
taken into account as in Hugging Face's transformers; presence and frequency penalties as OpenAI's API documents them;
XTC, "exclude top choices", as its author proposed it for text-generation-webui in 2024.

Vectors of one axis: V vocabulary.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.floating[Any]]
Filter = Callable[[Logits, Sequence[int]], Logits]


class Uniform(Protocol):
    """A generator of uniform random numbers, like those of NumPy."""

    def random(self) -> float:
        """Return a number in [0, 1)."""


def penalties(repetition: float, presence: float, frequency: float, window: int) -> Filter:
    """Return a filter that penalises the tokens among the latest `window`.

    It divides a positive logit by `repetition` and multiplies a negative one; then it subtracts `presence`, and
    `frequency` for each occurrence.
    """

    def penalize(logits_V: Logits, ids: Sequence[int]) -> Logits:
        tokens, counts = np.unique(np.asarray(ids[-window:], dtype=np.int64), return_counts=True)
        result_V = logits_V.copy()
        repeated = logits_V[tokens]
        repeated = np.where(repeated > 0, repeated / repetition, repeated * repetition)
        result_V[tokens] = repeated - presence - frequency * counts
        return result_V

    return penalize


def bias(by_token: Mapping[int, float]) -> Filter:
    """Return a filter that adds to the logits of some tokens."""
    tokens, values = np.array(list(by_token), dtype=np.int64), np.array(list(by_token.values()))

    def add(logits_V: Logits, ids: Sequence[int]) -> Logits:
        result_V = logits_V.copy()
        result_V[tokens] += values
        return result_V

    return add


def ban(tokens: Sequence[int]) -> Filter:
    """Return a filter that forbids some tokens."""
    banned = np.array(sorted(set(tokens)), dtype=np.int64)

    def forbid(logits_V: Logits, ids: Sequence[int]) -> Logits:
        return without(logits_V, banned)

    return forbid


def force(tokens: Sequence[int], start: int) -> Filter:
    """Return a filter that allows only `tokens`, one after the other, from position `start` of the ids."""

    def allow(logits_V: Logits, ids: Sequence[int]) -> Logits:
        offset = len(ids) - start
        if not 0 <= offset < len(tokens):
            return logits_V
        result_V = np.full_like(logits_V, -np.inf)
        # Not its logit: an earlier filter may have forbidden the token.
        result_V[tokens[offset]] = 0
        return result_V

    return allow


def no_repeat_ngram(length: int) -> Filter:
    """Return a filter that forbids tokens that would complete an n-gram of `length` tokens already in the ids."""

    def forbid(logits_V: Logits, ids: Sequence[int]) -> Logits:
        if len(ids) < length:
            return logits_V
        all_T = np.asarray(ids, dtype=np.int64)
        same_T = np.ones(len(ids) - length + 1, dtype=bool)
        for back in range(1, length):
            same_T &= all_T[length - 1 - back : len(ids) - back] == all_T[len(ids) - back]
        return without(logits_V, all_T[length - 1 :][same_T])

    return forbid


COLDEST = 1e-6
"""A lower temperature counts as 0; single precision can still divide by this one."""


def top_k(count: int) -> Filter:
    """Return a filter that keeps exactly `count` tokens; among equal logits, those with the lower ids."""

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        return logits_V if count >= logits_V.size else only(logits_V, greatest(logits_V, count))

    return keep


def temperature(values: Sequence[float], start: int = 0) -> Filter:
    """Return a filter that divides the logits by `values` in turn, the first at position `start` of the ids.

    A temperature below 1 sharpens the distribution, above 1 flattens it. Below `COLDEST`, only the most likely token is
    kept; among equals, that with the lowest id.
    """

    def divide(logits_V: Logits, ids: Sequence[int]) -> Logits:
        value = values[(len(ids) - start) % len(values)] if len(values) > 1 else values[0]
        if value < COLDEST:
            return only(logits_V, logits_V.argmax())
        return logits_V if value == 1 else (logits_V - logits_V.max()) / value

    return divide


def top_p(mass: float) -> Filter:
    """Return a filter that keeps the smallest set of most likely tokens with a total probability of at least `mass`.

    Among equal logits, the lower ids are kept.
    """

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        probabilities_V = softmax(logits_V)
        order = _most_likely(probabilities_V, mass)
        probabilities = probabilities_V[order]
        before = probabilities.cumsum(dtype=np.float64) - probabilities
        return only(logits_V, order[before < mass])

    return keep


def _most_likely(probabilities_V: NDArray[Any], mass: float) -> NDArray[np.int64]:
    """Return ids in descending order of their probabilities, enough to have `mass` together."""
    if probabilities_V.size <= CHUNK:
        return np.argsort(-probabilities_V, kind="stable")
    # Sorting a large vocabulary takes longer than a step of the network.
    for least in (1e-3, 1e-4, 1e-5, 0.0):
        candidates = np.flatnonzero(probabilities_V >= least)
        if probabilities_V[candidates].sum(dtype=np.float64) >= mass:
            break
    order: NDArray[np.int64] = candidates[np.argsort(-probabilities_V[candidates], kind="stable")]
    return order


def min_p(share: float) -> Filter:
    """Return a filter that keeps the tokens with at least `share` of the highest probability."""

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        return np.where(logits_V >= logits_V.max() + math.log(share), logits_V, logits_V.dtype.type(-np.inf))

    return keep


def typical(mass: float) -> Filter:
    """Return a filter that keeps the smallest set of most typical tokens with a total of at least `mass`.

    The surprise of a typical token is close to the entropy of the distribution. Among equals, the lower ids are kept.
    """

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        probabilities_V = softmax(logits_V)
        possible = np.flatnonzero(probabilities_V)
        surprise = -np.log(probabilities_V[possible])
        entropy = (probabilities_V[possible] * surprise).sum()
        # Without rounding, equally likely tokens would differ.
        order = possible[np.argsort(np.abs(surprise - entropy).round(9), kind="stable")]
        before = np.cumsum(probabilities_V[order]) - probabilities_V[order]
        return only(logits_V, order[before < mass])

    return keep


def xtc(threshold: float, probability: float, generator: Uniform) -> Filter:
    """Return a filter that excludes the top choices, at each token with the given `probability`.

    It removes all tokens of at least `threshold` except the least likely of them; among equals, it keeps that with the
    highest id. It does nothing if only one token reaches the threshold, so a threshold above a half has no effect.
    """

    def exclude(logits_V: Logits, ids: Sequence[int]) -> Logits:
        if generator.random() >= probability:
            return logits_V
        probabilities_V = softmax(logits_V)
        choices = np.flatnonzero(probabilities_V >= threshold)
        if len(choices) < 2:
            return logits_V
        last = choices[np.argsort(-probabilities_V[choices], kind="stable")[-1]]
        return without(logits_V, choices[choices != last])

    return exclude


def greatest(logits_V: Logits, count: int) -> NDArray[np.int64]:
    """Return the ids of the `count` greatest logits, in ascending order; among equals, the lower ids."""
    candidates = candidates_of(logits_V, count)
    values = logits_V[candidates]
    least = np.partition(values, -count)[-count]
    kept = values > least
    equal = np.flatnonzero(values == least)
    kept[equal[: count - np.count_nonzero(kept)]] = True
    ids: NDArray[np.int64] = candidates[kept]
    return ids


CHUNK = 256
"""Logits per chunk of a large vocabulary."""


def candidates_of(logits_V: Logits, count: int) -> NDArray[np.int64]:
    """Return, in ascending order, the ids of at least the `count` greatest logits; few others of a large vocabulary."""
    chunks = logits_V.size // CHUNK
    if chunks <= count:
        return np.arange(logits_V.size)
    # At least `count` logits reach the smallest of the `count` greatest chunk maxima. A chunk is a column, so that the
    # maxima come from comparing whole rows.
    maxima = np.maximum.reduce(logits_V[: chunks * CHUNK].reshape(CHUNK, chunks))
    return np.flatnonzero(logits_V >= np.partition(maxima, -count)[-count])


def softmax(logits_V: Logits) -> Logits:
    """Return the probabilities of the logits, in the same precision."""
    exponentials_V = np.exp(logits_V - logits_V.max())
    probabilities_V: Logits = exponentials_V / exponentials_V.sum()
    return probabilities_V


def only(logits_V: Logits, tokens: Any) -> Logits:
    """Return the logits of these tokens, and minus infinity for all others."""
    result_V = np.full_like(logits_V, -np.inf)
    result_V[tokens] = logits_V[tokens]
    return result_V


def without(logits_V: Logits, tokens: NDArray[np.int64]) -> Logits:
    """Return the logits, with minus infinity for these tokens."""
    result_V = logits_V.copy()
    result_V[tokens] = -np.inf
    return result_V
