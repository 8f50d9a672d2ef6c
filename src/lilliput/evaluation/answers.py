"""How many answers are right, and what the answers cost: for runs that learn prompts with their answers.

An answer is right if greedy decoding writes it, end and all. That is so exactly if each of its tokens, the end
included, is the likeliest one after the true tokens before it: as long as all were right, what the model wrote *is* the
true beginning, and at the first token that is not the likeliest it writes another. So one pass over the true answers
decides it, without writing any. The comparison is one of tokens: where a vocabulary can spell an answer in several
ways, the tokenizer's own spelling counts. The loss is the mean over the tokens of the answers and their ends.

The baseline is to give the commonest answer of the training examples every time. Left out: partial credit.

Shapes: B rows, T time, D width, V vocabulary, S scored targets of a batch, N examples.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lilliput.corpus import Examples
from lilliput.data.encoded_examples import EncodedExamples
from lilliput.errors import CorpusError
from lilliput.evaluation.loss import POSITIONS_AT_ONCE
from lilliput.models.output_loss import LOGITS_AT_ONCE
from lilliput.models.protocol import evaluating

if TYPE_CHECKING:
    from lilliput.models import Model


@dataclass(frozen=True)
class AnswerScore:
    """What a model makes of examples; `sampled_share` is the share of the problems that was scored."""

    loss_nats_per_token: float
    tokens: int
    """Targets that were scored: the tokens of the answers and their ends."""
    right: int
    problems: int
    sampled_share: float
    wrong_places: tuple[int, ...]
    """Which examples were answered wrong."""

    @property
    def exact_match(self) -> float:
        """Return the share of the problems whose whole answer is right."""
        return self.right / self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, the loss rounded; None stands for one that is infinite or not a number."""
        loss = self.loss_nats_per_token
        finite = math.isfinite(loss)
        return {
            "exact_match": self.exact_match,
            "right": self.right,
            "problems": self.problems,
            "loss": round(loss, 5) if finite else None,
            "perplexity": round(math.exp(loss), 5) if finite and loss < 700 else None,
            "tokens": self.tokens,
            "sampled_share": round(self.sampled_share, 5),
        }


def score_answers(
    model: "Model", examples: EncodedExamples, *, batch: int = 512, limit: int | None = None
) -> AnswerScore:
    """Score every answer, or with `limit` those of evenly spread examples that have about so many tokens.

    The model is run in evaluation mode, its mode is put back afterwards, and no random number is drawn. A caller that
    wants mixed precision wraps the call in autocast.
    """
    places = np.arange(len(examples))
    targets = int(examples.answer_lengths_N.sum())
    if limit is not None and limit < targets:
        count = max(1, limit * len(examples) // targets)
        places = np.unique(np.linspace(0, len(examples) - 1, count).astype(np.int64))
    total, tokens = 0.0, 0
    wrong: list[int] = []
    with evaluating(model), torch.inference_mode():
        for group in _groups(examples, places, batch):
            loss, scored, right = _group_score(model, examples, group)
            total, tokens = total + loss, tokens + scored
            wrong += group[~right].tolist()
    share = len(places) / len(examples)
    return AnswerScore(total / tokens, tokens, len(places) - len(wrong), len(places), share, tuple(sorted(wrong)))


def most_frequent_answer(training: Examples) -> str:
    """Return the commonest answer, of several the one that comes first. Raises CorpusError if there are none."""
    if not len(training):
        raise CorpusError("there are no examples to learn from: give at least one prompt with its answer")
    # Numbers instead of the answers: a million different ones would take a hundred times the memory.
    hashes = np.fromiter((hash(example.answer) for example in training), np.int64, len(training))
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    return training[int(first[counts == counts.max()].min())].answer


def answer_baselines(answer: str, held_out: Examples) -> dict[str, Any]:
    """Return what giving `answer` every time would reach, for JSON."""
    share = sum(example.answer == answer for example in held_out) / len(held_out)
    return {"most_frequent_answer": {"answer": answer, "exact_match": round(share, 5)}}


def _groups(examples: EncodedExamples, places: NDArray[np.int64], batch: int) -> Iterator[NDArray[np.int64]]:
    """Yield the places in batches of examples of similar length, so that little is padding."""
    lengths = examples.lengths_N[places]
    places = places[np.argsort(lengths, kind="stable")]
    start = 0
    while start < len(places):
        longest = int(examples.lengths_N[places[min(start + batch, len(places)) - 1]])
        rows = min(batch, max(1, POSITIONS_AT_ONCE // longest))
        yield places[start : start + rows]
        start += rows


def _group_score(
    model: "Model", examples: EncodedExamples, places: NDArray[np.int64]
) -> tuple[float, int, NDArray[np.bool_]]:
    """Return the summed loss of a batch, its number of targets, and which rows are right throughout."""
    device = next(model.parameters()).device
    batch = examples.batch(places).to(device)
    counts_BT = batch.weights_BT > 0
    features_SD = model.features(batch.inputs_BT)[counts_BT]
    targets_S = batch.targets_BT[counts_BT]
    total = 0.0
    hits: list[torch.Tensor] = []
    rows = max(1, LOGITS_AT_ONCE // model.vocab_size)
    for part_SD, part_S in zip(torch.split(features_SD, rows), torch.split(targets_S, rows), strict=True):
        logits_SV = model.head(part_SD.unsqueeze(0)).squeeze(0).float()
        losses = functional.cross_entropy(logits_SV, part_S, reduction="none")
        total += float(losses.cpu().double().sum())  # on the CPU: not every accelerator has double precision
        hits.append(logits_SV.argmax(1) == part_S)
    hit_BT = ~counts_BT
    hit_BT[counts_BT] = torch.cat(hits)
    right: NDArray[np.bool_] = hit_BT.all(1).cpu().numpy()
    return total, len(targets_S), right
