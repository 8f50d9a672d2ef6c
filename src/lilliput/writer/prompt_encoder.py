"""From a prompt to the token sequences with which its continuation may start, each with its filters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lilliput.corpus import mark_prompt, unmark
from lilliput.corpus.text.cleaning import canonical
from lilliput.errors import GenerationError
from lilliput.generation import Backend, Filter
from lilliput.generation.bans import ban_characters, ban_text, named_bias
from lilliput.generation.characters import Characters
from lilliput.generation.healing import Healed, Healing, Start, except_at, log_shares
from lilliput.generation.patterns import Pattern, patterns
from lilliput.generation.settings import SampleSettings
from lilliput.generation.slots import checked
from lilliput.models import Model
from lilliput.recipe import shown
from lilliput.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class FilteredStarts:
    """The starts of a continuation, the filters of each, and the logarithm of the share of each."""

    starts: Sequence[Start]
    filters: list[list[Filter]]
    log_shares: list[float]


class PromptEncoder:
    """Encodes prompts for one model, and removes the characters of its `labels` from generated text.

    With `heals`, a prompt may end inside a token (`generation.healing`).
    """

    def __init__(self, model: Model, tokenizer: Tokenizer, labels: Mapping[str, str], heals: bool) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._labels = labels
        self._heals = heals

    def encode(self, start: str, settings: SampleSettings) -> list[int]:
        """Return the ids of a text, cleaned as training texts are, with the label of the settings before it."""
        start = canonical(start)
        if settings.label is not None:
            start = mark_prompt(start, self._labels[settings.label])
        ids: list[int] = self._tokenizer.encode(start).tolist()
        return ids

    def shown(self, text: str) -> str:
        """Return a written text without the characters of labels."""
        return unmark(text) if self._labels else text

    def pattern(self, settings: SampleSettings) -> Pattern | None:
        """Return the pattern that a text has to match, if the settings have one."""
        expressions = patterns(settings)
        return Pattern(self._tokenizer, expressions) if expressions else None

    def heal(self, backend: Backend, ids: list[int]) -> Healed:
        """Return the starts for a prompt's ids; this overwrites the first row of `backend`."""
        if not self._heals:
            return Healed(ids, [Start(ids)])
        return self._healing.heal(backend, checked(self._model, ids))

    def starts(
        self,
        backend: Backend,
        start: str,
        settings: SampleSettings,
        pattern: Pattern | None,
        filters: Sequence[Filter],
        temperature: float,
    ) -> FilteredStarts:
        """Return the starts of a continuation; this overwrites the first row of `backend`."""
        starts = self.heal(backend, self.encode(start, settings)).starts
        filters_by_start = self._filters(settings, pattern, starts, filters)
        return FilteredStarts(starts, filters_by_start, log_shares(starts, settings, filters_by_start, temperature))

    def filters_after(
        self, start: Start, settings: SampleSettings, pattern: Pattern | None, filters: Sequence[Filter]
    ) -> list[Filter]:
        """Return the filters of a continuation of this start: those of the settings, then the caller's."""
        return self._filters(settings, pattern, [start], filters)[0]

    def _filters(
        self, settings: SampleSettings, pattern: Pattern | None, starts: Sequence[Start], filters: Sequence[Filter]
    ) -> list[list[Filter]]:
        """Return the filters of each start: those of the settings, then the caller's."""
        for function in filters:
            if not callable(function):
                raise GenerationError(
                    f"sampling: filters: should be functions of logits and ids, not {shown(function)}"
                )
        biased = [named_bias(self._tokenizer, settings.bias)] if settings.bias else []
        bans, marks = [ban_text(self._tokenizer, text) for text in settings.ban], []
        if settings.label is not None or pattern is not None:
            # A text that has to match contains no label: readers would not see it.
            allowed = settings.label if pattern is None else None
            others = [character for label, character in self._labels.items() if label != allowed]
            marks = ban_characters(self._tokenizer, others)
        filters_by_start = []
        for start in starts:
            position, rest = len(start.ids), start.rest
            first = [self._healing.filter(start, settings.ban)] if rest else []
            barred = [except_at(ban, position) for ban in bans] if rest else bans
            matching = [] if pattern is None else [pattern.filter(position, rest)]
            characters = self._characters.filter(position, rest)
            # The first token begins with the rest, whatever the caller's filters allow.
            filters_by_start.append([*first, *biased, *barred, *marks, *matching, characters, *filters, *first])
        return filters_by_start

    @cached_property
    def _healing(self) -> Healing:
        return Healing(self._tokenizer)

    @cached_property
    def _characters(self) -> Characters:
        return Characters(self._tokenizer)
