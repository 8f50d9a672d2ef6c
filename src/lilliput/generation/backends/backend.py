"""A backend runs a model on several texts, one per row, and returns the logits of the next token of each.

Each row is prefilled alone; then all rows are decoded together, one token at a time. If the cache of a row is full, its
latest context / 2 tokens, including the new one, are read again into an empty cache, with learned and with rotary
positions. A network without a capacity (LSTM, GRU) reads each token once.

Axes: B rows, T time, P tokens before, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray

from lilliput.models.protocol import Cache, Model, evaluating

LogitsV = NDArray[np.float32]


class Backend(ABC):
    """Rows of text, each with its cache."""

    def __init__(self, model: Model, rows: int) -> None:
        self.model = model
        self.texts: list[list[int]] = [[] for _ in range(rows)]

    @property
    @abstractmethod
    def lengths(self) -> list[int]:
        """Return the number of cached positions of each row."""

    @property
    @abstractmethod
    def capacity(self) -> int | None:
        """Return the number of positions that fit; None if there is no limit."""

    def prefill(self, row: int, ids: Sequence[int]) -> LogitsV:
        """Replace the text of a row by `ids`, at least one; return logits_V of the next token.

        Only the latest ids that fit are read. A model may use some of those before them in another way
        (`Model.memory`).
        """
        self.texts[row] = list(ids)
        return self._read_latest(row, len(ids) if self.capacity is None else self.capacity, begins=True)

    def decode(self, tokens: Sequence[int]) -> LogitsV:
        """Add a token to each row and return logits_BV of the next one."""
        for text, token in zip(self.texts, tokens, strict=True):
            text.append(token)
        lengths, capacity = self.lengths, self.capacity
        if capacity is None or max(lengths) < capacity:
            return self._step(tokens)
        full = [row for row, length in enumerate(lengths) if length == capacity]
        if len(full) == len(self.texts):
            logits = [self._read_latest(row, max(1, self.model.context // 2)) for row in full]
            return np.stack(logits)
        logits_BV = self._step(tokens)
        for row in full:
            logits_BV[row] = self._read_latest(row, max(1, self.model.context // 2))
        return logits_BV

    @abstractmethod
    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be repeated."""

    def _read_latest(self, row: int, count: int, begins: bool = False) -> LogitsV:
        text = self.texts[row]
        first = max(0, len(text) - count)
        return self._read(row, text[first:], text[max(0, first - self.model.memory) : first], begins)

    @abstractmethod
    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        """Read ids into an empty row; return logits_V. With `begins`, a cache may keep them as the start of a text."""

    @abstractmethod
    def _step(self, tokens: Sequence[int]) -> LogitsV:
        """Read one token in each row and return logits_BV; the logits of full rows are undefined."""


class TorchBackend(Backend):
    """Runs the module with torch, on any device."""

    def __init__(self, model: Model, rows: int) -> None:
        super().__init__(model, rows)
        self._cache: Cache = model.new_cache(rows)

    @property
    def lengths(self) -> list[int]:
        """Return the number of cached positions of each row."""
        return self._cache.lengths

    @property
    def capacity(self) -> int | None:
        """Return the number of positions that fit; None if there is no limit."""
        return self._cache.capacity

    def reorder(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be repeated."""
        self.texts = [list(self.texts[row]) for row in rows]
        self._cache.reorder(rows)

    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        cache = self.model.new_cache(1)
        # In parts of `context` tokens, so that a long prompt takes no more memory than a window.
        for start in range(0, len(ids), self.model.context):
            logits_BV = self._pass([ids[start : start + self.model.context]], cache, before)
        if len(self.texts) == 1:
            self._cache = cache
        else:
            with torch.inference_mode():
                self._cache.copy_row(row, cache)
        logits_V: LogitsV = logits_BV[0]
        return logits_V

    def _step(self, tokens: Sequence[int]) -> LogitsV:
        for row, length in enumerate(self.lengths):
            if length == self.capacity:
                with torch.inference_mode():
                    self._cache.reset_row(row)
        return self._pass([[token] for token in tokens], self._cache)

    def _pass(self, ids: Sequence[Sequence[int]], cache: Cache, before: Sequence[int] = ()) -> LogitsV:
        model = self.model
        with inference(model):
            device = next(model.parameters()).device
            ids_BT, before_BP = (
                torch.tensor(part, device=device, dtype=torch.long) for part in (ids, [before] * len(ids))
            )
            features_BTD = model.features(ids_BT, cache, before_BP)
            logits_BV: LogitsV = model.head(features_BTD[:, -1:])[:, 0].float().cpu().numpy()
        return logits_BV


@contextmanager
def inference(model: Model) -> Iterator[None]:
    """Run a pass in evaluation mode and without gradients; between two tokens the caller may train."""
    # Visiting every module takes too long to do it at each token without need.
    with evaluating(model) if model.training else nullcontext(), torch.inference_mode():
        yield


_CHECKED = 8
"""Tokens that both backends read."""


def largest_difference(backend: Backend) -> float:
    """Return the largest difference between the logits of a one-row backend and the model's, over a few tokens."""
    ids = np.random.default_rng(0).integers(0, backend.model.vocab_size, _CHECKED).tolist()
    both = backend, TorchBackend(backend.model, 1)
    pairs = [[one.prefill(0, ids[: _CHECKED // 2]) for one in both]]
    pairs += [[one.decode([token])[0] for one in both] for token in ids[_CHECKED // 2 :]]
    return max(float(np.abs(actual_V - expected_V).max()) for actual_V, expected_V in pairs)
