"""The words of a text, by their rhymes: which words can end a line."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import regex

from lilliput.verse.language import Ending, Language

_MOST_MARKS = 24
_WORD = regex.compile(r"[^\W\d_]+")
_MARKS = regex.compile(r"(?<=[^\W\d_])[\W\d_]*$")


class Lexicon:
    """The words of a text in lower case, with their counts."""

    def __init__(self, counts: Mapping[str, int], language: Language) -> None:
        self.counts = counts
        self.language = language

    @classmethod
    def of(cls, text: str, language: Language) -> "Lexicon":
        """Return the words of a text."""
        return cls(Counter(split_words(text)), language)

    def has(self, ending: Ending) -> bool:
        """Return whether the text has all words of an ending."""
        return all(word in self.counts for word in split_words(ending.word))

    def restricted(self, permits: Callable[[str], bool]) -> "Lexicon":
        """Return the words that are permitted."""
        lexicon = Lexicon({word: count for word, count in self.counts.items() if permits(word)}, self.language)
        lexicon.endings = {word: ending for word, ending in self.endings.items() if word in lexicon.counts}
        return lexicon

    def count_rhymes(self, word: str) -> int:
        """Return the number of words that rhyme with this word, in the way that most do."""
        return max(len(self.by_rhyme[key]) for key in self.language.rhyme_keys(self.endings[word])) - 1

    @cached_property
    def endings(self) -> dict[str, Ending]:
        """The words that can end a line, in alphabetical order, each as an ending."""
        endings = ((word, self.language.ending(word)) for word in sorted(self.counts))
        return {word: ending for word, ending in endings if ending is not None}

    @cached_property
    def by_rhyme(self) -> dict[str, list[str]]:
        """The words of each `Language.rhyme_keys`, in alphabetical order."""
        by_rhyme: dict[str, list[str]] = {}
        for word, ending in self.endings.items():
            for key in self.language.rhyme_keys(ending):
                by_rhyme.setdefault(key, []).append(word)
        return by_rhyme

    def rhymes(self, endings: Iterable[Ending]) -> list[str]:
        """Return the words that rhyme with all of these endings, in alphabetical order; all words without one."""
        words: set[str] | None = None
        for ending in endings:
            rhyming = {word for key in self.language.rhyme_keys(ending) for word in self.by_rhyme.get(key, ())}
            words = (rhyming if words is None else words & rhyming) - {ending.word}
        return list(self.endings) if words is None else sorted(words)


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case; apostrophes and hyphens separate words."""
    return _WORD.findall(text.lower())


def line_marks(text: str) -> list[str]:
    """Return the commonest marks after the last words of lines, such as a comma, the most frequent first."""
    matches = (_MARKS.search(line.rstrip()) for line in text.split("\n"))
    marks = Counter(match[0] for match in matches if match)
    return [mark for mark, _ in marks.most_common(_MOST_MARKS) if mark]
