"""The mixture for generation, one token at a time.

Computes the same as `Mixture.head`, without torch. It updates the contexts of a text token by token, while the mixture
computes them for many positions at once. A token takes a tenth of the time.

Vectors: V vocabulary, D features of the network, K levels, M latest tokens.
"""

from collections.abc import Iterable
from copy import copy
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.models.mixing.counts import Counts
from lilliput.models.mixing.gate import LOGARITHMS, Gate
from lilliput.models.mixing.matches import Matches
from lilliput.models.mixing.words import REACH

Array = NDArray[np.float32]


class Voices(NamedTuple):
    """What each part of a mixture predicts for the next token: probabilities by token, and the guess, if there is one.

    The mixture is the sum of the three, weighted with their shares, which add up to 1.
    """

    network_V: NDArray[np.float64]
    counts_V: NDArray[np.float64]
    guess: int | None
    network_share: float
    counts_share: float
    guess_share: float


class Before:
    """The state of one text before its next token: its counted contexts and its matches."""

    def __init__(self, counts: Counts, ids: Iterable[int]) -> None:
        """Start with the tokens of a text."""
        tokens = list(ids)
        # A context that starts before these is too long to be counted.
        self._trail = counts.trail(tokens[-2 * REACH :])
        self._matches = Matches(np.array([tokens], np.int32))

    def __copy__(self) -> "Before":
        other = object.__new__(Before)
        # `Matches.add` makes new arrays.
        other._trail, other._matches = copy(self._trail), copy(self._matches)
        return other

    def add(self, token: int) -> tuple[list[int], int, int]:
        """Return contexts_K after one more token, the guess at the next one, and the length of its group."""
        guesses, lengths = self._matches.add(np.array([[token]], np.int32))
        return self._trail.add(token), int(guesses[0, 0]), int(lengths[0, 0])


class Steps:
    """Counts and a gate, with the parameters of the gate as NumPy values."""

    def __init__(self, counts: Counts, gate: Gate) -> None:
        self._counts = counts
        values = {name: value.detach().cpu().double().numpy() for name, value in gate.named_parameters()}
        self._strengths_K: list[float] = np.exp(values["strengths"]).tolist()
        self._shares, self._by_counts = values["shares"], values["by_counts"]
        self._by_features, self._by_length = values["by_features"], float(values["by_length"][0])

    def begin(self, ids: Iterable[int]) -> Before:
        """Return the state after the tokens `ids`."""
        return Before(self._counts, ids)

    def mix(self, features_D: Array, logits_V: Array, before: Before, token: int) -> Array:
        """Mix the network's `logits_V` after `token` with counts and matches; add `token` to `before`."""
        contexts_K, guess, length = before.add(token)
        by_counts, by_guess = self._gate(features_D, contexts_K, length)
        weights_V = np.exp(logits_V - logits_V.max(), dtype=np.float64)
        mixed_V = self._counts.after(contexts_K, self._strengths_K)
        mixed_V *= by_counts
        weights_V *= (1 - by_counts) / weights_V.sum()
        mixed_V += weights_V
        if length:
            mixed_V *= 1 - by_guess
            mixed_V[guess] += by_guess
        result_V: Array = np.log(mixed_V).astype(np.float32)
        return result_V

    def voices(self, features_D: Array, logits_V: Array, before: Before, token: int) -> Voices:
        """Return the parts of what `mix` returns; add `token` to `before`."""
        contexts_K, guess, length = before.add(token)
        by_counts, by_guess = self._gate(features_D, contexts_K, length)
        weights_V = np.exp(logits_V - logits_V.max(), dtype=np.float64)
        counts_V = self._counts.after(contexts_K, self._strengths_K)
        shares = (1 - by_guess) * (1 - by_counts), (1 - by_guess) * by_counts, by_guess
        return Voices(weights_V / weights_V.sum(), counts_V, guess if length else None, *shares)

    def _gate(self, features_D: Array, contexts_K: list[int], length: int) -> tuple[float, float]:
        """Return the share of the counts beside the network, and that of the guess beside both."""
        totals_K, types_K = self._counts.met(contexts_K)
        occurs_K = totals_K > 0
        logarithms = np.log1p(totals_K) * LOGARITHMS, np.log1p(types_K) * LOGARITHMS
        counts_C = np.concatenate((occurs_K, *logarithms, occurs_K & (types_K == 1)))
        by_counts, by_guess = (self._shares + self._by_counts @ counts_C + self._by_features @ features_D).tolist()
        if not length:
            return _logistic(by_counts), 0.0
        return _logistic(by_counts), _logistic(by_guess + self._by_length * float(np.log1p(length)))


def _logistic(value: float) -> float:
    return 1 / (1 + float(np.exp(-value)))
