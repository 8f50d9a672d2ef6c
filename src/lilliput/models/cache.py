"""Caches: the keys and values, or the state, that a network carries from one pass to the next.

Keys and values go into memory that is allocated once, so a step copies no history. A recurrent network carries a state
of fixed size. Rows may hold different numbers of positions: each prompt is read into a cache with a single row, which
is then copied into the shared cache; after that, all rows advance together, one token at a time. Left out: paging,
quantised entries.

A cache can be made static: every pass is then the same sequence of operations, so that a GPU can replay it. Positions
are counted in a tensor, and states keep their addresses in memory.

Axes: B batch, T new positions, P positions held after this pass, G key/value heads, K head width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class KeyValueCache:
    """Keys and values of every layer for `capacity` positions.

    In a pass, all layers first write the new positions. Then `advance` counts them and keeps the latest tokens, for a
    network with n-gram embeddings; `padding_id` stands for the tokens before the first.
    """

    def __init__(
        self,
        layers: int,
        shape_BGTK: tuple[int, int, int, int],
        remembered: int,
        padding_id: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.lengths = [0] * shape_BGTK[0]
        self.latest_BP = torch.full((shape_BGTK[0], remembered), padding_id, device=device, dtype=torch.long)
        self.capacity = shape_BGTK[2]
        self._keys = [torch.zeros(shape_BGTK, device=device, dtype=dtype) for _ in range(layers)]
        self._values = [torch.zeros(shape_BGTK, device=device, dtype=dtype) for _ in range(layers)]
        self._positions_B: Tensor | None = None
        self._static = False

    @property
    def length(self) -> int:
        """Return the number of positions that the longest row has seen."""
        return max(self.lengths)

    @property
    def _counted_B(self) -> Tensor | None:
        """Return the number of positions of each row, counted on the device; None if the cache is not static."""
        return self._positions_B if self._static else None

    def make_static(self) -> None:
        """Empty every row; from now on a pass adds one token to each, and `lengths` are not kept."""
        if self._positions_B is None:
            self._positions_B = torch.zeros(len(self.lengths), dtype=torch.long, device=self.latest_BP.device)
        self._positions_B.zero_()
        self.lengths, self._static = [0] * len(self.lengths), True

    def positions(self, new: int) -> slice | Tensor:
        """Begin a pass: return the positions of the new tokens, positions_B1 if rows have different lengths."""
        if self._counted_B is not None:
            return self._counted_B[:, None]
        self._positions_B = None
        if len(set(self.lengths)) == 1:
            return slice(self.length, self.length + new)
        if new != 1:
            raise ValueError("rows of different lengths take one token at a time")
        self._positions_B = torch.tensor(self.lengths, device=self.latest_BP.device)
        return self._positions_B[:, None]

    def write(self, layer: int, keys_BGTK: Tensor, values_BGTK: Tensor) -> tuple[Tensor, Tensor]:
        """Store the new positions of one layer and return keys_BGPK and values_BGPK up to and with them."""
        start, end = self.length, self._end(keys_BGTK.shape[2])
        for held, new_BGTK in ((self._keys[layer], keys_BGTK), (self._values[layer], values_BGTK)):
            if self._positions_B is None:
                held[:, :, start:end] = new_BGTK
            else:
                held[torch.arange(len(self.lengths), device=held.device), :, self._positions_B] = new_BGTK[:, :, 0]
        return self._keys[layer][:, :, :end], self._values[layer][:, :, :end]

    def _end(self, new: int) -> int:
        """Return the end of the keys that new positions see; in a static cache, future positions are masked."""
        return self.capacity if self._static else self.length + new

    def mask(self, new: int) -> Tensor | None:
        """Return the attention mask of the new positions, true for visible ones, mask_TP or mask_B11P, or None."""
        past = self.length
        if self._positions_B is not None:
            positions_P = torch.arange(self._end(1), device=self.latest_BP.device)
            return (positions_P <= self._positions_B[:, None])[:, None, None]
        if not past or new == 1:
            return None
        # `is_causal` aligns the mask at the first key; with positions in the cache it would hide nearly all of them.
        return torch.ones(new, past + new, dtype=torch.bool, device=self.latest_BP.device).tril(past)

    def advance(self, ids_BT: Tensor) -> None:
        """Count the positions of these tokens, after every layer has written them."""
        remembered = self.latest_BP.shape[1]
        latest_BP = torch.cat((self.latest_BP, ids_BT), 1)[:, ids_BT.shape[1] :] if remembered else self.latest_BP
        if self._counted_B is not None:
            self._counted_B.add_(1)
            self.latest_BP.copy_(latest_BP)
        else:
            self.lengths, self.latest_BP = [length + ids_BT.shape[1] for length in self.lengths], latest_BP

    def reset_row(self, row: int) -> None:
        """Empty one row."""
        self._set_length(row, 0)

    def _set_length(self, row: int, length: int) -> None:
        if self._counted_B is not None:
            self._counted_B[row] = length
        else:
            self.lengths[row] = length

    def copy_row(self, row: int, other: "KeyValueCache") -> None:
        """Copy the only row of `other` into one row."""
        length = other.length
        for mine, theirs in zip(self._keys + self._values, other._keys + other._values, strict=True):
            mine[row, :, :length] = theirs[0, :, :length]
        self._set_length(row, length)
        self.latest_BP[row] = other.latest_BP[0]

    def copy_from(self, other: "KeyValueCache", rows: Sequence[int]) -> None:
        """Replace the rows by these rows of `other`, a static cache that may be this one."""
        assert self._positions_B is not None
        assert other._positions_B is not None
        index = torch.tensor(rows, device=self.latest_BP.device)
        mine = (*self._keys, *self._values, self.latest_BP, self._positions_B)
        for part, theirs in zip(mine, (*other._keys, *other._values, other.latest_BP, other._positions_B), strict=True):
            part.copy_(theirs[index])

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        index = torch.tensor(rows, device=self.latest_BP.device)
        self._keys, self._values = [part[index] for part in self._keys], [part[index] for part in self._values]
        self.latest_BP, self.lengths = self.latest_BP[index], [self.lengths[row] for row in rows]


class StateCache:
    """The state of a recurrent network, in the layout of its torch layer; None before the first position."""

    capacity: None = None

    def __init__(self, batch: int) -> None:
        self.lengths = [0] * batch
        self.state: tuple[Tensor, ...] | None = None
        """The parts of the state, each with the rows on its second axis."""
        self._static = False

    @property
    def length(self) -> int:
        """Return the number of positions that the longest row has seen."""
        return max(self.lengths)

    def keep(self, state: tuple[Tensor, ...], new: int) -> None:
        """Store the state after this number of new positions."""
        if self._static and self.state is not None:
            for mine, part in zip(self.state, state, strict=True):
                mine.copy_(part)
        else:
            self.state, self.lengths = state, [length + new for length in self.lengths]

    def make_static(self) -> None:
        """Empty every row; from now on the state keeps its address in memory. Call this after the first pass."""
        assert self.state is not None
        self._static = True
        for part in self.state:
            part.zero_()

    def reset_row(self, row: int) -> None:
        """Empty one row."""
        for part in self.state or ():
            part[:, row] = 0
        self.lengths[row] = 0

    def copy_row(self, row: int, other: "StateCache") -> None:
        """Copy the only row of `other` into one row."""
        assert other.state is not None
        if self.state is None:
            self.state = tuple(part.repeat(1, len(self.lengths), 1) for part in other.state)
        for mine, theirs in zip(self.state, other.state, strict=True):
            mine[:, row] = theirs[:, 0]
        self.lengths[row] = other.length

    def copy_from(self, other: "StateCache", rows: Sequence[int]) -> None:
        """Replace the rows by these rows of `other`, a static cache that may be this one."""
        assert self.state is not None
        assert other.state is not None
        for mine, theirs in zip(self.state, other.state, strict=True):
            mine.copy_(theirs[:, list(rows)])

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        if self.state is not None:
            self.state = tuple(part[:, list(rows)] for part in self.state)
        self.lengths = [self.lengths[row] for row in rows]
