"""Poems in a given form: rhymes, syllables, first letters.

Each line is written in three steps. The model writes many lines freely. Each of them is cut before words where a last
word can complete the metre, and closed there with a word that rhymes (`writer.closing`). One of the results is drawn
in proportion to the weights of the closings, so the line follows the model's distribution of lines in that form.
"""

import unicodedata
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex

from lilliput.errors import GenerationError, VerseError
from lilliput.generation.patterns import line_from, patterns
from lilliput.generation.settings import SampleSettings
from lilliput.tokenizers import Tokenizer
from lilliput.verse.language import Ending, Language, Syllables
from lilliput.verse.lexicon import Lexicon
from lilliput.verse.poem_form import Form
from lilliput.writer.closing import Closing, TokenTrie, closings, line_end
from lilliput.writer.writer import AT_ONCE, Writer

POOR = -1.8
"""Added to the log weight of a line with a poor rhyme: the tuning `french-rhymes` gives it 0.7 of 6 nats."""
FEWEST_RHYMES = 8
"""Words that must rhyme with a last word if a later line has to rhyme with it."""
ROUNDS = 4
"""Attempts for each line; then the line may have another length, then another rhyme."""
LINE_END, STANZA_END = "\n", "\n\n"
MOST_TOKENS = 200
"""Maximum tokens of a line."""
_ENDS = {"until": "line", "stop": (), "max_characters": None, "max_tokens": MOST_TOKENS, "beams": 1}
"""A line ends where its form says."""
_WORD = regex.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class FormedLine:
    """A line, and whether it keeps to its form; None where the form asks for nothing."""

    text: str
    rhymes: bool | None
    in_metre: bool | None
    ends_stanza: bool


class FormWriter:
    """Writes poems with a model. `lexicon` has the words that may rhyme, `marks` what may stand after them.

    Raises VerseError for a model that writes lines from their ends, and for a lexicon without words.
    """

    def __init__(self, writer: Writer, lexicon: Lexicon, marks: Sequence[str]) -> None:
        if writer.tokenizer.reverse_lines:
            raise VerseError("a model that writes each line from its end (tokenizer.reverse_lines) keeps to no form")
        if not lexicon.endings:
            raise VerseError("the training text has no words: train the run on verse")
        self._writer = writer
        self._lexicon = lexicon
        self._line_ends = {end: line_end(writer.tokenizer, marks, end) for end in (LINE_END, STANZA_END)}
        self._open: dict[Hashable, _LastWords] = {}
        """Words for lines without a line to rhyme with, by all that they depend on."""

    def lines(
        self,
        form: Form,
        prompt: str | None = None,
        *,
        seed: int = 1,
        acrostic: str = "",
        rhymes: Mapping[str, Ending] | None = None,
        **sampling: Any,
    ) -> Iterator[FormedLine]:
        """Yield the lines of a poem. The first one continues the last line of the prompt.

        `acrostic` gives the first letters of the lines, `rhymes` the endings that letters of the form have to rhyme
        with from the start; `sampling` are the options of `Writer.write`. Raises GenerationError for options that
        cannot be combined with a form.
        """
        context = self._writer.start(prompt)
        poem_options = {**sampling, **_ENDS}
        settings = self._writer.sampling(poem_options)
        if settings.match is not None or settings.line_length is not None:
            raise GenerationError("a form cannot be combined with match or line_length: it sets the length of lines")
        start = context.rsplit("\n", 1)[-1]
        if acrostic and (start or len(acrostic) > len(form.lines)):
            remedy = "end the prompt with a line end" if start else f"give at most {len(form.lines)} letters"
            raise GenerationError(f"the acrostic {acrostic!r} does not fit the form: {remedy}")
        generator = np.random.default_rng(seed)
        lexicon = self._lexicon
        if settings.ban or settings.allow is not None or settings.forbid is not None:
            lexicon = lexicon.restricted(lambda word: _permits(settings, word))
        endings: list[Ending | None] = []
        for number, line in enumerate(form.lines):
            partners = [ending for other in form.partners(number) if (ending := endings[other])]
            partners += [ending for letter, ending in (rhymes or {}).items() if letter == line.rhyme]
            first = {"match": line_from(acrostic[number]) + "\\n?"} if number < len(acrostic) else {}
            options = {**poem_options, **first}
            used = {_singular(ending.word) for ending in [*endings, *partners] if ending}
            end = STANZA_END if line.ends_stanza else LINE_END
            attempt = _Attempt(self._writer, context, start, options, settings, generator, end, used)
            words = self._last_words(lexicon, partners, form.rhymes_later(number), settings, end)
            text = attempt.line(words, line.metre, partners)
            formed = FormedLine(text, *self._kept(text, partners, line.metre), line.ends_stanza)
            endings.append(self._lexicon.language.ending(text))
            context, start = context[: len(context) - len(start)] + text + end, ""
            yield formed

    def _last_words(
        self, lexicon: Lexicon, partners: Sequence[Ending], rhymes_later: bool, settings: SampleSettings, end: str
    ) -> "_LastWords":
        if partners:
            return self._prepared(lexicon.rhymes(partners), end)
        key = (rhymes_later, settings.ban, settings.allow, settings.forbid, end)
        if key not in self._open:
            least = (FEWEST_RHYMES, 1, 0) if rhymes_later else (0,)
            choices = ([word for word in lexicon.endings if lexicon.count_rhymes(word) >= fewest] for fewest in least)
            self._open[key] = self._prepared(next((words for words in choices if words), []), end)
        return self._open[key]

    def _prepared(self, words: Sequence[str], end: str) -> "_LastWords":
        return _LastWords(self._lexicon.language, words, self._writer.tokenizer, self._line_ends[end])

    def _kept(self, text: str, partners: Sequence[Ending], metre: int | None) -> tuple[bool | None, bool | None]:
        """Return whether a line rhymes and whether it is in metre."""
        language = self._lexicon.language
        rhymes = rhyme_level(language, text, partners) > 0 if partners else None
        return rhymes, language.syllables(text).fits(metre) if metre is not None else None


