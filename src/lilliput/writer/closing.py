"""Close a line of verse with one of many last words, as the model would if it knew that the word must be one of them.

A closing is a last word, perhaps marks such as a comma, and the end of the line. At each token only those are allowed
that lead to a closing. The product of the probabilities of what is allowed is the weight of a line: lines drawn in
proportion to their weights follow the model's distribution of lines that have such a closing (importance resampling;
for language models: Lew et al. 2023, arXiv 2306.03081).

Vectors of one axis: V vocabulary.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from lilliput.generation.filters import Logits, only
from lilliput.tokenizers import Tokenizer


class TokenTrie:
    """Sequences of tokens by their prefixes. `next` is what may follow a complete sequence."""

    def __init__(self, sequences: Iterable[Sequence[int]], next: "TokenTrie | None" = None) -> None:
        self.following: dict[int, TokenTrie] = {}
        self.complete = False
        self._next = next
        for sequence in sequences:
            self.add(sequence)

    def add(self, sequence: Sequence[int]) -> None:
        """Add a sequence."""
        node = self
        for token in sequence:
            node = node.following.setdefault(token, TokenTrie((), self._next))
        node.complete = True

    def after(self, token: int) -> "list[TokenTrie]":
        """Return the nodes that a token leads to from here."""
        reached = [self.following[token]] if token in self.following else []
        return reached + (self._next.after(token) if self.complete and self._next else [])

    def tokens(self) -> list[int]:
        """Return the tokens that may follow."""
        return [*self.following, *(self._next.tokens() if self.complete and self._next else [])]


class Closing:
    """A filter that allows only the closings of some tries, and their weight so far.

    It holds the state of one text, whose closing begins at position `start`.
    """

    def __init__(self, tries: Sequence[TokenTrie], start: int, temperature: float) -> None:
        self._nodes = list(tries)
        self._read = start
        self._temperature = max(temperature, 1e-3)
        self.log_weight = 0.0

    def __call__(self, logits_V: Logits, ids: Sequence[int]) -> Logits:
        """Forbid all tokens that lead to no closing."""
        for token in ids[self._read :]:
            self._nodes = [after for node in self._nodes for after in node.after(token)]
        self._read = len(ids)
        allowed = sorted({token for node in self._nodes for token in node.tokens()})
        scaled_V = (logits_V - logits_V.max()) / self._temperature
        weights_V = np.exp(scaled_V, dtype=np.float64)
        with np.errstate(divide="ignore"):
            self.log_weight += float(np.log(weights_V[allowed].sum()) - np.log(weights_V.sum()))
        return only(logits_V, allowed)


def line_end(tokenizer: Tokenizer, marks: Iterable[str], end: str) -> TokenTrie:
    """Return what may follow a last word: nothing or one of the marks, then the text `end`."""
    marked = TokenTrie((encode(tokenizer, mark) for mark in marks), TokenTrie([encode(tokenizer, end)]))
    marked.complete = True
    return marked


def closings(tokenizer: Tokenizer, words: Iterable[str], lead: str, end: TokenTrie) -> TokenTrie:
    """Return the closings: `lead` and one of the words, then a `line_end`."""
    return TokenTrie((encode(tokenizer, lead + word) for word in words), end)


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Return the ids of a text as a list."""
    ids: list[int] = tokenizer.encode(text).tolist()
    return ids
