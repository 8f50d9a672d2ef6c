"""The loss of a model over a whole text, in one of two stated definitions.

`separate`: the text is cut into windows that do not overlap, as in training. Tokens at the start of a window have
almost no context, so this figure is pessimistic. `sliding`: windows overlap by three quarters and only the new tokens
of a window are scored, so that nearly every token has at least three quarters of a window as context (the evaluation of
Baevski & Auli, "Adaptive Input Representations for Neural Language Modeling", ICLR 2019, which trades speed for a
larger context); a model with a memory also gets the tokens before the window, as in generation. Both score every token
but the first exactly once, so both are exact means and differ only in the context. Each segment of a text is scored as
a separate text, without the others as context.

Perplexity per word, as published for WikiText, divides the nats of all tokens by the number of words and line ends of
the text (`count_words`), so models with different tokenizers can be compared.

Left out: carrying the state of a recurrent network from window to window; every window starts with an empty state.

Shapes: B windows, T time, P positions before, D width, V vocabulary, N scored positions of all windows of a batch.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lilliput.data.scoring_windows import WindowSpan, sliding_stride, sliding_windows
from lilliput.errors import CorpusError, RecipeError
from lilliput.models.output_loss import LOGITS_AT_ONCE
from lilliput.models.protocol import evaluating
from lilliput.segments import WHOLE, Starts, segments

if TYPE_CHECKING:
    from lilliput.models import Model

Definition = Literal["separate", "sliding"]
Progress = Callable[[int, int], None]
"""Called with the number of targets scored so far and the total."""

POSITIONS_AT_ONCE = 2**15
"""Bounds the activations of a batch of windows."""
PIECE = 512
"""Approximate number of consecutive targets in a piece, if only a part of a text is scored."""
SEVERAL = 8
"""Minimum number of pieces, each at least one window long."""


class Sums(NamedTuple):
    """Sums of negative log-likelihoods in nats, in double precision, over the same targets; None as in `PartLosses`."""

    targets: int
    whole: float
    network: float | None
    counts: float | None


@dataclass(frozen=True)
class Score:
    """The loss of a model on a text.

    Bits per character and per byte refer to the whole text of `characters` and `bytes`, whatever the tokenizer; the
    first token, which has no context, counts there with the average loss of the others.
    """

    loss_nats_per_token: float
    tokens: int
    characters: int
    bytes: int
    definition: Definition
    window: int
    stride: int
    sampled_share: float = 1.0
    """Share of the targets that was scored: 1 unless a limit was set."""
    words: int | None = None
    """Words and line ends of the original text, if they were counted."""
    memory: int = 0
    """Number of tokens before a window that the model could use."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Nats per token of each part of a mixture, over the same targets: "network" alone, and "counts" (with matches)
    alone."""

    @property
    def perplexity(self) -> float:
        """The exponential of the loss; infinity on overflow."""
        return _exponential(self.loss_nats_per_token)

    @property
    def word_perplexity(self) -> float | None:
        """The exponential of the nats per word of the original text; None if the words were not counted."""
        return _exponential(self.loss_nats_per_token * self.tokens / self.words) if self.words else None

    @property
    def bits_per_character(self) -> float:
        """Bits per character of the original text."""
        return self._bits(self.loss_nats_per_token)

    def _bits(self, nats_per_token: float) -> float:
        return nats_per_token * self.tokens / self.characters / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of the original text in UTF-8."""
        return self.loss_nats_per_token * self.tokens / self.bytes / math.log(2)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, rounded; None stands for infinity or NaN."""
        return {
            "loss": _rounded(self.loss_nats_per_token),
            "perplexity": _rounded(self.perplexity),
            "word_perplexity": _rounded(self.word_perplexity),
            "bits_per_character": _rounded(self.bits_per_character),
            "bits_per_byte": _rounded(self.bits_per_byte),
            "tokens": self.tokens,
            "characters": self.characters,
            "bytes": self.bytes,
            "words": self.words,
            "definition": self.definition,
            "window": self.window,
            "stride": self.stride,
            "memory": self.memory,
            "sampled_share": _rounded(self.sampled_share),
            "parts": {
                name: {"loss": _rounded(loss), "bits_per_character": _rounded(self._bits(loss))}
                for name, loss in self.parts.items()
            },
        }


def _exponential(nats: float) -> float:
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf


def _rounded(value: float | None) -> float | None:
    return round(value, 5) if value is not None and math.isfinite(value) else None


def evaluate(
    model: "Model",
    tokens: NDArray[Any],
    window: int,
    definition: Definition,
    *,
    characters: int,
    bytes: int,
    words: int | None = None,
    batch: int = 64,
    limit: int | None = None,
    starts: Starts = WHOLE,
    progress: Progress | None = None,
) -> Score:
    """Score an encoded text.

    `characters`, `bytes` and `words` (see `count_words`) are the counts of the text that `tokens` encode. The other
    arguments and the errors are those of `score_parts`.
    """
    sums = score_parts(model, tokens, window, definition, batch=batch, limit=limit, starts=starts, progress=progress)
    parts = {"network": sums.network, "counts": sums.counts}
    return Score(
        loss_nats_per_token=sums.whole / sums.targets,
        tokens=len(tokens),
        characters=characters,
        bytes=bytes,
        definition=definition,
        window=window,
        stride=stride_of(window, definition),
        sampled_share=sums.targets / (len(tokens) - len(starts)),
        words=words,
        memory=memory_of(model, definition),
        parts={name: total / sums.targets for name, total in parts.items() if total is not None},
    )


def score_tokens(
    model: "Model",
    tokens: NDArray[Any],
    window: int,
    definition: Definition,
    *,
    batch: int = 64,
    limit: int | None = None,
    starts: Starts = WHOLE,
    progress: Progress | None = None,
) -> tuple[float, int]:
    """Return the summed negative log-likelihood in nats and the number of targets; see `score_parts`."""
    sums = score_parts(model, tokens, window, definition, batch=batch, limit=limit, starts=starts, progress=progress)
    return sums.whole, sums.targets


def score_parts(
    model: "Model",
    tokens: NDArray[Any],
    window: int,
    definition: Definition,
    *,
    batch: int = 64,
    limit: int | None = None,
    starts: Starts = WHOLE,
    progress: Progress | None = None,
) -> Sums:
    """Return the summed losses of a model, and of its parts, over the targets of a text.

    `tokens` is a 1-D array of integers, possibly a memory map; only the windows of one batch are copied. Its segments
    begin at `starts`, and the first token of each is no target. `limit` scores at most that many targets, in `pieces`
    spread evenly over the text, for quick evaluations during training. The model runs in evaluation mode and returns to
    its former mode afterwards; no random numbers are drawn. For mixed precision, call this inside autocast; the loss
    itself is always computed in single precision.

    Raises CorpusError for fewer than two tokens, RecipeError for a window or limit below 1.
    """
    if len(tokens) < 2:
        raise CorpusError(f"a text of {len(tokens)} tokens has nothing to predict: evaluation needs at least 2 tokens")
    if window < 1 or batch < 1 or (limit is not None and limit < 1):
        raise RecipeError(f"window {window}, batch {batch}, limit {limit}: evaluation needs each to be 1 or more")
    spans = plan(targets_of(len(tokens), starts), window, definition, limit)
    memory = memory_of(model, definition)
    if len(starts) > 1:
        # Windows near the start of a segment have less context; sorted, those of several segments share batches.
        spans.sort(key=lambda span: _shape(span, memory))
    targets = sum(span.length - span.skip for span in spans)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    groups, done = [], 0
    with evaluating(model), torch.inference_mode():
        for group in _batches(spans, min(batch, max(1, POSITIONS_AT_ONCE // window)), memory):
            groups.append(_group_losses(model, tokens, group, min(memory, group[0].history), device))
            done += sum(span.length - span.skip for span in group)
            if progress is not None:
                progress(done, targets)
    return Sums(targets, *_added(groups))


def stride_of(window: int, definition: Definition) -> int:
    """Return the distance between the starts of consecutive windows, in tokens."""
    return window if definition == "separate" else sliding_stride(window)


def memory_of(model: "Model", definition: Definition) -> int:
    """Return the number of tokens before a window that the model gets."""
    return model.memory if definition == "sliding" else 0


def targets_of(tokens: int, starts: Starts = WHOLE) -> list[range]:
    """Return the targets of each segment of a text, each as the index of the token before it."""
    return [range(part.start, part.stop - 1) for part in segments(tokens, starts)]


def plan(targets: Sequence[range], window: int, definition: Definition, limit: int | None = None) -> list[WindowSpan]:
    """Return the windows that score each target (`targets_of`) once, or at most `limit` targets in even pieces."""
    stretches = targets if limit is None else pieces(targets, window, limit)
    firsts = [part.start for part in targets]
    return [
        span
        for stretch in stretches
        for span in _spans(stretch, firsts[bisect_right(firsts, stretch.start) - 1], window, definition)
    ]


def pieces(targets: Sequence[range], window: int, limit: int) -> list[range]:
    """Return evenly spread stretches of the targets, at most `limit` targets in total; all targets if they fit.

    Each starts at a multiple of its length in its segment, so measurements per piece, such as those of the baselines,
    apply to the same stretches.
    """
    if limit >= sum(map(len, targets)):
        return list(targets)
    several = limit // SEVERAL // window * window
    length = min(piece_length(window), max(window, several), limit)
    firsts = np.cumsum([0, *(-(-len(part) // length) for part in targets)]).tolist()
    chosen = np.unique(np.linspace(0, firsts[-1] - 1, limit // length).astype(int)).tolist()
    numbers = [bisect_right(firsts, piece) - 1 for piece in chosen]
    begins = [(piece - firsts[number]) * length for piece, number in zip(chosen, numbers, strict=True)]
    return [targets[number][begin : begin + length] for number, begin in zip(numbers, begins, strict=True)]


def cut(targets: Sequence[range], length: int) -> list[range]:
    """Return the targets in stretches of this length; the last one of each segment may be shorter."""
    return [part[begin : begin + length] for part in targets for begin in range(0, len(part), length)]


def piece_length(window: int) -> int:
    """Return the number of targets in a piece: whole windows, about `PIECE` targets."""
    return window * max(1, round(PIECE / window))


def _spans(stretch: range, first: int, window: int, definition: Definition) -> Iterator[WindowSpan]:
    """Yield the windows for a stretch of targets in a segment that begins with the token `first`."""
    if definition == "separate":
        yield from (
            WindowSpan(start, min(window, stretch.stop - start), 0, start - first) for start in stretch[::window]
        )
        return
    yield from sliding_windows(stretch, first, window)


def _batches(spans: Sequence[WindowSpan], batch: int, memory: int = 0) -> Iterator[list[WindowSpan]]:
    """Group windows of the same shape and memory; the first and the last may differ from the rest."""
    group: list[WindowSpan] = []
    for span in spans:
        if group and (len(group) == batch or _shape(span, memory) != _shape(group[0], memory)):
            yield group
            group = []
        group.append(span)
    yield group


def _shape(span: WindowSpan, memory: int) -> tuple[int, int, int]:
    return span.length, span.skip, min(memory, span.history)


_Losses = tuple[float, float | None, float | None]
"""Losses of the whole model, the network and the counts."""


def _added(losses: Sequence[_Losses]) -> _Losses:
    whole, *parts = zip(*losses, strict=True)
    network, counts = (None if None in part else math.fsum(part) for part in parts)
    return math.fsum(whole), network, counts


def _group_losses(
    model: "Model", tokens: NDArray[Any], group: Sequence[WindowSpan], memory: int, device: torch.device
) -> _Losses:
    rows = [tokens[span.start - memory : span.start + span.length + 1] for span in group]
    before_BP, ids_BT = torch.from_numpy(np.stack(rows).astype(np.int64)).to(device).tensor_split([memory], 1)
    skip = group[0].skip
    # Only scored positions go through the head, which is most of the work in a small model with a large vocabulary.
    features_ND = model.features(ids_BT[:, :-1], before_BP=before_BP)[:, skip:].flatten(0, 1)
    targets = ids_BT[:, 1 + skip :].flatten()
    losses = []
    positions = max(1, LOGITS_AT_ONCE // model.vocab_size)
    for part_ND, part in zip(torch.split(features_ND, positions), torch.split(targets, positions), strict=True):
        whole_N, network_N, counts_N = model.part_losses(part_ND, part)
        network, counts = (None if part_N is None else _sum(part_N) for part_N in (network_N, counts_N))
        losses.append((_sum(whole_N), network, counts))
    return _added(losses)


def _sum(losses_N: Tensor) -> float:
    return float(losses_N.cpu().double().sum())  # on the CPU: not every accelerator has double precision
