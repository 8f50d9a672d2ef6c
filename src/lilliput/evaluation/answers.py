"""Exact match and loss of answers, for runs on prompts and answers.

An answer is right if greedy decoding produces it, including its end token. That is the case exactly if each of its
tokens is the most likely one after the true tokens before it: while all tokens are right, the generated text *is* the
true prefix, and at the first token that is not the most likely one it diverges. So one forward pass over the true
answers decides, without generating any. The comparison uses tokens: if a vocabulary can spell an answer in several
ways, the tokenizer's spelling counts. The loss is the mean over the tokens of the answers and their ends.

The baseline is the most frequent answer of the training examples, given every time. Left out: partial credit.

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
    """The score of a model on examples; `sampled_share` is the share of the problems that was scored."""

    loss_nats_per_token: float
    tokens: int
    """Number of scored targets: the tokens of the answers and their ends."""
    right: int
    problems: int
    sampled_share: float
    wrong_indices: tuple[int, ...]
    """The indices of the examples with a wrong answer."""

    @property
    def exact_match(self) -> float:
        """The share of the problems whose whole answer is right."""
        return self.right / self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, the loss rounded; None stands for infinity or NaN."""
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
    """Score every answer, or with `limit` about that many tokens of evenly spread examples.

    The model runs in evaluation mode and returns to its former mode afterwards; no random numbers are drawn. For mixed
    precision, call this inside autocast.
    """
    indices = np.arange(len(examples))
    targets = int(examples.answer_lengths_N.sum())
    if limit is not None and limit < targets:
        count = max(1, limit * len(examples) // targets)
        indices = np.unique(np.linspace(0, len(examples) - 1, count).astype(np.int64))
    total, tokens = 0.0, 0
    wrong: list[int] = []
    with evaluating(model), torch.inference_mode():
        for group in _groups(examples, indices, batch):
            loss, scored, right = _group_score(model, examples, group)
            total, tokens = total + loss, tokens + scored
            wrong += group[~right].tolist()
    share = len(indices) / len(examples)
    return AnswerScore(total / tokens, tokens, len(indices) - len(wrong), len(indices), share, tuple(sorted(wrong)))


def most_frequent_answer(training: Examples) -> str:
    """Return the most frequent answer, the first one if there are several. Raises CorpusError without examples."""
    if not len(training):
        raise CorpusError("there are no examples to learn from: give at least one prompt with its answer")
    # Hashes instead of the answers: a million different strings would take a hundred times the memory.
    hashes = np.fromiter((hash(example.answer) for example in training), np.int64, len(training))
    _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    return training[int(first[counts == counts.max()].min())].answer


def answer_baselines(answer: str, held_out: Examples) -> dict[str, Any]:
    """Return the score of giving `answer` every time, for JSON."""
    share = sum(example.answer == answer for example in held_out) / len(held_out)
    return {"most_frequent_answer": {"answer": answer, "exact_match": round(share, 5)}}


def _groups(examples: EncodedExamples, indices: NDArray[np.int64], batch: int) -> Iterator[NDArray[np.int64]]:
    """Yield the indices in batches of examples of similar length, to keep padding small."""
    lengths = examples.lengths_N[indices]
    indices = indices[np.argsort(lengths, kind="stable")]
    start = 0
    while start < len(indices):
        longest = int(examples.lengths_N[indices[min(start + batch, len(indices)) - 1]])
        rows = min(batch, max(1, POSITIONS_AT_ONCE // longest))
        yield indices[start : start + rows]
        start += rows


def _group_score(
    model: "Model", examples: EncodedExamples, indices: NDArray[np.int64]
) -> tuple[float, int, NDArray[np.bool_]]:
    """Return the summed loss of a batch, its number of targets, and which rows are entirely right."""
    device = next(model.parameters()).device
    batch = examples.batch(indices).to(device)
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
