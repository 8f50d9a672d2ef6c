"""`lilliput plan`: show the settings, speed and expected result of a training run, without training."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lilliput.cli.read_options import Encoding, Exclude, Field, Include, given_settings

if TYPE_CHECKING:
    from lilliput.planning.forecast import Forecast
    from lilliput.recipe import Recipe


_LINE = 60
"""Maximum length of a quoted line, in characters."""


def run(
    target: Annotated[list[str], typer.Argument(metavar="TARGET", help="Texts or a recipe, as for lilliput train.")],
    minutes: Annotated[float | None, typer.Option(help="Time budget of the run, in minutes.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: --set model.layers=6.")
    ] = None,
    encoding: Encoding = None,
    include: Include = None,
    exclude: Exclude = None,
    field: Field = None,
    corpus: Annotated[
        str | None, typer.Option(help="Use this text or file of answers instead of the recipe's.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Save the recipe to this new file.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Show what training would do: settings, speed, expected result."""
    started = time.monotonic()
    from lilliput.cli.showing import download_progress
    from lilliput.errors import RecipeError
    from lilliput.planning.forecast import forecast
    from lilliput.planning.resolve import resolve
    from lilliput.recipe import parse_setting
    from lilliput.report.screen import Console

    if save is not None and save.exists():
        raise RecipeError(f"{save}: the file exists already. Give --save a new name")
    settings = dict(parse_setting(text) for text in set_ or [])
    if minutes is not None:
        settings["training.minutes"] = minutes
    settings |= given_settings(encoding, include, exclude, field)
    with download_progress() as progress:
        task = resolve(target, corpus=corpus, settings=settings, progress=progress)
    activity = "measuring this machine"
    if task.recipe.training.compile:
        activity += " (compiling the model is slow only the first time)"
    with Console(stderr=True).status(activity):
        estimate = forecast(task.recipe, task.corpus, task.validation, time.monotonic() - started)
    if save is not None:
        try:
            task.recipe.write(save)
        except OSError as error:
            raise RecipeError(f"cannot write {save}: {error.strerror}. Give --save another name") from None
    if json_:
        typer.echo(json.dumps({"recipe": task.recipe.as_dict()} | estimate.as_dict()))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, text in _lines(task.corpus.name, task.recipe, estimate):
        table.add_row(Text(name, style="bold"), Text(text))
    Console(highlight=False).print(table)


def _lines(name: str, recipe: "Recipe", estimate: "Forecast") -> list[tuple[str, str]]:
    from lilliput.evaluation.baselines import strongest_baseline
    from lilliput.report.choices import choices, ends, expectation, memory
    from lilliput.report.console import clock

    if estimate.problems is not None:
        size = f"{estimate.problems:,} prompts with answers"
    else:
        size = (
            f"{estimate.bytes:,} bytes on the disk"
            if estimate.characters is None
            else f"{estimate.characters:,} characters"
        )
    about = "about " if estimate.bytes is not None else ""
    if estimate.documents is not None and estimate.documents > 1:
        size += f" in {estimate.documents:,} documents"
    lines = [
        ("text", f"{name}: {size}"),
        *(("" if number else "read", note.removeprefix("read ")) for number, note in enumerate(estimate.notes)),
        *(("" if number else "begins", line) for number, line in enumerate(_shown(estimate.begins))),
        ("held out", _held_out(recipe, estimate)),
        ("tokens", f"{recipe.tokenizer.kind}, {about}{estimate.vocabulary:,} of them, {estimate.context} at a time"),
        *choices(recipe),
        (
            "here",
            f"{estimate.parameters:,} parameters; {estimate.tokens_per_second:,} tokens/s on {estimate.device} "
            f"in {estimate.precision}, {estimate.milliseconds_per_step:g} ms a step{memory(estimate.memory_bytes)} "
            "(measured now)",
        ),
        ("length", f"about {estimate.steps:,} steps" + _epochs(estimate.epochs)),
        ("ends", f"{ends(estimate.seconds)}, {clock(estimate.seconds)} after it starts"),
    ]
    if estimate.expected is not None:
        lines.append(("expected", expectation(estimate.expected, strongest_baseline(estimate.baselines or {}))))
    return lines


def _shown(lines: list[str]) -> list[str]:
    from lilliput.corpus import shortened
    from lilliput.report.terminal import printable

    return [shortened(printable(line), _LINE) for line in lines]


def _held_out(recipe: "Recipe", estimate: "Forecast") -> str:
    if estimate.problems is not None:
        size = f"{estimate.held_out:,} prompts with their answers"
    else:
        size = f"{estimate.held_out:,} characters" if estimate.bytes is None else "at most 2,000,000 characters"
    if recipe.data.validation is not None:
        return f"{size}, of {recipe.data.validation}"
    if estimate.problems is not None:
        return f"{size}, drawn at random"
    descriptions = {
        "position": "the end",
        "pieces": "pieces from all over the text",
        "document": "whole documents",
        "items": "items drawn at random",
    }
    return f"{size}: {descriptions[recipe.data.split.by]}"


def _epochs(epochs: float | None) -> str:
    return "" if epochs is None else f", {epochs:.1f} times through the text"
