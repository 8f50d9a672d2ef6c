"""`lilliput corpora`: list and fetch the known corpora."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List the known corpora, or fetch one.", invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def list_corpora(
    context: typer.Context,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object per corpus, for programs.")] = False,
) -> None:
    """List the known corpora with their licences and sources."""
    if context.invoked_subcommand is not None:
        return
    from lilliput.corpus import known_corpora

    rows = [asdict(info) for info in known_corpora()]
    if json_:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False, default=str))
        return
    from lilliput.report.screen import Console
    from lilliput.report.terminal_tables import table

    columns = ["name", "description", "language", "licence", "characters", "where"]
    Console(highlight=False).print(table(rows, columns))


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of a known corpus.")],
    file: Annotated[Path | None, typer.Option("--from", help="Use your own copy: a file or a folder.")] = None,
) -> None:
    """Fetch a corpus into the cache and print its path."""
    from lilliput.cli.showing import download_progress
    from lilliput.corpus import fetch

    with download_progress() as progress:
        path = fetch(name, file, progress)
    typer.echo(str(path))
