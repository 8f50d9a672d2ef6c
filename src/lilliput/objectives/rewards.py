"""Rewards of a line of verse: for a rhyme with an earlier line, and for its metre."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

import torch

from lilliput.objectives.settings import ObjectiveSettings
from lilliput.tokenizers import Tokenizer, token_texts
from lilliput.verse.lexicon import Lexicon

POOR = 0.7
"""Share of the reward of a rhyme that a poor rhyme gets."""


class Reward(Protocol):
    """The reward of continuations, as tokens."""

    is_early: bool
    """Whether the first tokens of a continuation decide its reward."""

    def decided(self, continuation: Sequence[int]) -> int:
        """Return the number of tokens that decide the reward: all of them, unless `is_early`."""
        ...

    def follows(self, prompt: Sequence[int]) -> list[bool]:
        """Return after which tokens of a prompt a line goes on whose reward is decided early."""
        ...

    def __call__(self, prompt: Sequence[int], continuation: Sequence[int]) -> float:
        """Return the reward of a continuation after a prompt."""
        ...

    def changed(self, prompt: Sequence[int], continuation: Sequence[int], rewarded: bool) -> list[int] | None:
        """Return a change of a continuation that has a reward, or one of the same kind that has none; None if none."""
        ...


class VerseReward:
    """The reward of a line: `rhyme` x (0, 0.7 for a poor rhyme, or 1) + `metre` x (0 or 1).

    There is no reward for a line without its end, for a rhyme with the same word, or for a rhyme with a word that is
    not in the training text. If the tokenizer reverses lines, the first tokens up to the end of a word are enough for
    a rhyme; the rest of the line need not be there.
    """

    def __init__(
        self,
        settings: ObjectiveSettings,
        tokenizer: Tokenizer,
        lexicon: Lexicon,
        ends: Collection[int],
    ) -> None:
        self._settings = settings
        self._tokenizer = tokenizer
        self.lexicon = lexicon
        self.language = lexicon.language
        self._ends = ends
        self._distance = 1 if settings.rhyme_distance == "any" else settings.rhyme_distance
        self._distances: dict[tuple[int, ...], int] = {}
        self._partners: dict[tuple[int, ...], str | None] = {}
        self.is_early = tokenizer.reverse_lines and not settings.metre
        self._texts = token_texts(tokenizer)

    def decided(self, continuation: Sequence[int]) -> int:
        """Return the number of tokens that decide the reward: in reversed lines, up to a space after the last word."""
        return self._word_end(continuation) or len(continuation)

    def follows(self, prompt: Sequence[int]) -> list[bool]:
        """Return after which tokens of a prompt a line goes on whose reward is decided early."""
        return list(self._after_words(prompt))

    def __call__(self, prompt: Sequence[int], continuation: Sequence[int]) -> float:
        """Return the reward of a continuation."""
        partner = self.partner(prompt)
        if partner is None or not self._is_complete(continuation):
            return 0.0
        level = self.level(prompt, continuation)
        rhyme = 0.0 if level == 0 else POOR if level == 1 else 1.0
        metre = self._settings.metre and self._same_metre(partner, self.line(continuation))
        return self._settings.rhyme * rhyme + self._settings.metre * metre

    def level(self, prompt: Sequence[int], continuation: Sequence[int]) -> int:
        """Return how well a line rhymes with its partner, as `Language.rhyme` does, if it has a reward for that."""
        partner = self.partner(prompt)
        before = self.language.ending(partner) if partner else None
        ending = self.language.ending(self.line(continuation))
        if before is None or ending is None or not self._is_complete(continuation) or not self.lexicon.has(ending):
            return 0
        return self.language.rhyme(before, ending)

    def line(self, continuation: Sequence[int]) -> str:
        """Return the text of a continuation without its end."""
        return self._tokenizer.decode(list(continuation)).strip()

    def remember(self, prompts: Iterable[Sequence[int]], distances: Iterable[int]) -> None:
        """Let lines after these prompts rhyme with the line at a distance of their own."""
        self._distances.update(zip(map(tuple, prompts), distances, strict=True))

    def partner(self, prompt: Sequence[int]) -> str | None:
        """Return the line of a prompt to rhyme with; None if the prompt is too short."""
        key = tuple(prompt)
        if key not in self._partners:
            lines = self._tokenizer.decode(list(prompt)).split("\n")[:-1]
            distance = self._distances.get(key, self._distance)
            self._partners[key] = lines[-distance] if len(lines) > distance else None
        return self._partners[key]

    def changed(self, prompt: Sequence[int], continuation: Sequence[int], rewarded: bool) -> list[int] | None:
        """Return a line with another last word, one that rhymes with the partner or any word; None if there is none.

        The word is drawn from the training text, by torch's global generator. A tuning that learns from lines of any
        origin can so see rhymes that the network would hardly ever draw. Beside lines with any other word it sees that
        the rhyme counts, and not that the word is unlikely.
        """
        partner = self.partner(prompt)
        before = self.language.ending(partner) if partner else None
        text = self._tokenizer.decode(list(continuation))
        ending = self.language.ending(text)
        if before is None or ending is None or continuation[-1] not in self._ends:
            return None
        words = self.lexicon.rhymes([before] if rewarded else [])
        start = text.lower().rfind(ending.word)
        if not words or start < 0:
            return None
        word = words[int(torch.randint(len(words), ()))]
        if word in (before.word, ending.word):
            return None
        line = text[:start] + word + text[start + len(ending.word) :]
        return [int(id_) for id_ in self._tokenizer.encode(line)]

    def _is_complete(self, continuation: Sequence[int]) -> bool:
        """Return whether a continuation has its end, or stops at the token that decides its reward."""
        return continuation[-1] in self._ends or self._word_end(continuation) == len(continuation)

    def _word_end(self, continuation: Sequence[int]) -> int | None:
        """Return the number of tokens that decide the reward early; None if they do not."""
        return next((number for number, after in enumerate(self._after_words(continuation), 1) if after), None)

    def _after_words(self, ids: Sequence[int]) -> Iterator[bool]:
        """Yield for each token whether a space follows the first word of its line, if the rewards are early."""
        has_letter = after = False
        for id_ in ids:
            if id_ in self._ends:
                has_letter = after = False
            for character in self._texts[id_] if self.is_early and id_ not in self._ends else "":
                after |= has_letter and character.isspace()
                has_letter |= character.isalpha()
            yield after

    def _same_metre(self, partner: str, line: str) -> bool:
        one, other = self.language.syllables(partner), self.language.syllables(line)
        return one.fewest <= other.most and other.fewest <= one.most
