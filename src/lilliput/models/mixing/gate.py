"""The gate, which sets the weights of a network, counts and matches at each position.

    p(token) = (1 - h) ((1 - g) p_network(token) + g p_counts(token)) + h (1 if the token is the guess, else 0)

The guess comes from `matches`; without one, h is 0. Both g and h are logistic functions of the features of the network
and of the counts: which contexts occur, how often, and how many different tokens follow them; h also depends on the
logarithm of the length of the match. The few hundred parameters are fitted to text that neither the network nor the
counts have seen, with both frozen (L-BFGS: Liu & Nocedal, "On the Limited Memory BFGS Method for Large Scale
Optimization", Mathematical Programming 45, 1989).

Axes: N positions, S tokens scored at each position, D width, K levels.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lilliput.models.mixing.counts import LEVELS

_FIRST_SHARE, _FIRST_GUESS, _FIRST_STRENGTH = 0.25, 0.05, 4.0
"""Initial values: the weights of counts and guess, and the smoothing strength of each level."""
_STEPS = 20
_DECAY = 3e-3
"""Nats per squared weight: keeps the gate from overfitting the sample."""
LOGARITHMS = 0.25
"""Scales the logarithms of counts, which reach 15, to the size of the other inputs."""
_LEAST = 1e-9


class GateInputs(NamedTuple):
    """The inputs of the gate at N positions: from the network, the counts (`Followed`) and the matches."""

    features_ND: Tensor
    totals_NK: Tensor
    types_NK: Tensor
    lengths_N: Tensor
    """The length of the match before the guess; 0 without a guess."""


class Gate(nn.Module):
    """Mixes distributions; its parameters require gradients only inside `fit`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.strengths = nn.Parameter(torch.full((LEVELS,), math.log(_FIRST_STRENGTH)))
        # In each pair the first is for the counts, the second for the guess.
        first = torch.tensor([_FIRST_SHARE, _FIRST_GUESS])
        self.shares = nn.Parameter((first / (1 - first)).log())
        self.by_counts = nn.Parameter(torch.zeros(2, LEVELS * 4))
        self.by_features = nn.Parameter(torch.zeros(2, width))
        self.by_length = nn.Parameter(torch.zeros(1))
        self.requires_grad_(False)

    def interpolate(self, counts_NK: Tensor, totals_NK: Tensor, types_NK: Tensor, lowest_N: Tensor) -> Tensor:
        """Return counted_N, the interpolated probabilities of the counts (`Followed`, `Counts.lowest_V`)."""
        counted_N = lowest_N
        levels = zip(self.strengths.exp(), counts_NK.T, totals_NK.T, types_NK.T, strict=True)
        for strength, counts_N, totals_N, types_N in levels:
            smoothing_N = strength * types_N
            higher_N = (counts_N + smoothing_N * counted_N) / (totals_N + smoothing_N).clamp(min=_LEAST)
            counted_N = torch.where(totals_N > 0, higher_N, counted_N)
        return counted_N

    def forward(self, logs_NS: Tensor, counted_NS: Tensor, guessed_NS: Tensor, inputs: GateInputs) -> Tensor:
        """Return the logarithms of the mixed probabilities.

        `logs_NS` are those of the network; `guessed_NS` is true where the scored token is the guess.
        """
        knnetwork_NK = (inputs.totals_NK > 0).float()
        logarithms = (inputs.totals_NK.log1p() * LOGARITHMS, inputs.types_NK.log1p() * LOGARITHMS)
        counts_NC = torch.cat((knnetwork_NK, *logarithms, knnetwork_NK * (inputs.types_NK == 1)), 1)
        # Sums, not matrix products: autocast would round those to half precision, in which the fit does not converge.
        counts_N1, guess_N1 = (
            (share + (counts_NC * by_counts).sum(1) + (inputs.features_ND * by_features).sum(1)).unsqueeze(1)
            for share, by_counts, by_features in zip(self.shares, self.by_counts, self.by_features, strict=True)
        )
        guess_N1 = guess_N1 + self.by_length * inputs.lengths_N.log1p().unsqueeze(1)
        mixed_NS = torch.logaddexp(logs_NS + F.logsigmoid(-counts_N1), counted_NS.log() + F.logsigmoid(counts_N1))
        other_NS = mixed_NS + F.logsigmoid(-guess_N1)
        guessed_NS = torch.where(guessed_NS, torch.logaddexp(other_NS, F.logsigmoid(guess_N1)), other_NS)
        return torch.where(inputs.lengths_N.unsqueeze(1) > 0, guessed_NS, mixed_NS)

    @torch.enable_grad()
    def fit(
        self, network_N: Tensor, counts_NK: Tensor, lowest_N: Tensor, guessed_N: Tensor, inputs: GateInputs
    ) -> None:
        """Fit to positions with the network losses `network_N`; if the fit diverges, keep the previous values."""
        before = [value.clone() for value in self.parameters()]
        search = torch.optim.LBFGS(self.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            search.zero_grad()
            counted_N = self.interpolate(counts_NK, inputs.totals_NK, inputs.types_NK, lowest_N)
            mixed_N1 = self(-network_N[:, None], counted_N[:, None], guessed_N[:, None], inputs)
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
