"""The gate between a network and counts: how much each is believed at a place, and how counts of all levels combine.

    p(token) = (1 - g) p_network(token) + g p_counts(token)

The gate g is the logistic function of what is linear in the features of the network and in what the counts know of the
place: which contexts were met, how often, and by how many different tokens they were followed. It is a few hundred
numbers that are fitted to text that the network has not seen, while it stands still (L-BFGS: Liu & Nocedal, "On the
Limited Memory BFGS Method for Large Scale Optimization", Mathematical Programming 45, 1989).

Axes: N places, S tokens asked for at each place, D width, K levels.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lilliput.models.counts import LEVELS

_FIRST_SHARE, _FIRST_STRENGTH = 0.25, 4.0
"""The share of the counts, and how strongly each level leans on the less specific one, before anything is fitted."""
_STEPS = 20
_DECAY = 3e-3
"""Nats for the square of a weight: keeps the gate from learning the sample by heart."""
_LOGARITHMS = 0.25
"""Logarithms of counts reach 15; so they are of the size of the rest."""
_LEAST = 1e-9


class Gate(nn.Module):
    """Mixes two distributions; its values have no gradients but while it is fitted."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.strengths = nn.Parameter(torch.full((LEVELS,), math.log(_FIRST_STRENGTH)))
        self.share = nn.Parameter(torch.tensor([math.log(_FIRST_SHARE / (1 - _FIRST_SHARE))]))
        self.by_counts = nn.Parameter(torch.zeros(LEVELS * 4))
        self.by_features = nn.Parameter(torch.zeros(width))
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

    def forward(
        self, logs_NS: Tensor, counted_NS: Tensor, features_ND: Tensor, totals_NK: Tensor, types_NK: Tensor
    ) -> Tensor:
        """Return the logarithms of the mixed probabilities; `logs_NS` are those of the network."""
        known_NK = (totals_NK > 0).float()
        seen = (known_NK, totals_NK.log1p() * _LOGARITHMS, types_NK.log1p() * _LOGARITHMS, known_NK * (types_NK == 1))
        # Sums, not matrix products: autocast would round these to the half format, in which no fit comes to an end.
        by_counts_N, by_features_N = (
            (torch.cat(seen, 1) * self.by_counts).sum(1),
            (features_ND * self.by_features).sum(1),
        )
        gate_N1 = (self.share + by_counts_N + by_features_N).unsqueeze(1)
        return torch.logaddexp(logs_NS + F.logsigmoid(-gate_N1), counted_NS.log() + F.logsigmoid(gate_N1))

    @torch.enable_grad()
    def fit(
        self,
        own_N: Tensor,
        features_ND: Tensor,
        counts_NK: Tensor,
        totals_NK: Tensor,
        types_NK: Tensor,
        lowest_N: Tensor,
    ) -> None:
        """Fit to places of which the network gives the losses `own_N`; where that fails, stay as before."""
        before = [value.clone() for value in self.parameters()]
        search = torch.optim.LBFGS(self.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            search.zero_grad()
            counted_N = self.interpolate(counts_NK, totals_NK, types_NK, lowest_N)
            mixed_N1 = self(-own_N[:, None], counted_N[:, None], features_ND, totals_NK, types_NK)
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
