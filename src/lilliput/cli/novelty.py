"""`lilliput sample --novelty`: mark the parts of a text that are copied from the training text."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lilliput.evaluation.writing import Learnt


def learnt_by(run: Path) -> "Learnt":
    """Return an index of a run's training text; says on standard error if the index covers only a part."""
    from lilliput.evaluation.generation_metrics import read_texts
    from lilliput.evaluation.writing import Learnt

    texts = read_texts(run)
    if texts.training_share < 1:
        typer.echo(f"compared with the last {texts.training_share:.0%} of the training text", err=True)
    return Learnt(texts.training, texts.language, texts.items)


def show_marked(start: str, text: str, spans: Sequence[tuple[int, int]]) -> None:
    """Print a text after its start, with these spans underlined, or in double brackets if not on a terminal."""
    parts, position = [(start, False)], 0
    for begins, ends in spans:
        parts += [(text[position:begins], False), (text[begins:ends], True)]
        position = ends
    parts.append((text[position:], False))
    if not sys.stdout.isatty():
        # Not with `echo`, which removes anything that resembles a colour code.
        sys.stdout.write("".join(f"[[{part}]]" if copied else part for part, copied in parts) + "\n")
        return
    from rich.text import Text

    from lilliput.report.screen import Console
    from lilliput.report.terminal import printable

    shown = Text.assemble(*((printable(part), "underline" if copied else "") for part, copied in parts))
    Console(highlight=False).print(shown, soft_wrap=True)


def copy_figures(learnt: "Learnt", text: str) -> dict[str, Any]:
    """Return the share of copied 5-grams of words, and the length of the longest copied span in words.

    For a list or a collection, add the share of copied items.
    """
    items = learnt.copied_items(text)
    if items is not None:
        return _words(learnt, text) | {"copied_items": round(items, 4)}
    return _words(learnt, text)


def _words(learnt: "Learnt", text: str) -> dict[str, Any]:
    if not any(character.isalnum() for character in text):
        return {"copied": None, "longest_copied": 0}
    measured = learnt.measure(text)
    copied = None if measured.copied is None else round(measured.copied, 4)
    return {"copied": copied, "longest_copied": measured.longest.words if measured.longest else 0}
