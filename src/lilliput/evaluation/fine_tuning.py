"""What a network writes after given lines of verse: rhymes, variety, and the distance from the network before tuning.

Axes: P prompts, L tokens of a prompt.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from lilliput.evaluation.words import BREAK, words_of
from lilliput.evaluation.writing import distinct_pairs
from lilliput.models import Model
from lilliput.models.protocol import evaluating
from lilliput.objectives.continuations import draw, log_probabilities
from lilliput.objectives.rewards import VerseReward
from lilliput.tokenizers import Tokenizer
from lilliput.verse.language import Language

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


@torch.no_grad()
def measure_lines(
    model: Model,
    prior: Model,
    prompts_PL: Tensor,
    reward: VerseReward,
    tokenizer: Tokenizer,
    language: Language,
    *,
    most_tokens: int,
    ends: Sequence[int],
    per_prompt: int = 1,
    seed: int = 1,
) -> LineMeasures:
    """Draw lines after each prompt at temperature 1, and measure them; the same `seed` draws the same lines."""
    generator = torch.Generator(prompts_PL.device).manual_seed(seed)
    lines: list[str] = []
    levels: list[int] = []
    rewards: list[float] = []
    before: list[float] = []
    after: list[float] = []
    with evaluating(model), evaluating(prior):
        for part_PL in torch.split(prompts_PL, _AT_ONCE):
            ones = torch.ones(len(part_PL), per_prompt)
            drawn = draw(model, part_PL, ones, most_tokens, ends, generator)
            after += log_probabilities(model, part_PL, drawn).flatten().tolist()
            before += log_probabilities(prior, part_PL, drawn).flatten().tolist()
            for prompt, rows in zip(part_PL.tolist(), drawn.lists(), strict=True):
                for row in rows:
                    lines.append(tokenizer.decode(row).strip())
                    levels.append(_level(prompt, row, reward, language, lines[-1], ends))
                    rewards.append(reward(prompt, row))
    return _measured(lines, levels, rewards, before, after, reward, language)


def _level(
    prompt: Sequence[int], row: Sequence[int], reward: VerseReward, language: Language, line: str, ends: Sequence[int]
) -> int:
    partner, ending = reward.partner(prompt), language.ending(line)
    before = language.ending(partner) if partner else None
    if before is None or ending is None or row[-1] not in ends or not reward.is_real(ending):
        return 0
    return language.rhyme(before, ending)


def _measured(
    lines: list[str],
    levels: list[int],
    rewards: list[float],
    before: list[float],
    after: list[float],
    reward: VerseReward,
    language: Language,
) -> LineMeasures:
    count = len(lines)
    endings = Counter(ending.word if ending else "" for ending in map(language.ending, lines))
    words = words_of("\n\n".join(lines), language.code)
    real = [word in reward.words for word in words if word != BREAK]
    return LineMeasures(
        lines=count,
        rhyme=sum(level > 0 for level in levels) / count,
        sufficient=sum(level > 1 for level in levels) / count,
        reward=sum(rewards) / count,
        real_words=sum(real) / max(1, len(real)),
        distinct_pairs=distinct_pairs(words) or 0.0,
        unique_endings=len(endings) / count,
        top_ending=max(endings.values()) / count,
        log_prior=sum(before) / count,
        divergence=(sum(after) - sum(before)) / count,
    )
