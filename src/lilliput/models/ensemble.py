"""An ensemble: several networks of one shape with different initial weights, whose predictions are averaged.

Each member learns from its own loss, as if it were alone. The members differ in what they memorised or learnt by
chance, so their average is better than each of them (Hansen & Salamon, "Neural Network Ensembles", IEEE TPAMI 12,
1990). After many epochs on one text, it is also better than a single network with the same training time. Each
generated token takes one pass per member.

Axes: B batch, T time, N positions, D width of all members together, V vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from lilliput.models.protocol import Branches, Cache, Model, StaticCache

if TYPE_CHECKING:
    from lilliput.models.graph import Graph


@dataclass
class EnsembleCache:
    """The members' caches."""

    members: list[Cache]

    @property
    def lengths(self) -> list[int]:
        """Return the number of positions that each row has seen."""
        return self.members[0].lengths

    @property
    def length(self) -> int:
        """Return the number of positions that the longest row has seen."""
        return self.members[0].length

    @property
    def capacity(self) -> int | None:
        """Return the capacity of each member's cache."""
        return self.members[0].capacity

    def branch(self, count: int) -> None:
        """Turn each prompt into `count` rows; only for caches from `Ensemble.new_branches`."""
        for member in self.members:
            cast(Branches, member).branch(count)

    def reset_row(self, row: int) -> None:
        """Empty one row."""
        for member in self.members:
            member.reset_row(row)

    def copy_row(self, row: int, other: "EnsembleCache") -> None:
        """Copy the only row of `other` into one row."""
        for mine, theirs in zip(self.members, other.members, strict=True):
            mine.copy_row(row, theirs)

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        for member in self.members:
            member.reorder(rows)

    def make_static(self) -> None:
        """Make the caches of all members static (`StaticCache`)."""
        for member in self.members:
            cast(StaticCache, member).make_static()

    def copy_from(self, other: "EnsembleCache", rows: Sequence[int]) -> None:
        """Replace the rows by these rows of `other`."""
        for mine, theirs in zip(self.members, other.members, strict=True):
            cast(StaticCache, mine).copy_from(theirs, rows)


class Ensemble(Model):
    """Several models as one; its features are the concatenated features of the members."""

    def __init__(self, members: Sequence[Model]) -> None:
        super().__init__()
        first = members[0]
        self.settings, self.vocab_size, self.context = first.settings, first.vocab_size, first.context
        self.members = nn.ModuleList(members)

    def features(self, ids_BT: Tensor, cache: Cache | None = None, before_BP: Tensor | None = None) -> Tensor:
        """Return features_BTD, the concatenated features of the members."""
        caches = [None] * len(self.members) if cache is None else cast(EnsembleCache, cache).members
        pairs = zip(self._models(), caches, strict=True)
        return torch.cat([member.features(ids_BT, held, before_BP) for member, held in pairs], -1)

    def head(self, features_BTD: Tensor) -> Tensor:
        """Return the logarithms of the averaged probabilities, which are logits_BTV."""
        logs = [member.head(part).float().log_softmax(-1) for member, part in self._parts(features_BTD)]
        return torch.stack(logs).logsumexp(0) - math.log(len(logs))

    def losses(self, features_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target in nats."""
        losses = [member.losses(part, targets_N) for member, part in self._parts(features_ND)]
        return math.log(len(losses)) - torch.stack(losses).neg().logsumexp(0)

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the mean of the members' weighted sums of losses."""
        losses = [member.loss(part, targets_N, weights_N) for member, part in self._parts(features_ND)]
        return torch.stack(losses).mean()

    def outputs(self) -> list[nn.Linear]:
        """Return the members' output matrices."""
        return [output for member in self._models() for output in member.outputs()]

    def emit(self, graph: "Graph") -> tuple[str, str]:
        """Write the members into a graph, and the average of their predictions."""
        features, logits = zip(*(member.emit(graph) for member in self._models()), strict=True)
        averaged = graph.mean([graph.softmax(part) for part in logits])
        return graph.concatenate(features), graph.log(averaged)

    def new_cache(self, batch: int) -> EnsembleCache:
        """Return empty caches of all members."""
        return EnsembleCache([member.new_cache(batch) for member in self._models()])

    def new_branches(self, prompts: int) -> EnsembleCache:
        """Return caches of all members for continuations of `prompts` prompts of one length."""
        return EnsembleCache([cast(Cache, member.new_branches(prompts)) for member in self._models()])

    def _models(self) -> list[Model]:
        return cast(list[Model], list(self.members))

    def _parts(self, features_D: Tensor) -> list[tuple[Model, Tensor]]:
        models = self._models()
        return list(zip(models, features_D.chunk(len(models), -1), strict=True))
