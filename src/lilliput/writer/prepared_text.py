"""A text that a model continues: what to sample from, and the pieces of text that new tokens add."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SampleSettings
from lilliput.generation.text import Piece, TextEnding
from lilliput.tokenizers import TextStream


@dataclass
class PreparedText:
    """A text before its next token.

    `ids` are the tokens that the model reads; the first new token begins with `rest`, the escaped end of a prompt that
    was healed. `stream` decodes the new tokens, `shown` removes the characters of labels from the result. Whoever draws
    the tokens pushes each, until the text is over.
    """

    ids: Sequence[int]
    rest: str
    filters: list[Filter]
    settings: SampleSettings
    seed: int
    stream: TextStream
    ending: TextEnding
    shown: Callable[[str], str]
    tokens: int = 0
    """Number of tokens pushed."""
    _began: float = field(default_factory=time.perf_counter)

    def sampler(self, top: int = 0) -> Sampler:
        """Return the sampler of this text; with `top`, each token has that many of the most likely ones."""
        return Sampler(self.settings, self.seed, len(self.ids), self.filters, top=top)

    @property
    def over(self) -> bool:
        """Return whether the text has ended, or has `max_tokens`."""
        return self.ending.over or self.tokens >= self.settings.max_tokens

    def push(self, token: Token) -> Piece:
        """Return the piece of text that one more token adds."""
        self.tokens += 1
        speed = self.tokens / max(1e-9, time.perf_counter() - self._began)
        text = self.shown(self.stream.push(token.id))
        return self.ending.push(Piece(text, self.tokens, token.id, token.probability, speed, token.top))

    def finish(self) -> Piece | None:
        """Return the text that was held back, if any. A character that is not complete is left out."""
        return None if self.ending.over else self.ending.finish()

    def read(self, tokens: Iterator[Token]) -> Iterator[Piece]:
        """Yield a piece for each token up to the end of the text; draw no token after it.

        Raises GenerationError if the text does not match its pattern at the end.
        """
        self._began = time.perf_counter()
        for token in tokens:
            yield self.push(token)
            if self.ending.over:
                return
        rest = self.finish()
        if rest is not None:
            yield rest
        self.ending.check()
