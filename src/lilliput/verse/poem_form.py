"""The form of a poem to write: for each line the letter of its rhyme, and the syllables.

couplets            AABBCCDD
ABAB 12             four lines of twelve syllables with cross rhymes
ABAB CDCD 8         two stanzas
AABB 12-6-12-6      the syllables of each line of a stanza
... 5-7-5           three lines without rhymes
"""

import re
from collections import Counter
from dataclasses import dataclass

from lilliput.errors import VerseError
from lilliput.verse.forms import LONGEST_METRE, SHORTEST_METRE

_NAMED = {
    "couplets": {"": "AABBCCDD"},
    "quatrain": {"": "ABAB"},
    "sonnet": {"fr": "ABBA ABBA CCD EED 12", "en": "ABABCDCDEFEFGG 10"},
    "haiku": {"": "... 5-7-5"},
}
_SCHEME = re.compile(r"[A-Z.]+")
_METRE = re.compile(r"\d{1,3}(-\d{1,3})*")
_HELP = (
    f"give one of {', '.join(_NAMED)}, or a letter for each line, lines with one letter rhyme, "
    "and the syllables: 'ABAB 12'"
)
MOST_LINES = 1000


@dataclass(frozen=True, slots=True)
class FormLine:
    """What a line has to keep to."""

    rhyme: str | None
    """Lines with one letter rhyme. None for a line without a rhyme."""
    metre: int | None
    """Number of syllables; None for any."""
    ends_stanza: bool


@dataclass(frozen=True, slots=True)
class Form:
    """The lines of a poem."""

    lines: tuple[FormLine, ...]

    def partners(self, index: int) -> list[int]:
        """Return the lines before a line that it rhymes with."""
        letter = self.lines[index].rhyme
        return [other for other in range(index) if letter is not None and self.lines[other].rhyme == letter]

    def rhymes_later(self, index: int) -> bool:
        """Return whether a line after this one rhymes with it."""
        letter = self.lines[index].rhyme
        return letter is not None and any(line.rhyme == letter for line in self.lines[index + 1 :])


def parse_form(text: str, language: str) -> Form:
    """Return the form that a text describes. Raises VerseError with the remedy if it describes none."""
    words = text.split()
    if words and words[0].lower() in _NAMED:
        named = _NAMED[words[0].lower()]
        defaults = named.get(language, next(iter(named.values()))).split()
        words = [*(word for word in defaults if len(words) == 1 or _SCHEME.fullmatch(word)), *words[1:]]
    metres: list[int] = []
    if words and _METRE.fullmatch(words[-1]):
        metres = [int(metre) for metre in words.pop().split("-")]
    if not words or not all(_SCHEME.fullmatch(word) for word in words):
        raise VerseError(f"form {text!r}: unknown. Please {_HELP}")
    if not all(SHORTEST_METRE <= metre <= LONGEST_METRE for metre in metres):
        raise VerseError(f"form {text!r}: a line has {SHORTEST_METRE} to {LONGEST_METRE} syllables")
    if sum(map(len, words)) > MOST_LINES:
        raise VerseError(f"form {text!r}: more than {MOST_LINES:,} lines. Write several poems with --count")
    if len(metres) > 1 and any(len(metres) != len(word) for word in words):
        raise VerseError(f"form {text!r}: has syllables for {len(metres)} lines. Give one number, or one for each line")
    letters = Counter("".join(words))
    lines = [
        FormLine(
            letter if letter != "." and letters[letter] > 1 else None,
            metres[number % len(metres)] if metres else None,
            number == len(word) - 1,
        )
        for word in words
        for number, letter in enumerate(word)
    ]
    return Form(tuple(lines))
