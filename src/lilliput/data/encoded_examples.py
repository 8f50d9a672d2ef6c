"""Prompts and answers as tokens: encoding, two files on disk, and batches as a pure function of (seed, step).

An example is the tokens of its prompt, its answer and an end token, each encoded separately, so that a prompt given
alone later has the same tokens as in training. The prompt has weight 0 in the loss, the answer and its end weight 1.
Rows are padded on the right to the longest of their batch; padding has weight 0, and models are causal. An epoch visits
all examples in random order. Left out: packing several short examples into one row.

Axes: N examples, B rows of the batch, T time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lilliput.corpus import END, Examples
from lilliput.data.batch import Batch
from lilliput.data.tokens import Tokens, read_tokens, write_tokens
from lilliput.errors import CorpusError, RunError
from lilliput.tokenizers import Tokenizer

_ENCODED_AT_ONCE = 50_000
"""Examples that are encoded together: bounds the memory."""


@dataclass(frozen=True, eq=False)
class EncodedExamples:
    """Many examples as one sequence of tokens.

    `bounds_N2` holds the start of each answer and the end of the example; an example starts at the end of the previous
    one.
    """

    ids: Tokens
    bounds_N2: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds_N2)

    @cached_property
    def starts_N(self) -> NDArray[np.int64]:
        """The start of each example."""
        starts: NDArray[np.int64] = np.concatenate([[0], self.bounds_N2[:-1, 1]])
        return starts

    @property
    def lengths_N(self) -> NDArray[np.int64]:
        """The number of tokens of each example, including its end token."""
        return self.bounds_N2[:, 1] - self.starts_N

    @property
    def answer_lengths_N(self) -> NDArray[np.int64]:
        """The number of tokens of each answer, including its end token: the targets that count."""
        return self.bounds_N2[:, 1] - self.bounds_N2[:, 0]

    @property
    def positions(self) -> int:
        """The number of positions that a model needs for the longest example: all tokens but the last are inputs."""
        return max(1, int(self.lengths_N.max()) - 1)

    def prompt(self, index: int) -> list[int]:
        """Return the tokens of one prompt."""
        return [int(id) for id in self.ids[self.starts_N[index] : self.bounds_N2[index, 0]]]

    def answer(self, index: int) -> list[int]:
        """Return the tokens of one answer, including its end token."""
        return [int(id) for id in self.ids[self.bounds_N2[index, 0] : self.bounds_N2[index, 1]]]

    def batch(self, indices: NDArray[np.int64]) -> Batch:
        """Return the examples with these indices as the rows of a batch."""
        starts, (middles, ends) = self.starts_N[indices], self.bounds_N2[indices].T
        columns = np.arange(int((ends - starts).max()))
        at_BT = starts[:, None] + columns
        # Positions beyond a row's end read arbitrary tokens of the file, which are then set to padding.
        ids_BT = self.ids[np.minimum(at_BT, len(self.ids) - 1)].astype(np.int64)
        ids_BT[at_BT >= ends[:, None]] = 0
        counts_BT = (at_BT >= middles[:, None]) & (at_BT < ends[:, None])
        ids = torch.from_numpy(ids_BT)
        return Batch(ids[:, :-1], ids[:, 1:], torch.from_numpy(counts_BT[:, 1:].astype(np.float32)))


def encode_examples(examples: Examples, tokenizer: Tokenizer, window: int | None = None) -> EncodedExamples:
    """Encode examples. Raises CorpusError, with its line, for an example that needs more than `window` positions."""
    parts, lengths = zip(*_encoded(examples, tokenizer), strict=True)
    encoded = EncodedExamples(np.concatenate(parts), np.cumsum(np.concatenate(lengths)).reshape(-1, 2))
    if window is not None and encoded.positions > window:
        worst = int(encoded.lengths_N.argmax())
        raise CorpusError(
            f"{examples.where(worst)} has {int(encoded.lengths_N[worst]):,} tokens with its end, but at most "
            f"{window + 1:,} fit: shorten it, or start a run with data.window={encoded.positions}"
        )
    return encoded


def write_examples(path: Path, encoded: EncodedExamples) -> None:
    """Write the tokens to `path` and the bounds of the answers to a second file, `.bounds.npy`."""
    write_tokens(path, encoded.ids)
    write_tokens(path.with_suffix(".bounds.npy"), encoded.bounds_N2.ravel().astype(np.uint32))


def read_examples(path: Path, read: Callable[[Path], Tokens] = read_tokens) -> EncodedExamples:
    """Open the files of `write_examples`, each with `read`. Raises RunError if one is missing or damaged."""
    ids, flat = read(path), read(path.with_suffix(".bounds.npy"))
    bounds = flat.astype(np.int64)
    if len(bounds) < 2 or len(bounds) % 2 or bounds[0] < 1 or (np.diff(bounds) < 1).any() or bounds[-1] != len(ids):
        raise RunError(f"{path}: its bounds do not match its tokens; start over with --fresh")
    return EncodedExamples(ids, bounds.reshape(-1, 2))


class ExampleBatches:
    """Examples in random order, `rows` of them per step."""

    def __init__(self, examples: EncodedExamples, rows: int, seed: int) -> None:
        self._examples = examples
        self._rows = rows
        self._seed = seed
        # Cache the order of the last epoch: consecutive steps mostly share it.
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def batch(self, step: int) -> Batch:
        """Return the batch of a step (counted from 0)."""
        count = len(self._examples)
        rows = np.arange(step * self._rows, (step + 1) * self._rows)
        chosen = [self._order_of(epoch)[rows[rows // count == epoch] % count] for epoch in np.unique(rows // count)]
        return self._examples.batch(np.concatenate(chosen))

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        if epoch != self._epoch:
            self._order = np.random.default_rng([self._seed, int(epoch)]).permutation(len(self._examples))
            self._epoch = epoch
        return self._order


def _encoded(
    examples: Examples, tokenizer: Tokenizer
) -> Iterator[tuple[NDArray[np.unsignedinteger], NDArray[np.int64]]]:
    """Yield in portions the tokens, and the alternating lengths of prompts and of answers with their ends."""
    end = tokenizer.encode(END)
    for first in range(0, len(examples), _ENCODED_AT_ONCE):
        bounds = examples.bounds_N2[first : first + _ENCODED_AT_ONCE]
        start = int(examples.bounds_N2[first - 1, 1]) if first else 0
        text = examples.text[start : int(bounds[-1, 1])]
        ids = _one_a_character(text, tokenizer)
        if ids is None:
            ids, lengths = _one_by_one(text, bounds - start, tokenizer)
        else:
            lengths = np.diff(bounds.ravel(), prepend=start)
        # Insert the end after every second piece, the answers.
        ids = np.insert(ids, np.repeat(np.cumsum(lengths)[1::2], len(end)), np.tile(end, len(bounds)))
        lengths[1::2] += len(end)
        yield ids, lengths


def _one_a_character(text: str, tokenizer: Tokenizer) -> NDArray[np.unsignedinteger] | None:
    """Encode a whole text if each of its characters is one token, so that the bounds stay valid; otherwise None."""
    # No token of these kinds covers two characters, so an equal length means one token per character.
    if tokenizer.kind not in ("char", "byte") or tokenizer.normalized(text) != text:
        return None
    ids = tokenizer.encode(text)
    return ids if len(ids) == len(text) else None


def _one_by_one(
    text: str, bounds_N2: NDArray[np.int64], tokenizer: Tokenizer
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int64]]:
    edges = [0, *bounds_N2.ravel().tolist()]
    pieces = [tokenizer.encode(text[start:end]) for start, end in pairwise(edges)]
    return np.concatenate(pieces), np.array([len(piece) for piece in pieces], np.int64)
