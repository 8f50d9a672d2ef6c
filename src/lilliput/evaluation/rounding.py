"""What weights of 8 bits cost: the loss with them beside the loss without, on the same tokens of the held-out text.

Both read a few hundred places of the text for some tokens each, one token at a time, as they would write.
"""

from dataclasses import dataclass

import numpy as np

from lilliput.data.tokens import read_tokens
from lilliput.generation import TorchReading, log_probabilities
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
    held_out = RunFolder(writer.folder).validation_tokens
    # A run on prompts and answers has no text.
    if not held_out.exists():
        return None
    tokens = read_tokens(held_out, writer.model.vocab_size)
    time = min(_TIME, writer.model.context)
    rows = min(_ROWS, len(tokens) // time)
    if rows < 1 or time < 2:
        return None
    starts = np.linspace(0, len(tokens) - time, rows).astype(int)
    ids = [tokens[start : start + time].tolist() for start in starts]
    firsts, others = [row[:1] for row in ids], [row[1:] for row in ids]
    count = rows * (time - 1)
    rounded, exact = (
        -sum(log_probabilities(reading, firsts, others)) / count
        for reading in (writer.reading(rows), TorchReading(writer.model, rows))
    )
    return Rounding(rounded, exact, count)
