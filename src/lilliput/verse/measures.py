"""Measures of verse: how much of a text rhymes, keeps its metre, and how varied its rhymes are.

No figure means much alone. The same lines in random order are the floor, and real verse is the ceiling: good poets
leave lines without a rhyme, and rules of spelling miss some. `bootstrap` gives intervals, drawn by stanzas.
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lilliput.verse.forms import Stanza, quatrain_scheme, rhyme_pairs

_DRAWS = 1000
_INTERVAL = 0.95


@dataclass(frozen=True, slots=True)
class VerseMeasures:
    """The measures of one text. Shares are of its lines; None where there is nothing to take a share of."""

    lines: int
    stanzas: int
    rhyme: float | None
    """Share of the lines that rhyme with another one, at most three lines away in their stanza."""
    rhyme_interval: tuple[float, float] | None
    """95 % bootstrap interval of this share, drawn by stanzas."""
    sufficient: float | None
    """Share of the lines with a rhyme of two common phonemes or more."""
    rich: float | None
    """Share of the lines with a rhyme of three common phonemes or more."""
    metre: float | None
    """Share of the lines that may have as many syllables as most of their stanza."""
    metre_interval: tuple[float, float] | None
    schemes: dict[str, float]
    """Shares of the stanzas of four lines: AABB, ABAB, ABBA, other."""
    alternation: float | None
    """Share of the neighbouring lines that do not rhyme and differ in gender."""
    unique_endings: float | None
    """Share of different last words among the first `compared` lines."""
    compared: int
    top_ending: float | None
    """Share of the most frequent last word."""
    new_pairs: float | None
    """Share of the rhyming pairs of words that the training text lacks; None without one."""
    lengths: dict[int, float]
    """Shares of the metres of the stanzas, weighted by their lines."""

    def as_dict(self) -> dict[str, Any]:
        """Return the measures for JSON, rounded to five digits."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def measure_verse(
    stanzas: Sequence[Stanza],
    *,
    training_pairs: Collection[tuple[str, str]] | None = None,
    compared: int | None = None,
    seed: int = 1,
) -> VerseMeasures:
    """Measure the stanzas of a text.

    `compared` bounds the lines of `unique_endings`, which falls with the length of a text.
    """
    lines = [line for stanza in stanzas for line in stanza.lines]
    levels = [[level for _, level in stanza.partners] for stanza in stanzas]
    metres = [stanza.metre for stanza in stanzas]
    fits = [
        [line.syllables.fits(metre) for line in stanza.lines] for stanza, metre in zip(stanzas, metres, strict=True)
    ]
    rhymes = [[level > 0 for level in of_stanza] for of_stanza in levels]
    words = [line.ending.word for line in lines if line.ending]
    first = words[: compared or len(words)]
    pairs = rhyme_pairs(stanzas)
    counts = Counter(words)
    quatrains = Counter(quatrain_scheme(stanza.scheme) for stanza in stanzas if len(stanza.lines) == 4)
    by_metre: Counter[int] = Counter()
    for stanza, metre in zip(stanzas, metres, strict=True):
        by_metre[metre] += len(stanza.lines)
    return VerseMeasures(
        lines=len(lines),
        stanzas=len(stanzas),
        rhyme=_share(rhymes),
        rhyme_interval=bootstrap(rhymes, seed),
        sufficient=_share([[level > 1 for level in of_stanza] for of_stanza in levels]),
        rich=_share([[level > 2 for level in of_stanza] for of_stanza in levels]),
        metre=_share(fits),
        metre_interval=bootstrap(fits, seed),
        schemes={name: quatrains[name] / quatrains.total() for name in sorted(quatrains)},
        alternation=_alternation(stanzas),
        unique_endings=len(set(first)) / len(first) if first else None,
        compared=len(first),
        top_ending=max(counts.values()) / len(words) if words else None,
        new_pairs=None if training_pairs is None else _share([[pair not in training_pairs for pair in pairs]]),
        lengths={metre: count / len(lines) for metre, count in sorted(by_metre.items())},
    )


def rhymed_share(stanzas: Sequence[Stanza]) -> float:
    """Return the share of lines that rhyme; 0 without a line."""
    return _share([[level > 0 for _, level in stanza.partners] for stanza in stanzas]) or 0.0


def shuffled_lines(text: str, seed: int = 1) -> str:
    """Return a text with its lines in random order, and its empty lines where they are: the floor of verse."""
    lines = text.split("\n")
    full = [line for line in lines if line.strip()]
    random.Random(seed).shuffle(full)
    rest = iter(full)
    return "\n".join(next(rest) if line.strip() else line for line in lines)


def bootstrap(groups: Sequence[Sequence[bool]], seed: int = 1) -> tuple[float, float] | None:
    """Return the 95 % interval of a share whose cases come in groups, by drawing groups; None without a case."""
    totals = [(sum(group), len(group)) for group in groups if group]
    if not totals:
        return None
    draw = random.Random(seed)
    shares = []
    for _ in range(_DRAWS):
        drawn = draw.choices(totals, k=len(totals))
        shares.append(sum(hits for hits, _ in drawn) / sum(size for _, size in drawn))
    shares.sort()
    tail = round(_DRAWS * (1 - _INTERVAL) / 2)
    return shares[tail], shares[-1 - tail]


def _share(groups: Sequence[Sequence[bool]]) -> float | None:
    cases = sum(map(len, groups))
    return sum(map(sum, groups)) / cases if cases else None


def _alternation(stanzas: Sequence[Stanza]) -> float | None:
    same = different = 0
    for stanza in stanzas:
        for index in range(1, len(stanza.lines)):
            one, other = stanza.lines[index - 1].ending, stanza.lines[index].ending
            if one and other and not stanza.level(index - 1, index):
                different += one.feminine != other.feminine
                same += one.feminine == other.feminine
    return different / (different + same) if different + same else None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, tuple):
        return [_rounded(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _rounded(one) for key, one in value.items()}
    return value
