"""The parts of a transformer block: norms, rotary positions, attention, feed-forward.

Sources: Vaswani et al. 2017 (arXiv 1706.03762), section 3; pre-norm blocks from Radford et al. 2019; RMSNorm from Zhang
and Sennrich 2019 (arXiv 1910.07467); rotary positions from Su et al. 2021 (arXiv 2104.09864), in the half-split order
of the published Llama weights for Hugging Face; SwiGLU from Shazeer 2020 (arXiv 2002.05202).

Every matrix is a separate parameter (query, key, value, gate, up): fusing them measured 2 % of a training step, while
an optimiser that works on whole matrices, such as Muon, needs them apart.

Axes: B batch, T new positions, P positions held with the new ones, D width, H heads, G key/value heads, K head width,
F feed-forward width.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lilliput.models.branches import BranchCache
from lilliput.models.cache import KeyValueCache
from lilliput.models.settings import GPTSettings

if TYPE_CHECKING:
    from lilliput.models.graph import Graph


AttentionCache = KeyValueCache | BranchCache


def make_norm(settings: GPTSettings) -> nn.Module:
    """Return the norm over the width that the settings ask for."""
    if settings.norm == "layer":
        return nn.LayerNorm(settings.width, settings.norm_epsilon, bias=settings.biases)
    return nn.RMSNorm(settings.width, settings.norm_epsilon, elementwise_affine=settings.norm == "rms")


def rotary_tables(length: int, head_width: int, base: float) -> tuple[Tensor, Tensor]:
    """Return cosines_TK and sines_TK for `rotate`; the first half of the sines carries the minus of the rotation."""
    frequencies = base ** -(torch.arange(0, head_width, 2, dtype=torch.float32) / head_width)
    angles_TK = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)
    cosines_TK, sines_TK = angles_TK.cos(), angles_TK.sin()
    return torch.cat((cosines_TK, cosines_TK), dim=-1), torch.cat((-sines_TK, sines_TK), dim=-1)


def rotate(heads_BTHK: Tensor, cosines_TK: Tensor, sines_TK: Tensor) -> Tensor:
    """Turn the pairs (i, i + K/2) of every head by the angle of its position; returns the same shape.

    The tables may also be those of one position for each row, cosines_B1K and sines_B1K.
    """
    # Swapping the halves by a roll and keeping the sign in the table takes three operations instead of seven.
    swapped_BTHK = heads_BTHK.roll(heads_BTHK.shape[-1] // 2, dims=-1)
    return torch.addcmul(heads_BTHK * cosines_TK[:, None], swapped_BTHK, sines_TK[:, None])


_LEAST_PORTION = 128
"""Minimum number of queries in a portion; with fewer, the products are too small to be fast."""


class Attention(nn.Module):
    """Causal self-attention with grouped key/value heads."""

    def __init__(self, settings: GPTSettings, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.heads = settings.heads
        self.key_value_heads = settings.key_value_heads
        self.head_width = settings.head_width
        self.query_key_epsilon = settings.norm_epsilon if settings.query_key_norm else None
        self.dropout = settings.attention_dropout
        query_width, key_value_width = (
            heads * settings.head_width for heads in (settings.heads, settings.key_value_heads)
        )
        self.query = nn.Linear(settings.width, query_width, bias=settings.biases)
        self.key = nn.Linear(settings.width, key_value_width, bias=settings.biases)
        self.value = nn.Linear(settings.width, key_value_width, bias=settings.biases)
        self.output = nn.Linear(query_width, settings.width, bias=settings.biases)

    def forward(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor] | None, cache: AttentionCache | None) -> Tensor:
        """Return the mixed values, the shape of `x_BTD`.

        `rotary` holds the tables of the T new positions, which are those of all rows or of each.
        """
        queries_BHTK, keys_BGPK, values_BGPK = self._projected(x_BTD, rotary)
        if isinstance(cache, BranchCache):
            mixed_BHTK = cache.attend(self.layer, queries_BHTK, keys_BGPK, values_BGPK)
        else:
            mixed_BHTK = self._attend(queries_BHTK, keys_BGPK, values_BGPK, cache)
        mixed_BTD: Tensor = self.output(mixed_BHTK.transpose(1, 2).flatten(2))
        return mixed_BTD

    def weights(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor] | None) -> Tensor:
        """Return weights_BHTT without a cache: how much of each token's value each token takes (`plain_attention`)."""
        queries_BHTK, keys_BGTK, _ = self._projected(x_BTD, rotary)
        keys_BHTK = keys_BGTK.repeat_interleave(self.heads // self.key_value_heads, 1)
        scores_BHTT = queries_BHTK @ keys_BHTK.mT * self.head_width**-0.5
        hidden_TT = torch.ones(scores_BHTT.shape[-2:], dtype=torch.bool, device=x_BTD.device).triu(1)
        weights_BHTT: Tensor = scores_BHTT.masked_fill(hidden_TT, -torch.inf).softmax(-1)
        return weights_BHTT

    def _projected(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries_BHTK, keys_BGTK and values_BGTK."""
        batch, new, _ = x_BTD.shape
        queries_BTHK = self.query(x_BTD).view(batch, new, self.heads, self.head_width)
        keys_BTGK = self.key(x_BTD).view(batch, new, self.key_value_heads, self.head_width)
        values_BTGK = self.value(x_BTD).view(batch, new, self.key_value_heads, self.head_width)
        if self.query_key_epsilon is not None:
            queries_BTHK = F.rms_norm(queries_BTHK, (self.head_width,), eps=self.query_key_epsilon)
            keys_BTGK = F.rms_norm(keys_BTGK, (self.head_width,), eps=self.query_key_epsilon)
        if rotary is not None:
            queries_BTHK = rotate(queries_BTHK, *rotary)
            keys_BTGK = rotate(keys_BTGK, *rotary)
        queries_BHTK = queries_BTHK.transpose(1, 2)
        keys_BGTK, values_BGTK = keys_BTGK.transpose(1, 2), values_BTGK.transpose(1, 2)
        # Under autocast the norm and the rotation return wider numbers.
        return queries_BHTK.type_as(values_BGTK), keys_BGTK.type_as(values_BGTK), values_BGTK

    def _attend(
        self, queries_BHTK: Tensor, keys_BGPK: Tensor, values_BGPK: Tensor, cache: KeyValueCache | None
    ) -> Tensor:
        """Return the mixed values_BHTK."""
        past, new, mask = 0, queries_BHTK.shape[2], None
        if cache is not None:
            past, mask = cache.length, cache.mask(new)
            keys_BGPK, values_BGPK = cache.write(self.layer, keys_BGPK, values_BGPK)
            queries_BHTK = queries_BHTK.type_as(values_BGPK)
        dropout = self.dropout if self.training else 0.0
        if not past and self.key_value_heads == self.heads and plain_is_faster(values_BGPK):
            return plain_attention(queries_BHTK, keys_BGPK, values_BGPK, dropout)
        return F.scaled_dot_product_attention(
            queries_BHTK,
            keys_BGPK,
            values_BGPK,
            attn_mask=mask,
            dropout_p=dropout,
            is_causal=not past and new > 1,
            enable_gqa=self.key_value_heads != self.heads,
        )

    def emit(self, graph: "Graph", x_BTD: str, rotary: "tuple[str, str] | None") -> str:
        """Write the same into a graph; `rotary` is the result of `Graph.rotary`."""
        projections = (self.query, self.key, self.value, self.output)
        return graph.attention(x_BTD, projections, self.heads, self.key_value_heads, self.query_key_epsilon, rotary)


def plain_is_faster(values_BHTK: Tensor) -> bool:
    """Return whether `plain_attention` is faster than torch's fused one: when training in bfloat16 on a CPU.

    There the fused backward pass takes two to three times as long as its matrix products.
    """
    return values_BHTK.device.type == "cpu" and values_BHTK.dtype == torch.bfloat16 and torch.is_grad_enabled()


def plain_attention(queries_BHTK: Tensor, keys_BHTK: Tensor, values_BHTK: Tensor, dropout: float) -> Tensor:
    """Return causal attention, mixed_BHTK, by its definition (Vaswani et al. 2017, section 3.2.1).

    The queries are processed in portions, each with its visible keys only: in a long window, half of the products
    would be of masked pairs.
    """
    batch, heads, time, width = queries_BHTK.shape
    queries_NTK, keys_NTK, values_NTK = (
        part.reshape(batch * heads, time, width) for part in (queries_BHTK, keys_BHTK, values_BHTK)
    )
    portion = max(_LEAST_PORTION, -(-time // 2))
    mixed = []
    for start in range(0, time, portion):
        end = min(start + portion, time)
        hidden_TP = torch.full((end - start, end), -torch.inf, dtype=queries_NTK.dtype).triu(start + 1)
        scores_NTP = torch.baddbmm(hidden_TP, queries_NTK[:, start:end], keys_NTK[:, :end].mT, alpha=width**-0.5)
        mixed.append(F.dropout(scores_NTP.softmax(-1), dropout) @ values_NTK[:, :end])
    return torch.cat(mixed, 1).view(batch, heads, time, width)


class FeedForward(nn.Module):
    """Two matrices around an activation; `swiglu` has a third one, the gate."""

    def __init__(self, settings: GPTSettings) -> None:
        super().__init__()
        self.activation = settings.activation
        self.up = nn.Linear(settings.width, settings.feed_forward, bias=settings.biases)
        self.down = nn.Linear(settings.feed_forward, settings.width, bias=settings.biases)
        self.gate: nn.Linear | None = None
        if settings.activation == "swiglu":
            self.gate = nn.Linear(settings.width, settings.feed_forward, bias=settings.biases)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return the shape of `x_BTD`."""
        hidden_BTF = self.up(x_BTD)
        if self.gate is not None:
            hidden_BTF = F.silu(self.gate(x_BTD)) * hidden_BTF
        elif self.activation == "gelu":
            hidden_BTF = F.gelu(hidden_BTF, approximate="tanh")
        elif self.activation == "relu":
            hidden_BTF = F.relu(hidden_BTF)
        else:
            hidden_BTF = F.relu(hidden_BTF).square()
        result_BTD: Tensor = self.down(hidden_BTF)
        return result_BTD

    def emit(self, graph: "Graph", x_BTD: str) -> str:
        """Write the same into a graph."""
        if self.gate is not None:
            hidden = graph.swiglu(x_BTD, self.gate, self.up)
        else:
            activation = {"gelu": graph.gelu, "relu": graph.relu, "relu2": graph.squared_relu}[self.activation]
            hidden = activation(graph.linear(x_BTD, self.up))
        return graph.linear(hidden, self.down)


class Block(nn.Module):
    """Attention and feed-forward, each on a normed copy and added to the residual stream."""

    def __init__(self, settings: GPTSettings, layer: int) -> None:
        super().__init__()
        self.attention_norm = make_norm(settings)
        self.attention = Attention(settings, layer)
        self.feed_forward_norm = make_norm(settings)
        self.feed_forward = FeedForward(settings)
        self.dropout = nn.Dropout(settings.dropout)
        self.compiled: Callable[..., Tensor] | None = None
        """Replaces `whole` during training."""

    def forward(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor] | None, cache: AttentionCache | None) -> Tensor:
        """Return the shape of `x_BTD`."""
        pass_on = self.compiled if self.training and self.compiled is not None else self.whole
        return pass_on(x_BTD, rotary, cache)

    def whole(self, x_BTD: Tensor, rotary: tuple[Tensor, Tensor] | None, cache: AttentionCache | None) -> Tensor:
        """Return the same, without compilation."""
        attended_BTD: Tensor = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), rotary, cache))
        result_BTD: Tensor = attended_BTD + self.dropout(self.feed_forward(self.feed_forward_norm(attended_BTD)))
        return result_BTD

    def emit(self, graph: "Graph", x_BTD: str, added_BTD: str, rotary: "tuple[str, str] | None") -> tuple[str, str]:
        """Write the same into a graph (`Attention.emit`) for the sum of two values, the second of which may be missing.

        Return two such values.
        """
        if added_BTD:
            normed, x_BTD = graph.norm_of_sum(x_BTD, added_BTD, self.attention_norm)
        else:
            normed = graph.norm(x_BTD, self.attention_norm)
        attended = self.attention.emit(graph, normed, rotary)
        normed, x_BTD = graph.norm_of_sum(x_BTD, attended, self.feed_forward_norm)
        return x_BTD, self.feed_forward.emit(graph, normed)