def _singular(word: str) -> str:
    """Return a word without the s or x of a plural: "âme" and "âmes" are no rhyme worth writing."""
    return word.rstrip("sx")


def _permits(settings: SampleSettings, text: str) -> bool:
    """Return whether a part of a line has none of what is banned or forbidden, and only what is allowed."""
    matches = all(regex.fullmatch(expression, text) for expression in patterns(settings))
    return matches and not any(ban in text for ban in settings.ban)


def rhyme_level(language: Language, text: str, partners: Sequence[Ending]) -> int:
    """Return how well a line rhymes with all of its partners: the lowest level of `Language.rhyme`."""
    ending = language.ending(text)
    return min((language.rhyme(partner, ending) for partner in partners), default=3) if ending else 0


class _LastWords:
    """The words that may end a line. Words that begin alike and have as many syllables form a group."""

    def __init__(self, language: Language, words: Sequence[str], tokenizer: Tokenizer, end: TokenTrie) -> None:
        self.language = language
        self._tokenizer, self._end = tokenizer, end
        self._groups: dict[tuple[str, Syllables], list[str]] = {}
        for word in words:
            self._groups.setdefault((_beginning(word), language.syllables(word)), []).append(word)
        self._tries: dict[tuple[str, str, Syllables], TokenTrie] = {}

    def tries(self, before: str, lead: str, metre: int | None) -> list[TokenTrie]:
        """Return the closings after a part of a line that give it its metre; `lead` comes before the word."""
        fitting = [
            group
            for group, words in self._groups.items()
            if metre is None or self.language.syllables(before + lead + words[0]).fits(metre)
        ]
        return [self._trie(lead, group) for group in fitting]

    def _trie(self, lead: str, group: tuple[str, Syllables]) -> TokenTrie:
        key = (lead, *group)
        if key not in self._tries:
            self._tries[key] = closings(self._tokenizer, self._groups[group], lead, self._end)
        return self._tries[key]


