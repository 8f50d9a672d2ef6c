"""The languages that verse has rules for."""

from lilliput.errors import VerseError
from lilliput.verse.english import English
from lilliput.verse.french import French
from lilliput.verse.language import Language

LANGUAGES: dict[str, type[Language]] = {"en": English, "fr": French}


def open_language(code: str) -> Language:
    """Return the rules of a language. Raises VerseError for a language without rules."""
    if code not in LANGUAGES:
        raise VerseError(f"there are no rules of verse for {code!r}: give one of {', '.join(LANGUAGES)}")
    return LANGUAGES[code]()
