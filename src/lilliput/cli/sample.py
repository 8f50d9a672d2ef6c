"""`lilliput sample`: a run writes."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    prompt: Annotated[str | None, typer.Option(help="Text to continue; - reads it from standard input.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many texts.")] = 1,
    length: Annotated[int | None, typer.Option(help="Greatest length in tokens.")] = None,
    characters: Annotated[int | None, typer.Option(help="Greatest length in characters.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="UNIT", help="End after the first line, sentence, paragraph or stanza.")
    ] = None,
    stop: Annotated[list[str] | None, typer.Option(help="End before this text (may be given more than once).")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 takes the likeliest token; 1 follows the model.")] = None,
    top_k: Annotated[int | None, typer.Option(help="Choose among the k likeliest tokens.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Choose among the likeliest tokens that together have p.")] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Choose among the tokens that have p of the likeliest one's probability.")
    ] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(help="Above 1: against the tokens of the latest stretch.")
    ] = None,
    ban: Annotated[list[str] | None, typer.Option(help="Never write this text (may be given more than once).")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any key of a recipe's [sample]: --set typical=0.9."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same text.")] = 1,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object per text, for programs.")] = False,
) -> None:
    """Write with a trained model; the text appears while it is written."""
    from lilliput.corpus.decoding import decode
    from lilliput.recipe import parse_setting, put_setting
    from lilliput.writer import load

    options: dict[str, Any] = {}
    for text in set_ or []:
        key, value = parse_setting(text)
        put_setting(options, key.removeprefix("sample."), value)
    given: dict[str, Any] = {"length": length, "characters": characters, "until": until, "temperature": temperature}
    given |= {"top_k": top_k, "top_p": top_p, "min_p": min_p, "repetition_penalty": repetition_penalty}
    given |= {"stop": tuple(stop) if stop else None, "ban": tuple(ban) if ban else None}
    options |= {key: value for key, value in given.items() if value is not None}
    writer = load(run, note=lambda text: typer.echo(text, err=True))
    if prompt == "-":
        prompt = decode(sys.stdin.buffer.read(), "standard input").text
    start = writer.start(prompt)
    for number in range(count):
        if json_:
            _print_json(writer, start, seed + number, options)
            continue
        if number:
            typer.echo(f"\n-------- seed {seed + number}")
        pieces = writer.stream(start, seed=seed + number, **options)  # impossible options are told before anything else
        typer.echo(start, nl=False)
        for piece in pieces:
            sys.stdout.write(piece.text)
            sys.stdout.flush()
        typer.echo()


def _print_json(writer: Any, start: str, seed: int, options: dict[str, Any]) -> None:
    began = time.perf_counter()
    pieces = list(writer.stream(start, seed=seed, **options))
    seconds = time.perf_counter() - began
    tokens = pieces[-1].tokens if pieces else 0
    row = {"text": start + "".join(piece.text for piece in pieces), "prompt": start, "seed": seed, "tokens": tokens}
    typer.echo(json.dumps(row | {"tokens_per_second": round(tokens / seconds, 1)}))
