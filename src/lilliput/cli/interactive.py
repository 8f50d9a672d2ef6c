"""`lilliput sample --interactive`: writing together, word by word."""

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lilliput.writer import Continuation, Writer

CHOICES, SEARCHED, LONGEST = 9, 36, 32
"""Words offered, beams searched for them, and the maximum tokens of a word."""
HELP = "number: take a word; +: let the model choose; -: undo; text: write it yourself; empty line: finish"


def write_together(writer: "Writer", start: str, seed: int, options: dict[str, Any]) -> None:
    """Offer the most likely next words and append the chosen one, until an empty line."""
    texts = [start]
    searching = options | {
        "beams": SEARCHED,
        "beam_groups": 1,
        "until": "word",
        "max_tokens": LONGEST,
        "length_penalty": 0.0,
    }
    typer.echo(HELP)
    while True:
        found = _words(writer.search(texts[-1], **searching))[:CHOICES]
        typer.echo(f"\n{texts[-1]}\N{LOWER ONE QUARTER BLOCK}")
        for number, (word, probability) in enumerate(found, 1):
            typer.echo(f"  {number}  {word.strip() or '(end of the word)':<24} {probability:6.1%}")
        typer.echo("> ", nl=False)
        answer = sys.stdin.readline()
        if not answer.strip():
            typer.echo(f"\n{texts[-1]}")
            return
        chosen = answer.rstrip("\n")
        if chosen == "-":
            del texts[max(1, len(texts) - 1) :]
        elif chosen == "+":
            drawing = options | {"until": "word", "max_tokens": LONGEST}
            texts.append(writer.write(texts[-1], seed=seed + len(texts), **drawing))
        elif chosen.isdecimal() and 1 <= int(chosen) <= len(found):
            texts.append(texts[-1] + found[int(chosen) - 1][0])
        else:
            # The line end is dropped; a space completes the typed word.
            texts.append(f"{texts[-1]}{chosen} ")


def _words(found: "Sequence[Continuation]") -> list[tuple[str, float]]:
    """Return the words found, most likely first; sums the probabilities of a word's different tokenisations."""
    words: dict[str, float] = {}
    for one in found:
        words[one.text] = words.get(one.text, 0.0) + math.exp(one.log_probability)
    return sorted(words.items(), key=lambda word: -word[1])
