"""How surprising a text is to a model: the bits of each token, of each word, and of the whole text.

The surprise of a token is the negative logarithm, to base 2, of its probability given the tokens before it: 0 bits for
a token that was certain, 1 bit for a chance of one in two, 8 bits for one in 256.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lilliput.corpus import unmark
from lilliput.errors import CorpusError
from lilliput.writer import Writer

_WORD = re.compile(r"\S+")
_DIGITS = 6
"""Digits after the point of a figure in JSON."""


@dataclass(frozen=True, slots=True)
class LikelyToken:
    """A token that might have stood in the place of another; its text is empty for a part of a character."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class TokenSurprise:
    """A token of a text and its surprise."""

    text: str
    """Empty as long as a character that is spelled by several tokens is not complete."""
    start: int
    """Characters of the text before it."""
    bits: float | None
    """None for the first token: it has no context."""
    alternatives: tuple[LikelyToken, ...] = ()
    """The likeliest tokens in its place, the likeliest first."""

    @property
    def probability(self) -> float | None:
        """The probability of the token."""
        return None if self.bits is None else 2.0**-self.bits

    def as_dict(self) -> dict[str, Any]:
        """Return the token for JSON."""
        alternatives = [
            {"text": alternative.text, "probability": round(alternative.probability, _DIGITS)}
            for alternative in self.alternatives
        ]
        return {"text": self.text, "start": self.start, "bits": _rounded(self.bits), "alternatives": alternatives}


@dataclass(frozen=True, slots=True)
class WordSurprise:
    """A word between white space, and the sum of the bits of its tokens."""

    text: str
    start: int
    line: int
    bits: float

    def as_dict(self) -> dict[str, Any]:
        """Return the word for JSON."""
        return {"text": self.text, "start": self.start, "line": self.line, "bits": _rounded(self.bits)}


@dataclass(frozen=True)
class TextSurprise:
    """A text and the surprise of its tokens."""

    tokens: Sequence[TokenSurprise]

    @cached_property
    def text(self) -> str:
        """The text that the tokens spell."""
        return "".join(token.text for token in self.tokens)

    @cached_property
    def bits(self) -> float:
        """The bits of all tokens that have a score."""
        return math.fsum(token.bits for token in self._scored if token.bits is not None)

    @property
    def bits_per_token(self) -> float:
        """Bits per token that has a score."""
        return self.bits / len(self._scored)

    @property
    def bits_per_character(self) -> float:
        """Bits per character of the tokens that have a score."""
        return self.bits / sum(len(token.text) for token in self._scored)

    @cached_property
    def _scored(self) -> list[TokenSurprise]:
        return [token for token in self.tokens if token.bits is not None]

    def extreme_words(self, most: int) -> tuple[list[WordSurprise], list[WordSurprise]]:
        """Return up to `most` of the most surprising words, and as many of the least surprising ones.

        A word that occurs several times is listed once, at the place where it is most, or least, surprising.
        """
        ordered = sorted(self._words, key=lambda word: -word.bits)
        return _first_of_each(ordered, most), _first_of_each(ordered[::-1], most)

    @cached_property
    def _words(self) -> list[WordSurprise]:
        """The words with a letter or a digit whose tokens all have a score."""
        matches = list(_WORD.finditer(self.text))
        starts = [match.start() for match in matches]
        bits: list[float | None] = [0.0] * len(matches)
        for token in self.tokens:
            if token.text.isspace():
                continue
            # White space at the start of a token belongs to the word that it begins.
            position = token.start + len(token.text) - len(token.text.lstrip())
            word = bisect_right(starts, position) - 1
            if word >= 0 and position < matches[word].end():
                before = bits[word]
                bits[word] = None if before is None or token.bits is None else before + token.bits
        words, line, position = [], 1, 0
        for match, value in zip(matches, bits, strict=True):
            line, position = line + self.text.count("\n", position, match.start()), match.start()
            if value is not None and any(map(str.isalnum, match[0])):
                words.append(WordSurprise(match[0], match.start(), line, value))
        return words

    def as_dict(self, most: int) -> dict[str, Any]:
        """Return the figures, up to `most` extreme words of each kind, and the tokens, for JSON."""
        surprising, expected = self.extreme_words(most)
        return {
            "tokens": len(self.tokens),
            "characters": len(self.text),
            "bits": _rounded(self.bits),
            "bits_per_token": _rounded(self.bits_per_token),
            "bits_per_character": _rounded(self.bits_per_character),
            "most_surprising": [word.as_dict() for word in surprising],
            "least_surprising": [word.as_dict() for word in expected],
            "scores": [token.as_dict() for token in self.tokens],
        }


def measure_surprise(
    writer: Writer, text: str, *, alternatives: int = 0, label: str | None = None, name: str = "the text"
) -> TextSurprise:
    """Return the surprise of each token of a text, with the likeliest `alternatives` of each; `name` is for errors.

    Raises GenerationError as `Writer.score` does, CorpusError for a text in which no character has a score.
    """
    # Reversed lines are scored from their ends, and shown as they are read.
    scored = sorted(writer.score(text, top=alternatives, label=label), key=lambda token: token.start)
    texts = {id_: _text_of(writer, id_) for id_ in {id_ for token in scored for id_, _ in token.top}}
    surprise = TextSurprise(
        [
            TokenSurprise(
                token.text,
                token.start,
                # Not minus zero.
                None if token.log_probability is None else max(0.0, -token.log_probability / math.log(2)),
                tuple(LikelyToken(texts[id_], math.exp(value)) for id_, value in token.top),
            )
            for token in scored
        ]
    )
    if not any(token.text for token in surprise.tokens if token.bits is not None):
        raise CorpusError(f"{name} has one token, and nothing before it to predict it from: give at least 2")
    return surprise


def whole_characters(tokens: Sequence[TokenSurprise]) -> list[TokenSurprise]:
    """Return the tokens, without those that have no text: each is joined to the next one that has.

    A token without text is a part of a character, or a label. The alternatives are those of the first token that has a
    score.
    """
    joined: list[TokenSurprise] = []
    part: TokenSurprise | None = None
    for token in tokens:
        whole = token
        if part is not None:
            bits = token.bits if part.bits is None or token.bits is None else part.bits + token.bits
            whole = replace(token, bits=bits, alternatives=part.alternatives or token.alternatives)
        part = None if whole.text else whole
        if part is None:
            joined.append(whole)
    return joined


def _text_of(writer: Writer, id_: int) -> str:
    """Return the text of a token alone; empty if it is a part of a character or a label."""
    return unmark(writer.tokenizer.decode([id_])).replace("\N{REPLACEMENT CHARACTER}", "")


def _first_of_each(words: Sequence[WordSurprise], most: int) -> list[WordSurprise]:
    chosen: dict[str, WordSurprise] = {}
    for word in words:
        if len(chosen) == most:
            break
        chosen.setdefault(word.text, word)
    return list(chosen.values())


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
