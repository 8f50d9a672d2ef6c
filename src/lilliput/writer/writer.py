"""A model with its tokenizer: text in, text out."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lilliput.corpus import END, mark_prompt, unmark
from lilliput.corpus.text.cleaning import canonical
from lilliput.errors import GenerationError
from lilliput.generation import (
    Backend,
    CudaGraphBackend,
    Filter,
    OnnxBackend,
    TorchBackend,
    can_record_steps,
    generate,
    load_engine,
    log_probabilities,
)
from lilliput.generation.bans import named_bias, never, never_marks
from lilliput.generation.beam import Beginning, search
from lilliput.generation.characters import Characters
from lilliput.generation.healing import Healed, Healing, Start, drawn, later, log_shares
from lilliput.generation.patterns import Pattern, patterns
from lilliput.generation.settings import SampleSettings
from lilliput.generation.slots import checked
from lilliput.generation.text import Piece, cut, ended, pieces
from lilliput.models import Model
from lilliput.recipe import explain, shown
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.writer.arguments import checked_number, checked_text
from lilliput.writer.scoring import ScoredToken, scored_tokens


@dataclass(frozen=True, slots=True)
class Continuation:
    """A text that continues a prompt, with the logarithm of its probability."""

    text: str
    tokens: int
    log_probability: float


@dataclass(frozen=True, slots=True)
class NextWord:
    """A word that may follow a prompt, with the white space around it, and its probability."""

    text: str
    probability: float


FILLINGS = 16
"""Texts that are written to find one that fits between two others."""
AT_ONCE = 32
"""Texts that are written together; more take memory and gain little."""
BEAMS_PER_WORD = 4
"""Beams of the search for the next words, for each word: several spellings of a word are one word."""
LONGEST_WORD = 32
"""Tokens after which a next word ends, complete or not."""


class Writer:
    """A model with its tokenizer: text in, text out.

    `settings` are the sampling options used where a call gives none. With `fast`, onnxruntime writes in place of torch
    on a processor (`generation.backends.engine`), with weights of 32 or 8 `bits`, and a GPU replays recorded steps
    (`generation.backends.cuda_graph`); `note` gets a line where that fails. The weights must not change then. For 8
    bits, the faster arithmetic for this number of `texts` at once is chosen, and kept. `labels` are the characters of
    the kinds of documents that the model has learnt (`corpus.labels`).
    """

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        settings: SampleSettings,
        folder: Path | None = None,
        *,
        fast: bool = False,
        bits: int = 32,
        texts: int = 1,
        note: Callable[[str], None] = print,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.folder = folder
        self.bits = bits
        self._texts = texts
        self._labels = dict(labels or {})
        self._fast = fast
        self._note = note
        self._open: Callable[[int], Backend] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs; it opens a reader of its own, and `note` may be any function."""
        return self.__dict__ | {"_open": None, "_note": print}

    @property
    def labels(self) -> list[str]:
        """Return the names of the kinds of documents that were learnt, of which `label` may ask for one."""
        return list(self._labels)

    def write(
        self, prompt: str | None = None, *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> str:
        """Return `prompt` continued by the model, as one string.

        `sampling` takes the keys of a recipe's `[sample]` section. `filters` are functions of your own: they get the
        logits of the next token, as an array by id, and the ids so far, and return logits. The same seed gives the
        same text. Raises GenerationError for options that are impossible.
        """
        start = self.start(prompt)
        return start + "".join(piece.text for piece in self.stream(start, seed=seed, filters=filters, **sampling))

    def write_many(
        self, prompts: Sequence[str | None], *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[str]:
        """Return each of the prompts continued, as `write` does with the seeds `seed`, `seed + 1` and so on.

        They are written together, which takes less time than one after the other.
        """
        if isinstance(prompts, str):
            raise GenerationError(f"sampling: prompts: should be several texts, not one: [{shown(prompts)}]")
        texts, seed = [self.start(prompt) for prompt in prompts], checked_number("seed", seed)
        for first in range(0, len(texts), AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, len(texts)))
            seeds = [seed + number for number in numbers]
            streams = self.streams([texts[number] for number in numbers], seeds, filters=filters, **sampling)
            going = dict(zip(numbers, streams, strict=True))
            while going:
                for number, stream in list(going.items()):
                    piece = next(stream, None)
                    if piece is None:
                        del going[number]
                    else:
                        texts[number] += piece.text
        return texts

    def stream(
        self, prompt: str | None = None, *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> Iterator[Piece]:
        """Yield the continuation of `prompt`, a piece for each token; characters come whole, stop strings are left out.

        The options and the errors are those of `write`.
        """
        return self.streams([prompt], [seed], filters=filters, **sampling)[0]

    def search(
        self, prompt: str | None = None, *, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[Continuation]:
        """Return the likeliest continuations of `prompt` that beam search finds, `beams` of them, the best first.

        Nothing is drawn: of the options those act that forbid or favour tokens or end the text, and `length_penalty`,
        `beam_groups` and `diversity`.
        """
        settings, start = self.sampling(sampling), self.start(prompt)
        pattern, backend = self._pattern(settings), self.backend(1)
        starts, own, shares = self._ways(backend, start, settings, pattern, filters, 1.0)

        def text(number: int, new: Sequence[int]) -> tuple[str, bool]:
            written = TextStream(self.tokenizer, len(starts[number].rest)).push_all(new)
            return cut(self._shown(written), settings, start, pattern)

        def over(number: int, new: Sequence[int]) -> bool:
            return text(number, new)[1]

        beginnings = [
            Beginning(starts[number].ids, partial(over, number), own[number], shares[number])
            for number in range(len(starts))
        ]
        found = search(backend, beginnings, settings)
        return [Continuation(text(one.beginning, one.ids)[0], len(one.ids), one.log_probability) for one in found]

    def next_words(
        self, prompt: str | None = None, n: int = 9, *, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[NextWord]:
        """Return up to `n` of the most likely next words, the most likely first.

        A word comes with the white space that ends it. If the prompt ends inside a word, its rest is the next word.
        The probability is the sum over the spellings that beam search finds. `n` is 1024 at most; the options and the
        errors are those of `search`.
        """
        search = {"beams": BEAMS_PER_WORD * checked_number("n", n, least=1), "beam_groups": 1, "length_penalty": 0.0}
        until = {"until": "word", "max_tokens": LONGEST_WORD}
        probabilities: dict[str, float] = {}
        for word in self.search(prompt, filters=filters, **sampling | search | until):
            probabilities[word.text] = probabilities.get(word.text, 0.0) + math.exp(word.log_probability)
        words = [NextWord(text, probability) for text, probability in probabilities.items()]
        return sorted(words, key=lambda word: -word.probability)[:n]

    def fill(
        self, prompt: str | None, suffix: str, *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[Continuation]:
        """Return texts that lead from `prompt` to `suffix`, by how likely they make the suffix, the best first.

        Several continuations of the prompt are written, and each is tried up to each end of a word;
        `log_probability` is that of the suffix behind it. The options are those of `write`.
        """
        if not checked_text("suffix", suffix):
            raise GenerationError("sampling: suffix: should have at least one character")
        settings, start = self.sampling(sampling), self.start(prompt)
        written = self.write_many([start] * FILLINGS, seed=seed, filters=filters, **sampling)
        ends = {text[:end] for text in written for end in _ends_of_words(text, len(start))}
        texts, found, backend = sorted(ends), [], self.backend(1)
        for first in range(0, len(texts), AT_ONCE):
            part = texts[first : first + AT_ONCE]
            prompts, wanted, given = zip(*(self._led(backend, text, suffix, settings) for text in part), strict=True)
            likely = log_probabilities(self.backend(len(part)), prompts, wanted)
            for text, log_probability, before in zip(part, likely, given, strict=True):
                found.append(
                    Continuation(text[len(start) :], len(self._encode(text, settings)), log_probability - before)
                )
        return sorted(found, key=lambda one: -one.log_probability)

    def _led(
        self, backend: Backend, text: str, suffix: str, settings: SampleSettings
    ) -> tuple[Sequence[int], Sequence[int], float]:
        """Return a prompt and a continuation that together are a text and a suffix.

        Also the logarithm of how probable is what of the continuation belongs to the text.
        """
        ids, whole = self._encode(text, settings), self._encode(text + suffix, settings)
        healed = self._heal(backend, ids)
        place = len(ids) - healed.given_back
        if healed.given_back and whole[:place] == ids[:place]:
            return healed.kept, whole[place:], healed.log_probability
        return ids, self.tokenizer.encode(canonical(suffix)).tolist(), 0.0

    def score(self, text: str, *, top: int = 0, label: str | None = None) -> list[ScoredToken]:
        """Return the tokens of `text`, each with its log-probability given the tokens before it.

        The text is cleaned and normalised as the training text was; the tokens' texts, joined, are the result. A label
        before it is part of the tokens. The context is that of the evaluation `sliding`: the first `model.context`
        tokens have everything before them, later ones at least three quarters of `model.context` tokens. With `top`,
        each token comes with this many of the most likely ones in its place. Torch computes the scores, in 32 bits.

        Raises GenerationError for an empty text, an unknown label or a negative `top`.
        """
        settings, top = self.sampling({} if label is None else {"label": label}), checked_number("top", top)
        ids = self._encode(checked_text("text", text), settings)
        if not ids:
            raise GenerationError("sampling: text: should have at least one character")
        return scored_tokens(self.model, self.tokenizer, ids, self._shown, top)

    def streams(
        self, prompts: Sequence[str | None], seeds: Sequence[int], *, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[Iterator[Piece]]:
        """Return what `stream` does for each prompt and seed; asking one for a piece lets all be written."""
        settings = self.sampling(sampling)
        seeds = [checked_number("seed", seed) for seed in seeds]
        starts = [self.start(prompt) for prompt in prompts]
        if settings.beams > 1:
            return [self._best(start, filters, sampling) for start in starts]
        pattern, backend = self._pattern(settings), self.backend(len(prompts))
        temperature = (settings.temperatures or (settings.temperature,))[0]
        known = {start: self._ways(backend, start, settings, pattern, filters, temperature) for start in set(starts)}
        begun, own = [], []
        for start, seed in zip(starts, seeds, strict=True):
            ways, its_own, shares = known[start]
            number = drawn(shares, seed)
            begun.append(ways[number])
            own.append(its_own[number])
        texts = generate(backend, [way.ids for way in begun], settings, seeds, own)
        return [
            ended(self._unlabelled(pieces(tokens, TextStream(self.tokenizer, len(way.rest)))), settings, start, pattern)
            for tokens, way, start in zip(texts, begun, starts, strict=True)
        ]

    def _ways(
        self,
        backend: Backend,
        start: str,
        settings: SampleSettings,
        pattern: Pattern | None,
        filters: Sequence[Filter],
        temperature: float,
    ) -> tuple[Sequence[Start], list[list[Filter]], list[float]]:
        """Return how a text may go on, with the filters and the logarithm of the share of each way."""
        starts = self._heal(backend, self._encode(start, settings)).starts
        own = self._own(settings, pattern, starts, filters)
        return starts, own, log_shares(starts, settings, own, temperature)

    def _heal(self, backend: Backend, ids: list[int]) -> Healed:
        # Where answers were learnt, prompts were encoded by themselves.
        if END in self.settings.stop:
            return Healed(ids, [Start(ids)])
        return self._healing.heal(backend, checked(self.model, ids))

    def _best(self, start: str, filters: Sequence[Filter], sampling: Mapping[str, Any]) -> Iterator[Piece]:
        began = time.perf_counter()
        best = self.search(start, filters=filters, **sampling)[0]
        yield Piece(best.text, best.tokens, tokens_per_second=best.tokens / max(1e-9, time.perf_counter() - began))

    def backend(self, rows: int) -> Backend:
        """Return the fastest backend for this model and machine, with this many rows."""
        if self._open is None:
            self._open = self._fastest()
        return self._open(rows)

    def _fastest(self) -> Callable[[int], Backend]:
        if self._fast:
            engine = load_engine(self.model, self._note, self.bits, self._texts)
            if engine is not None:
                return partial(OnnxBackend, engine)
            if can_record_steps(self.model, self._note):
                return partial(CudaGraphBackend, self.model)
        return partial(TorchBackend, self.model)

    def start(self, prompt: str | None) -> str:
        """Return the text that a model continues: `prompt`, or the start of the recipe's samples if there is none."""
        return checked_text("prompt", prompt or self.settings.prompts[0])

    def _encode(self, start: str, settings: SampleSettings) -> list[int]:
        """Return the ids of a text to be continued, cleaned as texts to learn are, with the label that is asked for."""
        start = canonical(start)
        if settings.label is not None:
            start = mark_prompt(start, self._labels[settings.label])
        ids: list[int] = self.tokenizer.encode(start).tolist()
        return ids

    def _shown(self, text: str) -> str:
        return unmark(text) if self._labels else text

    def _unlabelled(self, written: Iterator[Piece]) -> Iterator[Piece]:
        """Leave out the characters of labels, which the model writes where a text of its kind goes on."""
        if not self._labels:
            return written
        return (replace(piece, text=unmark(piece.text)) for piece in written)

    def _pattern(self, settings: SampleSettings) -> Pattern | None:
        expressions = patterns(settings)
        return Pattern(self.tokenizer, expressions) if expressions else None

    def _own(
        self, settings: SampleSettings, pattern: Pattern | None, starts: Sequence[Start], filters: Sequence[Filter]
    ) -> list[list[Filter]]:
        """Return for each start the filters of what follows: of what the settings say, then the caller's."""
        for own in filters:
            if not callable(own):
                raise GenerationError(f"sampling: filters: should be functions of logits and ids, not {shown(own)}")
        biased = [named_bias(self.tokenizer, settings.bias)] if settings.bias else []
        bans, marks = [never(self.tokenizer, text) for text in settings.ban], []
        if settings.label is not None or pattern is not None:
            # What has to match holds no label, since nobody would see it.
            allowed = settings.label if pattern is None else None
            others = [character for label, character in self._labels.items() if label != allowed]
            marks = never_marks(self.tokenizer, others)
        found = []
        for start in starts:
            place, rest = len(start.ids), start.rest
            first = [self._healing.behind(start, settings.ban)] if rest else []
            barred = [later(ban, place) for ban in bans] if rest else bans
            matching = [] if pattern is None else [pattern.behind(place, rest)]
            characters = self._characters.behind(place, rest)
            # Whatever a filter of the caller says, the first token begins with the rest.
            found.append([*first, *biased, *barred, *marks, *matching, characters, *filters, *first])
        return found

    @cached_property
    def _healing(self) -> Healing:
        return Healing(self.tokenizer)

    @cached_property
    def _characters(self) -> Characters:
        return Characters(self.tokenizer)

    def sampling(self, options: Mapping[str, Any]) -> SampleSettings:
        """Return the writer's settings with these laid over them. Raises GenerationError for what is impossible."""
        try:
            settings = SampleSettings.model_validate(self.settings.model_dump() | dict(options))
        except ValidationError as error:
            raise GenerationError(f"sampling: {explain(error, SampleSettings)}") from None
        if settings.label is not None and settings.label not in self._labels:
            known = f"it knows {', '.join(self._labels)}" if self._labels else "it has learnt none (data.labels)"
            raise GenerationError(f"sampling: label: this model has no label {settings.label!r}: {known}")
        return settings


def _ends_of_words(text: str, start: int) -> list[int]:
    """Return where from `start` on a text could break off: at either end of white space, and at its own end."""
    spaces = [place for place in range(start, len(text)) if text[place].isspace()]
    return sorted({start, len(text), *spaces, *(place + 1 for place in spaces)})
