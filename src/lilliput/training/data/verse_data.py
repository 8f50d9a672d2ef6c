"""Training data for tuning a network on verse: prompts that end with a line, and the true next line.

A prompt is a position of the text where the next line rhymes with an earlier one, at the distance that the objective
asks for. All prompts have the same number of tokens. Held-out prompts come from the held-out text. The loss on real
text is measured as in any run on a text.

Axes: N prompts, L tokens of a prompt, T of a line.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lilliput.corpus.settings import ReadSettings
from lilliput.data.batch import Batch
from lilliput.data.tokens import Tokens
from lilliput.errors import VerseError
from lilliput.evaluation.fine_tuning import LineMeasures, estimate_target, measure_lines
from lilliput.models import Model
from lilliput.models.protocol import CalibrationBatch
from lilliput.objectives.rewards import VerseReward
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.tokenizers import Tokenizer, line_ends, token_texts
from lilliput.training.data.text_data import TextData
from lilliput.training.data.training_data import Sample, ValidationResult
from lilliput.verse.language import Ending, Language
from lilliput.verse.languages import open_language
from lilliput.verse.lexicon import Lexicon
from lilliput.writer import Writer

TOKENS_OF_LINE = 48
"""Tokens of a prompt for each line from the partner on, and for one before it; a French line has about 30."""
VALIDATED = 256
"""About the number of held-out prompts, with one line each, in an evaluation during training."""
REPORTED, LINES_EACH = 512, 4
"""Held-out prompts of the final report, and lines for each of them."""
TIMED = 8
"""Prompts that are measured to find the time of the report."""
TRIED, LINES_TRIED = 64, 16
"""Training prompts, and lines of the base for each, from which the share of rewarded lines is estimated."""
FEWEST = 16
"""Minimum number of prompts."""
DISTANCES = (1, 2, 3)
"""Distances of the lines that rhyme in couplets, alternately, and enclosed."""


@dataclass(frozen=True)
class VersePrompts:
    """Prompts and the true lines after them, ended and padded by the end of a line."""

    prompts_NL: NDArray[np.int64]
    lines_NT: NDArray[np.int64]
    distances_N: NDArray[np.int64]
    """How many lines before the true one its partner stands."""


class VerseData:
    """A text of verse, as prompts for `Posterior` and as windows for the loss."""

    fitted = 0

    def __init__(
        self, text: TextData, training: Tokens, validation: Tokens, settings: ObjectiveSettings, prior: Model
    ) -> None:
        self.tokenizer, self.facts, self.window, self.targets = text.tokenizer, text.facts, text.window, text.targets
        self.prior = prior.network_alone().eval().requires_grad_(False)
        self._text = text
        self._settings = settings
        language = open_language(settings.language or "")
        self.ends = line_ends(token_texts(self.tokenizer))
        learnt = self.tokenizer.decode(training.tolist())
        self.reward = VerseReward(settings, self.tokenizer, Lexicon.of(learnt, language), self.ends)
        self._training, self._held_out = (
            find_prompts(tokens, self.tokenizer, language, settings, self.window, part)
            for tokens, part in ((training, "training"), (validation, "held-out"))
        )
        for prompts in (self._training, self._held_out) if settings.rhyme_distance == "any" else ():
            self.reward.remember(prompts.prompts_NL.tolist(), prompts.distances_N.tolist())

    def notes(self) -> list[str]:
        """Return the notes of the text, the numbers of prompts, and how many lines of base and target have a reward.

        Raises VerseError if the base writes no line with a reward and the objective learns from such lines only.
        """
        estimate = estimate_target(
            self.prior,
            torch.from_numpy(self._training.prompts_NL[:: max(1, len(self._training.prompts_NL) // TRIED)][:TRIED]),
            self.reward,
            self._settings.beta,
            most_tokens=self._settings.most_tokens,
            ends=self.ends,
            per_prompt=LINES_TRIED,
        )
        if not estimate.base and self._settings.kind != "vargrad":
            raise VerseError(
                f"none of {estimate.lines:,} lines of the base has a reward, and {self._settings.kind} learns from its "
                "own lines only: train the base for longer, or tune with objective.kind=vargrad"
            )
        return [
            *self._text.notes(),
            f"{len(self._training.prompts_NL):,} training prompts and {len(self._held_out.prompts_NL):,} held-out ones "
            "before a line that rhymes",
            f"of {estimate.lines:,} lines of the base, {estimate.base:.1%} have a reward; of the target, about "
            f"{estimate.target:.0%}",
        ]

    def batches(self, rows: int, seed: int) -> Callable[[int], Batch]:
        """Return the function that draws `rows` prompts for a step, from a pool that is drawn once.

        The targets are the true next lines. Each row has one weighted target: a loss is that of a prompt.
        """
        prompts_NL, lines_NT = self._training.prompts_NL, self._training.lines_NT
        pool = np.random.default_rng(seed).permutation(len(prompts_NL))[: self._settings.prompts]

        def batch_of(step: int) -> Batch:
            chosen = np.random.default_rng([seed, step]).choice(pool, min(rows, len(pool)), replace=False)
            weights = torch.zeros(len(chosen), lines_NT.shape[1])
            weights[:, 0] = 1.0
            return Batch(torch.from_numpy(prompts_NL[chosen]), torch.from_numpy(lines_NT[chosen]), weights)

        return batch_of

    def aside(self, rows: int, memory: int) -> list[CalibrationBatch]:
        """Return nothing: counts take no part."""
        return []

    def validate(self, model: Model, limit: int | None) -> ValidationResult:
        """Measure the loss on real text, and lines after held-out prompts.

        The best weights have the highest mean of beta x reward - log q / p0, which is highest at the posterior.
        """
        measures = self._measure(model, self._reported()[:: max(1, REPORTED // VALIDATED)])
        score = self._settings.beta * measures.reward - measures.divergence
        return replace(self._text.validate(model, limit), objective=score, lines=measures)

    def sample(self, writer: Writer, step: int, deadline: float) -> Sample:
        """Continue the recipe's first prompt."""
        return self._text.sample(writer, step, deadline)

    def report_cost(self, model: Model) -> float:
        """Return the seconds per target of the final report, lines included."""
        prompts_NL = self._reported()
        started = time.monotonic()
        self._measure(model, prompts_NL[:TIMED], LINES_EACH)
        seconds = (time.monotonic() - started) / min(TIMED, len(prompts_NL))
        return self._text.report_cost(model) + 2 * seconds * len(prompts_NL) / self.targets

    def report(self, writer: Writer, limit: int | None) -> dict[str, Any]:
        """Evaluate as a text, and measure lines after held-out prompts, beside those of the network before tuning.

        With `limit`, there are fewer lines in proportion.
        """
        prompts_NL = self._reported()
        if limit is not None and limit < self.targets:
            prompts_NL = prompts_NL[: max(TIMED, round(len(prompts_NL) * limit / self.targets))]
        lines = {
            name: self._measure(model, prompts_NL, LINES_EACH).as_dict()
            for name, model in (("tuned", writer.model), ("before", self.prior))
        }
        return self._text.report(writer, limit) | {"lines": lines}

    def report_on(
        self, writer: Writer, target: str, settings: ReadSettings, note: Callable[[str], None]
    ) -> dict[str, Any]:
        """Evaluate another text."""
        return self._text.report_on(writer, target, settings, note)

    def _reported(self) -> Tensor:
        """Return the held-out prompts of the report, evenly spread over the text."""
        prompts_NL = torch.from_numpy(self._held_out.prompts_NL)
        return prompts_NL[torch.linspace(0, len(prompts_NL) - 1, min(REPORTED, len(prompts_NL))).long()]

    def _measure(self, model: Model, prompts_NL: Tensor, per_prompt: int = 1) -> LineMeasures:
        device = next(model.parameters()).device
        return measure_lines(
            model.network_alone(),
            self.prior.to(device),
            prompts_NL.to(device),
            self.reward,
            most_tokens=self._settings.most_tokens,
            ends=self.ends,
            per_prompt=per_prompt,
        )


