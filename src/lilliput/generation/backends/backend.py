"""A backend runs a model on several texts, one per row, and returns the logits of the next token of each.

Each row is prefilled alone; then all rows are decoded together, one token at a time. A row with a full cache slides by
half: its latest context / 2 tokens, including the new one, are read again into an empty cache, for learned and rotary
positions alike. A network without a capacity (LSTM, GRU) reads everything and never slides.

Axes: B rows, T time, P tokens before, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from lilliput.models.protocol import Cache, Model

LogitsV = NDArray[np.float32]


class Backend(ABC):
    """Some rows of text, and what the model has cached of each."""

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
        """Let a row hold `ids`, one at least, and nothing else; return logits_V of what comes next.

        Of more than fit, the latest count; of those before them a model may have some use without reading them
        (`Model.memory`).
        """
        self.texts[row] = list(ids)
        return self._read_latest(row, len(ids) if self.capacity is None else self.capacity, begins=True)

    def decode(self, tokens: Sequence[int]) -> LogitsV:
        """Add a token to each row and return logits_BV of what comes next."""
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
        """Keep these rows, in this order; one may be named several times."""

    def _read_latest(self, row: int, count: int, begins: bool = False) -> LogitsV:
        text = self.texts[row]
        first = max(0, len(text) - count)
        return self._read(row, text[first:], text[max(0, first - self.model.memory) : first], begins)

    @abstractmethod
    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        """Read into an emptied row; return logits_V. Where a text `begins`, others may begin like it."""

    @abstractmethod
    def _step(self, tokens: Sequence[int]) -> LogitsV:
        """Read one token in each row, and return logits_BV; the logits of full rows are undefined."""


class TorchBackend(Backend):
    """Runs the torch module itself, on any device."""

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
        """Keep these rows, in this order; one may be named several times."""
        self.texts = [list(self.texts[row]) for row in rows]
        self._cache.reorder(rows)

    def _read(self, row: int, ids: Sequence[int], before: Sequence[int], begins: bool) -> LogitsV:
        cache = self.model.new_cache(1)
        # In pieces of a context, so that a long prompt takes no more memory than a window.
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
        with evaluating(model):
            device = next(model.parameters()).device
            ids_BT, before_BP = (
                torch.tensor(part, device=device, dtype=torch.long) for part in (ids, [before] * len(ids))
            )
            features_BTD = model.features(ids_BT, cache, before_BP)
            logits_BV: LogitsV = model.head(features_BTD[:, -1:])[:, 0].float().cpu().numpy()
        return logits_BV


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """Set a model's mode for one pass, and only that: between two tokens the caller may train."""
    training = model.training
    if training:
        model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if training:
            model.train()


_CHECKED = 8
"""Tokens that are read in two ways."""


def farthest(backend: Backend) -> float:
    """Return how far the logits of a backend with one row are from those of its model, over a few tokens."""
    ids = np.random.default_rng(0).integers(0, backend.model.vocab_size, _CHECKED).tolist()
    both = backend, TorchBackend(backend.model, 1)
    pairs = [[one.prefill(0, ids[: _CHECKED // 2]) for one in both]]
    pairs += [[one.decode([token])[0] for one in both] for token in ids[_CHECKED // 2 :]]
    return max(float(np.abs(found_V - wanted_V).max()) for found_V, wanted_V in pairs)
