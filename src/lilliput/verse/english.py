"""English verse: the ending of a line, its rhymes and its syllables."""

import re
from functools import lru_cache

from lilliput.verse.english_sounds import VOWELS, sounds_of
from lilliput.verse.language import Ending, Sound, Syllables

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_LAST = re.compile(r"([a-z]+(?:'[a-z]+)*)[^a-z]*$")
_LETTERS = "aeiouy"
_EYE = re.compile(f"[{_LETTERS}]+[^{_LETTERS}]*(?:e[sd]?)?$")
"""The last vowels of a spelling, and all that follows."""
_WEAK = re.compile(r"(?:ə[a-zNT]*|[ĭŏ]z?|iNz?|us)$")
"""Last syllables that carry no stress in words of two syllables or more."""


_CONTRACTED = re.compile(r"[ei]ven|ever|[ao]ken|ower|eous|i[aoe]|[aeiou]y?ing|[iu]al|uous|er[yo]|ory$|irit|our|ire|any")
"""Letters of syllables that poets run together: "heaven", "power"."""


class English:
    """The rules of English verse, by spelling."""

    code = "en"

    def ending(self, line: str) -> Ending | None:
        """Return the ending of a line; None if it has no word."""
        match = _LAST.search(line.lower().replace("’", "'"))
        return None if match is None else Ending(match[1], _endings(match[1].replace("'", "")))

    def rhyme_keys(self, ending: Ending) -> frozenset[str]:
        """Return the sounds from the last stressed vowel, for each way to say the word; "=" marks a feminine ending."""
        return frozenset(
            sound.phonemes[_first_vowel(sound.phonemes) :] + "=" * sound.feminine for sound in ending.sounds
        )

    def rhyme(self, first: Ending, second: Ending) -> int:
        """Return the level of a rhyme: 0 for none, 1 to the eye only ("love", "prove"), 2, and 3 with more in common.

        Endings rhyme if they are the same from the last stressed vowel. A word does not rhyme with itself.
        """
        if first.word == second.word:
            return 0
        level = max(_shared(one, other) for one in first.sounds for other in second.sounds)
        return level or int(_same_spelling(first.word, second.word))

    def syllables(self, line: str) -> Syllables:
        """Return the fewest and the most syllables of a line; with a feminine ending, up to the stressed one."""
        words = [word.replace("'", "") for word in _WORD.findall(line.lower().replace("’", "'"))]
        counts = [_syllables_of(word) for word in words]
        fewest, most = sum(count.fewest for count in counts), sum(count.most for count in counts)
        ending = self.ending(line)
        genders = [sound.feminine for sound in ending.sounds] if ending else [False]
        return Syllables(fewest - any(genders), most - all(genders))


@lru_cache(maxsize=1 << 16)
def _endings(word: str) -> tuple[Sound, ...]:
    """Return the endings of a word from its last stressed vowel on; a long word may have two."""
    endings: list[Sound] = []
    for sound in sounds_of(word):
        vowels = [index for index, character in enumerate(sound) if character in VOWELS]
        if not vowels:
            continue
        last = sound[_onset(vowels[-1]) :]
        if len(vowels) == 1 or not _WEAK.search(sound, vowels[-1]):
            endings.append(Sound(last, False))
            continue
        endings.append(Sound(sound[_onset(vowels[-2]) :], True))
        if len(vowels) > 2 and "ĭ" in last:
            # Poets stress the last syllable of "memory" too: it rhymes with that of "legacy".
            endings.append(Sound(last, False))
    return tuple(endings) or (Sound(word, False),)


def _onset(vowel: int) -> int:
    """Return the position of the consonant before a vowel."""
    return max(0, vowel - 1)


def _shared(first: Sound, second: Sound) -> int:
    if first.feminine != second.feminine:
        return 0
    one, other = (sound.phonemes[_first_vowel(sound.phonemes) :] for sound in (first, second))
    if one != other:
        return 0
    return 3 if len(one) > 2 or first.phonemes == second.phonemes else 2


def _first_vowel(phonemes: str) -> int:
    return next((index for index, character in enumerate(phonemes) if character in VOWELS), 0)


def _same_spelling(first: str, second: str) -> bool:
    one, other = _EYE.search(first), _EYE.search(second)
    return one is not None and other is not None and len(one[0]) > 2 and one[0] == other[0]


@lru_cache(maxsize=1 << 16)
def _syllables_of(word: str) -> Syllables:
    counts = [sum(character in VOWELS for character in sound) for sound in sounds_of(word)]
    most = max(1, *counts)
    contracted = len(_CONTRACTED.findall(word))
    return Syllables(max(1, min(counts) - contracted), most + (len(word) > 4 and word.endswith("ed")))
