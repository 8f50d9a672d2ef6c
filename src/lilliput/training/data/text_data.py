"""Training data of a long text: random windows, both definitions of the loss, and the baselines."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from lilliput.corpus import count_words, open_corpus, unmark
from lilliput.corpus.settings import ReadSettings
from lilliput.data.batch import Batch
from lilliput.data.tokens import Tokens, joined
from lilliput.data.windows import Windows
from lilliput.errors import CorpusError, RunError
from lilliput.evaluation.baselines import measure_baselines
from lilliput.evaluation.loss import (
    Definition,
    Score,
    evaluate,
    piece_length,
    pieces,
    score_parts,
    score_tokens,
    targets_of,
)
from lilliput.models import Model
from lilliput.models.mixing.counts import MOST_TOKENS
from lilliput.models.protocol import CalibrationBatch
from lilliput.runs.folder import RunFolder
from lilliput.segments import WHOLE, Starts, segments, starts_of
from lilliput.tokenizers import Tokenizer
from lilliput.training.data.held_out import baselines_on_part
from lilliput.training.data.large_text import text_end
from lilliput.training.data.training_data import LEARNT, MEASURED, Sample, ValidationResult
from lilliput.writer import Writer

SAMPLE_LENGTH = 200
"""Maximum tokens of a sample during training."""
SAMPLE_LEAST = 60
"""Minimum tokens of a sample, even with a short budget."""
ASIDE, ASIDE_SHARE = 12_288, 0.02
"""Number of tokens to set aside for fitting the gate of a mixture, at the end of the training text or at the ends of
several segments, and the share of it that a short text has instead; a few thousand tokens have a larger share."""
_ROWS = 32
"""Windows per batch of the text set aside."""
DEFINITIONS: tuple[Definition, ...] = ("separate", "sliding")


class TextData:
    """One long text, in windows."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        training: Tokens,
        validation: Tokens,
        facts: dict[str, Any],
        window: int,
        fits: bool = False,
        starts: tuple[Starts, Starts] = (WHOLE, WHOLE),
    ) -> None:
        self.tokenizer = tokenizer
        self.facts = facts
        self._starts, self._held_out_starts = starts
        self._held_out = targets_of(len(validation), self._held_out_starts)
        self.targets = sum(map(len, self._held_out))
        parts = segments(len(training), self._starts)
        self._aside = _set_aside(parts, window) if fits else {}
        self.fitted = sum(map(len, self._aside.values()))
        learned = [part[: len(part) - len(self._aside.get(part.start, ()))] for part in parts]
        self.window = min(window, min(map(len, learned)) - 1)
        self._learned = joined([training[part.start : part.stop] for part in learned])
        self._learned_starts = starts_of(map(len, learned))
        self._training = training
        self._validation = validation
        self._wanted = window

    @classmethod
    def open(cls, run: RunFolder, tokenizer: Tokenizer, facts: dict[str, Any], window: int, fits: bool) -> "TextData":
        """Open the files that `prepare` wrote; `window` is the maximum context, in tokens.

        With `fits`, a part of the text is set aside to fit the gate of a mixture. Raises RunError if a file is missing
        or broken.
        """
        training = run.read_tokens(run.training_tokens, tokenizer.vocab_size)
        if len(training) != facts["training"]["tokens"]:
            raise RunError(f"{run.training_tokens}: does not match facts.json; start over with --fresh")
        validation = run.read_tokens(run.validation_tokens, tokenizer.vocab_size)
        files = ((run.training_tokens, training), (run.validation_tokens, validation))
        learned, held_out = (run.read_starts(path, len(tokens)) for path, tokens in files)
        return cls(tokenizer, training, validation, facts, window, fits, (learned, held_out))

    def notes(self) -> list[str]:
        """Return the note on a text that is shorter than the window."""
        if self.window == self._wanted:
            return []
        subject = "text is" if len(self._starts) == 1 else "parts between the held-out pieces are"
        return [f"the {subject} short: the context shrinks from {self._wanted} to {self.window} tokens"]

    def batches(self, rows: int, seed: int) -> Callable[[int], Batch]:
        """Return the function that returns the random windows of a step."""
        return Windows(self._learned, self.window, rows, seed, self._learned_starts).batch

    def aside(self, rows: int, memory: int) -> list[CalibrationBatch]:
        """Return the text set aside as batches of at most `rows` windows, with the tokens before each window."""
        if not self.fitted:
            return []
        length = min(self.window, min(map(len, self._aside.values())) - 1)
        starts: dict[int, list[int]] = {}
        for start, part in self._aside.items():
            # Windows with the same number of tokens before them share a batch.
            starts.setdefault(min(memory, part.start - start), []).extend(range(part.start, part.stop - length, length))
        batches = []
        for history, firsts in starts.items():
            positions = np.array(firsts)[:, None] + np.arange(-history, length + 1)
            for part_ids in np.split(self._training[positions].astype(np.int64), range(rows, len(firsts), rows)):
                before_BP, ids_BT = torch.from_numpy(part_ids).tensor_split([history], 1)
                batches.append(CalibrationBatch(before_BP, ids_BT[:, :-1], ids_BT[:, 1:]))
        return batches

    def validate(self, model: Model, limit: int | None) -> ValidationResult:
        """Measure the model in separate windows."""
        held_out = score_parts(
            model, self._validation, self.window, "separate", limit=limit, starts=self._held_out_starts
        )
        scored = held_out.targets
        learnt, targets = score_tokens(
            model.network_alone(),
            self._learned,
            self.window,
            "separate",
            limit=min(scored, LEARNT),
            starts=self._learned_starts,
        )
        whole = held_out.whole / scored
        alone = whole if held_out.network is None else held_out.network / scored
        return ValidationResult(whole, scored, network=alone, learnt=learnt / targets)

    def report_cost(self, model: Model) -> float:
        """Measure the seconds per target of both definitions together, as in the report."""
        seconds = 0.0
        for definition in DEFINITIONS:
            started = time.monotonic()
            _, scored = score_tokens(
                model, self._validation, self.window, definition, limit=MEASURED, starts=self._held_out_starts
            )
            seconds += (time.monotonic() - started) / scored
        return seconds

    def sample(self, writer: Writer, step: int, deadline: float) -> Sample:
        """Continue the recipe's first prompt."""
        prompt = writer.start(None)
        text = prompt
        for piece in writer.stream(prompt, seed=step, max_tokens=min(writer.settings.max_tokens, SAMPLE_LENGTH)):
            text += piece.text
            if piece.tokens >= SAMPLE_LEAST and time.monotonic() > deadline:
                break
        return Sample([{"step": step, "prompt": prompt, "text": text}], prompt, text)

    def report(self, writer: Writer, limit: int | None) -> dict[str, Any]:
        """Evaluate both definitions on the held-out text; with `limit`, on a part, like the baselines."""
        self._calibrate_counts(writer.model)
        baselines = self.facts["baselines"]
        limit = None if limit is None else max(limit, piece_length(self.window))
        if limit is not None and limit < self.targets:
            baselines = baselines_on_part(self.facts, self._held_out, pieces(self._held_out, self.window, limit))
        scores = evaluate_both(
            writer.model, self._validation, self.window, self.facts["validation"], limit, self._held_out_starts
        )
        return evaluation_report(scores, baselines)

    def report_on(
        self, writer: Writer, target: str, settings: ReadSettings, note: Callable[[str], None]
    ) -> dict[str, Any]:
        """Evaluate both definitions and the baselines on another text."""
        corpus = open_corpus([target], settings=settings)
        for line in corpus.notes:
            note(line)
        other = corpus.text
        self._calibrate_counts(writer.model)
        tokens = self.tokenizer.encode(other)
        if len(tokens) < 2:
            raise CorpusError(f"{target}: {len(tokens)} tokens, and at least 2 are needed to measure anything")
        facts = {
            "characters": len(other),
            "bytes": len(other.encode("utf-8", "surrogatepass")),
            "words": count_words(other),
        }
        # The tokens give the training text as the tokenizer sees it; no other copy is needed.
        parts = text_end(self._training, self.tokenizer, self._starts)
        if "labels" in self.facts:
            parts = list(map(unmark, parts))
        learned, normalized = "".join(parts), self.tokenizer.normalized(other)
        baselines = measure_baselines(learned, normalized, starts=(starts_of(map(len, parts)), WHOLE)).as_dict()
        report = evaluation_report(evaluate_both(writer.model, tokens, self.window, facts), baselines)
        return report | {"unknown_characters": round(_unknown_share(normalized, learned), 5)}

    def _calibrate_counts(self, model: Model) -> None:
        """Fit the counts so that they can be measured without the network."""
        model.calibrate(self.aside(_ROWS, model.memory), counts_alone=True)


