"""`lilliput sample --interactive`: write together with the model, word by word."""

import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from lilliput.writer import Writer

WORDS = 9
"""Number of words to pick from; one digit selects a word."""
HELP = "number: take a word; +: let the model choose; -: undo; text: write it yourself; empty line: finish"


def write_together(writer: "Writer", start: str, seed: int, options: dict[str, Any]) -> None:
    """Offer the most likely next words and append the chosen one, until an empty line."""
    from lilliput.writer import MOST_WORD_TOKENS

    texts = [start]
    typer.echo(HELP)
    while True:
        words = writer.next_words(texts[-1], WORDS, **options)
        typer.echo(f"\n{texts[-1]}\N{LOWER ONE QUARTER BLOCK}")
        for number, word in enumerate(words, 1):
            typer.echo(f"  {number}  {word.text.strip() or '(end of the word)':<24} {word.probability:6.1%}")
        typer.echo("> ", nl=False)
        answer = sys.stdin.readline()
        if not answer.strip():
            typer.echo(f"\n{texts[-1]}")
            return
        chosen = answer.rstrip("\n")
        if chosen == "-":
            del texts[max(1, len(texts) - 1) :]
        elif chosen == "+":
            drawing = options | {"until": "word", "max_tokens": MOST_WORD_TOKENS}
            texts.append(writer.write(texts[-1], seed=seed + len(texts), **drawing))
        elif chosen.isdecimal() and 1 <= int(chosen) <= len(words):
            texts.append(texts[-1] + words[int(chosen) - 1].text)
        else:
            # The line end is dropped; a space completes the typed word.
            texts.append(f"{texts[-1]}{chosen} ")
