"""Recurrent networks: the LSTM (Hochreiter and Schmidhuber 1997) and the GRU (Cho et al. 2014, arXiv 1406.1078).

Embedding, torch's recurrent layers, output matrix, with torch's initial weights. Dropout is applied as in Zaremba et
al. 2014 (arXiv 1409.2329): on the embedding, between layers and before the output, never inside the recurrence.

The context is only the training window: the state has no limit, and a cache may run past it.

Axes: B batch, T time, D width, V vocabulary.
"""

from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from lilliput.models.branches import BranchState
from lilliput.models.cache import StateCache
from lilliput.models.protocol import Cache, Model
from lilliput.models.settings import RecurrentSettings

if TYPE_CHECKING:
    from lilliput.models.graph import Graph


class Recurrent(Model):
    """An LSTM or GRU language model."""

    settings: RecurrentSettings

    def __init__(self, settings: RecurrentSettings, vocab_size: int, context: int) -> None:
        super().__init__()
        self.settings, self.vocab_size, self.context = settings, vocab_size, context
        self.embedding = nn.Embedding(vocab_size, settings.embedding)
        layer = nn.LSTM if settings.kind == "lstm" else nn.GRU
        self.recurrence = layer(
            settings.embedding,
            settings.width,
            settings.layers,
            batch_first=True,
            # Torch's own dropout sits between layers and warns where there is only one.
            dropout=settings.dropout if settings.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(settings.width, vocab_size)
        if settings.tied:
            # The output's initial weights are the smaller ones, so the first logits stay near zero.
            self.embedding.weight = self.output.weight

    def features(self, ids_BT: Tensor, cache: Cache | None = None, before_BP: Tensor | None = None) -> Tensor:
        """Return features_BTD of the last recurrent layer."""
        held = cast(StateCache, cache) if cache is not None else None
        state = held.state if held is not None else None
        features_BTD, state = self.recurrence(self.dropout(self.embedding(ids_BT)), self._for_torch(state))
        if held is not None:
            held.keep(state if isinstance(state, tuple) else (state,), ids_BT.shape[1])
        result_BTD: Tensor = self.dropout(features_BTD)
        return result_BTD

    def head(self, features_BTD: Tensor) -> Tensor:
        """Return logits_BTV."""
        logits_BTV: Tensor = self.output(features_BTD)
        return logits_BTV

    def emit(self, graph: "Graph") -> tuple[str, str]:
        """Write the network into a graph, for the latest position."""
        ids_TB = graph.transpose(graph.token_ids(1))
        table = graph.constant(self.embedding.weight)
        x_TBI = graph.embedding(ids_TB, table)
        recurrence = {"lstm": graph.lstm, "gru": graph.gru}[self.settings.kind]
        features_BD = recurrence(x_TBI, self.recurrence)
        return features_BD, graph.head(features_BD, self.output, self.embedding, table)

    def new_cache(self, batch: int) -> StateCache:
        """Return an empty state; it takes its rows, device and dtype from the first pass."""
        return StateCache(batch)

    def new_branches(self, prompts: int) -> BranchState:
        """Return a cache for continuations of `prompts` prompts of one length."""
        return BranchState(prompts)

    def _for_torch(self, state: tuple[Tensor, ...] | None) -> Any:
        # A GRU has one part, which torch takes alone.
        return state[0] if state is not None and self.settings.kind == "gru" else state
