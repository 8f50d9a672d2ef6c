"""The cost of 8-bit weights: the loss with 8-bit and with 32-bit weights on the same held-out tokens.

Both read a few dozen short stretches of the text, one token at a time, as in generation. For prompts with answers they
read a few hundred examples, and only the answers count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from lilliput.data.encoded_examples import EncodedExamples, read_examples
from lilliput.data.tokens import Tokens
from lilliput.generation import TorchBackend, log_probabilities
from lilliput.runs.folder import RunFolder
from lilliput.segments import moved_inside, segments
from lilliput.writer import Writer

_ROWS, _TIME = 32, 65
_EXAMPLES = 512

_Rows = tuple[list[list[int]], list[list[int]]]
"""Prompts, and the scored tokens after each, all of one length."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """The loss in nats per token with 8-bit weights (`rounded`) and 32-bit weights (`exact`), over `tokens`."""

    rounded: float
    exact: float
    tokens: int


def measure_rounding(writer: Writer) -> Rounding | None:
    """Measure on the held-out tokens in the run's folder; None if there are too few."""
    if writer.folder is None:
        return None
    run = RunFolder(writer.folder)
    held_out = run.validation_tokens
    if not held_out.exists():
        return None
    if held_out.with_suffix(".bounds.npy").exists():
        groups = list(_of_examples(read_examples(held_out, run.read_tokens)))
    else:
        tokens = run.read_tokens(held_out, writer.model.vocab_size)
        parts = segments(len(tokens), run.read_starts(held_out, len(tokens)))
        groups = list(_of_text(tokens, min(_TIME, writer.model.context), parts))
    if not groups:
        return None
    rounded, exact, count = 0.0, 0.0, 0
    for prompts, others in groups:
        rows = len(prompts)
        rounded -= sum(log_probabilities(writer.backend(rows), prompts, others))
        exact -= sum(log_probabilities(TorchBackend(writer.model, rows), prompts, others))
        count += rows * len(others[0])
    return Rounding(rounded / count, exact / count, count)


def _of_text(tokens: Tokens, time: int, parts: Sequence[range]) -> Iterator[_Rows]:
    """Yield evenly spread stretches of a text, each within one segment; none for a short text."""
    rows = min(_ROWS, len(tokens) // time)
    if rows < 1 or time < 2:
        return
    time = min(time, *map(len, parts))
    starts = moved_inside(np.linspace(0, len(tokens) - time, rows).astype(int), time, parts)
    ids = [tokens[start : start + time].tolist() for start in starts]
    yield [row[:1] for row in ids], [row[1:] for row in ids]


def _of_examples(examples: EncodedExamples) -> Iterator[_Rows]:
    """Yield evenly spread examples, grouped by the length of their answers."""
    indices = np.unique(np.linspace(0, len(examples) - 1, _EXAMPLES).astype(int)).tolist()
    lengths = examples.answer_lengths_N.tolist()
    for _, group in groupby(sorted(indices, key=lengths.__getitem__), lengths.__getitem__):
        same = list(group)
        for first in range(0, len(same), _ROWS):
            part = same[first : first + _ROWS]
            yield [examples.prompt(index) for index in part], [examples.answer(index) for index in part]
