"""The gate between a network, counts, and what stood before: how much each is believed at a place.

    p(token) = (1 - h) ((1 - g) p_network(token) + g p_counts(token)) + h (1 if the token is the guess, else 0)

The guess is that of `matches`; where there is none, h is 0. Both g and h are the logistic function of what is linear in
the features of the network and in what the counts know of the place: which contexts were met, how often, and by how
many different tokens they were followed; h also in the logarithm of the length of the group that the guess follows. It
is a few hundred numbers that are fitted to text that neither the network nor the counts have seen, while they stand
still (L-BFGS: Liu & Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", Mathematical Programming
45, 1989).

Axes: N places, S tokens asked for at each place, D width, K levels.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lilliput.models.mixing.counts import LEVELS

_FIRST_SHARE, _FIRST_GUESS, _FIRST_STRENGTH = 0.25, 0.05, 4.0
"""The shares of counts and guess, and how strongly each level leans on the less specific one, before any fitting."""
_STEPS = 20
_DECAY = 3e-3
"""Nats for the square of a weight: keeps the gate from learning the sample by heart."""
LOGARITHMS = 0.25
"""Logarithms of counts reach 15; so they are of the size of the rest."""
_LEAST = 1e-9


class Place(NamedTuple):
    """What the gate sees of N places: of the network, of the counts (`Followed`) and of what stood before."""

    features_ND: Tensor
    totals_NK: Tensor
    types_NK: Tensor
    lengths_N: Tensor
    """Of the group that the guess follows; 0 where there is no guess."""


class Gate(nn.Module):
    """Mixes distributions; its values have no gradients but while it is fitted."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.strengths = nn.Parameter(torch.full((LEVELS,), math.log(_FIRST_STRENGTH)))
        # Of each pair the first is for the counts, the second for the guess.
        first = torch.tensor([_FIRST_SHARE, _FIRST_GUESS])
        self.shares = nn.Parameter((first / (1 - first)).log())
        self.by_counts = nn.Parameter(torch.zeros(2, LEVELS * 4))
        self.by_features = nn.Parameter(torch.zeros(2, width))
        self.by_length = nn.Parameter(torch.zeros(1))
        self.requires_grad_(False)

    def interpolate(self, counts_NK: Tensor, totals_NK: Tensor, types_NK: Tensor, lowest_N: Tensor) -> Tensor:
        """Return counted_N, what the levels of the counts together predict (`Followed`, `Counts.lowest_V`)."""
        counted_N = lowest_N
        levels = zip(self.strengths.exp(), counts_NK.T, totals_NK.T, types_NK.T, strict=True)
        for strength, counts_N, totals_N, types_N in levels:
            leaning_N = strength * types_N
            higher_N = (counts_N + leaning_N * counted_N) / (totals_N + leaning_N).clamp(min=_LEAST)
            counted_N = torch.where(totals_N > 0, higher_N, counted_N)
        return counted_N

    def forward(self, logs_NS: Tensor, counted_NS: Tensor, guessed_NS: Tensor, place: Place) -> Tensor:
        """Return the logarithms of the mixed probabilities.

        `logs_NS` are those of the network; `guessed_NS` is true where the token asked for is the guess.
        """
        known_NK = (place.totals_NK > 0).float()
        logarithms = (place.totals_NK.log1p() * LOGARITHMS, place.types_NK.log1p() * LOGARITHMS)
        seen_NC = torch.cat((known_NK, *logarithms, known_NK * (place.types_NK == 1)), 1)
        # Sums, not matrix products: autocast would round these to the half format, in which no fit comes to an end.
        counts_N1, guess_N1 = (
            (share + (seen_NC * by_counts).sum(1) + (place.features_ND * by_features).sum(1)).unsqueeze(1)
            for share, by_counts, by_features in zip(self.shares, self.by_counts, self.by_features, strict=True)
        )
        guess_N1 = guess_N1 + self.by_length * place.lengths_N.log1p().unsqueeze(1)
        mixed_NS = torch.logaddexp(logs_NS + F.logsigmoid(-counts_N1), counted_NS.log() + F.logsigmoid(counts_N1))
        other_NS = mixed_NS + F.logsigmoid(-guess_N1)
        guessed_NS = torch.where(guessed_NS, torch.logaddexp(other_NS, F.logsigmoid(guess_N1)), other_NS)
        return torch.where(place.lengths_N.unsqueeze(1) > 0, guessed_NS, mixed_NS)

    @torch.enable_grad()
    def fit(self, own_N: Tensor, counts_NK: Tensor, lowest_N: Tensor, guessed_N: Tensor, place: Place) -> None:
        """Fit to places of which the network gives the losses `own_N`; where that fails, stay as before."""
        before = [value.clone() for value in self.parameters()]
        search = torch.optim.LBFGS(self.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            search.zero_grad()
            counted_N = self.interpolate(counts_NK, place.totals_NK, place.types_NK, lowest_N)
            mixed_N1 = self(-own_N[:, None], counted_N[:, None], guessed_N[:, None], place)
            decay = _DECAY * (self.by_counts.square().sum() + self.by_features.square().sum())
            loss: Tensor = decay - mixed_N1.mean()
            torch.autograd.backward(loss)
            return loss

        self.requires_grad_(True)
        search.step(closure)  # type: ignore[no-untyped-call]
        self.requires_grad_(False)
        self.zero_grad(set_to_none=True)
        if not all(bool(value.isfinite().all()) for value in self.parameters()):
            for value, former in zip(self.parameters(), before, strict=True):
                value.copy_(former)
