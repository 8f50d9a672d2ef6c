"""The form of verse: stanzas, their rhyme scheme, and the metre of their lines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_uppercase

from lilliput.verse.language import Ending, Language, Syllables

REACH = 3
"""How many lines apart two lines may be and still rhyme."""
SCHEMES = ("AABB", "ABAB", "ABBA")
"""The usual rhyme schemes of four lines."""
SHORTEST_METRE, LONGEST_METRE = 1, 18


@dataclass(frozen=True, slots=True)
class Line:
    """A line of verse; `ending` is None for a line without a word."""

    text: str
    ending: Ending | None
    syllables: Syllables


@dataclass(frozen=True)
class Stanza:
    """Lines that belong together, with the language that they are in."""

    lines: tuple[Line, ...]
    language: Language

    def level(self, first: int, second: int) -> int:
        """Return how well two lines rhyme, as `Language.rhyme` does."""
        one, other = self.lines[first].ending, self.lines[second].ending
        return self.language.rhyme(one, other) if one and other else 0

    @cached_property
    def partners(self) -> list[tuple[int, int]]:
        """Return for each line the number of the line that it rhymes with best, at most `REACH` away, and the level.

        The number is -1 if there is none. Of equals, the nearest counts, and of these the one before.
        """
        partners: list[tuple[int, int]] = []
        for index in range(len(self.lines)):
            others = [other for other in range(index - REACH, index + REACH + 1) if 0 <= other < len(self.lines)]
            others = sorted((other for other in others if other != index), key=lambda other: abs(other - index))
            best, level = -1, 0
            for other in others:
                other_level = self.level(index, other)
                if other_level > level:
                    best, level = other, other_level
            partners.append((best, level))
        return partners

    @property
    def scheme(self) -> str:
        """Return a letter for each line; lines with one letter rhyme, and "." stands for a line without a rhyme.

        A line gets the letter of the nearest line before it that it rhymes with, at most `REACH` away. After Z, the
        letters start again at A.
        """
        firsts: list[int] = []  # for each line, the first line of its rhyme
        for index in range(len(self.lines)):
            before = range(index - 1, max(-1, index - REACH - 1), -1)
            rhymed = next((other for other in before if self.level(index, other)), None)
            firsts.append(index if rhymed is None else firsts[rhymed])
        counts = Counter(firsts)
        rhymes = [first for first, lines in counts.items() if lines > 1]
        letters = {first: ascii_uppercase[number % 26] for number, first in enumerate(rhymes)}
        return "".join(letters.get(first, ".") for first in firsts)

    @property
    def metre(self) -> int:
        """Return the number of syllables that most lines may have; of equals, the one that most lines need, then the
        longest.
        """

        def fitting(metre: int) -> tuple[int, int, int]:
            fits = [line.syllables for line in self.lines if line.syllables.fits(metre)]
            return len(fits), sum(interval.fewest == interval.most for interval in fits), metre

        return max(range(SHORTEST_METRE, LONGEST_METRE + 1), key=fitting)


def read_line(text: str, language: Language) -> Line:
    """Return a line with its ending and its syllables."""
    return Line(text, language.ending(text), language.syllables(text))


def read_stanzas(text: str, language: Language) -> list[Stanza]:
    """Return the stanzas of a text: its lines between empty lines, of two lines or more.

    A single line between empty lines is a title.
    """
    stanzas: list[Stanza] = []
    lines: list[str] = []
    for text_line in [*text.split("\n"), ""]:
        if text_line.strip():
            lines.append(text_line.strip())
            continue
        if len(lines) > 1:
            stanzas.append(Stanza(tuple(read_line(line, language) for line in lines), language))
        lines = []
    return stanzas


def is_scheme(scheme: str, wanted: str) -> bool:
    """Return whether a stanza's scheme has at least the rhymes of another of the same length."""
    pairs = [(one, other) for one in range(len(wanted)) for other in range(one) if wanted[one] == wanted[other] != "."]
    return len(scheme) == len(wanted) and all(scheme[one] == scheme[other] != "." for one, other in pairs)


def quatrain_scheme(scheme: str) -> str:
    """Return the first of `SCHEMES` whose rhymes a quatrain has, else "other"."""
    return next((name for name in SCHEMES if is_scheme(scheme, name)), "other")


def rhyme_pairs(stanzas: Sequence[Stanza]) -> list[tuple[str, str]]:
    """Return the pairs of words that rhyme, each sorted, of lines with their best partners."""
    pairs: list[tuple[str, str]] = []
    for stanza in stanzas:
        for index, (partner, _) in enumerate(stanza.partners):
            one = stanza.lines[index].ending
            other = stanza.lines[partner].ending if partner >= 0 else None
            if one and other:
                first, second = sorted((one.word, other.word))
                pairs.append((first, second))
    return pairs
