"""`lilliput sample`: write text with a trained model."""

import json
import sys
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lilliput.cli import new_items, poems
from lilliput.cli.escapes import unescaped
from lilliput.cli.interactive import write_together
from lilliput.cli.novelty import copy_figures, learnt_by, show_marked
from lilliput.errors import GenerationError

if TYPE_CHECKING:
    from lilliput.evaluation.writing import Learnt
    from lilliput.writer import Writer


# Options that do not fit on one line below.

Suffix = Annotated[
    str | None, typer.Option(help="Text to end with: draws several continuations and keeps the best fit.")
]
Until = Annotated[
    str | None, typer.Option(metavar="UNIT", help="Stop after the first word, line, sentence, paragraph or stanza.")
]
MinP = Annotated[
    float | None, typer.Option(help="Sample from tokens with at least p times the probability of the most likely one.")
]
RepetitionPenalty = Annotated[float | None, typer.Option(help="Above 1: make recent tokens less likely.")]
Match = Annotated[str | None, typer.Option(metavar="REGEX", help="Write text that matches this regular expression.")]
Beams = Annotated[int | None, typer.Option(help="Beam search with this many beams; --count shows several results.")]
Quant = Annotated[
    int,
    typer.Option(metavar="BITS", help="8: quantize the weights to 8 bits for speed, and report the loss."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set any key of a recipe's [sample]: --set typical=0.9."),
]
Label = Annotated[str | None, typer.Option(help="Write text of this label, for a run trained with labels.")]
Novelty = Annotated[bool, typer.Option("--novelty", help="Mark copies from the training text, of five words or more.")]
Items = Annotated[
    int | None,
    typer.Option(min=1, help="Write this many new items (names, lines, blocks): no copies, no repetitions."),
]
Form = Annotated[
    str | None,
    typer.Option(metavar="FORM", help="Write poems: couplets, quatrain, sonnet, haiku, or a scheme: 'ABAB 12'."),
]
Language = Annotated[str | None, typer.Option(help="Language of the poems: en or fr. By default guessed.")]
Interactive = Annotated[bool, typer.Option("--interactive", help="Write together: pick each next word from a list.")]


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    prompt: Annotated[str | None, typer.Option(help="Text to continue; - reads standard input.")] = None,
    suffix: Suffix = None,
    count: Annotated[int, typer.Option(min=1, help="Number of texts.")] = 1,
    max_tokens: Annotated[int | None, typer.Option(help="Maximum length in tokens.")] = None,
    max_characters: Annotated[int | None, typer.Option(help="Maximum length in characters.")] = None,
    until: Until = None,
    stop: Annotated[list[str] | None, typer.Option(help="Stop before this text; repeatable.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 always takes the most likely token.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Sample from the k most likely tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Sample from the most likely tokens with total probability p.")
    ] = None,
    min_p: MinP = None,
    repetition_penalty: RepetitionPenalty = None,
    ban: Annotated[list[str] | None, typer.Option(help="Never write this text; repeatable.")] = None,
    match: Match = None,
    acrostic: Annotated[str | None, typer.Option(metavar="WORD", help="Start the lines with these letters.")] = None,
    beams: Beams = None,
    label: Label = None,
    quant: Quant = 32,
    set_: Set = None,
    novelty: Novelty = False,
    items: Items = None,
    form: Form = None,
    language: Language = None,
    interactive: Interactive = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same text.")] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object per text, for programs.")] = False,
) -> None:
    """Write text with a trained model. The text appears while the model writes it."""
    stop, ban = ([unescaped(text) for text in texts or []] for texts in (stop, ban))
    given: dict[str, Any] = {"max_tokens": max_tokens, "max_characters": max_characters, "until": until}
    given |= {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "beams": beams}
    given |= {"repetition_penalty": repetition_penalty, "match": match, "acrostic": acrostic, "label": label}
    given |= {"stop": stop or None, "ban": ban or None}
    options = _options(set_ or [], given)
    others = options | {"suffix": suffix, "novelty": novelty, "interactive": interactive}
    if items is not None:
        new_items.refuse(others | {"count": count, "form": form})
    poems.refuse(form, others | {"language": language})
    writer = _open(run, quant, suffix is not None or form is not None, items or beams or count)
    suffix = None if suffix is None else unescaped(suffix)
    prompt = _read_prompt(prompt)
    if items is not None:
        new_items.write_items(writer, items, (prompt or "").rstrip("\n"), seed, options, json_)
        return
    if form is not None:
        poems.write_poems(writer, form, language, prompt, range(seed, seed + count), options, json_)
        return
    start = writer.start(prompt)
    if interactive:
        write_together(writer, start, seed, options)
        return
    _Show(writer, start, options, json_, learnt_by(run) if novelty else None).texts(suffix, count, seed)


def _read_prompt(prompt: str | None) -> str | None:
    """Return the prompt with its escapes replaced, or standard input for a prompt of `-`."""
    from lilliput.corpus.text.byte_decoding import decode

    if prompt == "-":
        return decode(sys.stdin.buffer.read(), "standard input").text
    return None if prompt is None else unescaped(prompt)


def _options(settings: list[str], given: dict[str, Any]) -> dict[str, Any]:
    """Return the sampling options of `--set` and of the flags; flags take precedence."""
    from lilliput.recipe import parse_setting, put_setting

    options: dict[str, Any] = {}
    for text in settings:
        key, value = parse_setting(text)
        put_setting(options, key.removeprefix("sample."), value)
    return options | {key: value for key, value in given.items() if value is not None}


