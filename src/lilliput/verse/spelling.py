"""Rules of spelling, for any language: from the letters of a word to its sounds."""

import re
from collections.abc import Mapping


class SpellingRules:
    """Ordered rules, one a line: a pattern, a space, and the sounds it stands for (none for silent letters).

    At each position of a word, the first rule that matches there gives the sounds, and the position moves behind its
    letters. Letters without a rule are skipped. A pattern is a regular expression that sees the whole word, and begins
    with a letter or a class of letters after its look-behinds. `symbols` are characters that stand for longer patterns.
    """

    def __init__(self, rules: str, symbols: Mapping[str, str]) -> None:
        self._rules: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        for line in filter(None, map(str.strip, rules.split("\n"))):
            pattern, _, sounds = line.partition(" ")
            for symbol, expansion in symbols.items():
                pattern = pattern.replace(symbol, expansion)
            compiled = re.compile(pattern)
            for letter in _first_letters(pattern):
                self._rules.setdefault(letter, []).append((compiled, sounds.strip()))

    def sounds(self, word: str) -> str:
        """Return the sounds of a word in lower case."""
        sounds: list[str] = []
        position = 0
        while position < len(word):
            for pattern, sound in self._rules.get(word[position], ()):
                match = pattern.match(word, position)
                if match:
                    sounds.append(sound)
                    position = match.end()
                    break
            else:
                position += 1
        return "".join(sounds)


def _first_letters(pattern: str) -> str:
    letters = re.sub(r"\(\?<?[=!][^)]*\)", "", pattern).lstrip("^")
    return letters[1 : letters.index("]")] if letters.startswith("[") else letters[0]


def pairs(text: str) -> dict[str, str]:
    """Return the values by their keys from a list of `key:value`."""
    return dict(entry.split(":") for entry in text.split())


def words(text: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(text.split())
