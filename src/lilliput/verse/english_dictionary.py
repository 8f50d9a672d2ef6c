"""Sounds of English words from the CMU Pronouncing Dictionary, if the package `pronouncing` is installed.

It comes with the extra `verse-en`. It needs a package under the GPL, so it is never required.
"""

from functools import cache
from importlib import import_module
from types import ModuleType

from lilliput.verse.spelling import pairs

# ARPAbet without stress, and the sound of `english_sounds`.
_SOUNDS = pairs(
    """
    AA:o AE:a AH:u AO:C AW:H AY:I EH:e ER:R EY:A IH:i IY:E OW:O OY:Y UH:U UW:W
    B:b CH:c D:d DH:D F:f G:g HH:h JH:J K:k L:l M:m N:n NG:N P:p R:r S:s SH:S T:t TH:T V:v W:w Y:y Z:z ZH:Z
    """
)
_BEFORE_R = {"o": "a", "e": "A", "i": "E"}
"""Vowels that are written otherwise before r."""
_WEAK = {"AH0": "ə", "ER0": "ər"}
_WEAK_LAST = {"IY0": "ĭ", "OW0": "ŏ"}


@cache
def _pronouncing() -> ModuleType | None:
    try:
        return import_module("pronouncing")
    except ImportError:
        return None


def has_dictionary() -> bool:
    """Return whether the dictionary is installed."""
    return _pronouncing() is not None


def dictionary_sounds(word: str) -> tuple[str, ...]:
    """Return the sounds of a word by the dictionary; none if it lacks the word or is not installed."""
    package = _pronouncing()
    if package is None:
        return ()
    return tuple(dict.fromkeys(sounds_of_phones(phones) for phones in package.phones_for_word(word)))


def sounds_of_phones(phones: str) -> str:
    """Return the sounds of a pronunciation in ARPAbet, such as "M AE1 JH AH0 S T IY0"."""
    parts = phones.partition("#")[0].split()  # a comment may follow
    several = sum(part[-1].isdigit() for part in parts) > 1
    sounds = ""
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        sound = _WEAK.get(part) or _SOUNDS[part.rstrip("012")]
        if following == "R":
            sound = _BEFORE_R.get(sound, sound)
        if not following and several:
            sound = _WEAK_LAST.get(part, sound)
        sounds += sound
    return sounds
