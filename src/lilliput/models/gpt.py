"""The decoder-only transformer: GPT-2, Llama and shapes between them, chosen by the settings.

Embedding, blocks, final norm, output matrix; see `layers` for the sources. Initial weights:

- `gpt2`: normal with deviation 0.02, divided by sqrt(2 x layers) for the matrices that write to the residual stream
  (Radford et al. 2019, section 2.3); biases zero.
- `llama`: normal with deviation 0.02 everywhere.
- `modern`: uniform with variance 1 / width for the matrices that read the residual stream; zero for those that write
  to it and for the output matrix; normal with deviation 1 for the embedding. A tied matrix has deviation 0.02 instead,
  or the first logits would be as large as sqrt(width).

Left out: position encodings beyond the context.

Axes: B batch, T time, D width, V vocabulary, K head width.
"""

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lilliput.errors import GenerationError
from lilliput.models.branches import BranchCache
from lilliput.models.cache import KeyValueCache
from lilliput.models.layers import AttentionCache, Block, make_norm, rotary_tables
from lilliput.models.mixing.ngrams import NgramEmbedding
from lilliput.models.protocol import Cache, Model
from lilliput.models.settings import GPTSettings

if TYPE_CHECKING:
    from lilliput.models.graph import Graph

_DEVIATION = 0.02


