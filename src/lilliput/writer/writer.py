"""A model with its tokenizer: text in, text out."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lilliput.corpus import END
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
from lilliput.generation.beam import BeamPrompt, search
from lilliput.generation.healing import Start, draw_start
from lilliput.generation.patterns import Pattern
from lilliput.generation.sampling import Token
from lilliput.generation.settings import SampleSettings
from lilliput.generation.slots import checked
from lilliput.generation.text import Piece, TextEnding, cut
from lilliput.models import Model
from lilliput.recipe import explain, shown
from lilliput.tokenizers import TextStream, Tokenizer
from lilliput.writer.arguments import checked_number, checked_text
from lilliput.writer.prepared_text import PreparedText
from lilliput.writer.prompt_encoder import PromptEncoder
from lilliput.writer.results import Continuation, NextWord
from lilliput.writer.scoring import ScoredToken, scored_tokens

FILLINGS = 16
"""Continuations that `fill` draws."""
AT_ONCE = 32
"""Texts written in one batch. A larger batch takes more memory and gains little speed."""
BEAMS_PER_WORD = 4
"""Beams that `next_words` uses for each word: some beams are spellings of the same word."""
MOST_WORD_TOKENS = 32
"""Tokens after which a next word ends, complete or not."""


class Writer:
    """A model with its tokenizer: text in, text out.

    `settings` are the default sampling options. With `fast`, onnxruntime replaces torch on a processor
    (`generation.backends.engine`), with weights of 32 or 8 `bits`, and a GPU replays recorded steps
    (`generation.backends.cuda_graph`); if that fails, `note` gets one line and torch is used. With `fast`, the weights
    must not change. With 8 bits, the writer picks the faster arithmetic for this number of `texts` at once and keeps
    it. `labels` maps the labels that the model has learnt to their characters (`corpus.labels`).
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
        # A model of prompts and answers has learnt prompts that were encoded alone.
        self._prompts = PromptEncoder(model, tokenizer, self._labels, heals=END not in settings.stop)
        self._fast = fast
        self._note = note
        self._open: Callable[[int], Backend] | None = None

    def __repr__(self) -> str:
        """Return the kind of the network, and where it comes from."""
        kind = self.model.network_alone().settings.kind
        return f"<Writer: {kind}, {self.model.vocab_size:,} tokens, {self.folder or 'not from a run'}>"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process: it opens a new backend, and `note` becomes `print`."""
        return self.__dict__ | {"_open": None, "_note": print}

    @property
    def labels(self) -> list[str]:
        """Return the labels that the model has learnt: the values that the option `label` accepts."""
        return list(self._labels)

    def write(
        self, prompt: str | None = None, *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> str:
        """Return `prompt` continued by the model, as one string.

        `sampling` takes the keys of a recipe's `[sample]` section. `filters` are your own functions: each takes the
        logits of the next token, an array by id, and the ids so far, and returns logits. The same seed gives the same
        text. Raises GenerationError for impossible options.
        """
        start = self.start(prompt)
        return start + "".join(piece.text for piece in self.stream(start, seed=seed, filters=filters, **sampling))

    def write_many(
        self, prompts: Sequence[str | None], *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[str]:
        """Return each prompt continued, as `write` does with the seeds `seed`, `seed + 1` and so on.

        The texts are written in batches, which is faster than one after the other.
        """
        if isinstance(prompts, str):
            raise GenerationError(f"sampling: prompts: should be several texts, not one: [{shown(prompts)}]")
        texts, seed = [self.start(prompt) for prompt in prompts], checked_number("seed", seed)
        for first in range(0, len(texts), AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, len(texts)))
            seeds = [seed + number for number in numbers]
            streams = self.streams([texts[number] for number in numbers], seeds, filters=filters, **sampling)
            open_streams = dict(zip(numbers, streams, strict=True))
            while open_streams:
                for number, stream in list(open_streams.items()):
                    piece = next(stream, None)
                    if piece is None:
                        del open_streams[number]
                    else:
                        texts[number] += piece.text
        return texts

    def stream(
        self, prompt: str | None = None, *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> Iterator[Piece]:
        """Yield the continuation of `prompt`, one piece per token, in whole characters and without stop strings.

        The options and the errors are those of `write`.
        """
        return self.streams([prompt], [seed], filters=filters, **sampling)[0]

    def search(
        self, prompt: str | None = None, *, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[Continuation]:
        """Return the `beams` most likely continuations of `prompt` that beam search finds, the best first.

        Beam search draws nothing. It follows the options that forbid or favour tokens or end the text, and
        `length_penalty`, `beam_groups` and `diversity`.
        """
        self._require_forward("beam search")
        settings, start = self.sampling(sampling), self.start(prompt)
        pattern, backend = self._prompts.pattern(settings), self.backend(1)
        prepared = self._prompts.starts(backend, start, settings, pattern, filters, 1.0)
        starts = prepared.starts

        def text(number: int, new: Sequence[int]) -> tuple[str, bool]:
            written = TextStream(self.tokenizer, len(starts[number].rest)).push_all(new)
            return cut(self._prompts.shown(written), settings, start, pattern)

        def has_ended(number: int, new: Sequence[int]) -> bool:
            return text(number, new)[1]

        spellings = [
            BeamPrompt(
                starts[number].ids, partial(has_ended, number), prepared.filters[number], prepared.log_shares[number]
            )
            for number in range(len(starts))
        ]
        return [
            Continuation(text(best.prompt, best.ids)[0], len(best.ids), best.log_probability)
            for best in search(backend, spellings, settings)
        ]

    def next_words(
        self, prompt: str | None = None, n: int = 9, *, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[NextWord]:
        """Return up to `n` of the most likely next words, the most likely first.

        A word comes with the white space that ends it. If the prompt ends inside a word, its rest is the next word.
        The probability is the sum over the spellings that beam search finds. `n` is 1024 at most; the options and the
        errors are those of `search`.
        """
        search = {"beams": BEAMS_PER_WORD * checked_number("n", n, least=1), "beam_groups": 1, "length_penalty": 0.0}
        until = {"until": "word", "max_tokens": MOST_WORD_TOKENS}
        probabilities: dict[str, float] = {}
        for word in self.search(prompt, filters=filters, **sampling | search | until):
            probabilities[word.text] = probabilities.get(word.text, 0.0) + math.exp(word.log_probability)
        words = [NextWord(text, probability) for text, probability in probabilities.items()]
        return sorted(words, key=lambda word: -word.probability)[:n]

    def fill(
        self, prompt: str | None, suffix: str, *, seed: int = 1, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[Continuation]:
        """Return texts to put between `prompt` and `suffix`, those that make the suffix most likely first.

        Draws `FILLINGS` continuations of the prompt and cuts each after every word. `log_probability` is that of the
        suffix after the cut. The options are those of `write`.
        """
        if not checked_text("suffix", suffix):
            raise GenerationError("sampling: suffix: should have at least one character")
        self._require_forward("a suffix")
        settings, start = self.sampling(sampling), self.start(prompt)
        written = self.write_many([start] * FILLINGS, seed=seed, filters=filters, **sampling)
        ends = {text[:end] for text in written for end in _ends_of_words(text, len(start))}
        texts, fillings, backend = sorted(ends), [], self.backend(1)
        for first in range(0, len(texts), AT_ONCE):
            part = texts[first : first + AT_ONCE]
            prompts, continuations, given = zip(
                *(self._split_suffix(backend, text, suffix, settings) for text in part), strict=True
            )
            likely = log_probabilities(self.backend(len(part)), prompts, continuations)
            for text, log_probability, before in zip(part, likely, given, strict=True):
                tokens = len(self._prompts.encode(text, settings))
                fillings.append(Continuation(text[len(start) :], tokens, log_probability - before))
        return sorted(fillings, key=lambda filling: -filling.log_probability)

    def _split_suffix(
        self, backend: Backend, text: str, suffix: str, settings: SampleSettings
    ) -> tuple[Sequence[int], Sequence[int], float]:
        """Return the ids of a prompt and a continuation that together spell a text and its suffix.

        The third value is the log-probability of the part of the continuation that belongs to the text.
        """
        ids, whole = self._prompts.encode(text, settings), self._prompts.encode(text + suffix, settings)
        healed = self._prompts.heal(backend, ids)
        kept = len(ids) - healed.removed
        if healed.removed and whole[:kept] == ids[:kept]:
            return healed.kept, whole[kept:], healed.log_probability
        return ids, self.tokenizer.encode(canonical(suffix)).tolist(), 0.0

    def score(self, text: str, *, top: int = 0, label: str | None = None) -> list[ScoredToken]:
        """Return the tokens of `text`, each with its log-probability given the tokens before it.

        The text is cleaned and normalised as the training text was; the tokens' texts, joined in the order of their
        starts, are the result. A label before it is part of the tokens. The context is that of the evaluation
        `sliding`: the first `model.context` tokens have everything before them, later ones at least three quarters of
        `model.context` tokens. With `top`, each token comes with this many of the most likely tokens at its position.
        Torch computes the scores in 32 bits.

        Raises GenerationError for an empty text, an unknown label or a negative `top`.
        """
        settings = self.sampling({} if label is None else {"label": label})
        return self._score(self._prompts.encode(checked_text("text", text), settings), top)

    def score_ids(self, ids: Sequence[int], *, top: int = 0) -> list[ScoredToken]:
        """Return what `score` does for a text that consists of these tokens.

        Raises GenerationError if there are none, if one is outside the vocabulary, and for a model of reversed lines.
        """
        self._require_forward("a score of token ids")
        return self._score(ids, top)

    def _score(self, ids: Sequence[int], top: int) -> list[ScoredToken]:
        if not ids:
            raise GenerationError("sampling: text: should have at least one character")
        ids, top = checked(self.model, ids), checked_number("top", top)
        return scored_tokens(self.model, self.tokenizer, ids, self._prompts.shown, top)

    def streams(
        self, prompts: Sequence[str | None], seeds: Sequence[int], *, filters: Sequence[Filter] = (), **sampling: Any
    ) -> list[Iterator[Piece]]:
        """Return a `stream` for each prompt and seed. All advance together when one is asked for a piece."""
        settings = self.sampling(sampling)
        seeds = [checked_number("seed", seed) for seed in seeds]
        texts = [self.start(prompt) for prompt in prompts]
        if settings.beams > 1:
            return [self._best(text, filters, sampling) for text in texts]
        backend = self.backend(len(texts))
        prepared = self.prepare(backend, texts, seeds, settings, filters)
        ids, filters_by_text = [text.ids for text in prepared], [text.filters for text in prepared]
        streams = generate(backend, ids, settings, seeds, filters_by_text)
        return [text.read(tokens) for text, tokens in zip(prepared, streams, strict=True)]

    def prepare(
        self,
        backend: Backend,
        texts: Sequence[str],
        seeds: Sequence[int],
        settings: SampleSettings,
        filters: Sequence[Filter] = (),
    ) -> list[PreparedText]:
        """Return each text ready for its next token; this overwrites the first row of `backend`.

        Raises GenerationError for options that the model cannot follow.
        """
        pattern = self._pattern(settings)
        temperature = (settings.temperatures or (settings.temperature,))[0]
        found = {
            text: self._prompts.starts(backend, text, settings, pattern, filters, temperature) for text in set(texts)
        }
        prepared = []
        for text, seed in zip(texts, seeds, strict=True):
            number = draw_start(found[text].log_shares, seed)
            start = found[text].starts[number]
            stream, ending = TextStream(self.tokenizer, len(start.rest)), TextEnding(settings, text, pattern)
            filters_of_text = found[text].filters[number]
            prepared.append(
                PreparedText(
                    start.ids, start.rest, filters_of_text, settings, seed, stream, ending, self._prompts.shown
                )
            )
        return prepared

    def prepare_ids(
        self, ids: Sequence[int], seed: int, settings: SampleSettings, filters: Sequence[Filter] = ()
    ) -> PreparedText:
        """Return a text that consists of these tokens ready for its next one: nothing is encoded or healed.

        Raises GenerationError for impossible ids, and for options that the model cannot follow.
        """
        ids, pattern = checked(self.model, ids), self._pattern(settings)
        stream = TextStream(self.tokenizer)
        ending = TextEnding(settings, self._prompts.shown(stream.push_all(ids)), pattern)
        all_filters = self._prompts.filters_after(Start(ids), settings, pattern, filters)
        return PreparedText(ids, "", all_filters, settings, seed, stream, ending, self._prompts.shown)

    def filters(self, ids: Sequence[int], rest: str, settings: SampleSettings) -> list[Filter]:
        """Return the filters of a text after `ids`, the first token of which begins with `rest` (`PreparedText`)."""
        return self._prompts.filters_after(Start(ids, rest), settings, self._pattern(settings), ())

    def _pattern(self, settings: SampleSettings) -> Pattern | None:
        pattern = self._prompts.pattern(settings)
        if pattern is not None:
            self._require_forward("match, allow, forbid, line_length or acrostic")
        return pattern

    def encode(self, text: str, settings: SampleSettings) -> list[int]:
        """Return the ids of a text, cleaned as training texts are, with the label of the settings before it."""
        return self._prompts.encode(text, settings)

    def tokens(
        self,
        prompts: Sequence[Sequence[int]],
        settings: SampleSettings,
        seeds: Sequence[int],
        filters: Sequence[Sequence[Filter]],
    ) -> list[Generator[Token, None, None]]:
        """Return the tokens after each prompt of ids, with filters for each (`generation.generate`)."""
        return generate(self.backend(len(prompts)), prompts, settings, seeds, filters)

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
        """Return the text to continue: `prompt`, or the first prompt of the settings if `prompt` is empty.

        A model of reversed lines continues whole lines: the last one gets an end if it has none.
        """
        text = checked_text("prompt", prompt or self.settings.prompts[0])
        return text + "\n" if self.tokenizer.reverse_lines and not text.endswith("\n") else text

    def _require_forward(self, what: str) -> None:
        if self.tokenizer.reverse_lines:
            raise GenerationError(
                f"{what}: impossible with this model, which writes each line from its end (tokenizer.reverse_lines)"
            )

    def sampling(self, options: Mapping[str, Any]) -> SampleSettings:
        """Return the writer's settings, overridden by these. Raises GenerationError for impossible options."""
        try:
            settings = SampleSettings.model_validate(self.settings.model_dump() | dict(options))
        except ValidationError as error:
            raise GenerationError(f"sampling: {explain(error, SampleSettings)}") from None
        if settings.label is not None and settings.label not in self._labels:
            labels = f"choose from {', '.join(self._labels)}" if self._labels else "it has learnt none (data.labels)"
            raise GenerationError(f"sampling: label: this model has no label {settings.label!r}: {labels}")
        return settings


def _ends_of_words(text: str, start: int) -> list[int]:
    """Return the positions from `start` on at which a text may be cut: around white space, and at its end."""
    spaces = [position for position in range(start, len(text)) if text[position].isspace()]
    return sorted({start, len(text), *spaces, *(position + 1 for position in spaces)})
