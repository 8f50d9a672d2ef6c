"""`lilliput compare`: finished runs side by side."""

import json
from pathlib import Path
from typing import Annotated

import typer


def run(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of finished runs.")],
    out: Annotated[Path | None, typer.Option(help="Draw the loss curves to this file (PNG and SVG).")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Compare finished runs: results, cost, and different settings."""
    from lilliput.report.comparison import compare, read_outcome

    def note(line: str) -> None:
        typer.echo(line, err=True)

    comparison = compare([read_outcome(run, note) for run in runs])
    pictures = []
    if out is not None:
        from lilliput.report.curves import read_curve
        from lilliput.report.plots import plot_runs

        pictures = plot_runs([read_curve(Path(row["run"]), note) for row in comparison["runs"]], out, against="seconds")
    if json_:
        typer.echo(json.dumps(comparison))
        return
    from lilliput.report.comparison import tables
    from lilliput.report.screen import Console

    console = Console(highlight=False)
    for part in tables(comparison):
        console.print(part, soft_wrap=isinstance(part, str))
    for picture in pictures:
        console.print(str(picture), soft_wrap=True)