def find_prompts(
    tokens: Tokens, tokenizer: Tokenizer, language: Language, settings: ObjectiveSettings, window: int, part: str
) -> VersePrompts:
    """Return the prompts of a text, which is called `part`. Raises VerseError if there are too few."""
    most = settings.most_tokens
    wanted = DISTANCES if settings.rhyme_distance == "any" else (settings.rhyme_distance,)
    length = min(TOKENS_OF_LINE * (max(wanted) + 1), window - most)
    ends = line_ends(token_texts(tokenizer))
    spans = _line_spans(tokens, tokenizer, ends)
    endings = [language.ending(line) for line in tokenizer.decode(tokens.tolist()).split("\n")[: len(spans)]]
    prompts, lines, distances = [], [], []
    for index in range(max(wanted) + 1, len(spans)):
        span = spans[index]
        if span.start < length or len(span) > most:
            continue
        distance = next((distance for distance in wanted if is_rhymed(endings, index, distance, language)), None)
        if distance is not None and spans[index - distance].start > span.start - length:
            distances.append(distance)
            prompts.append(np.asarray(tokens[span.start - length : span.start], dtype=np.int64))
            line = np.full(most, ends[0], np.int64)
            line[: len(span)] = tokens[span.start : span.stop]
            lines.append(line)
    if len(prompts) < FEWEST:
        raise VerseError(
            f"the {part} text has {len(prompts)} lines that rhyme with one {' or '.join(map(str, wanted))} before, "
            f"after at least {length} tokens, and {FEWEST} are needed: give more verse, or another "
            "objective.rhyme_distance"
        )
    return VersePrompts(np.stack(prompts), np.stack(lines), np.array(distances))


def _line_spans(tokens: Tokens, tokenizer: Tokenizer, ends: Sequence[int]) -> list[range]:
    """Return the tokens of each line with its end; an empty range stands for an empty line."""
    breaks = {id_: tokenizer.decode([id_]).count("\n") for id_ in ends}
    spans: list[range] = []
    start = 0
    for position in np.flatnonzero(np.isin(np.asarray(tokens), ends)).tolist():
        spans.append(range(start, position + 1))
        start = position + 1
        spans += [range(start, start)] * (breaks[int(tokens[position])] - 1)
    return spans


def is_rhymed(endings: Sequence[Ending | None], index: int, distance: int, language: Language) -> bool:
    """Return whether a line rhymes with the one at a distance before it, which is the first of its rhyme.

    All lines between belong to one stanza. The line before the first one does not rhyme with it.
    """
    stanza = [ending for ending in endings[index - distance : index + 1] if ending]
    if len(stanza) <= distance or not language.rhyme(stanza[0], stanza[-1]):
        return False
    earlier = endings[index - distance - 1]
    return earlier is None or not language.rhyme(earlier, stanza[0])
