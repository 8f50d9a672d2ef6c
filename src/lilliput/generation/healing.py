"""Token healing: remove the last word of a prompt that may end inside a token, and read it with the continuation.

A model learns a text in the tokens of the whole: "Call me Ishmael" may be "Call", " me" and " Ishmael". After "Call",
" me" and " " it has seldom seen "Ishmael". So the end of a prompt is removed: as far back as a token that extends past
the prompt may start, and from there to the start of a word. A text then has several starts: some tokens, and the rest
of the prompt, with which the next token must begin. The model gives the probability of each start. So the continuation
has the distribution of one whole text, wherever the prompt was cut.

If no token begins with the text of another, as with characters and bytes, nothing is removed.

Sources: "token healing" in the library guidance (Lundberg 2023), with a single start; Phan et al. 2024 (arXiv
2410.09303) and Vieira et al. 2024 (arXiv 2412.03719) for the sum over all starts.

Vectors of one axis: V vocabulary.
"""

import heapq
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.generation.backends.backend import Backend, LogitsV
from lilliput.generation.filters import COLDEST, Filter, Logits, only
from lilliput.generation.sampling import by_token
from lilliput.generation.settings import SamplingSettings
from lilliput.tokenizers import Tokenizer
from lilliput.tokenizers.escape import BROKEN, unescape

_LEAST_SHARE = 1e-3
"""Minimum share of a spelling in the probability of all starts; others are dropped."""
_MOST_SPELLINGS = 32
"""Maximum number of spellings that the model reads, not counting that of the tokenizer."""
_MOST_REMOVED = 64
"""Maximum number of tokens to remove, unless one token reaches further back."""


@dataclass(frozen=True, slots=True)
class Start:
    """One spelling of a prompt: tokens, and the rest of the prompt (escaped), with which the next token must begin.

    `log_weight` is the logarithm of its probability after the kept tokens, `logits_V` the logits of the next token;
    None if this is the only start.
    """

    ids: Sequence[int]
    rest: str = ""
    log_weight: float = 0.0
    logits_V: LogitsV | None = None


@dataclass(frozen=True, slots=True)
class Healed:
    """The tokens that were kept, all starts after them, and the logarithm of the starts' total probability."""

    kept: Sequence[int]
    starts: Sequence[Start]
    removed: int = 0
    """Number of tokens removed from the prompt."""
    log_probability: float = 0.0


