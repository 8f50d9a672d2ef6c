"""Beam search: find one or several of the most likely texts by extending a few hypotheses at a time.

Hypotheses are ranked by their log-probability divided by (number of new tokens) ** `length_penalty` (Wu et al. 2016,
arXiv 1609.08144, section 7, in the simpler form of Hugging Face's transformers); that matters only if texts can end
before the maximum length. The groups of diverse beam search choose one after another, and a token loses `diversity` for
every hypothesis of an earlier group that has just taken it (Vijayakumar et al. 2016, arXiv 1610.02424, with Hamming
distance). Filters that depend on the token act as in sampling, and the probabilities are renormalised over the tokens
they keep. Nothing is random.

Axes: B hypotheses, V vocabulary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import GenerationError
from lilliput.generation.backends.backend import Backend, LogitsV
from lilliput.generation.filters import Filter
from lilliput.generation.sampling import NOT_FINITE, by_token
from lilliput.generation.settings import SamplingSettings
from lilliput.generation.slots import checked


@dataclass(frozen=True, slots=True)
class BeamPrompt:
    """A prompt, or one of several spellings of it with the logarithm of its share in their probability.

    `has_ended` returns whether a text with these new tokens has ended; `filters` are the caller's.
    """

    ids: Sequence[int]
    has_ended: Callable[[Sequence[int]], bool]
    filters: Sequence[Filter] = ()
    log_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """New tokens, the logarithm of their probability, the score that ranks them, and the prompt they continue."""

    ids: tuple[int, ...]
    log_probability: float
    score: float
    prompt: int = 0


def search(backend: Backend, prompts: Sequence[BeamPrompt], settings: SamplingSettings) -> list[Hypothesis]:
    """Return the `settings.beams` best hypotheses, the best first; `backend` has one row.

    Raises GenerationError as `generate` does, and if the filters leave no hypothesis to continue.
    """
    backend.prefill(0, checked(backend.model, prompts[0].ids))
    if len(prompts) > 1:
        backend.reorder([0] * len(prompts))
    texts = [checked(backend.model, prompt.ids) for prompt in prompts]
    logits_BV = np.stack([backend.prefill(row, ids) for row, ids in enumerate(texts)])
    beams = _Beams(settings, prompts)
    for _ in range(settings.max_tokens):
        chosen = beams.extend(backend.texts, logits_BV)
        if not chosen or beams.settled():
            break
        if len(beams.open[0].ids) < settings.max_tokens:
            backend.reorder([parent for parent, _ in chosen])
            logits_BV = backend.decode([token for _, token in chosen])
    return beams.best()


class _Beams:
    """The open hypotheses, in the order of the backend's rows, and those that have ended."""

    def __init__(self, settings: SamplingSettings, prompts: Sequence[BeamPrompt]) -> None:
        self._settings, self._prompts = settings, prompts
        self._filters = [by_token(settings, prompt.filters) for prompt in prompts]
        self.open = [Hypothesis((), prompt.log_share, 0.0, number) for number, prompt in enumerate(prompts)]
        self._groups = [0] * len(prompts)
        """Group of each open hypothesis; before the first step, all groups share them."""
        self._ended: list[Hypothesis] = []

    def extend(self, texts: Sequence[Sequence[int]], logits_BV: LogitsV) -> list[tuple[int, int]]:
        """Choose the next tokens; return for each open hypothesis the row it continues, and its token."""
        rows = zip(self.open, logits_BV, texts, strict=True)
        logs_BV = np.stack([self._logs(logits_V, ids, hypothesis.prompt) for hypothesis, logits_V, ids in rows])
        chosen: list[tuple[int, int]] = []
        following, groups = [], []
        taken_V = np.zeros(logs_BV.shape[1])
        size = self._settings.beams // self._settings.beam_groups
        for group in range(self._settings.beam_groups):
            members = [row for row, number in enumerate(self._groups) if number == group or not self.open[0].ids]
            if not members:
                continue
            kept = 0
            for row, token in self._ranked(members, logs_BV, taken_V, 2 * size):
                longer = self._longer(self.open[row], token, float(logs_BV[row, token]))
                taken_V[token] += 1
                if self._prompts[longer.prompt].has_ended(longer.ids):
                    self._ended.append(longer)
                else:
                    chosen.append((row, token))
                    following.append(longer)
                    groups.append(group)
                    kept += 1
                if kept == size:
                    break
        if not following and not self._ended:
            raise GenerationError(
                "beam search has no token to continue with: the whole vocabulary is banned or filtered out; "
                "loosen ban, no_repeat_ngram or your own filters"
            )
        self.open, self._groups = following, groups
        return chosen

    def _longer(self, hypothesis: Hypothesis, token: int, log_probability: float) -> Hypothesis:
        ids, total = (*hypothesis.ids, token), hypothesis.log_probability + log_probability
        return Hypothesis(ids, total, total / len(ids) ** self._settings.length_penalty, hypothesis.prompt)

    def settled(self) -> bool:
        """Return whether enough texts have ended, and no open text can still beat the worst of them."""
        beams = self._settings.beams
        if len(self._ended) < beams:
            return False
        worst = sorted((hypothesis.score for hypothesis in self._ended), reverse=True)[beams - 1]
        return max(hypothesis.score for hypothesis in self.open) <= worst

    def best(self) -> list[Hypothesis]:
        """Return the best of all hypotheses, without duplicates."""
        ranked = sorted([*self._ended, *self.open], key=lambda hypothesis: -hypothesis.score)
        unique = {(hypothesis.prompt, hypothesis.ids): hypothesis for hypothesis in ranked}
        return list(unique.values())[: self._settings.beams]

    def _logs(self, logits_V: LogitsV, ids: Sequence[int], prompt: int) -> NDArray[np.float64]:
        if not np.isfinite(logits_V.max()):
            raise GenerationError(NOT_FINITE)
        filtered_V: NDArray[np.float64] = logits_V.astype(np.float64)
        for change in self._filters[prompt]:
            filtered_V = change(filtered_V, ids)  # type: ignore[assignment]
        largest = filtered_V.max()
        if not np.isfinite(largest):
            return np.full(filtered_V.shape, -np.inf)
        logs_V: NDArray[np.float64] = filtered_V - largest - np.log(np.exp(filtered_V - largest).sum())
        return logs_V

    def _ranked(
        self, rows: Sequence[int], logs_BV: NDArray[np.float64], taken_V: NDArray[np.float64], count: int
    ) -> list[tuple[int, int]]:
        """Return the `count` best continuations of some rows as (row, token), the best first."""
        before = np.array([self.open[row].log_probability for row in rows])
        scores = (before[:, None] + logs_BV[list(rows)] - self._settings.diversity * taken_V).ravel()
        count = min(count, scores.size)
        best = np.argpartition(-scores, count - 1)[:count]
        best = best[np.argsort(-scores[best], kind="stable")]
        size = logs_BV.shape[1]
        return [(rows[index // size], int(index % size)) for index in best.tolist() if np.isfinite(scores[index])]
