"""Continue several prompts at once: iterators of new tokens, or the probabilities of given continuations.

A text follows from (weights, prompt, settings, seed) alone: each has its own sampler, and the other texts of the batch
change its logits only by the rounding of matrix products. Not implemented: speculative decoding.
"""

from collections import deque
from collections.abc import Generator, Sequence

import numpy as np

from lilliput.errors import GenerationError
from lilliput.generation.backends.backend import Backend
from lilliput.generation.filters import Filter
from lilliput.generation.sampling import Sampler, Token
from lilliput.generation.settings import SamplingSettings
from lilliput.generation.slots import Slots, checked


def generate(
    backend: Backend,
    prompts: Sequence[Sequence[int]],
    settings: SamplingSettings,
    seeds: Sequence[int],
    filters: Sequence[Sequence[Filter]] | None = None,
) -> list[Generator[Token, None, None]]:
    """Return for each prompt, which has a row of `backend` and a seed, the tokens that continue it.

    Each text has at most `settings.max_tokens`; `filters` are the caller's for each (`Sampler`). If one text needs a
    token, all texts draw one, except those whose iterator was closed. A GPT reads only the latest `context` tokens of a
    longer prompt. Raises GenerationError at the call for an empty prompt or an id outside the vocabulary, and while
    drawing if the logits are not finite or no token is allowed.
    """
    texts = [checked(backend.model, prompt) for prompt in prompts]
    samplers = [
        Sampler(settings, seed, len(ids), text_filters)
        for seed, ids, text_filters in zip(seeds, texts, filters or [()] * len(texts), strict=True)
    ]
    batch = _Batch(backend, texts, samplers)
    return [batch.tokens(text, settings.max_tokens) for text in range(len(texts))]


def log_probabilities(
    backend: Backend, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]]
) -> list[float]:
    """Return the logarithm of the probability of each continuation after its prompt, which has a row of `backend`.

    Raises GenerationError if a prompt or continuation is empty or has an id outside the vocabulary.
    """
    targets = [checked(backend.model, ids) for ids in continuations]
    logits_BV = np.stack([backend.prefill(row, checked(backend.model, prompt)) for row, prompt in enumerate(prompts)])
    totals_B, length = np.zeros(len(prompts)), max(map(len, targets))
    for position in range(length):
        open_B = np.array([row for row, ids in enumerate(targets) if position < len(ids)])
        # After the end of a continuation its row reads any token: the result is unused.
        ids_B = np.array([ids[min(position, len(ids) - 1)] for ids in targets])
        greatest_B1 = logits_BV.max(1, keepdims=True)
        sums_B = np.exp(logits_BV - greatest_B1, dtype=np.float64).sum(1)
        logs_B = logits_BV[np.arange(len(targets)), ids_B] - greatest_B1[:, 0] - np.log(sums_B)
        totals_B[open_B] += logs_B[open_B]
        if position + 1 < length:
            logits_BV = backend.decode(ids_B.tolist())
    totals: list[float] = totals_B.tolist()
    return totals


class _Batch:
    """Texts generated in one batch and read one by one; closing the iterator of a text frees its slot."""

    def __init__(self, backend: Backend, prompts: Sequence[Sequence[int]], samplers: Sequence[Sampler]) -> None:
        self._slots = Slots(backend)
        self._prompts, self._samplers = prompts, samplers
        self._unread: list[deque[Token]] = [deque() for _ in prompts]
        self._started = False
        self._closed: set[int] = set()
        self._text_of: dict[int, int] = {}
        """By slot, the index of its text."""
        self._failed: dict[int, GenerationError] = {}

    def tokens(self, text: int, length: int) -> Generator[Token, None, None]:
        try:
            for _ in range(length):
                if not self._unread[text] and text not in self._failed:
                    self._step()
                if not self._unread[text]:
                    raise self._failed[text]
                yield self._unread[text].popleft()
        finally:
            self._closed.add(text)

    def _step(self) -> None:
        if not self._started:
            self._start()
            return
        for slot in self._slots.active:
            if self._text_of[slot] in self._closed:
                self._slots.free(slot)
        for slot, token in self._slots.step().items():
            text = self._text_of[slot]
            if isinstance(token, Token):
                self._unread[text].append(token)
            else:
                # Raised only when this token is requested: another text may have caused the step.
                self._failed[text] = token

    def _start(self) -> None:
        self._started = True
        for text, (prompt, sampler) in enumerate(zip(self._prompts, self._samplers, strict=True)):
            try:
                slot, token = self._slots.add(prompt, sampler)
            except GenerationError as error:
                self._failed[text] = error
                continue
            self._text_of[slot] = text
            self._unread[text].append(token)
