"""A network mixed with counts of its training text and with matches in the preceding text.

Counts memorise what the network would need many passes to learn, and help most in short runs (Neubig & Dyer 2016,
"Generalizing and Hybridizing Count-based and Neural Language Models", arXiv 1606.00499). Matches predict what is new
in the text, such as the name of a person. The network learns as if it were alone: trained on the mixed loss, it leaves
to the counts what they predict well, and the mixture gets worse. The gate (`gate`) is fitted before evaluations, with
the network in evaluation mode, to a part of the text from which the network does not learn. That part is counted, so
the fit excludes it from the counts; otherwise the counts would seem to predict it perfectly.

Axes: B batch, T new positions, P positions before them, N positions, D width, K levels, V vocabulary.
"""

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lilliput.models.mixing.counts import LEVELS, Counts
from lilliput.models.mixing.gate import Gate, GateInputs
from lilliput.models.mixing.matches import MEMORY, Matches
from lilliput.models.mixing.steps import Steps
from lilliput.models.mixing.words import REACH, Words
from lilliput.models.protocol import Cache, CalibrationBatch, Model, PartLosses, TrainingText, evaluating

if TYPE_CHECKING:
    from lilliput.models.graph import Graph

_COLUMNS = LEVELS + 2
"""Columns after the features of the network: the ranks of the contexts, the guess, and the length of its match."""


@dataclass
class MixtureCache:
    """The network's cache, and the latest tokens of each row for counts and matches."""

    network: Cache
    matches: list[Matches] = field(default_factory=list)

    @property
    def lengths(self) -> list[int]:
        """Return the number of positions that each row has seen."""
        return self.network.lengths

    @property
    def length(self) -> int:
        """Return the number of positions that the longest row has seen."""
        return self.network.length

    @property
    def capacity(self) -> int | None:
        """Return the network's capacity."""
        return self.network.capacity

    def reset_row(self, row: int) -> None:
        """Empty one row; keep the tokens before it."""
        self.network.reset_row(row)

    def copy_row(self, row: int, other: "MixtureCache") -> None:
        """Copy the only row of `other` into one row."""
        self.network.copy_row(row, other.network)
        if not self.matches:
            self.matches = [copy(other.matches[0]) for _ in self.lengths]
        self.matches[row] = copy(other.matches[0])

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        self.network.reorder(rows)
        # `Matches.add` makes new arrays, so a shallow copy is enough.
        self.matches = [copy(self.matches[row]) for row in rows] if self.matches else []


class _Parts(NamedTuple):
    """The columns of the features of N positions."""

    features_ND: Tensor
    ranks_NK: NDArray[np.int32]
    guesses_N: Tensor
    lengths_N: Tensor