class GPT(Model):
    """A decoder-only transformer that sees at most `context` positions."""

    settings: GPTSettings

    def __init__(self, settings: GPTSettings, vocab_size: int, context: int) -> None:
        super().__init__()
        self.settings, self.vocab_size, self.context = settings, vocab_size, context
        self.embedding = nn.Embedding(vocab_size, settings.width)
        self.ngrams: NgramEmbedding | None = None
        if settings.ngrams > 1:
            self.ngrams = NgramEmbedding(
                settings.ngrams, settings.ngram_rows, settings.width, vocab_size, settings.ngram_dropout
            )
        self.position: nn.Embedding | None = None
        self.cosines_TK: Tensor | None
        self.sines_TK: Tensor | None
        cosines_TK, sines_TK = None, None
        if settings.positions == "learned":
            self.position = nn.Embedding(context, settings.width)
        else:
            cosines_TK, sines_TK = rotary_tables(context, settings.head_width, settings.rotary_base)
        self.register_buffer("cosines_TK", cosines_TK, persistent=False)
        self.register_buffer("sines_TK", sines_TK, persistent=False)
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks = nn.ModuleList(Block(settings, layer) for layer in range(settings.layers))
        self.norm = make_norm(settings)
        self.output = nn.Linear(settings.width, vocab_size, bias=False)
        if settings.tied:
            self.output.weight = self.embedding.weight
        self._initialize()

    def features(
        self,
        ids_BT: Tensor,
        cache: Cache | None = None,
        before_BP: Tensor | None = None,
        hidden_states: list[Tensor] | None = None,
    ) -> Tensor:
        """Return features_BTD after the final norm; `hidden_states`, if given, gets the input of the blocks and the
        output of each.

        Raises GenerationError if the positions in the cache and the new ones exceed the context.
        """
        held = cast(AttentionCache, cache) if cache is not None else None
        start, new = (held.length if held is not None else 0), ids_BT.shape[1]
        if start + new > self.context:
            raise GenerationError(
                f"{start} positions and {new} more do not fit the context of {self.context}: "
                "give the latest ones to an empty cache"
            )
        positions = held.positions(new) if held is not None else slice(0, new)
        x_BTD = self.embedding(ids_BT)
        if self.ngrams is not None:
            x_BTD = x_BTD + self.ngrams(ids_BT, held.latest_BP if held is not None else None)
        if self.position is not None:
            x_BTD = x_BTD + self.position.weight[positions]
        if self.settings.embedding_norm:
            x_BTD = F.rms_norm(x_BTD, (self.settings.width,), eps=self.settings.norm_epsilon)
        rotary = self._rotary(positions)
        x_BTD = self.dropout(x_BTD)
        if hidden_states is not None:
            hidden_states.append(x_BTD)
        for block in self.blocks:
            x_BTD = block(x_BTD, rotary, held)
            if hidden_states is not None:
                hidden_states.append(x_BTD)
        if held is not None:
            held.advance(ids_BT)
        features_BTD: Tensor = self.norm(x_BTD)
        return features_BTD

    def attention_weights(self, ids_BT: Tensor, layer: int) -> Tensor:
        """Return weights_BHTT of a layer: how much each token, in the last axis but one, attends to each token."""
        hidden_states: list[Tensor] = []
        self.features(ids_BT, hidden_states=hidden_states)
        block = cast(Block, self.blocks[layer])
        normed_BTD = block.attention_norm(hidden_states[layer])
        return block.attention.weights(normed_BTD, self._rotary(slice(0, ids_BT.shape[1])))

    def _rotary(self, positions: slice | Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the rotary tables of these positions."""
        if self.cosines_TK is None or self.sines_TK is None:
            return None
        return self.cosines_TK[positions], self.sines_TK[positions]

    def head(self, features_BTD: Tensor) -> Tensor:
        """Return logits_BTV."""
        logits_BTV: Tensor = self.output(features_BTD)
        return logits_BTV

    def emit(self, graph: "Graph") -> tuple[str, str]:
        """Write the network into a graph, for the latest position."""
        ids_BT = graph.token_ids(self.settings.ngrams)
        table = graph.constant(self.embedding.weight)
        x_BTD = graph.embedding(ids_BT, table)
        if self.ngrams is not None:
            x_BTD = graph.add(x_BTD, self.ngrams.emit(graph))
        if self.position is not None:
            position_table = graph.constant(self.position.weight)
            x_BTD = graph.add(x_BTD, graph.embedding(graph.positions(), position_table))
        if self.settings.embedding_norm:
            x_BTD = graph.rms_norm(x_BTD, np.ones(self.settings.width, np.float32), self.settings.norm_epsilon)
        rotary = None
        if self.cosines_TK is not None and self.sines_TK is not None:
            rotary = graph.rotary(self.cosines_TK, self.sines_TK)
        added_BTD = ""
        for block in self.blocks:
            x_BTD, added_BTD = cast(Block, block).emit(graph, x_BTD, added_BTD, rotary)
        latest_BD = graph.select(graph.add(x_BTD, added_BTD), 1, -1)
        features_BD = graph.norm(latest_BD, self.norm)
        return features_BD, graph.head(features_BD, self.output, self.embedding, table)

    def new_cache(self, batch: int) -> KeyValueCache:
        """Return an empty cache for the keys and values of `context` positions of `batch` rows."""
        shape_BGTK = (batch, self.settings.key_value_heads, self.context, self.settings.head_width)
        weight = self.embedding.weight
        remembered, padding_id = self.settings.ngrams - 1, self.vocab_size
        return KeyValueCache(self.settings.layers, shape_BGTK, remembered, padding_id, weight.device, weight.dtype)

    def new_branches(self, prompts: int) -> BranchCache:
        """Return a cache for continuations of `prompts` prompts of one length."""
        return BranchCache(self.settings.ngrams - 1, self.vocab_size, prompts, self.embedding.weight.device)

    @torch.no_grad()
    def _initialize(self) -> None:
        initial, residual = self.settings.initial, _DEVIATION
        if initial == "gpt2":
            residual /= (2 * self.settings.layers) ** 0.5
        for name, module in self.named_modules():
            if isinstance(module, nn.Embedding) and module in (self.embedding, self.position):
                untied = initial == "modern" and module is self.embedding and not self.settings.tied
                nn.init.normal_(module.weight, std=1.0 if untied else _DEVIATION)
            elif isinstance(module, nn.Linear) and module.weight is not self.embedding.weight:
                writes = name == "output" or name.endswith(("attention.output", "feed_forward.down"))
                if initial != "modern":
                    nn.init.normal_(module.weight, std=residual if writes and name != "output" else _DEVIATION)
                elif writes:
                    nn.init.zeros_(module.weight)
                else:
                    bound = (3 / self.settings.width) ** 0.5
                    nn.init.uniform_(module.weight, -bound, bound)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
