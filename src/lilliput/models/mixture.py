"""A network with counts of its training text beside it.

The counts know by heart what the network would need many passes to learn, and are worth most where that is little time
(Neubig & Dyer 2016, "Generalizing and Hybridizing Count-based and Neural Language Models", arXiv 1606.00499). The
network learns as if it were alone: one that learns by the loss of both leaves to the counts what they know, and both
together are the worse. What decides between them (`gate`) is fitted now and then, in the state in which the network is
measured, to a part of the text from which it does not learn. The counts do, but each place is left out of them while it
is asked for, or they would seem to know all of it.

Axes: B batch, T new positions, P positions before them, N places, D width, K levels, V vocabulary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lilliput.models.counts import LEVELS, Counts
from lilliput.models.gate import Gate
from lilliput.models.protocol import Cache, Model
from lilliput.models.words import REACH, Words


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
    """A network with counts beside it; `learn` has to be called before the first pass that does not train.

    Its features are those of the network and, in `LEVELS` more columns, the ranks of the contexts in the counts. While
    it trains it is the network alone.
    """

    def __init__(self, network: Model) -> None:
        super().__init__()
        self.settings, self.vocab_size, self.context = network.settings, network.vocab_size, network.context
        self.network = network
        self.gate = Gate(sum(output.in_features for output in network.outputs()))
        self._counts: Counts | None = None

    def outputs(self) -> list[nn.Linear]:
        """Return the output matrices of the network."""
        return self.network.outputs()

    def learn(self, ids: NDArray[Any], texts: Sequence[str]) -> None:
        """Count the training text, of a long one the end; `texts` are what the tokens decode to, by id."""
        self._counts = Counts(ids, Words(texts), self.vocab_size)

    @torch.no_grad()
    def fit_gate(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit the gate to parts of the counted text, given as ids_BT and the tokens that follow them."""
        training, parts = self.training, []
        self.eval()
        for ids_BT, targets_BT in batches:
            flat_ND, ranks_NK = self._split(self.features(ids_BT).flatten(0, 1))
            targets_N = targets_BT.flatten()
            own_N = self.network.losses(flat_ND, targets_N)
            parts.append((own_N, flat_ND, *self._followed(ranks_NK, targets_N, leave_one_out=True)))
        self.gate.fit(*(torch.cat(part) for part in zip(*parts, strict=True)))
        self.train(training)

    def features(self, ids_BT: Tensor, cache: Cache | None = None) -> Tensor:
        """Return the network's features_BTD, followed by the ranks of the contexts unless it trains."""
        if self.training:
            return self.network.features(ids_BT, cache)
        held = cast(MixtureCache, cache) if cache is not None else None
        features_BTD = self.network.features(ids_BT, held.network if held is not None else None)
        before_BP = held.latest_BP if held is not None else ids_BT[:, :0]
        ranks_BTK = self._known().contexts(ids_BT.cpu().numpy(), before_BP.cpu().numpy())
        if held is not None:
            held.latest_BP = torch.cat((held.latest_BP, ids_BT), 1)[:, 1 - REACH :]
        # In single precision, in which ranks below 2^24 are exact.
        return torch.cat((features_BTD.float(), self._tensor(ranks_BTK)), -1)

    def head(self, features_BTD: Tensor) -> Tensor:
        """Return the logarithms of the mixed probabilities, which are logits_BTV."""
        flat_ND, ranks_NK = self._split(features_BTD.flatten(0, -2))
        counts = self._known()
        counted_NV = self._tensor(counts.probabilities(ranks_NK, self.gate.strengths.exp().cpu().numpy()))
        logs_NV = self.network.head(flat_ND.unsqueeze(0)).squeeze(0).float().log_softmax(-1)
        mixed_NV: Tensor = self.gate(logs_NV, counted_NV, flat_ND, *map(self._tensor, counts.known(ranks_NK)))
        return mixed_NV.view(*features_BTD.shape[:-1], self.vocab_size)

    def losses(self, features_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target; the counts are asked for nothing but the targets."""
        flat_ND, ranks_NK = self._split(features_ND)
        own_N = self.network.losses(flat_ND, targets_N)
        counts_NK, totals_NK, types_NK, lowest_N = self._followed(ranks_NK, targets_N, leave_one_out=False)
        counted_N = self.gate.interpolate(counts_NK, totals_NK, types_NK, lowest_N)
        mixed_N1: Tensor = self.gate(-own_N[:, None], counted_N[:, None], flat_ND, totals_NK, types_NK)
        return -mixed_N1[:, 0]

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the weighted sum of the losses of the network alone, which is what it learns by."""
        return self.network.loss(features_ND, targets_N, weights_N)

    def new_cache(self, batch: int) -> MixtureCache:
        """Return an empty cache of the network, and no tokens."""
        device = self.gate.share.device
        return MixtureCache(self.network.new_cache(batch), torch.zeros(batch, 0, dtype=torch.long, device=device))

    def _known(self) -> Counts:
        if self._counts is None:
            raise RuntimeError("a mixture has to learn its counts before its first pass")
        return self._counts

    def _split(self, features_ND: Tensor) -> tuple[Tensor, NDArray[np.int32]]:
        ranks_NK = features_ND[:, -LEVELS:].detach().cpu().numpy().astype(np.int32)
        return features_ND[:, :-LEVELS], ranks_NK

    def _followed(self, ranks_NK: NDArray[np.int32], targets_N: Tensor, *, leave_one_out: bool) -> tuple[Tensor, ...]:
        """Return counts_NK, totals_NK, types_NK (`Followed`) and lowest_N."""
        counts, tokens_N = self._known(), targets_N.cpu().numpy()
        followed = counts.followed(ranks_NK, tokens_N, leave_one_out)
        return *map(self._tensor, followed), self._tensor(counts.lowest_V[tokens_N])

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self.gate.share.device)