def _open(run: Path, bits: int, fill: bool, texts: int) -> "Writer":
    """Open a run to write this many `texts` at once, or to `fill`; with 8 bits, report the loss on standard error."""
    from lilliput.evaluation.rounding import measure_rounding
    from lilliput.writer import AT_ONCE, FILLINGS, load

    if bits not in (8, 32):
        raise GenerationError(f"--quant {bits}: unsupported. Choose 8 or 32")
    texts = FILLINGS if fill else max(1, min(texts, AT_ONCE))
    writer = load(run, lambda text: typer.echo(text, err=True), 8 if bits == 8 else 32, texts=texts)
    if bits == 32:
        return writer
    losses = measure_rounding(writer)
    if losses is None:
        typer.echo("8 bits: this run has too little held-out text to measure the loss", err=True)
        return writer
    change = f"{losses.rounded - losses.exact:+.4f} nats per token ({losses.exact:.4f} with 32 bits"
    typer.echo(f"8 bits: {change}, {losses.tokens:,} held-out tokens)", err=True)
    return writer


@dataclass
class _Show:
    """Prints texts while the model writes them, as JSON, or with copies marked."""

    writer: "Writer"
    start: str
    options: dict[str, Any]
    json: bool
    learnt: "Learnt | None"

    def texts(self, suffix: str | None, count: int, seed: int) -> None:
        """Print the best texts if the options ask for them, else samples."""
        sampling = self.writer.sampling(self.options)
        if suffix is not None or sampling.beams > 1:
            self.best(suffix, count, seed)
            return
        self.samples(range(seed, seed + count))
        # For readers who wonder why the text is the same again; programs do not need it.
        if sys.stderr.isatty() and not self.json and sampling.temperature > 0:
            typer.echo(f"(the same every time; --seed {seed + count} writes another text)", err=True)

    def samples(self, seeds: range) -> None:
        """Print a batch of sampled texts: the first while the model writes it, the others after it."""
        from lilliput.writer import AT_ONCE

        if len(seeds) > AT_ONCE:
            for first in range(0, len(seeds), AT_ONCE):
                self.samples(seeds[first : first + AT_ONCE])
            return
        began = time.perf_counter()
        # Raises for impossible options before anything is printed.
        streams = self.writer.streams([self.start] * len(seeds), seeds, **self.options)
        for seed, stream in zip(seeds, streams, strict=True):
            if not self.json and len(seeds) > 1:
                typer.echo(f"-------- seed {seed}")
            if self.json or self.learnt is not None:
                pieces = list(stream)
                tokens = pieces[-1].tokens if pieces else 0
                speed = round(tokens / (time.perf_counter() - began), 1)
                facts = {"seed": seed, "tokens": tokens, "tokens_per_second": speed}
                self._text("".join(piece.text for piece in pieces), facts)
            else:
                # Not with `echo`, which removes anything that resembles a colour code.
                for text in chain([self.start], (piece.text for piece in stream)):
                    sys.stdout.write(text)
                    sys.stdout.flush()
                typer.echo()
            if not self.json and len(seeds) > 1:
                typer.echo()

    def best(self, suffix: str | None, count: int, seed: int) -> None:
        """Print the best texts of a beam search, or the continuations that best fit a suffix."""
        began = time.perf_counter()
        if suffix is None:
            continuations = self.writer.search(self.start, **self.options)
        else:
            continuations = self.writer.fill(self.start, suffix, seed=seed, **self.options)
        seconds = time.perf_counter() - began
        if count > len(continuations):
            remedy = f"Give --beams {count}" if suffix is None else "Raise --max-tokens"
            raise GenerationError(f"--count {count}: found only {len(continuations)} texts. {remedy}")
        for number, continuation in enumerate(continuations[:count], 1):
            if not self.json and count > 1:
                typer.echo(f"-------- {number}, probability e^{continuation.log_probability:.1f}")
            facts = {"tokens": continuation.tokens, "log_probability": round(continuation.log_probability, 4)}
            facts["tokens_per_second"] = round(continuation.tokens / seconds, 1)
            self._text(continuation.text + (suffix or ""), facts)
            if not self.json and count > 1:
                typer.echo()

    def _text(self, text: str, facts: dict[str, Any]) -> None:
        """Print a complete text after its start."""
        spans = [] if self.learnt is None else self.learnt.copied_spans(text)
        if self.json:
            row = {"text": self.start + text, "prompt": self.start} | facts
            if "label" in self.options:
                row["label"] = self.options["label"]
            if self.learnt is not None:
                offset = len(self.start)
                row |= copy_figures(self.learnt, text)
                row["copied_spans"] = [[offset + first, offset + end] for first, end in spans]
            typer.echo(json.dumps(row))
            return
        show_marked(self.start, text, spans)
        if self.learnt is not None:
            figures = copy_figures(self.learnt, text)
            share = "no 5-grams" if figures["copied"] is None else f"{figures['copied']:.1%} of the 5-grams"
            items = f"{figures['copied_items']:.1%} of the items, " if "copied_items" in figures else ""
            typer.echo(f"copied: {items}{share}; longest stretch: {figures['longest_copied']} words", err=True)
