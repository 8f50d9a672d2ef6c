"""`lilliput sweep`: compare settings on one text, with several seeds and equal lengths."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lilliput.sweep import Turn


def run(
    target: Annotated[
        list[str], typer.Argument(metavar="TARGET", help="Texts, a .jsonl file of prompts and answers, or a recipe.")
    ],
    try_: Annotated[
        list[str],
        typer.Option(
            "--try",
            metavar="SETTINGS",
            help='Settings to try, "model.layers=2 model.width=96", or several values: "a=1|2".',
        ),
    ],
    minutes: Annotated[float | None, typer.Option(help="Time budget of each run, in minutes.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of runs of each alternative.")] = 3,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep. Default: runs/sweep-NAME.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting in all runs.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Use this text or file of answers instead of the recipe's.")
    ] = None,
    validation: Annotated[str | None, typer.Option(help="Validate on this text or file.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> int:
    """Try several settings on one text, each with several seeds.

    All runs have the same length. One alternative is the unchanged plan.
    """
    from lilliput.interrupts import Interrupts
    from lilliput.planning.resolve import Task, resolve
    from lilliput.recipe import parse_setting
    from lilliput.report.alternatives import plot_alternatives
    from lilliput.sweep import read_alternatives, summary, sweep, write_summary

    common = dict(parse_setting(text) for text in set_ or [])
    if minutes is not None:
        common["training.minutes"] = minutes

    def task(settings: Mapping[str, Any]) -> Task:
        return resolve(target, corpus=corpus, validation=validation, settings={**common, **settings})

    alternatives = read_alternatives(try_)
    folder = out or Path("runs") / f"sweep-{task({}).name}"
    with Interrupts() as interrupts:
        outcomes = sweep(task, alternatives, seeds, folder, stop=interrupts.wanted, beginning=_announce)
    if outcomes is None:
        typer.echo(f"stopped; to continue: {shlex.join(['lilliput', *sys.argv[1:]])}", err=True)
        return interrupts.exit_code
    rows = summary(outcomes)
    write_summary(rows, folder)
    pictures = plot_alternatives(rows, folder / "sweep.png")
    if json_:
        typer.echo(json.dumps({"folder": str(folder), "alternatives": rows}))
        return 0
    _print(rows, pictures)
    return 0


def _announce(turn: "Turn") -> None:
    typer.echo(f"run {turn.number} of {turn.of}: {turn.alternative.name}, seed {turn.seed}", err=True)


def _print(rows: Sequence[Mapping[str, Any]], pictures: Sequence[Path]) -> None:
    from lilliput.report.screen import Console
    from lilliput.report.terminal_tables import table

    console = Console(highlight=False)
    answers = "exact_match" in rows[0]
    key = "exact_match" if answers else "bits_per_character"
    shown = []
    for row in rows:
        figures = {
            name: "not finite" if row[name] is None else f"{row[name]:.4f}" for name in (key, "least", "greatest")
        }
        costs = {"parameters": row["parameters"], "steps": int(row["steps"]), "minutes": f"{row['seconds'] / 60:.1f}"}
        shown.append({"alternative": row["alternative"], **figures, **costs})
    heading = "answers right" if answers else "bits per character"
    columns = {"alternative": "", key: heading, "least": "least", "greatest": "greatest"}
    shown_table = table(shown, columns | {name: name for name in ("parameters", "steps", "minutes")})
    shown_table.numeric = set(shown_table.columns) - {"alternative"}
    console.print(shown_table)
    console.print(f"medians of {len(rows[0]['values'])} seeds; picture: {pictures[0]}", soft_wrap=True)
