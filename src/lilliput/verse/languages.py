"""The languages that verse has rules for."""

import re
from collections import Counter

from lilliput.errors import VerseError
from lilliput.verse.english import English
from lilliput.verse.french import French
from lilliput.verse.language import Language

LANGUAGES: dict[str, type[Language]] = {"en": English, "fr": French}

_COMMON = {
    "en": frozenset(("the", "and", "of", "to", "in", "that", "is", "my", "with", "for")),
    "fr": frozenset(("le", "la", "les", "et", "de", "des", "du", "un", "une", "que")),
}
_WORDS = re.compile(r"[^\W\d_]+")
_GUESSED = 100_000  # characters
_FEWEST = 0.04  # share of the words


def open_language(code: str) -> Language:
    """Return the rules of a language. Raises VerseError for a language without rules."""
    if code not in LANGUAGES:
        raise VerseError(f"there are no rules of verse for {code!r}: give one of {', '.join(LANGUAGES)}")
    return LANGUAGES[code]()


def guess_language(text: str) -> str | None:
    """Return the code of the language whose commonest words make up most of a text; None if there are too few."""
    words = Counter(_WORDS.findall(text[:_GUESSED].lower()))
    shares = {code: sum(words[word] for word in common) / max(1, words.total()) for code, common in _COMMON.items()}
    best = max(shares, key=lambda code: shares[code])
    return best if shares[best] >= _FEWEST else None
