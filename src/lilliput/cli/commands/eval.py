"""`lilliput eval`: measure a run on the whole held-out text."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lilliput.cli.read_options import Encoding, Field, settings_of


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    text: Annotated[str | None, typer.Option(help="Measure on this text or file of answers instead.")] = None,
    encoding: Encoding = None,
    field: Field = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Measure a run on held-out text, and compare it with baselines.

    Prints loss, perplexity, and bits per character and byte. For prompts with
    answers, prints the share of correct answers.
    """
    from lilliput.report.terminal_tables import print_evaluation
    from lilliput.training.evaluator import evaluate_run
    from lilliput.writer import load

    notes: list[str] = []
    writer = load(run, note=lambda line: typer.echo(line, err=True))
    report = evaluate_run(writer, run, text, settings_of(encoding, field), notes.append)
    for note in notes:
        typer.echo(note, err=True)
    if json_:
        typer.echo(json.dumps(report))
        return
    from lilliput.report.screen import Console

    print_evaluation(Console(highlight=False), report)
