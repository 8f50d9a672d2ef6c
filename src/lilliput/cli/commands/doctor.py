"""`lilliput doctor`: find problems of a run and suggest remedies."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def run(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Find problems with a run, and suggest remedies."""
    from lilliput.evaluation.doctor import FEW_STEPS, diagnose, read_chart
    from lilliput.runs.folder import RunFolder

    chart = read_chart(RunFolder(run), lambda line: typer.echo(line, err=True))
    findings = diagnose(chart)
    if json_:
        typer.echo(
            json.dumps({"run": str(run), "steps": chart.done, "findings": [asdict(finding) for finding in findings]})
        )
        return
    from lilliput.report.screen import Console

    console = Console(highlight=False)
    steps = f"{chart.done:,} step{'s' * (chart.done != 1)} done"
    if not chart.evaluations:
        console.print("no evaluation yet: try again after the first one", soft_wrap=True)
    elif chart.done < FEW_STEPS:
        console.print(f"{steps}: too few for a diagnosis, which needs {FEW_STEPS}", soft_wrap=True)
    elif not findings:
        console.print(f"{steps}: no problems found", soft_wrap=True)
    else:
        console.print(f"{steps}:", soft_wrap=True)
    for finding in findings:
        console.print(f"{finding.kind}: {finding.text}", soft_wrap=True, markup=False)
        console.print(f"  remedy: {finding.remedy}", soft_wrap=True, markup=False)
