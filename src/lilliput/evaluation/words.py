"""A text as a sequence of words: what the measures of writing count.

A word is a run of letters. Where a language writes two words with an apostrophe between them, as French does in
"l'amour", the cut is behind the apostrophe; elsewhere ("don't") an apostrophe inside a word belongs to it. Left out:
words joined by hyphens, which count as several.
"""

import random
import re
from collections.abc import Iterator

BREAK = "\n"
"""Stands among the words for one or more empty lines."""
ELIDING = frozenset({"fr", "it"})
"""Languages that cut behind the apostrophe."""

_LETTERS = r"[^\W\d_]+"
_EMPTY_LINES = r"\n(?:[^\S\n]*\n)+"


def _pattern(language: str | None) -> str:
    return rf"{_LETTERS}['’]?" if language in ELIDING else rf"{_LETTERS}(?:['’]{_LETTERS})*"


def words_of(text: str, language: str | None = None) -> list[str]:
    """Return the words of a text in one case and with one apostrophe, with `BREAK` for empty lines."""
    found = re.findall(f"{_pattern(language)}|{_EMPTY_LINES}", text)
    return [BREAK if word[0] == "\n" else word.casefold().replace("’", "'") for word in found]


def places_of(text: str, language: str | None = None) -> Iterator[tuple[int, int]]:
    """Yield where each word and break that `words_of` returns begins and ends, in characters."""
    return (match.span() for match in re.finditer(f"{_pattern(language)}|{_EMPTY_LINES}", text))


def shuffled(text: str, language: str | None = None, seed: int = 1) -> str:
    """Return the text with its words drawn into random order; lines, empty lines and punctuation stay."""
    matches = list(re.finditer(_pattern(language), text))
    words = [match[0] for match in matches]
    random.Random(seed).shuffle(words)
    pieces: list[str] = []
    end = 0
    for match, word in zip(matches, words, strict=True):
        # What stood behind an apostrophe may follow a whole word now, and must not melt into it.
        glue = " " if pieces and match.start() == end and pieces[-1][-1].isalpha() else ""
        pieces.append(text[end : match.start()] + glue + word)
        end = match.end()
    return "".join(pieces) + text[end:]
