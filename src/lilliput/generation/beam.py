"""Beam search: the likeliest text that a model can write, or several, found by going on with a few at a time.

Hypotheses are ranked by their log-probability divided by (number of new tokens) ** `length_penalty` (Wu et al. 2016,
arXiv 1609.08144, section 7, in the simpler form of Hugging Face's transformers); that matters only where texts may end
before their greatest length. With groups, those of each are chosen one group after the other, and a token loses
`diversity` for every hypothesis of an earlier group that has just taken it (Vijayakumar et al. 2016, arXiv 1610.02424,
with Hamming distance). Filters that look at which token it is act as in sampling, and the probabilities are those of
what they leave; nothing is drawn.

Axes: B hypotheses, V vocabulary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import GenerationError
from lilliput.generation.decoding import checked
from lilliput.generation.filters import Filter
from lilliput.generation.reading import LogitsV, Reading
from lilliput.generation.sampling import by_token
from lilliput.generation.settings import SamplingSettings


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """New tokens, the logarithm of their probability, and what they are ranked by."""

    ids: tuple[int, ...]
    log_probability: float
    score: float


def search(
    reading: Reading,
    prompt: Sequence[int],
    settings: SamplingSettings,
    over: Callable[[Sequence[int]], bool],
    own: Sequence[Filter] = (),
) -> list[Hypothesis]:
    """Return the `settings.beams` best hypotheses that were found, the best first; `reading` has one row.

    `over` tells of new tokens whether the text has ended. Raises GenerationError as `generate` does, and where so few
    tokens are allowed that no hypothesis is left.
    """
    ids = checked(reading.model, prompt)
    logits_BV = reading.begin(0, ids)[None]
    beams = _Beams(settings, by_token(settings, own), over)
    for _ in range(settings.length):
        chosen = beams.go_on(reading.texts, logits_BV)
        if not chosen or beams.settled():
            break
        if len(beams.open[0].ids) < settings.length:
            reading.select([parent for parent, _ in chosen])
            logits_BV = reading.add([token for _, token in chosen])
    return beams.best()


class _Beams:
    """The hypotheses that may go on, in the order of the reading's rows, and those that have ended."""

    def __init__(
        self, settings: SamplingSettings, filters: Sequence[Filter], over: Callable[[Sequence[int]], bool]
    ) -> None:
        self._settings, self._filters, self._over = settings, filters, over
        self.open = [Hypothesis((), 0.0, 0.0)]
        self._groups = [0]
        """Of each open hypothesis; at the beginning all groups share one."""
        self._ended: list[Hypothesis] = []

    def go_on(self, texts: Sequence[Sequence[int]], logits_BV: LogitsV) -> list[tuple[int, int]]:
        """Choose the next tokens; return for each hypothesis that may go on the row it continues, and its token."""
        logs_BV = np.stack([self._logs(logits_V, ids) for logits_V, ids in zip(logits_BV, texts, strict=True)])
        chosen: list[tuple[int, int]] = []
        following, groups = [], []
        taken_V = np.zeros(logs_BV.shape[1])
        size = self._settings.beams // self._settings.beam_groups
        for group in range(self._settings.beam_groups):
            rows = [row for row, number in enumerate(self._groups) if number == group or not self.open[0].ids]
            if not rows:
                continue
            kept = 0
            for row, token in self._ranked(rows, logs_BV, taken_V, 2 * size):
                log_probability = self.open[row].log_probability + float(logs_BV[row, token])
                ids = (*self.open[row].ids, token)
                found = Hypothesis(ids, log_probability, log_probability / len(ids) ** self._settings.length_penalty)
                taken_V[token] += 1
                if self._over(ids):
                    self._ended.append(found)
                else:
                    chosen.append((row, token))
                    following.append(found)
                    groups.append(group)
                    kept += 1
                if kept == size:
                    break
        if not following and not self._ended:
            raise GenerationError(
                "beam search has nothing to go on with: all tokens of the vocabulary are banned or filtered out; "
                "loosen ban, no_repeat_ngram or your own filters"
            )
        self.open, self._groups = following, groups
        return chosen

    def settled(self) -> bool:
        """Tell whether so many texts have ended that none that may go on is as good as the least of them."""
        beams = self._settings.beams
        if len(self._ended) < beams:
            return False
        least = sorted((found.score for found in self._ended), reverse=True)[beams - 1]
        return max(found.score for found in self.open) <= least

    def best(self) -> list[Hypothesis]:
        """Return the best of all, no two of them with the same tokens."""
        ranked = sorted([*self._ended, *self.open], key=lambda found: -found.score)
        return list({found.ids: found for found in ranked}.values())[: self._settings.beams]

    def _logs(self, logits_V: LogitsV, ids: Sequence[int]) -> NDArray[np.float64]:
        if not np.isfinite(logits_V.max()):
            raise GenerationError("the logits are not finite: take an earlier checkpoint of this run")
        filtered_V: NDArray[np.float64] = logits_V.astype(np.float64)
        for change in self._filters:
            filtered_V = change(filtered_V, ids)  # type: ignore[assignment]
        greatest = filtered_V.max()
        if not np.isfinite(greatest):
            return np.full(filtered_V.shape, -np.inf)
        logs_V: NDArray[np.float64] = filtered_V - greatest - np.log(np.exp(filtered_V - greatest).sum())
        return logs_V

    def _ranked(
        self, rows: Sequence[int], logs_BV: NDArray[np.float64], taken_V: NDArray[np.float64], count: int
    ) -> list[tuple[int, int]]:
        """Return the best continuations of some rows, as row and token."""
        before = np.array([self.open[row].log_probability for row in rows])
        scores = (before[:, None] + logs_BV[list(rows)] - self._settings.diversity * taken_V).ravel()
        count = min(count, scores.size)
        found = np.argpartition(-scores, count - 1)[:count]
        found = found[np.argsort(-scores[found], kind="stable")]
        size = logs_BV.shape[1]
        return [(rows[place // size], int(place % size)) for place in found.tolist() if np.isfinite(scores[place])]