class Mixture(Model):
    """A network mixed with counts and matches; call `learn` before the first pass in evaluation mode.

    Its features are those of the network and `_COLUMNS` more. In training mode it is the network alone.
    """

    memory = MEMORY

    def __init__(self, network: Model) -> None:
        super().__init__()
        self.settings, self.vocab_size, self.context = network.settings, network.vocab_size, network.context
        self.network = network
        self.gate = Gate(sum(output.in_features for output in network.outputs()))
        self._counts: Counts | None = None
        # In a tuple, so that it is not a submodule: it only measures the counts alone.
        self._without_network: tuple[Gate, ...] = ()

    def outputs(self) -> list[nn.Linear]:
        """Return the output matrices of the network."""
        return self.network.outputs()

    def learn(self, read: Callable[[], TrainingText]) -> None:
        """Count the training text that `read` returns; of a long text, only the end."""
        text = read()
        self._counts = Counts(text.ids, Words(text.texts, capitals=text.capitals), self.vocab_size, text.starts)

    @torch.no_grad()
    def calibrate(self, batches: Sequence[CalibrationBatch], *, counts_alone: bool = False) -> None:
        """Fit the gate to parts of the counted text.

        With `counts_alone`, fit a second gate to the same parts, with a uniform distribution in inputs of the network.
        `part_losses` then uses it to measure the loss of counts and guesses alone.
        """
        if not batches:
            return
        gate = Gate(0).to(self.gate.shares.device) if counts_alone else self.gate
        with evaluating(self):
            self._fit(gate, batches)
        if counts_alone:
            self._without_network = (gate,)

    def _fit(self, gate: Gate, batches: Sequence[CalibrationBatch]) -> None:
        split, targets, network_losses = [], [], []
        device = self.gate.shares.device
        for before_BP, inputs_BT, targets_BT in batches:
            split.append(self._split(self.features(inputs_BT.to(device), before_BP=before_BP).flatten(0, 1)))
            targets.append(targets_BT.flatten().to(device))
            network_losses.append(self._network_losses(gate, split[-1].features_ND, targets[-1]))
        features_ND, guesses_N, lengths_N = (
            torch.cat([getattr(parts, name) for parts in split]) for name in ("features_ND", "guesses_N", "lengths_N")
        )
        targets_N = torch.cat(targets)
        ranks_NK = np.concatenate([parts.ranks_NK for parts in split])
        counts_NK, totals_NK, types_NK, lowest_N = self._followed(ranks_NK, targets_N, leave_out=True)
        inputs = GateInputs(self._gate_features(gate, features_ND), totals_NK, types_NK, lengths_N)
        gate.fit(torch.cat(network_losses), counts_NK, lowest_N, guesses_N == targets_N, inputs)

    def _network_losses(self, gate: Gate, features_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Return the losses of the network; for a gate without network, those of a uniform distribution."""
        if gate is self.gate:
            return self.network.losses(features_ND, targets_N)
        return torch.full(targets_N.shape, math.log(self.vocab_size), device=targets_N.device)

    def _gate_features(self, gate: Gate, features_ND: Tensor) -> Tensor:
        return features_ND if gate is self.gate else features_ND[:, :0]

    def features(self, ids_BT: Tensor, cache: Cache | None = None, before_BP: Tensor | None = None) -> Tensor:
        """Return the network's features_BTD, followed by the other columns in evaluation mode."""
        if self.training:
            return self.network.features(ids_BT, cache)
        held = cast(MixtureCache, cache) if cache is not None else None
        features_BTD = self.network.features(ids_BT, held.network if held is not None else None)
        ids = ids_BT.cpu().numpy()
        before = ids[:, :0] if before_BP is None else before_BP.cpu().numpy()
        # Rows in a cache may have different lengths.
        matches = [Matches(before)] if held is None else held.matches or list(map(Matches, np.split(before, len(ids))))
        if held is not None:
            held.matches = matches
        parts = [
            self._columns(part, row_matches)
            for part, row_matches in zip(np.split(ids, len(matches)), matches, strict=True)
        ]
        return torch.cat((features_BTD.float(), self._tensor(np.concatenate(parts))), -1)

    def _columns(self, ids: NDArray[Any], matches: Matches) -> NDArray[Any]:
        """Return the columns of rows that continue `matches`; add the rows to `matches`."""
        ranks_BTK = self._require_counts().contexts(ids, matches.latest(REACH - 1))
        guesses_BT, lengths_BT = matches.add(ids)
        # Stored in single precision, which is exact for integers below 2^24.
        return np.concatenate((ranks_BTK, guesses_BT[..., None], lengths_BT[..., None]), -1)

    def head(self, features_BTD: Tensor) -> Tensor:
        """Return logits_BTV, the logarithms of the mixed probabilities."""
        parts = self._split(features_BTD.flatten(0, -2))
        logs_NV = self.network.head(parts.features_ND.unsqueeze(0)).squeeze(0).float().log_softmax(-1)
        return self._mixed(logs_NV, parts).view(*features_BTD.shape[:-1], self.vocab_size)

    def steps(self) -> Steps:
        """Return the mixture for generation token by token, with the current values of the gate."""
        return Steps(self._require_counts(), self.gate)

    def _mixed(self, logs_NV: Tensor, parts: _Parts) -> Tensor:
        counts = self._require_counts()
        counted_NV = self._tensor(counts.probabilities(parts.ranks_NK, self.gate.strengths.exp().cpu().numpy()))
        guessed_NV = F.one_hot(parts.guesses_N, self.vocab_size).bool()
        totals_NK, types_NK = map(self._tensor, counts.known(parts.ranks_NK))
        inputs = GateInputs(parts.features_ND, totals_NK, types_NK, parts.lengths_N)
        mixed_NV: Tensor = self.gate(logs_NV, counted_NV, guessed_NV, inputs)
        return mixed_NV

    def losses(self, features_ND: Tensor, targets_N: Tensor) -> Tensor:
        """Return the negative log-likelihood of each target; only the targets are looked up in the counts."""
        return self.part_losses(features_ND, targets_N).whole_N

    def part_losses(self, features_ND: Tensor, targets_N: Tensor) -> PartLosses:
        """Return the losses of the mixture and the network, and of the counts if `calibrate` measured them alone."""
        parts = self._split(features_ND)
        counts_NK, totals_NK, types_NK, lowest_N = self._followed(parts.ranks_NK, targets_N, leave_out=False)
        guessed_N1 = (parts.guesses_N == targets_N)[:, None]
        mixed, network_losses = [], []
        for gate in (self.gate, *self._without_network):
            network_losses.append(self._network_losses(gate, parts.features_ND, targets_N))
            counted_N = gate.interpolate(counts_NK, totals_NK, types_NK, lowest_N)
            inputs = GateInputs(self._gate_features(gate, parts.features_ND), totals_NK, types_NK, parts.lengths_N)
            mixed_N1: Tensor = gate(-network_losses[-1][:, None], counted_N[:, None], guessed_N1, inputs)
            mixed.append(-mixed_N1[:, 0])
        return PartLosses(mixed[0], network_losses[0], mixed[1] if self._without_network else None)

    def network_alone(self) -> Model:
        """Return the network without counts and guesses."""
        return self.network

    def loss(self, features_ND: Tensor, targets_N: Tensor, weights_N: Tensor) -> Tensor:
        """Return the weighted sum of the losses of the network alone: the training loss."""
        return self.network.loss(features_ND, targets_N, weights_N)

    def emit(self, graph: "Graph") -> tuple[str, str]:
        """Write the network alone into a graph; `steps` adds the mixture."""
        return self.network.emit(graph)

    def new_cache(self, batch: int) -> MixtureCache:
        """Return an empty cache of the network, and no tokens."""
        return MixtureCache(self.network.new_cache(batch))

    def _require_counts(self) -> Counts:
        if self._counts is None:
            raise RuntimeError("a mixture must learn its counts before its first pass")
        return self._counts

    def _split(self, features_ND: Tensor) -> _Parts:
        network_ND, columns_NC = features_ND[:, :-_COLUMNS], features_ND[:, -_COLUMNS:]
        ranks_NK = columns_NC[:, :LEVELS].detach().cpu().numpy().astype(np.int32)
        return _Parts(network_ND, ranks_NK, columns_NC[:, -2].long(), columns_NC[:, -1])

    def _followed(self, ranks_NK: NDArray[np.int32], targets_N: Tensor, *, leave_out: bool) -> tuple[Tensor, ...]:
        """Return counts_NK, totals_NK, types_NK (`Followed`) and lowest_N."""
        counts, tokens_N = self._require_counts(), targets_N.cpu().numpy()
        followed = counts.followed(ranks_NK, tokens_N, leave_out)
        return *map(self._tensor, followed), self._tensor(counts.lowest_V[tokens_N])

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self.gate.shares.device)
