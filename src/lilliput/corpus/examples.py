"""Prompts and their answers, for models that are trained to answer.

All characters are in one string, and an array gives the ends of all prompts and answers: a million examples are two
objects, not millions. Every answer ends with one character, Unicode's END OF TEXT, so that the model learns to stop;
files that contain this character are refused. Examples are read by `files.example_files`.
Left out: several correct answers to one prompt.

Axes: N examples.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import CorpusError

END = "\x03"
"""The character that ends every answer."""


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt and its answer."""

    prompt: str
    answer: str


@dataclass(frozen=True, eq=False)
class Examples:
    """Many examples in one string.

    `bounds_N2` holds the ends of each prompt and answer in `text`; a prompt begins where the previous answer ends.
    `lines_N` are the line numbers of the examples in their file, if they come from one.
    """

    name: str
    text: str
    bounds_N2: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    lines_N: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.bounds_N2)

    def __getitem__(self, index: int) -> Example:
        middle, end = self.bounds_N2[index].tolist()
        start = int(self.bounds_N2[index - 1, 1]) if index else 0
        return Example(self.text[start:middle], self.text[middle:end])

    def __iter__(self) -> Iterator[Example]:
        start = 0
        for middle, end in self.bounds_N2.tolist():
            yield Example(self.text[start:middle], self.text[middle:end])
            start = end

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of the texts and their bounds, as hexadecimal digits."""
        checksum = hashlib.sha256(self.text.encode())
        checksum.update(self.bounds_N2.astype("<i8").tobytes())
        return checksum.hexdigest()

    @property
    def longest(self) -> int:
        """Return the characters of the longest prompt and answer together."""
        return int(np.diff(self.bounds_N2[:, 1], prepend=0).max())

    def where(self, index: int) -> str:
        """Return the name of an example in messages."""
        if self.lines_N is None:
            return f"{self.name}, problem {index + 1:,}"
        return f"{self.name}, line {int(self.lines_N[index]):,}"

    def take(self, chosen_N: NDArray[np.bool_]) -> "Examples":
        """Return the chosen examples in order."""
        kept = (example for example, taken in zip(self, chosen_N.tolist(), strict=True) if taken)
        lines = None if self.lines_N is None else self.lines_N[chosen_N]
        return gather(self.name, kept, self.notes, lines)


def gather(
    name: str, examples: Iterable[Example], notes: tuple[str, ...] = (), lines_N: NDArray[np.int64] | None = None
) -> Examples:
    """Combine single examples."""
    parts: list[str] = []
    lengths: list[int] = []
    for example in examples:
        parts += [example.prompt, example.answer]
        lengths += [len(example.prompt), len(example.answer)]
    bounds_N2 = np.cumsum(np.array(lengths, np.int64)).reshape(-1, 2)
    return Examples(name, "".join(parts), bounds_N2, notes, lines_N)


def shortened(text: str, most: int = 160) -> str:
    """Return at most this many characters of a prompt or answer, for display."""
    return text if len(text) <= most else text[:most] + "..."


def split_examples(
    examples: Examples, fraction: float, validation: Examples | None = None
) -> tuple[Examples, Examples]:
    """Split into training and validation: hold out a fraction of the distinct prompts, with all their answers.

    They are drawn at random, with a fixed seed: every tenth of the numbers 1, 2, 3 and so on, for example, would end in
    the same digit.

    Separate validation examples replace the split. Raises CorpusError if there are fewer than two distinct prompts.
    """
    if validation is not None:
        return examples, validation
    numbers: dict[str, int] = {}
    number_N = np.array([numbers.setdefault(example.prompt, len(numbers)) for example in examples], np.int64)
    count = len(numbers)
    if count < 2:
        raise CorpusError(
            f"{examples.name} holds {count} different prompt{'s' * (count != 1)}, and training and validation need one "
            "each: give more, or a validation file"
        )
    held = min(max(1, round(count * fraction)), count - 1)
    held_N = np.random.default_rng(0).permutation(count)[number_N] < held
    return examples.take(~held_N), examples.take(held_N)


def shared_prompts(training: Examples, validation: Examples) -> int:
    """Count the validation examples whose prompt is also in the training examples."""
    learnt = {example.prompt for example in training}
    return sum(example.prompt in learnt for example in validation)
