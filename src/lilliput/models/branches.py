"""Caches for many continuations of one prompt: the prompt is read once, and gradients flow through both.

The first pass reads P prompts of one length. `branch` then turns each into K rows, prompt by prompt; every later pass
has P x K rows. Nothing is written in place. The keys and values of a prompt are kept once: its continuations look at
them together, as if they were one longer row. For a model of a few million parameters, copies of the keys would cost
more than the network itself.

Axes: P prompts, K continuations of each, B = P x K rows, T new positions, L positions of the prompt, H heads, G
key/value heads, W head width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lilliput.models.cache import StateCache


class BranchCache:
    """Keys and values of every layer, for a transformer."""

    def __init__(self, remembered: int, padding_id: int, prompts: int, device: torch.device) -> None:
        self.length = 0
        self.latest_BP = torch.full((prompts, remembered), padding_id, device=device, dtype=torch.long)
        self._branches = 0
        self._prompt: dict[int, tuple[Tensor, Tensor]] = {}
        self._own: dict[int, tuple[Tensor, Tensor]] = {}

    def branch(self, count: int) -> None:
        """Turn each prompt into `count` rows."""
        self._branches = count
        self.latest_BP = self.latest_BP.repeat_interleave(count, 0)

    def positions(self, new: int) -> slice:
        """Return the positions of the new tokens."""
        return slice(self.length, self.length + new)

    def advance(self, ids_BT: Tensor) -> None:
        """Count the positions of these tokens, which every layer has written."""
        self.length += ids_BT.shape[1]
        if self.latest_BP.shape[1]:
            self.latest_BP = torch.cat((self.latest_BP, ids_BT), 1)[:, ids_BT.shape[1] :]

    def attend(self, layer: int, queries_BHTW: Tensor, keys_BGTW: Tensor, values_BGTW: Tensor) -> Tensor:
        """Keep the new keys and values of a layer, and return the mixed values_BHTW."""
        group = queries_BHTW.shape[1] // keys_BGTW.shape[1]
        keys_BHTW, values_BHTW = (part.repeat_interleave(group, 1) for part in (keys_BGTW, values_BGTW))
        if not self._branches:
            self._prompt[layer] = (keys_BHTW, values_BHTW)
            return F.scaled_dot_product_attention(queries_BHTW, keys_BHTW, values_BHTW, is_causal=True)
        if layer in self._own:
            before_keys, before_values = self._own[layer]
            keys_BHTW, values_BHTW = torch.cat((before_keys, keys_BHTW), 2), torch.cat((before_values, values_BHTW), 2)
        self._own[layer] = (keys_BHTW, values_BHTW)
        prompt_keys, prompt_values = self._prompt[layer]
        queries_BHTW = queries_BHTW * queries_BHTW.shape[-1] ** -0.5
        new, own = queries_BHTW.shape[2], keys_BHTW.shape[2]
        to_prompt = self._apart(self._together(queries_BHTW) @ prompt_keys.mT)
        hidden_TP = torch.ones(new, own, dtype=torch.bool, device=queries_BHTW.device).triu(own - new + 1)
        to_own = (queries_BHTW @ keys_BHTW.mT).masked_fill(hidden_TP, -torch.inf)
        shares = torch.cat((to_prompt, to_own), -1).softmax(-1)
        prompt_length = prompt_keys.shape[2]
        of_prompt = self._apart(self._together(shares[..., :prompt_length]) @ prompt_values)
        return of_prompt + shares[..., prompt_length:] @ values_BHTW

    def _together(self, rows_BHTX: Tensor) -> Tensor:
        """Put the continuations of each prompt one after the other, shape (P, H, K x T, X)."""
        rows, heads, new, width = rows_BHTX.shape
        grouped = rows_BHTX.view(rows // self._branches, self._branches, heads, new, width).transpose(1, 2)
        return grouped.reshape(rows // self._branches, heads, self._branches * new, width)

    def _apart(self, prompts_PHNX: Tensor) -> Tensor:
        """Undo `_together`."""
        prompts, heads, positions, width = prompts_PHNX.shape
        new = positions // self._branches
        parts = prompts_PHNX.view(prompts, heads, self._branches, new, width).transpose(1, 2)
        return parts.reshape(prompts * self._branches, heads, new, width)


class BranchState(StateCache):
    """The carried state of a recurrent network."""

    def branch(self, count: int) -> None:
        """Turn each prompt into `count` rows."""
        self.state = tuple(part.repeat_interleave(count, 1) for part in self.state or ())
        self.lengths = [length for length in self.lengths for _ in range(count)]
