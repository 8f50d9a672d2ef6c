"""`lilliput demo`: watch a model learn, in two minutes."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

TEXTS = ("shakespeare-plays", "python-docs")
"""Best first; the last one is always available."""


def run(
    minutes: Annotated[float, typer.Option(help="Time budget in minutes.")] = 2.0,
    out: Annotated[Path, typer.Option(help="The run folder.")] = Path("runs/demo"),
) -> int:
    """Train for two minutes on a known corpus, and show the result."""
    from lilliput.api import run_task
    from lilliput.cli.showing import download_progress
    from lilliput.errors import CorpusError
    from lilliput.interrupts import Interrupts
    from lilliput.planning.resolve import Task, resolve
    from lilliput.report.screen import Console
    from lilliput.report.terminal_tables import print_evaluation

    def find() -> Task:
        settings = {"training.minutes": minutes}
        for name in TEXTS[:-1]:
            try:
                with download_progress() as progress:
                    return resolve([name], settings=settings, progress=progress)
            except CorpusError as error:
                typer.echo(f"{name} is not available ({error}); using another text", err=True)
        return resolve([TEXTS[-1]], settings=settings)

    task = find()
    typer.echo(f"Training a new model: {minutes:g} minutes on {task.name}.", err=True)
    with Interrupts() as interrupts:
        finished = run_task(task, out, fresh=True, stop=interrupts.wanted)
    if finished.evaluation is None:
        return interrupts.exit_code
    console = Console(highlight=False)
    print_evaluation(console, finished.evaluation)
    run = shlex.quote(str(out))
    console.print(f"loss curves: {out / 'loss.png'}\n", soft_wrap=True)
    console.print("What to try next:", style="bold")
    for command in (
        f'lilliput sample {run} --prompt "{_prompt(task.name)}" --count 3',
        f"lilliput serve {run}",
        "lilliput train YOUR-TEXT.txt --minutes 10",
        "lilliput recipes",
    ):
        console.print(f"  {command}", soft_wrap=True, markup=False)
    return 0


def _prompt(name: str) -> str:
    return "KING HENRY." if name == "shakespeare-plays" else "The statement"
