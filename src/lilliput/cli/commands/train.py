"""`lilliput train`: train on a text or by a recipe, into a run folder."""

import json
import shlex
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lilliput.cli.read_options import Encoding, Exclude, Field, Include, given_settings

if TYPE_CHECKING:
    from lilliput.training.events import Finished


def run(
    target: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            help="Texts (files, folders, a known corpus, - for standard input), prompts with answers, or a recipe.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: runs/NAME.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time budget in minutes, including evaluation.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: --set model.layers=6.")
    ] = None,
    encoding: Encoding = None,
    include: Include = None,
    exclude: Exclude = None,
    field: Field = None,
    corpus: Annotated[
        str | None, typer.Option(help="Use this text or file of answers instead of the recipe's.")
    ] = None,
    validation: Annotated[
        str | None, typer.Option(help="Validate on this text or file instead of a part of the training text.")
    ] = None,
    base: Annotated[Path | None, typer.Option(help="Start with the weights and tokenizer of this run.")] = None,
    seed: Annotated[int | None, typer.Option(help="Random seed of the run.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the run in the folder and start over.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Show curves and samples in a web page meanwhile.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end, for programs.")] = False,
) -> int:
    """Train a model, or continue a run. Repeat the command to continue a stopped run."""
    started = time.monotonic()
    from lilliput.api import run_task
    from lilliput.cli.live import live_page
    from lilliput.cli.showing import download_progress, show_evaluation
    from lilliput.interrupts import Interrupts
    from lilliput.planning.resolve import resolve
    from lilliput.recipe import parse_setting

    settings = dict(parse_setting(text) for text in set_ or [])
    given = {"training.minutes": minutes, "seed": seed}
    settings |= {key: value for key, value in given.items() if value is not None}
    settings |= given_settings(encoding, include, exclude, field)
    with download_progress() as progress:
        task = resolve(target, corpus=corpus, validation=validation, settings=settings, progress=progress)
    folder = out or Path("runs") / task.name
    command = shlex.join(["lilliput", *(word for word in sys.argv[1:] if word != "--fresh")])
    try:
        with live_page(folder) if live else nullcontext(), Interrupts() as interrupts:
            finished = run_task(task, folder, base=base, fresh=fresh, stop=interrupts.wanted, started=started)
    except KeyboardInterrupt:
        typer.echo(f"stopped; to continue: {command}", err=True)
        return interrupts.exit_code
    if finished.interrupted:
        typer.echo(f"stopped after step {finished.step}; to continue: {command}", err=True)
        return interrupts.exit_code
    if json_:
        typer.echo(json.dumps(_summary(finished)))
    else:
        show_evaluation(finished)
    return 0


def _summary(finished: "Finished") -> dict[str, Any]:
    evaluation = finished.evaluation
    assert evaluation is not None
    summary = {
        "run": str(finished.folder),
        "steps": finished.step,
        "seconds": round(finished.seconds, 1),
        "parameters": finished.parameters,
    }
    if "exact_match" in evaluation:
        return summary | {"validation_loss": evaluation["loss"]} | evaluation
    return summary | {
        "bits_per_character": evaluation["bits_per_character"],
        "validation_loss": evaluation["loss"],
        "sampled_share": evaluation["sampled_share"],
    }
