"""A prompt that ends inside a token: its last word is given back, and read again together with what follows.

A text is learnt in the spelling that the tokenizer gives to the whole of it: "Call me Ishmael" may be "Call", " me" and
" Ishmael". Behind "Call", " me" and " " a model has seldom seen "Ishmael". So the end of a prompt is given back, as far
as a token that goes on past the prompt may reach, and from there to the beginning of a word. A text then has several
starts: some tokens, and a rest of the prompt with which the next token has to begin. How probable each of them is, the
model tells. So what follows a prompt is distributed as if it were all one text, wherever the prompt was cut.

Where no token begins with another one's text, as with characters and bytes, nothing is given back.

Sources: "token healing" in the library guidance (Lundberg 2023), which lets one start do; Phan et al. 2024 (arXiv
2410.09303) and Vieira et al. 2024 (arXiv 2412.03719) for the sum over all.

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

_LEAST = 1e-3
"""Share of the probability of all starts, below which a spelling is not looked at."""
_MOST = 32
"""Spellings that are read, the tokenizer's own not counted."""
_LONGEST_WORD = 64
"""Tokens that are given back at most, unless one token reaches further."""


@dataclass(frozen=True, slots=True)
class Start:
    """A way to go on: tokens, and with what of the prompt the next one has to begin, in escaped form.

    `log_weight` is the logarithm of its probability behind what was kept, and `logits_V` what the model says of the
    next token; there are none where this is the only way.
    """

    ids: Sequence[int]
    rest: str = ""
    log_weight: float = 0.0
    logits_V: LogitsV | None = None


@dataclass(frozen=True, slots=True)
class Healed:
    """The tokens that were kept and all starts behind them, and the logarithm of how probable these are together."""

    kept: Sequence[int]
    starts: Sequence[Start]
    given_back: int = 0
    """Tokens of the prompt that were not kept."""
    log_probability: float = 0.0


