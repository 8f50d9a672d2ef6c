"""Hashed embeddings of token n-grams, added to the input of the network.

Every group of 2, 3, ... tokens that ends at a position has a row in a table of fixed size, chosen by a hash; groups
with the same hash share a row (the hashing trick of Weinberger et al. 2009, arXiv 0902.2206; hashed characters
as input: Clark et al. 2022, "CANINE", arXiv 2103.06874, section 3.2). The rows start at zero, so that an untrained
table changes nothing, and are added to the embedding of the token.

A look-up needs no multiplication. In short runs of small models it learns in the first hundred steps most of what
attention would have to learn about the last few characters.

Axes: B batch, T new positions, P positions before them, N orders, D width.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from lilliput.models.graph import Graph

_PRIME, _FACTOR, _MIXER = 2**31 - 1, 1_000_003, 48_271
"""Constants of the hash; every product stays below 2^63."""


class NgramEmbedding(nn.Module):
    """The sum of the embeddings of the groups of 2 to `longest` tokens that end at each position."""

    def __init__(self, longest: int, rows: int, width: int, vocab_size: int, dropout: float) -> None:
        super().__init__()
        self.longest, self.rows, self.vocab_size, self.dropout = longest, rows, vocab_size, dropout
        # One table for all orders: the rows of an order are contiguous.
        self.table = nn.Embedding((longest - 1) * rows, width)
        nn.init.zeros_(self.table.weight)

    def forward(self, ids_BT: Tensor, before_BP: Tensor | None = None) -> Tensor:
        """Return embeddings_BTD; `before_BP` are the latest tokens before, `longest - 1` of them or as many as exist.

        While training, each order is left out at each position with the probability `dropout`.
        """
        indices_BTN = self.indices(ids_BT, before_BP)
        weights_BTN = torch.ones(indices_BTN.shape, device=indices_BTN.device)
        if self.training and self.dropout:
            weights_BTN = (torch.rand_like(weights_BTN) >= self.dropout) / (1 - self.dropout)
        # The bag sums during the look-up, so that the single rows are never in memory together.
        summed_SD = functional.embedding_bag(
            indices_BTN.flatten(0, 1),
            self.table.weight,
            mode="sum",
            sparse=self._adds_in_place(),
            per_sample_weights=weights_BTN.flatten(0, 1),
        )
        return summed_SD.view(*ids_BT.shape, -1)

    def _adds_in_place(self) -> bool:
        """Return whether the weight already has a gradient, to which the rows in use can be added.

        Otherwise the backward pass allocates one of the size of the table: a fifth of a step on a CPU.
        """
        weight = self.table.weight
        return weight.grad is not None and weight.device.type == "cpu" and not torch.compiler.is_compiling()

    def emit(self, graph: "Graph") -> str:
        """Write the same into a graph: return the name of embeddings_BTD.

        The hash is a sum modulo a prime, so that all orders are one product with powers of the factor.
        """
        powers_NL = np.zeros((self.longest - 1, self.longest), dtype=np.int64)
        for order in range(2, self.longest + 1):
            for back in range(order):
                powers_NL[order - 2, self.longest - 1 - back] = pow(_FACTOR, order - 1 - back, _PRIME)
        one, prime, mixer, rows = (graph.constant(np.int64(value)) for value in (1, _PRIME, _MIXER, self.rows))
        tokens_BT1L = graph.reshape(graph.add(graph.windows(self.longest), one), 0, 0, 1, self.longest)
        codes_BTN = graph.sum(graph.multiply(tokens_BT1L, graph.constant(powers_NL)), -1)
        mixed_BTN = graph.multiply(graph.remainder(codes_BTN, prime), mixer)
        hashes_BTN = graph.remainder(graph.remainder(mixed_BTN, prime), rows)
        starts_N = graph.constant(np.arange(self.longest - 1) * self.rows)
        table = graph.constant(self.table.weight)
        embeddings_BTND = graph.embedding(graph.add(hashes_BTN, starts_N), table)
        return graph.sum(embeddings_BTND, 2)

    def indices(self, ids_BT: Tensor, before_BP: Tensor | None = None) -> Tensor:
        """Return the row of the table for every position and order, indices_BTN."""
        before_BP = ids_BT[:, :0] if before_BP is None else before_BP
        missing = self.longest - 1 - before_BP.shape[1]
        # A special token marks the start of the text.
        all_BP = functional.pad(torch.cat((before_BP, ids_BT), 1), (missing, 0), value=self.vocab_size)
        time = ids_BT.shape[1]
        code_BT = ids_BT + 1
        indices = []
        for order in range(2, self.longest + 1):
            start = self.longest - order
            code_BT = (code_BT * _FACTOR + all_BP[:, start : start + time] + 1) % _PRIME
            indices.append(code_BT * _MIXER % _PRIME % self.rows + (order - 2) * self.rows)
        return torch.stack(indices, -1)
