"""Good samples of earlier steps, by prompt, as part of an objective's state."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

MOST = 50
"""Maximum samples of a prompt; the worst go first."""
ALIKE = 0.8
"""Share of common token pairs from which on two samples are too much alike to keep both."""


class Replay:
    """Samples with a reward, by prompt: at most `MOST` each, no two of them nearly alike."""

    def __init__(self) -> None:
        self._samples: dict[tuple[int, ...], list[tuple[float, list[int]]]] = {}

    def add(self, prompt: Sequence[int], rows: Sequence[Sequence[int]], rewards: Sequence[float]) -> None:
        """Add the samples of a prompt that have a reward."""
        kept = self._samples.get(tuple(prompt), [])
        for row, reward in zip(rows, rewards, strict=True):
            if reward > 0 and not any(_alike(row, other) for _, other in kept):
                kept.append((reward, list(row)))
        if kept:
            kept.sort(key=lambda sample: -sample[0])  # stable: of equals, the oldest stay
            self._samples[tuple(prompt)] = kept[:MOST]

    def draw(self, prompt: Sequence[int], count: int) -> list[list[int]]:
        """Return at most `count` different samples of a prompt, drawn by torch's global generator."""
        kept = self._samples.get(tuple(prompt), [])
        return [kept[index][1] for index in torch.randperm(len(kept))[:count].tolist()]

    def state(self) -> dict[str, Tensor]:
        """Return all samples as tensors; nothing if there are none."""
        if not self._samples:
            return {}
        rows = [row for kept in self._samples.values() for _, row in kept]
        return {
            "replay.prompts": torch.tensor(list(self._samples)),
            "replay.counts": torch.tensor([len(kept) for kept in self._samples.values()]),
            "replay.rewards": torch.tensor(
                [reward for kept in self._samples.values() for reward, _ in kept], dtype=torch.float64
            ),
            "replay.lengths": torch.tensor([len(row) for row in rows]),
            "replay.ids": torch.tensor([id_ for row in rows for id_ in row]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Replay":
        """Return what `state` describes."""
        replay = cls()
        if not state:
            return replay
        ids = state["replay.ids"].tolist()
        rows, start = [], 0
        for length in state["replay.lengths"].tolist():
            rows.append(ids[start : start + length])
            start += length
        samples = iter(zip(state["replay.rewards"].tolist(), rows, strict=True))
        for prompt, count in zip(state["replay.prompts"].tolist(), state["replay.counts"].tolist(), strict=True):
            replay._samples[tuple(prompt)] = [next(samples) for _ in range(count)]
        return replay


def _alike(first: Sequence[int], second: Sequence[int]) -> bool:
    one, other = set(pairwise(first)), set(pairwise(second))
    return len(one & other) > ALIKE * max(1, min(len(one), len(other)))