class Healing:
    """Finds the starts for the prompts of one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        known = sorted((piece, id) for id, piece in enumerate(tokenizer.pieces) if id not in tokenizer.special)
        self._sorted = [piece for piece, _ in known]
        self._ids_of_sorted = np.array([id for _, id in known], dtype=np.int64)
        self._ids = dict(known)
        self._longest = max(map(len, self._sorted))
        line_end = tokenizer.encode("\n").tolist()
        self._before = line_end if len(line_end) == 1 else []
        """What is read before a prompt of which all is given back: texts begin as lines do."""

    def heal(self, backend: Backend, prompt: Sequence[int]) -> Healed:
        """Return the starts for a prompt; the first row of `backend` reads what has to be read for that."""
        place = self._place(prompt)
        if place == len(prompt):
            return Healed(prompt, [Start(prompt)])
        kept = [*([] if place else self._before), *prompt[:place]]
        given_back = list(prompt[place:])
        rest = "".join(self._tokenizer.pieces[id] for id in given_back)
        starts: list[Start] = []
        total, others = 0.0, 0
        # The tokenizer's own spelling comes first, then the others, the likeliest first.
        waiting = [(0, 0.0, 0, Start(kept, rest))]
        while waiting:
            aside, cost, _, start = heapq.heappop(waiting)
            if aside and (others == _MOST or math.exp(-cost) < _LEAST * total):
                break
            others += aside
            logits_V = backend.prefill(0, start.ids)
            logs_V = _log_softmax(logits_V)
            longer = self._longer(start.rest)
            if longer.size:
                starts.append(Start(start.ids, start.rest, start.log_weight, logits_V))
                total += math.exp(start.log_weight) * float(np.exp(logs_V[longer]).sum())
            for token, left in self._parts(start.rest):
                ids, log_weight = [*start.ids, token], start.log_weight + float(logs_V[token])
                encoded = not aside and token == given_back[len(start.ids) - len(kept)]
                heapq.heappush(waiting, (int(not encoded), -log_weight, -len(waiting), Start(ids, left, log_weight)))
        return Healed(kept, starts, len(given_back), math.log(total) if total else -math.inf)

    def behind(self, start: Start, bans: Sequence[str]) -> Filter:
        """Return the filter that lets the first token begin with the rest and go on, without completing a ban."""
        allowed = self._longer(start.rest)
        if bans:
            bans = [self._tokenizer.normalized(ban) for ban in bans]
            before = "".join(self._tokenizer.pieces[id] for id in start.ids[-max(map(len, bans)) :]) + start.rest
            allowed = np.array([id for id in allowed.tolist() if not self._bans(before, start, id, bans)], np.int64)

        def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
            return only(logits_V, allowed) if len(ids) == len(start.ids) else logits_V

        return keep

    def _bans(self, before: str, start: Start, token: int, bans: Sequence[str]) -> bool:
        given = unescape(before)
        text = unescape(before + self._tokenizer.pieces[token][len(start.rest) :])
        return any(text.find(ban, max(0, len(given) - len(ban) + 1)) >= 0 for ban in bans)

    def _longer(self, rest: str) -> NDArray[np.int64]:
        """Return the tokens that begin with a text and go on."""
        end = bisect_left(self._sorted, rest + chr(0x10FFFF)) if rest else None
        return self._ids_of_sorted[bisect_right(self._sorted, rest) : end]

    def _parts(self, rest: str) -> list[tuple[int, str]]:
        """Return the tokens with which a text begins, or that are all of it, and what is left behind each."""
        lengths = range(1, min(len(rest), self._longest) + 1)
        return [(self._ids[rest[:length]], rest[length:]) for length in lengths if rest[:length] in self._ids]

    def _spelled(self, text: str) -> bool:
        """Tell whether tokens can spell this, and nothing but this."""
        return not text or any(self._spelled(left) for _, left in self._parts(text))

    def _place(self, prompt: Sequence[int]) -> int:
        """Return how many tokens of the prompt are kept."""
        pieces = self._tokenizer.pieces
        place, end, reach = len(prompt), "", 0
        while place and len(end) < self._longest:
            place -= 1
            piece = pieces[prompt[place]]
            starts = [begin for begin in range(len(piece)) if self._spelled(piece[:begin])]
            over = [begin for begin in starts if self._longer(piece[begin:] + end).size]
            # Where the last word goes on, it may be spelled otherwise from its beginning.
            if not end and any(begin and self._spelled(piece[begin:]) for begin in starts):
                over.append(0)
            end = piece + end
            reach = len(end) - min(over) if over else reach
        # A blank in front is as good as a line end before it.
        first = 0 if self._before and prompt and not unescape(pieces[prompt[0]])[:1].isspace() else 1
        place, length = len(prompt), 0
        while length < reach and place > first:
            place -= 1
            length += len(pieces[prompt[place]])
        if place == len(prompt):
            return place
        words = range(place, max(first, len(prompt) - _LONGEST_WORD) - 1, -1)
        return next((word for word in words if self._begins_word(prompt, word)), place)

    def _begins_word(self, prompt: Sequence[int], place: int) -> bool:
        """Tell whether the spelling of what stands before a token cannot depend on what follows."""
        if place == 0:
            return True
        before, behind = (unescape(self._tokenizer.pieces[id]) for id in prompt[place - 1 : place + 1])
        visible = not before[-1:].isspace() and before[-1:] != BROKEN
        return visible and behind[:1] in self._tokenizer.cuts_before


def later(change: Filter, start: int) -> Filter:
    """Return a filter that lets the token at the place `start` be whatever it may."""

    def keep(logits_V: Logits, ids: Sequence[int]) -> Logits:
        return logits_V if len(ids) == start else change(logits_V, ids)

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
        assert start.logits_V is not None, "starts among several were read"
        filtered: Logits = start.logits_V.astype(np.float64)
        size = _log_sum(filtered)
        for change in by_token(settings, filters):
            filtered = change(filtered, start.ids)
        logs = start.log_weight + filtered - size
        shares.append(float(logs.max()) if temperature < COLDEST else _log_sum(logs / temperature))
    if temperature < COLDEST:
        return [0.0 if number == int(np.argmax(shares)) else -math.inf for number in range(len(shares))]
    size = _log_sum(np.array(shares))
    # Where nothing is allowed in any of them, the sampler says so.
    return [share - size for share in shares] if math.isfinite(size) else [0.0, *[-math.inf] * (len(shares) - 1)]


def drawn(shares: Sequence[float], seed: int) -> int:
    """Return the place of a start, drawn by its share; the numbers that draw tokens are others."""
    sums = np.exp(shares).cumsum()
    number = np.random.default_rng((seed, 1)).random() * sums[-1]
    return min(int(np.searchsorted(sums, number, side="right")), len(shares) - 1)


def _log_softmax(logits_V: LogitsV) -> NDArray[np.float64]:
    logs_V = logits_V.astype(np.float64)
    return logs_V - _log_sum(logs_V)


def _log_sum(logs: Logits) -> float:
    greatest = float(logs.max())
    return greatest + math.log(float(np.exp(logs - greatest).sum())) if math.isfinite(greatest) else greatest