class Healing:
    """Finds the starts for the prompts of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        vocabulary = sorted((piece, id) for id, piece in enumerate(tokenizer.pieces) if id not in tokenizer.special)
        self._sorted = [piece for piece, _ in vocabulary]
        self._ids_of_sorted = np.array([id for _, id in vocabulary], dtype=np.int64)
        self._ids = dict(vocabulary)
        self._longest = max(map(len, self._sorted))
        line_end = tokenizer.encode("\n").tolist()
        self._before = line_end if len(line_end) == 1 else []
        """Context for a prompt that is removed completely: a text starts like a line."""

    def heal(self, backend: Backend, prompt: Sequence[int]) -> Healed:
        """Return the starts for a prompt; this overwrites the first row of `backend`."""
        position = self._first_removed(prompt)
        if position == len(prompt):
            return Healed(prompt, [Start(prompt)])
        kept = [*([] if position else self._before), *prompt[:position]]
        removed = list(prompt[position:])
        rest = "".join(self._tokenizer.pieces[id] for id in removed)
        starts: list[Start] = []
        total, others = 0.0, 0
        # First the spelling of the tokenizer, then the others, the most likely first.
        queue = [(0, 0.0, 0, Start(kept, rest))]
        while queue:
            is_other, cost, _, start = heapq.heappop(queue)
            if is_other and (others == _MOST_SPELLINGS or math.exp(-cost) < _LEAST_SHARE * total):
                break
            others += is_other
            logits_V = backend.prefill(0, start.ids)
            logs_V = _log_softmax(logits_V)
            longer = self._longer(start.rest)
            if longer.size:
                starts.append(Start(start.ids, start.rest, start.log_weight, logits_V))
                total += math.exp(start.log_weight) * float(np.exp(logs_V[longer]).sum())
            for token, remaining in self._prefixes(start.rest):
                ids, log_weight = [*start.ids, token], start.log_weight + float(logs_V[token])
                encoded = not is_other and token == removed[len(start.ids) - len(kept)]
                heapq.heappush(queue, (int(not encoded), -log_weight, -len(queue), Start(ids, remaining, log_weight)))
        return Healed(kept, starts, len(removed), math.log(total) if total else -math.inf)

    def filter(self, start: Start, bans: Sequence[str]) -> Filter:
        """Return a filter: the first token must begin with the rest, be longer, and complete no banned text."""
        allowed = self._longer(start.rest)
        if bans:
            bans = [self._tokenizer.normalized(ban) for ban in bans]
            before = "".join(self._tokenizer.pieces[id] for id in start.ids[-max(map(len, bans)) :]) + start.rest
            allowed = np.array(
                [id for id in allowed.tolist() if not self._completes(before, start, id, bans)], np.int64
            )

        def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
            return only(logits_V, allowed) if len(ids) == len(start.ids) else logits_V

        return keep

    def _completes(self, before: str, start: Start, token: int, bans: Sequence[str]) -> bool:
        given = unescape(before)
        text = unescape(before + self._tokenizer.pieces[token][len(start.rest) :])
        return any(text.find(ban, max(0, len(given) - len(ban) + 1)) >= 0 for ban in bans)

    def _longer(self, rest: str) -> NDArray[np.int64]:
        """Return the tokens that begin with `rest` and are longer."""
        end = bisect_left(self._sorted, rest + chr(0x10FFFF)) if rest else None
        return self._ids_of_sorted[bisect_right(self._sorted, rest) : end]

    def _prefixes(self, rest: str) -> list[tuple[int, str]]:
        """Return the tokens that are a prefix of `rest` or all of it, each with the text left after it."""
        lengths = range(1, min(len(rest), self._longest) + 1)
        return [(self._ids[rest[:length]], rest[length:]) for length in lengths if rest[:length] in self._ids]

    def _spellable(self, text: str) -> bool:
        """Return whether a sequence of tokens spells exactly this text."""
        return not text or any(self._spellable(remaining) for _, remaining in self._prefixes(text))

    def _first_removed(self, prompt: Sequence[int]) -> int:
        """Return the position of the first removed token, which is the number of tokens kept."""
        pieces = self._tokenizer.pieces
        position, end, reach = len(prompt), "", 0
        while position and len(end) < self._longest:
            position -= 1
            piece = pieces[prompt[position]]
            offsets = [offset for offset in range(len(piece)) if self._spellable(piece[:offset])]
            replaceable = [offset for offset in offsets if self._longer(piece[offset:] + end).size]
            # If the last word continues, its first part may be spelled differently.
            if not end and any(offset and self._spellable(piece[offset:]) for offset in offsets):
                replaceable.append(0)
            end = piece + end
            reach = len(end) - min(replaceable) if replaceable else reach
        # White space at the start of a prompt serves as well as a line end before it.
        first = 0 if self._before and prompt and not unescape(pieces[prompt[0]])[:1].isspace() else 1
        position, length = len(prompt), 0
        while length < reach and position > first:
            position -= 1
            length += len(pieces[prompt[position]])
        if position == len(prompt):
            return position
        words = range(position, max(first, len(prompt) - _MOST_REMOVED) - 1, -1)
        return next((word for word in words if self._begins_word(prompt, word)), position)

    def _begins_word(self, prompt: Sequence[int], position: int) -> bool:
        """Return whether the tokens before `position` are the same for every continuation."""
        if position == 0:
            return True
        before, after = (unescape(self._tokenizer.pieces[id]) for id in prompt[position - 1 : position + 1])
        visible = not before[-1:].isspace() and before[-1:] != BROKEN
        return visible and after[:1] in self._tokenizer.cuts_before


def except_at(change: Filter, position: int) -> Filter:
    """Return a filter that applies `change` to every token but the one at `position`."""

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        return logits_V if len(ids) == position else change(logits_V, ids)

    return keep


def log_shares(
    starts: Sequence[Start],
    settings: SamplingSettings,
    filters_by_start: Sequence[Sequence[Filter]],
    temperature: float = 1.0,
) -> list[float]:
    """Return the logarithm of the share of each start among all, under these settings, filters and temperature."""
    if len(starts) == 1:
        return [0.0]
    shares = []
    for start, filters in zip(starts, filters_by_start, strict=True):
        assert start.logits_V is not None, "the model has read each of several starts"
        filtered: Logits = start.logits_V.astype(np.float64)
        size = _log_sum(filtered)
        for change in by_token(settings, filters):
            filtered = change(filtered, start.ids)
        logs = start.log_weight + filtered - size
        shares.append(float(logs.max()) if temperature < COLDEST else _log_sum(logs / temperature))
    if temperature < COLDEST:
        return [0.0 if number == int(np.argmax(shares)) else -math.inf for number in range(len(shares))]
    size = _log_sum(np.array(shares))
    # If no start allows any token, the sampler raises the error.
    return [share - size for share in shares] if math.isfinite(size) else [0.0, *[-math.inf] * (len(shares) - 1)]


def draw_start(shares: Sequence[float], seed: int) -> int:
    """Return the index of a start drawn by its share; the random numbers that draw tokens are different ones."""
    sums = np.exp(shares).cumsum()
    number = np.random.default_rng((seed, 1)).random() * sums[-1]
    return min(int(np.searchsorted(sums, number, side="right")), len(shares) - 1)


def _log_softmax(logits_V: LogitsV) -> NDArray[np.float64]:
    logs_V = logits_V.astype(np.float64)
    return logs_V - _log_sum(logs_V)


def _log_sum(logs: Logits) -> float:
    largest = float(logs.max())
    return largest + math.log(float(np.exp(logs - largest).sum())) if math.isfinite(largest) else largest
