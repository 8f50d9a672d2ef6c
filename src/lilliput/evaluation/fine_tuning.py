"""What a network writes after given lines of verse: rhymes, variety, and the distance from the network before tuning.

Axes: P prompts, L tokens of a prompt.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from lilliput.evaluation.words import words_of
from lilliput.evaluation.writing import distinct_pairs
from lilliput.models import Model
from lilliput.models.protocol import evaluating
from lilliput.objectives.continuations import draw, log_probabilities
from lilliput.objectives.rewards import VerseReward
from lilliput.verse.lexicon import split_words

_AT_ONCE = 64
"""Prompts in a pass."""


@dataclass(frozen=True, slots=True)
class LineMeasures:
    """Measures of lines drawn after prompts at temperature 1. Shares are of the lines."""

    lines: int
    rhyme: float
    """Share that rhymes with its partner in the prompt, by a real word, and ends in time."""
    sufficient: float
    """Share of rhymes with two common sounds or more."""
    reward: float
    """Mean reward."""
    real_words: float
    """Share of the words that the training text has."""
    distinct_pairs: float
    """Distinct-2, over all lines together."""
    unique_endings: float
    top_ending: float
    """Share of the most frequent last word."""
    log_prior: float
    """Mean log-probability of a line by the network before the tuning, in nats."""
    divergence: float
    """Mean log-ratio of a line's probabilities after and before the tuning (KL divergence, estimated), in nats."""

    def as_dict(self) -> dict[str, float]:
        """Return the measures for JSON, rounded."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class TargetEstimate:
    """How many lines have a reward: of the base, and of the target (base x exp(beta x reward))."""

    lines: int
    base: float
    target: float
    """Estimated from the lines of the base with self-normalised weights, over all prompts together."""


@torch.no_grad()
def estimate_target(
    prior: Model,
    prompts_PL: Tensor,
    reward: VerseReward,
    beta: float,
    *,
    most_tokens: int,
    ends: Sequence[int],
    per_prompt: int,
    seed: int = 1,
) -> TargetEstimate:
    """Draw lines of the base after each prompt, and estimate how many of the target's have a reward."""
    generator = torch.Generator(prompts_PL.device).manual_seed(seed)
    with evaluating(prior):
        ones = torch.ones(len(prompts_PL), per_prompt)
        drawn = draw(prior, prompts_PL, ones, most_tokens, ends, generator).lists()
    rewards = [reward(prompt, row) for prompt, rows in zip(prompts_PL.tolist(), drawn, strict=True) for row in rows]
    weights = [math.exp(beta * (value - max(rewards))) for value in rewards]
    rewarded = [weight for weight, value in zip(weights, rewards, strict=True) if value > 0]
    return TargetEstimate(len(rewards), len(rewarded) / len(rewards), sum(rewarded) / sum(weights))


@torch.no_grad()
def measure_lines(
    model: Model,
    prior: Model,
    prompts_PL: Tensor,
    reward: VerseReward,
    *,
    most_tokens: int,
    ends: Sequence[int],
    per_prompt: int = 1,
    seed: int = 1,
) -> LineMeasures:
    """Draw lines after each prompt at temperature 1, and measure them; the same `seed` draws the same lines."""
    generator = torch.Generator(prompts_PL.device).manual_seed(seed)
    lines: list[list[list[int]]] = []
    after: list[float] = []
    before: list[float] = []
    with evaluating(model), evaluating(prior):
        for part_PL in torch.split(prompts_PL, _AT_ONCE):
            ones = torch.ones(len(part_PL), per_prompt)
            drawn = draw(model, part_PL, ones, most_tokens, ends, generator)
            after += log_probabilities(model, part_PL, drawn).flatten().tolist()
            before += log_probabilities(prior, part_PL, drawn).flatten().tolist()
            lines += drawn.lists()
    return measures_of(prompts_PL.tolist(), lines, before, after, reward)


def measures_of(
    prompts: Sequence[Sequence[int]],
    lines: Sequence[Sequence[Sequence[int]]],
    before: Sequence[float],
    after: Sequence[float],
    reward: VerseReward,
) -> LineMeasures:
    """Measure the lines after each prompt, given as tokens, with their log-probabilities before and after tuning."""
    rows = [(prompt, row) for prompt, of_prompt in zip(prompts, lines, strict=True) for row in of_prompt]
    texts = [reward.line(row) for _, row in rows]
    levels = [reward.level(prompt, row) for prompt, row in rows]
    rewards = [reward(prompt, row) for prompt, row in rows]
    count = len(rows)
    endings = Counter(ending.word if ending else "" for ending in map(reward.language.ending, texts))
    real = [word in reward.lexicon.counts for text in texts for word in split_words(text)]
    return LineMeasures(
        lines=count,
        rhyme=sum(level > 0 for level in levels) / count,
        sufficient=sum(level > 1 for level in levels) / count,
        reward=sum(rewards) / count,
        real_words=sum(real) / max(1, len(real)),
        distinct_pairs=distinct_pairs(words_of("\n\n".join(texts), reward.language.code)) or 0.0,
        unique_endings=len(endings) / count,
        top_ending=max(endings.values()) / count,
        log_prior=sum(before) / count,
        divergence=(sum(after) - sum(before)) / count,
    )
