"""A network and counts of its training text, mixed: each place decides by a gate how much of the counts it takes.

    p(token) = (1 - g) p_network(token) + g p_counts(token)

The counts know by heart what the network would need many passes to learn, and are worth most where that is little time
(Neubig & Dyer 2016, "Generalizing and Hybridizing Count-based and Neural Language Models", arXiv 1606.00499). The gate
is linear in what the network knows of the place (its features) and in what the counts do: how long a context was met,
how often, and by how many different tokens it was followed. While training, each place is left out of the counts, or
they would seem to know all of the training text. The network learns by its own loss and the gate by that of the
mixture: a network that learns by the mixed loss leaves to the counts what they know, and the mixture is the worse.

Axes: B batch, T new positions, P positions before them, N places, D width, K orders, V vocabulary.
"""

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lilliput.models.counts import Counts, Predicted
from lilliput.models.output_loss import output_loss
from lilliput.models.protocol import Cache, Model

LONGEST = 8
"""Tokens of the longest group that is counted: those of the floor."""
_FIRST_SHARE = 0.25
"""The share of the counts before anything is learnt."""


@dataclass
class MixtureCache:
    """The network's cache, and the latest tokens for the counts."""

    network: Cache
    latest_BP: Tensor

    @property
    def length(self) -> int:
        """Return the number of positions that every row has seen."""
        return self.network.length

    @property
    def capacity(self) -> int | None:
        """Return the network's capacity."""
        return self.network.capacity


class Mixture(Model):
    """A network with counts beside it; `learn` has to be called before the first pass.

    Its features are those of the network and, in `LONGEST` more columns, the ranks of the contexts in the counts.
    """

    def __init__(self, network: Model) -> None:
        super().__init__()
        self.settings, self.vocab_size, self.context = network.settings, network.vocab_size, network.context
        self.network = network
        # Vectors, which no optimiser takes for matrices that carry the stream.
        self.gate_by_order = nn.Parameter(torch.full((LONGEST + 1,), math.log(_FIRST_SHARE / (1 - _FIRST_SHARE))))
        self.gate_by_counts = nn.Parameter(torch.zeros(3))
        self.gate_by_features = nn.Parameter(torch.zeros(network.output.in_features))
        self._counts: Counts | None = None

    @property
    def output(self) -> nn.Linear:  # type: ignore[override]  # the network's, not one of its own
        """Return the output matrix of the network."""
        return self.network.output

    def learn(self, ids: NDArray[Any]) -> None:
        """Count the training text; of a long one the end."""
        self._counts = Counts(ids, LONGEST, self.vocab_size)

    def features(self, ids_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """Return the network's features_BTD, followed by the ranks of the contexts."""
        held = cast(MixtureCache, cache) if cache is not None else None
        features_BTD = self.network.features(ids_BT, held.network if held is not None else None)
        ranks_BTK = self._contexts(ids_BT, held.latest_BP if held is not None else ids_BT[:, :0])
        if held is not None:
            held.latest_BP = torch.cat((held.latest_BP, ids_BT), 1)[:, -(LONGEST - 1) :]
        # In single precision, in which ranks below 2^24 are exact.
        return torch.cat((features_BTD.float(), ranks_BTK), -1)

    def head(self, features_BTD: Tensor) -> Tensor:
        """Return the logarithms of the mixed probabilities, which are logits_BTV."""
        flat_ND, ranks_NK = self._split(features_BTD.flatten(0, -2))
        predicted = self._known().predict_all(ranks_NK)
        logs_NV = self.network.output(flat_ND).float().log_softmax(-1)
        mixed_NV = self._mix(logs_NV, flat_ND, predicted)
        return mixed_NV.view(*features_BTD.shape[:-1], self.vocab_size)

    def losses(self, features_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target; the counts are asked for nothing but the targets."""
        flat_ND, ranks_NK = self._split(features_ND)
        own_N = F.cross_entropy(self.network.output(flat_ND).float(), targets_N, reduction="none")
        return self._mixed(own_N, flat_ND, ranks_NK, targets_N)

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the weighted sum of the losses; its gradient is that of the network's own loss and of the gate's."""
        flat_ND, ranks_NK = self._split(features_ND)
        own, own_N = output_loss(flat_ND, self.output, targets_N, weights_N)
        mixed = (self._mixed(own_N, flat_ND.detach(), ranks_NK, targets_N) * weights_N).sum()
        return mixed + own - own.detach()

    def new_cache(self, batch: int) -> MixtureCache:
        """Return an empty cache of the network, and no tokens."""
        device = self.gate_by_counts.device
        return MixtureCache(self.network.new_cache(batch), torch.zeros(batch, 0, dtype=torch.long, device=device))

    def _known(self) -> Counts:
        if self._counts is None:
            raise RuntimeError("a mixture has to learn its counts before its first pass")
        return self._counts

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _contexts(self, ids_BT: Tensor, before_BP: Tensor) -> Tensor:
        ranks_BTK = self._known().contexts(ids_BT.cpu().numpy(), before_BP.cpu().numpy())
        return torch.from_numpy(ranks_BTK.astype(np.float32)).to(ids_BT.device)

    def _split(self, features_ND: Tensor) -> tuple[Tensor, NDArray[np.int32]]:
        ranks_NK = features_ND[:, -LONGEST:].detach().cpu().numpy().astype(np.int32)
        return features_ND[:, :-LONGEST], ranks_NK

    def _mixed(self, own_N: Tensor, flat_ND: Tensor, ranks_NK: NDArray[np.int32], targets_N: Tensor) -> Tensor:
        """Return the losses of the mixture, `own_N` being those of the network alone."""
        predicted = self._known().predict(ranks_NK, targets_N.cpu().numpy(), leave_one_out=self.training)
        return -self._mix(-own_N[:, None], flat_ND, predicted)[:, 0]

    def _mix(self, logs_NS: Tensor, features_ND: Tensor, predicted: Predicted) -> Tensor:
        """Return the logarithms of the mixed probabilities, `logs_NS` being those of the network."""
        device = logs_NS.device
        totals_N, types_N = (
            torch.from_numpy(array.astype(np.float32)).to(device) for array in (predicted.totals_N, predicted.types_N)
        )
        seen_N3 = torch.stack((totals_N.log1p(), types_N.log1p(), (types_N == 1).float()), 1)
        gate_N1 = (
            self.gate_by_order[torch.from_numpy(predicted.matched_N).to(device)]
            + (seen_N3 * self.gate_by_counts).sum(1)
            + (features_ND * self.gate_by_features).sum(1)
        ).unsqueeze(1)
        counted_NS = torch.from_numpy(np.log(predicted.probabilities_NS).astype(np.float32)).to(device)
        return torch.logaddexp(logs_NS + F.logsigmoid(-gate_N1), counted_NS + F.logsigmoid(gate_N1))
