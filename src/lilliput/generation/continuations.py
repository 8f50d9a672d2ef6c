"""One token after the other, for one text or for several at once: read the prompts, then draw, add, draw, add.

A text follows from (weights, prompt, settings, seed) alone: each has a sampler of its own, and what stands beside it in
a batch changes its logits by no more than the rounding of matrix products. Left out: speculative steps.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from lilliput.errors import GenerationError
from lilliput.generation.backends.backend import Backend, LogitsV
from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SamplingSettings
from lilliput.models import Model


def generate(
    backend: Backend,
    prompts: Sequence[Sequence[int]],
    settings: SamplingSettings,
    seeds: Sequence[int],
    own: Sequence[Sequence[Filter]] | None = None,
) -> list[Iterator[Token]]:
    """Return for each prompt, which has a row of `backend` and a seed, the tokens that continue it.

    There are `settings.length` at most; `own` are filters of the caller for each (`Sampler`). Asking one text for a
    token lets all go on by one, but those whose iterator was closed. Of a prompt longer than a GPT's context the latest
    `context` tokens count. Raises GenerationError, at the call, for an empty prompt or an id outside the vocabulary,
    and while drawing if the logits are not finite or nothing is allowed any more.
    """
    texts = [checked(backend.model, prompt) for prompt in prompts]
    samplers = [
        Sampler(settings, seed, len(ids), filters)
        for seed, ids, filters in zip(seeds, texts, own or [()] * len(texts), strict=True)
    ]
    together = _Together(backend, texts, samplers)
    return [together.tokens(text, settings.length) for text in range(len(texts))]


def log_probabilities(
    backend: Backend, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """Return the logarithm of the probability of each continuation behind its prompt, which has a row of `backend`.

    Raises GenerationError where one or a prompt is empty or has an id outside the vocabulary.
    """
    wanted = [checked(backend.model, ids) for ids in continuations]
    logits_BV = np.stack([backend.prefill(row, checked(backend.model, prompt)) for row, prompt in enumerate(prompts)])
    totals_B, length = np.zeros(len(prompts)), max(map(len, wanted))
    for place in range(length):
        open_B = np.array([row for row, ids in enumerate(wanted) if place < len(ids)])
        # What is read behind the end of a continuation does not matter.
        ids_B = np.array([ids[min(place, len(ids) - 1)] for ids in wanted])
        greatest_B1 = logits_BV.max(1, keepdims=True)
        sums_B = np.exp(logits_BV - greatest_B1, dtype=np.float64).sum(1)
        logs_B = logits_BV[np.arange(len(wanted)), ids_B] - greatest_B1[:, 0] - np.log(sums_B)
        totals_B[open_B] += logs_B[open_B]
        if place + 1 < length:
            logits_BV = backend.decode(ids_B.tolist())
    found: list[float] = totals_B.tolist()
    return found


def checked(model: Model, prompt: Sequence[int]) -> list[int]:
    """Return a prompt's ids. Raises GenerationError if there is none or one is outside the vocabulary."""
    ids = [int(id_) for id_ in prompt]
    if not ids:
        raise GenerationError("the prompt is empty: give at least one token to start from")
    low, high = min(ids), max(ids)
    if low < 0 or high >= model.vocab_size:
        wrong = low if low < 0 else high
        raise GenerationError(
            f"the prompt holds the id {wrong}, the vocabulary ends at {model.vocab_size - 1}: "
            "encode the prompt with the tokenizer of this model"
        )
    return ids


class _Together:
    """Texts that go on at the same time, by one token each."""

    def __init__(self, backend: Backend, prompts: Sequence[Sequence[int]], samplers: Sequence[Sampler]) -> None:
        self._backend, self._prompts, self._samplers = backend, prompts, samplers
        self._waiting: list[deque[Token]] = [deque() for _ in prompts]
        self._rows = list(range(len(prompts)))
        """Which text each row of the backend holds."""
        self._open = set(self._rows)
        self._latest: dict[int, int] = {}
        """By text, the token that was drawn last."""
        self._failed: dict[int, GenerationError] = {}

    def tokens(self, text: int, length: int) -> Iterator[Token]:
        try:
            for _ in range(length):
                if not self._waiting[text] and text not in self._failed:
                    self._go_on()
                if not self._waiting[text]:
                    raise self._failed[text]
                yield self._waiting[text].popleft()
        finally:
            self._open.discard(text)

    def _go_on(self) -> None:
        logits_BV = self._next()
        for text, ids, logits_V in zip(self._rows, self._backend.texts, logits_BV, strict=True):
            try:
                token = self._samplers[text].choose(logits_V, ids)
            except GenerationError as error:
                # Others drew this text on: behind its end nothing may be allowed, and nobody may ask for it.
                self._failed[text] = error
                self._open.discard(text)
                continue
            self._latest[text] = token.id
            self._waiting[text].append(token)

    def _next(self) -> Sequence[LogitsV] | LogitsV:
        """Return the logits of what comes next in every row that is still asked for."""
        if not self._latest:
            return [self._backend.prefill(row, ids) for row, ids in enumerate(self._prompts)]
        wanted = [row for row, text in enumerate(self._rows) if text in self._open]
        if len(wanted) < len(self._rows):
            self._backend.reorder(wanted)
            self._rows = [self._rows[row] for row in wanted]
        return self._backend.decode([self._latest[text] for text in self._rows])
