"""What verse needs to know of a language: the endings of lines, which of them rhyme, and syllables."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Sound(NamedTuple):
    """The sounds of a word, one character for each phoneme, and whether its ending is feminine.

    A feminine ending has an unstressed syllable after the last stressed one: in French a mute e.
    """

    phonemes: str
    feminine: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a line: its last word, and the ways to say it."""

    word: str
    sounds: tuple[Sound, ...]

    @property
    def feminine(self) -> bool:
        """Return whether the ending is feminine in its first sound."""
        return self.sounds[0].feminine


class Syllables(NamedTuple):
    """The fewest and the most syllables that a line may have."""

    fewest: int
    most: int

    def fits(self, metre: int) -> bool:
        """Return whether the line may have this number of syllables."""
        return self.fewest <= metre <= self.most


class Language(Protocol):
    """The rules of one language."""

    code: str

    def ending(self, line: str) -> Ending | None:
        """Return the ending of a line; None if it has no word."""
        ...

    def rhyme_keys(self, ending: Ending) -> frozenset[str]:
        """Return the sounds from the last stressed vowel on, one key for each way to say the word.

        Endings of different words with a common key rhyme.
        """
        ...

    def rhyme(self, first: Ending, second: Ending) -> int:
        """Return how well two endings rhyme: 0 for not at all, 1 poor, 2 sufficient, 3 rich.

        A word does not rhyme with itself.
        """
        ...

    def syllables(self, line: str) -> Syllables:
        """Return the fewest and the most syllables of a line, without those after its last stress."""
        ...
