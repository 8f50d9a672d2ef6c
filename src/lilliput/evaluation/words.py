"""Splitting a text into words, for the measures of written text.

A word is a run of letters. In languages with elision, such as French "l'amour", a word ends after the apostrophe; in
others ("don't") an apostrophe inside a word is part of it. Left out: hyphenated words, which count as several.
"""

import random
import re
from collections.abc import Iterator

BREAK = "\n"
"""The entry in a list of words for one or more empty lines."""
ELIDING = frozenset({"fr", "it"})
"""Languages in which a word ends after an apostrophe."""

_LETTERS = r"[^\W\d_]+"
_EMPTY_LINES = r"\n(?:[^\S\n]*\n)+"


def _pattern(language: str | None) -> str:
    return rf"{_LETTERS}['’]?" if language in ELIDING else rf"{_LETTERS}(?:['’]{_LETTERS})*"


def words_of(text: str, language: str | None = None) -> list[str]:
    """Return the words of a text, case-folded and with straight apostrophes, and `BREAK` for empty lines."""
    words = re.findall(f"{_pattern(language)}|{_EMPTY_LINES}", text)
    return [BREAK if word[0] == "\n" else word.casefold().replace("’", "'") for word in words]


def word_spans(text: str, language: str | None = None) -> Iterator[tuple[int, int]]:
    """Yield the start and end, in characters, of each word and break that `words_of` returns."""
    return (match.span() for match in re.finditer(f"{_pattern(language)}|{_EMPTY_LINES}", text))


def shuffled(text: str, language: str | None = None, seed: int = 1) -> str:
    """Return the text with its words in random order; lines, empty lines and punctuation stay in place."""
    matches = list(re.finditer(_pattern(language), text))
    words = [match[0] for match in matches]
    random.Random(seed).shuffle(words)
    pieces: list[str] = []
    end = 0
    for match, word in zip(matches, words, strict=True):
        # A word that followed an apostrophe may follow a whole word now; keep them apart.
        glue = " " if pieces and match.start() == end and pieces[-1][-1].isalpha() else ""
        pieces.append(text[end : match.start()] + glue + word)
        end = match.end()
    return "".join(pieces) + text[end:]
