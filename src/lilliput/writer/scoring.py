"""The log-probability of each token of a text.

Shapes: B windows, one at a time, T time, P positions before, D width, V vocabulary, N scored positions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from lilliput.data.scoring_windows import sliding_windows
from lilliput.errors import GenerationError
from lilliput.generation.backends.backend import inference
from lilliput.generation.sampling import NOT_FINITE, most_likely
from lilliput.models import Model
from lilliput.models.output_loss import LOGITS_AT_ONCE
from lilliput.tokenizers import Tokenizer, place_tokens


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token of a text and its log-probability (natural logarithm, temperature 1) given the tokens before it."""

    id: int
    text: str
    """Empty as long as a character that is spelled by several tokens is not complete."""
    start: int
    """Characters of the text before it. Tokens of reversed lines come in the order in which the model reads them."""
    log_probability: float | None
    """None for the first token: it has no context."""
    top: tuple[tuple[int, float], ...] = ()
    """The most likely tokens at its position as (id, log-probability), the most likely first, if asked for."""


_Top = tuple[tuple[int, float], ...]


def scored_tokens(
    model: Model, tokenizer: Tokenizer, ids: Sequence[int], shown: Callable[[str], str], top: int = 0
) -> list[ScoredToken]:
    """Return the tokens with their scores; `shown` removes the characters of labels from their text."""
    scores: list[tuple[float | None, _Top]] = [(None, ()), *_scores(model, ids, top)]
    places = place_tokens(tokenizer, ids, shown)
    return [
        ScoredToken(id_, text, start, *score) for id_, (text, start), score in zip(ids, places, scores, strict=True)
    ]


def _scores(model: Model, ids: Sequence[int], top: int) -> list[tuple[float, _Top]]:
    """Return the log-probability of each token but the first, and the `top` most likely tokens at its position."""
    device = next(model.parameters()).device
    scores: list[tuple[float, _Top]] = []
    rows = max(1, LOGITS_AT_ONCE // model.vocab_size)
    with inference(model):
        for window in sliding_windows(range(len(ids) - 1), 0, model.context):
            first = max(0, window.start - model.memory)
            inputs_1T = torch.tensor([ids[first : window.start + window.length]], device=device)
            before_1P, inputs_1T = inputs_1T.tensor_split([window.start - first], 1)
            features_1TD = model.features(inputs_1T, before_BP=before_1P)[:, window.skip :]
            targets = iter(ids[window.start + window.skip + 1 :])
            for part_1ND in torch.split(features_1TD, rows, 1):
                logs_NV = model.head(part_1ND)[0].float().log_softmax(-1).cpu().numpy()
                for logs_V, target in zip(logs_NV, targets, strict=False):
                    log_probability = logs_V.item(target)
                    if not math.isfinite(log_probability):
                        raise GenerationError(NOT_FINITE)
                    scores.append((log_probability, most_likely(logs_V, top, 0.0) if top else ()))
    return scores
