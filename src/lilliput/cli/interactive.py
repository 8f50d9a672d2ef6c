"""`lilliput sample --interactive`: writing together, word by word."""

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lilliput.writer import Continuation, Writer

CHOICES, SEARCHED, LONGEST = 9, 36, 32
"""Words that are offered, of how many that are looked for, and tokens of the longest."""
HELP = "a number takes a word, + lets the model draw one, - takes the last back, other text is written; empty ends"


def write_together(writer: "Writer", start: str, seed: int, options: dict[str, Any]) -> None:
    """Offer the likeliest next words, and go on with what is chosen, until nothing is."""
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
            typer.echo(f"  {number}  {word.strip() or '(the word ends)':<24} {probability:6.1%}")
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
            # What ends a line is not part of it, but a word that is written whole is one.
            texts.append(f"{texts[-1]}{chosen} ")


def _words(found: "Sequence[Continuation]") -> list[tuple[str, float]]:
    """Return the words that were found, the likeliest first; one that is spelled in several ways is the sum of them."""
    words: dict[str, float] = {}
    for one in found:
        words[one.text] = words.get(one.text, 0.0) + math.exp(one.log_probability)
    return sorted(words.items(), key=lambda word: -word[1])
