"""`lilliput sample --items`: so many new items of a list or a collection, and nothing else."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from lilliput.errors import GenerationError

if TYPE_CHECKING:
    from lilliput.writer import Writer

_REFUSED = {
    "until": "an item ends where the next one begins",
    "stop": "an item ends where the next one begins",
    "max_characters": "an item that is cut off is none; give --match '.{1,9}' for short ones",
    "acrostic": "an item is one text",
    "beams": "items are drawn",
    "suffix": "items are drawn",
    "novelty": "none of the items stands in the training text",
    "interactive": "it writes one text",
}


def refuse(given: Mapping[str, Any]) -> None:
    """Raise GenerationError for options that have no meaning beside `--items`."""
    for name, reason in _REFUSED.items():
        if given.get(name):
            raise GenerationError(f"--items and --{name.replace('_', '-')} do not go together: {reason}")
    if given["count"] > 1:
        raise GenerationError("--items and --count do not go together: --items says how many")


def write_items(
    writer: "Writer", count: int, prompt: str, seed: int, options: Mapping[str, Any], as_json: bool
) -> None:
    """Print new items as they are found; say on the standard error what was thrown away."""
    from lilliput.item_writer import ItemWriter

    items = ItemWriter(writer)
    if items.training_share < 1:
        typer.echo(f"compared with the last {items.training_share:.0%} of the training text", err=True)
    number = 0
    try:
        for item in items.new(count, prompt, seed=seed, **options):
            if as_json:
                typer.echo(json.dumps({"text": item, "prompt": prompt}))
            else:
                # Between items, not behind the last one.
                # Not by `echo`, which takes out what looks like a colour.
                sys.stdout.write((items.separator[1:] if number else "") + item + "\n")
            sys.stdout.flush()
            number += 1
    finally:
        _tell(number, items.counts)


def _tell(number: int, found: Mapping[str, int]) -> None:
    if number or any(found.values()):
        copies = found["copied"] + found["held_out"]
        copied = f"{copies:,} copied ({found['copied']:,} learnt, {found['held_out']:,} held out)"
        others = f"{found['twice']:,} written before, {found['unfinished']:,} without an end"
        typer.echo(f"{number:,} new; thrown away: {copied}, {others}", err=True)