def _beginning(word: str) -> str:
    """Return what decides whether a syllable before the word is dropped: a vowel, a consonant, or the letter itself."""
    letter = unicodedata.normalize("NFD", word[0])[0]
    return "vowel" if letter in "aeiouœæ" else letter if letter in "hy" else "consonant"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """How to write one line after a context, whose last line is `start`."""

    writer: Writer
    context: str
    start: str
    options: Mapping[str, Any]
    settings: SampleSettings
    """Of the poem; the options of the line add where it ends and how it begins."""
    generator: np.random.Generator
    end: str
    used: set[str]
    """The last words of the lines before, as `_singular` gives them."""

    def line(self, words: _LastWords, metre: int | None, partners: Sequence[Ending]) -> str:
        """Return a line. It has another metre if no line with this one is found, and is a free one if none rhymes."""
        free: list[str] = []
        for wanted in (*(metre,) * ROUNDS, None):
            free = self._free()
            closed = [
                (text, weight + POOR * (level == 1))
                for text, weight in self._close(self._cut(free, words, wanted))
                if (level := rhyme_level(words.language, text, partners))
                and self._accepts(words.language, text)
                and (wanted is None or words.language.syllables(text).fits(wanted))
            ]
            if closed:
                weights = np.exp(np.array([weight for _, weight in closed]) - max(weight for _, weight in closed))
                return closed[int(self.generator.choice(len(closed), p=weights / weights.sum()))][0]
        return free[0]

    def _accepts(self, language: Language, text: str) -> bool:
        ending = language.ending(text)
        new = ending is not None and _singular(ending.word) not in self.used
        return new and _permits(self.settings, text[len(self.start) :])

    def _free(self) -> list[str]:
        """Return lines that the model writes freely."""
        seed = int(self.generator.integers(1 << 31))
        texts = self.writer.write_many([self.context] * AT_ONCE, seed=seed, **self.options)
        return [self.start + text[len(self.context) :].strip("\n") for text in texts]

    def _cut(self, lines: Sequence[str], words: _LastWords, metre: int | None) -> list[tuple[str, list[TokenTrie]]]:
        """Return beginnings of lines with their closings, at most `AT_ONCE`."""
        beginnings: list[tuple[str, list[TokenTrie]]] = []
        for line in lines:
            starts = [match.start() for match in [*_WORD.finditer(line)][1:] if match.start() > len(self.start)]
            # Without a metre, the model decides where the last word stands.
            for at in starts if metre is not None else starts[-1:]:
                before = line[:at].rstrip(" ")
                lead = line[len(before) : at]
                if len(lead) <= 1 and (tries := words.tries(before, lead, metre)):
                    beginnings.append((before, tries))
        chosen = self.generator.permutation(len(beginnings))[:AT_ONCE]
        return [beginnings[index] for index in chosen]

    def _close(self, beginnings: Sequence[tuple[str, list[TokenTrie]]]) -> list[tuple[str, float]]:
        """Return closed lines with their log weights."""
        if not beginnings:
            return []
        settings = self.settings
        temperature = (settings.temperatures or (settings.temperature,))[0]
        head = self.context[: len(self.context) - len(self.start)]
        prompts = [self.writer.encode(head + before, settings) for before, _ in beginnings]
        filters = [
            Closing(tries, len(prompt), temperature) for (_, tries), prompt in zip(beginnings, prompts, strict=True)
        ]
        seeds = [int(seed) for seed in self.generator.integers(1 << 31, size=len(prompts))]
        streams = dict(enumerate(self.writer.tokens(prompts, settings, seeds, [[filter_] for filter_ in filters])))
        drawn: list[list[int]] = [[] for _ in prompts]
        while streams:
            for row, stream in list(streams.items()):
                drawn[row].append(next(stream).id)
                if self.writer.tokenizer.decode(drawn[row]).endswith(self.end):
                    stream.close()
                    del streams[row]
        closed = [
            before + self.writer.tokenizer.decode(ids).rstrip()
            for (before, _), ids in zip(beginnings, drawn, strict=True)
        ]
        return [(text, closing.log_weight) for text, closing in zip(closed, filters, strict=True)]
