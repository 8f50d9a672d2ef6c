"""What weights of 8 bits cost: the loss with them beside the loss without, on the same tokens of the held-out text.

Both read a few hundred places of the text for some tokens each, one token at a time, as they would write.

Axes: B rows, T time, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.data.tokens import read_tokens
from lilliput.generation import Reading, TorchReading
from lilliput.runs import RunFolder
from lilliput.writer import Writer

_ROWS, _TIME = 32, 65


@dataclass(frozen=True, slots=True)
class Rounding:
    """The loss in nats per token with weights of 8 bits, and with those of 32, over so many tokens."""

    rounded: float
    exact: float
    tokens: int


def measure_rounding(writer: Writer) -> Rounding | None:
    """Measure on the held-out text that lies in the run's folder; None if there is too little of it."""
    if writer.folder is None:
        return None
    tokens = read_tokens(RunFolder(writer.folder).validation_tokens, writer.model.vocab_size)
    time = min(_TIME, writer.model.context)
    rows = min(_ROWS, len(tokens) // time)
    if rows < 1 or time < 2:
        return None
    starts = np.linspace(0, len(tokens) - time, rows).astype(int)
    ids_BT = np.stack([tokens[start : start + time] for start in starts]).astype(np.int64)
    rounded, exact = (_loss(reading, ids_BT) for reading in (writer.reading(rows), TorchReading(writer.model, rows)))
    return Rounding(rounded, exact, rows * (time - 1))


def _loss(reading: Reading, ids_BT: NDArray[np.int64]) -> float:
    rows: Sequence[list[int]] = ids_BT.tolist()
    logits_BV = np.stack([reading.begin(row, ids[:1]) for row, ids in enumerate(rows)])
    total = 0.0
    for place in range(1, ids_BT.shape[1]):
        greatest_B1 = logits_BV.max(1, keepdims=True)
        sums_B = np.log(np.exp(logits_BV - greatest_B1, dtype=np.float64).sum(1)) + greatest_B1[:, 0]
        total += float((sums_B - logits_BV[np.arange(len(rows)), ids_BT[:, place]]).sum())
        if place + 1 < ids_BT.shape[1]:
            logits_BV = reading.add(ids_BT[:, place].tolist())
    return total / (len(rows) * (len(rows[0]) - 1))