def evaluate_both(
    model: Model,
    tokens: Tokens,
    window: int,
    facts: dict[str, Any],
    limit: int | None = None,
    starts: Starts = WHOLE,
) -> dict[Definition, Score]:
    """Score `tokens` in non-overlapping and in sliding windows; `facts` has its characters, bytes and words."""
    return {
        definition: evaluate(
            model,
            tokens,
            window,
            definition,
            characters=facts["characters"],
            bytes=facts["bytes"],
            words=facts.get("words"),
            limit=limit,
            starts=starts,
        )
        for definition in DEFINITIONS
    }


def evaluation_report(scores: dict[Definition, Score], baselines: dict[str, Any]) -> dict[str, Any]:
    """Put scores and baselines into the object that `eval --json` prints; the top figures are the sliding windows'."""
    return scores["sliding"].as_dict() | {
        "windows": {definition: score.as_dict() for definition, score in scores.items()},
        "baselines": baselines,
    }


def _unknown_share(text: str, learned: str) -> float:
    """Return the share of a text's characters that do not occur in the training text `learned`."""
    alphabet = set(learned)
    return sum(count for character, count in Counter(text).items() if character not in alphabet) / len(text)


def _set_aside(parts: Sequence[range], window: int) -> dict[int, range]:
    """Return the parts to set aside, by the start of their segment: the ends of as many segments as get a window each.

    The segments are evenly spread over the counted part of the text, so the counts can leave these parts out.
    """
    tokens = parts[-1].stop
    wanted = _aside(tokens)
    if not wanted:
        return {}
    counted = [part for part in parts if part.stop - wanted >= tokens - MOST_TOKENS]
    number = max(1, min(len(counted), wanted // (window + 1)))
    size = wanted // number
    chosen = [counted[index] for index in np.linspace(len(counted) - 1, 0, number).astype(int)]
    # Most of each segment stays in the training data.
    return {part.start: part[-min(size, len(part) // 2) :] for part in sorted(chosen, key=lambda part: part.start)}


def _aside(tokens: int) -> int:
    """Return the number of tokens to set aside: 0 if the text is too short to fit a gate."""
    return 0 if tokens < 2_000 else min(ASIDE, max(int(tokens * ASIDE_SHARE), min(2_048, tokens // 16)))
