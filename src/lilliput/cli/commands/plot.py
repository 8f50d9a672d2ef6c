"""`lilliput plot`: draw the loss curves of one or more runs as PNG and SVG."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders.")],
    out: Annotated[
        Path | None, typer.Option(help="File name; writes a PNG and an SVG. Default: loss.png in the first run.")
    ] = None,
) -> None:
    """Draw the loss curves, the baselines and the learning rate."""
    from lilliput.report.curves import read_curve
    from lilliput.report.plots import plot_runs

    curves = [read_curve(run, lambda line: typer.echo(line, err=True)) for run in runs]
    for path in plot_runs(curves, out or runs[0] / "loss.png"):
        typer.echo(str(path))
