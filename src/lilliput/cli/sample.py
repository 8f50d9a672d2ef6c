"""`lilliput sample`: a run writes."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lilliput.errors import GenerationError

if TYPE_CHECKING:
    from lilliput.writer import Writer


# The options whose help takes more than a line.

Suffix = Annotated[str | None, typer.Option(help="Text to lead to: of several writings that which makes it likeliest.")]
Until = Annotated[
    str | None, typer.Option(metavar="UNIT", help="End after the first word, line, sentence, paragraph or stanza.")
]
MinP = Annotated[
    float | None, typer.Option(help="Choose among the tokens that have p of the likeliest one's probability.")
]
RepetitionPenalty = Annotated[float | None, typer.Option(help="Above 1: against the tokens of the latest stretch.")]
Match = Annotated[str | None, typer.Option(metavar="REGEX", help="Write what matches this regular expression.")]
Beams = Annotated[
    int | None, typer.Option(help="Search for the likeliest text, so many at a time; --count shows several.")
]
Quant = Annotated[
    int, typer.Option(metavar="BITS", help="8: write faster, with rounded weights; says what that costs.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key of a recipe's [sample]: --set typical=0.9."),
]
Interactive = Annotated[
    bool, typer.Option("--interactive", help="Write together: pick the next word among the likeliest.")
]


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    prompt: Annotated[str | None, typer.Option(help="Text to continue; - reads it from standard input.")] = None,
    suffix: Suffix = None,
    count: Annotated[int, typer.Option(min=1, help="How many texts.")] = 1,
    length: Annotated[int | None, typer.Option(help="Greatest length in tokens.")] = None,
    characters: Annotated[int | None, typer.Option(help="Greatest length in characters.")] = None,
    until: Until = None,
    stop: Annotated[list[str] | None, typer.Option(help="End before this text (may be given more than once).")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 takes the likeliest token; 1 follows the model.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Choose among the k likeliest tokens.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Choose among the likeliest tokens that together have p.")] = None,
    min_p: MinP = None,
    repetition_penalty: RepetitionPenalty = None,
    ban: Annotated[list[str] | None, typer.Option(help="Never write this text (may be given more than once).")] = None,
    match: Match = None,
    acrostic: Annotated[str | None, typer.Option(metavar="WORD", help="Begin the lines with these letters.")] = None,
    beams: Beams = None,
    quant: Quant = 32,
    set_: Set = None,
    interactive: Interactive = False,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same text.")] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object per text, for programs.")] = False,
) -> None:
    """Write with a trained model; the text appears while it is written."""
    from lilliput.corpus.decoding import decode

    given: dict[str, Any] = {"length": length, "characters": characters, "until": until, "temperature": temperature}
    given |= {"top_k": top_k, "top_p": top_p, "min_p": min_p, "repetition_penalty": repetition_penalty, "beams": beams}
    given |= {"match": match, "acrostic": acrostic, "stop": stop or None, "ban": ban or None}
    options = _options(set_ or [], given)
    writer = _open(run, quant)
    if prompt == "-":
        prompt = decode(sys.stdin.buffer.read(), "standard input").text
    start = writer.start(prompt)
    if interactive:
        from lilliput.cli.interactive import write_together

        write_together(writer, start, seed, options)
    elif suffix is not None or writer.sampling(options).beams > 1:
        _show_found(writer, start, suffix, count, seed, options, json_)
    else:
        _show_written(writer, start, range(seed, seed + count), options, json_)


def _options(settings: list[str], given: dict[str, Any]) -> dict[str, Any]:
    """Return the sampling options of `--set` and of the flags that were given, which have the last word."""
    from lilliput.recipe import parse_setting, put_setting

    options: dict[str, Any] = {}
    for text in settings:
        key, value = parse_setting(text)
        put_setting(options, key.removeprefix("sample."), value)
    return options | {key: value for key, value in given.items() if value is not None}


def _open(run: Path, bits: int) -> "Writer":
    """Open a run; say on the standard error what weights of 8 bits cost."""
    from lilliput.evaluation.rounding import measure_rounding
    from lilliput.writer import load

    if bits not in (8, 32):
        raise GenerationError(f"--quant {bits}: weights have 32 bits or 8")
    writer = load(run, lambda text: typer.echo(text, err=True), 8 if bits == 8 else 32)
    if bits == 32:
        return writer
    found = measure_rounding(writer)
    if found is None:
        typer.echo("8 bits: there is too little held-out text in the run to tell what they cost", err=True)
        return writer
    change = f"{found.rounded - found.exact:+.4f} nats per token ({found.exact:.4f} with 32 bits"
    typer.echo(f"8 bits: {change}, {found.tokens:,} tokens of the held-out text)", err=True)
    return writer


def _show_written(writer: "Writer", start: str, seeds: range, options: dict[str, Any], json_: bool) -> None:
    """Show texts that are written together: the first one while it is written, the others behind it."""
    from lilliput.writer import AT_ONCE

    if len(seeds) > AT_ONCE:
        for first in range(0, len(seeds), AT_ONCE):
            _show_written(writer, start, seeds[first : first + AT_ONCE], options, json_)
        return
    began = time.perf_counter()
    streams = writer.streams([start] * len(seeds), seeds, **options)  # impossible options are told before all else
    for seed, stream in zip(seeds, streams, strict=True):
        if json_:
            pieces = list(stream)
            tokens = pieces[-1].tokens if pieces else 0
            speed = round(tokens / (time.perf_counter() - began), 1)
            row = {"text": start + "".join(piece.text for piece in pieces), "prompt": start, "seed": seed}
            typer.echo(json.dumps(row | {"tokens": tokens, "tokens_per_second": speed}))
            continue
        if seed > seeds[0] or len(seeds) > 1:
            typer.echo(f"-------- seed {seed}")
        typer.echo(start, nl=False)
        for piece in stream:
            sys.stdout.write(piece.text)
            sys.stdout.flush()
        typer.echo("\n" if len(seeds) > 1 else "")


def _show_found(
    writer: "Writer", start: str, suffix: str | None, count: int, seed: int, options: dict[str, Any], json_: bool
) -> None:
    """Show the best texts of a beam search, or those that lead best to a suffix."""
    began = time.perf_counter()
    found = writer.search(start, **options) if suffix is None else writer.fill(start, suffix, seed=seed, **options)
    seconds = time.perf_counter() - began
    if count > len(found):
        remedy = f"give --beams {count}" if suffix is None else "give a greater --length"
        raise GenerationError(f"--count {count}: only {len(found)} texts were found; {remedy}")
    for number, best in enumerate(found[:count], 1):
        text = start + best.text + (suffix or "")
        if json_:
            row = {"text": text, "prompt": start, "tokens": best.tokens}
            row |= {"log_probability": round(best.log_probability, 4)}
            typer.echo(json.dumps(row | {"tokens_per_second": round(best.tokens / seconds, 1)}))
            continue
        if count > 1:
            typer.echo(f"-------- {number}, probability e^{best.log_probability:.1f}")
        typer.echo(text + ("\n" if count > 1 else ""))
