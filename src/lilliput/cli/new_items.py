"""`lilliput sample --items`: write new items of a list or a collection."""

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
    "max_characters": "it would cut items off. For short items use --match '.{1,9}'",
    "acrostic": "an item is one text",
    "beams": "items are drawn",
    "suffix": "items are drawn",
    "novelty": "no item is in the training text",
    "interactive": "it writes one text",
    "form": "an item is one text",
}


def refuse(given: Mapping[str, Any]) -> None:
    """Raise GenerationError for options that cannot be combined with `--items`."""
    for name, reason in _REFUSED.items():
        if given.get(name):
            raise GenerationError(f"--items cannot be combined with --{name.replace('_', '-')}: {reason}")
    if given["count"] > 1:
        raise GenerationError("--items cannot be combined with --count: --items is the number of texts")


def write_items(
    writer: "Writer", count: int, prompt: str, seed: int, options: Mapping[str, Any], as_json: bool
) -> None:
    """Print new items as they are found; report the discarded ones on standard error."""
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
                # Between items, not after the last one.
                # Not with `echo`, which removes anything that resembles a colour code.
                sys.stdout.write((items.separator[1:] if number else "") + item + "\n")
            sys.stdout.flush()
            number += 1
    finally:
        _report(number, items.counts)


def _report(number: int, counts: Mapping[str, int]) -> None:
    """Print the number of new items and of the discarded ones on standard error."""
    if number or any(counts.values()):
        copies = counts["copied"] + counts["held_out"]
        copied = f"{copies:,} copied ({counts['copied']:,} training, {counts['held_out']:,} held out)"
        others = f"{counts['twice']:,} repeated, {counts['unfinished']:,} unfinished"
        typer.echo(f"{number:,} new; discarded: {copied}, {others}", err=True)
