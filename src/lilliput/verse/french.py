"""French verse: the ending of a line, its rhymes and its syllables."""

import re

from lilliput.verse.french_sounds import VOWELS, sounds_of
from lilliput.verse.french_syllables import WordSyllables, syllables_of
from lilliput.verse.language import Ending, Sound, Syllables

_LETTERS = "a-zàâäéèêëîïôöùûüÿçœæ"
_WORD = re.compile(f"aujourd'hui|[{_LETTERS}]+'?")
_LAST = re.compile(f"(?:([{_LETTERS}]+)-)?([{_LETTERS}]+)[^{_LETTERS}]*$")
_ENCLITICS = {"je": "ʒ", "ce": "s"}
"""Pronouns that lose their e after a hyphen, and their sound."""


class French:
    """The rules of classical French verse."""

    code = "fr"

    def ending(self, line: str) -> Ending | None:
        """Return the ending of a line; None if it has no word."""
        match = _LAST.search(_plain(line))
        if match is None:
            return None
        before, word = match.groups()
        if before and word in _ENCLITICS:
            sounds = tuple(Sound(sound.phonemes + _ENCLITICS[word], True) for sound in sounds_of(before))
            return Ending(f"{before}-{word}", sounds)
        return Ending(word, sounds_of(word))

    def rhyme_keys(self, ending: Ending) -> frozenset[str]:
        """Return the sounds from the last vowel on, for each way to say the word; "=" marks a feminine ending."""
        return frozenset(_key(sound) for sound in ending.sounds)

    def rhyme(self, first: Ending, second: Ending) -> int:
        """Return the level of a rhyme: the phonemes that two endings share, at most 3, the last vowel among them.

        Endings of different gender do not rhyme, nor does a word with itself.
        """
        if first.word == second.word:
            return 0
        return max(_shared(one, other) for one in first.sounds for other in second.sounds)

    def syllables(self, line: str) -> Syllables:
        """Return the fewest and the most syllables of a line; a mute e at its end does not count."""
        fewest = most = 0
        line = _plain(line)
        before: WordSyllables | None = None
        for word in _WORD.findall(line):
            count = syllables_of(word)
            mute = before is not None and before.mute and not (before.elided and count.open)
            fewest, most = fewest + count.fewest + mute, most + count.most + mute
            before = count
        if before is not None and before.most == 0:
            # The e of a last "le" counts, that of "dis-je" does not.
            last = _LAST.search(line)
            mute = last is None or last[1] is None or last[2] not in _ENCLITICS
            fewest, most = fewest + mute, most + mute
        return Syllables(fewest, most)


def _plain(line: str) -> str:
    return line.lower().replace("’", "'")


def _key(sound: Sound) -> str:
    last = max((index for index, phoneme in enumerate(sound.phonemes) if phoneme in VOWELS), default=0)
    return sound.phonemes[last:] + "=" * sound.feminine


def _shared(first: Sound, second: Sound) -> int:
    if first.feminine != second.feminine:
        return 0
    count, has_vowel = 0, False
    for one, other in zip(reversed(first.phonemes), reversed(second.phonemes), strict=False):
        if one != other:
            break
        count += 1
        has_vowel = has_vowel or one in VOWELS
    return min(count, 3) if has_vowel else 0
