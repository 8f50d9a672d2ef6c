"""`lilliput serve`: a page to play with models, and the API of OpenAI."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

Token = Annotated[
    str | None,
    typer.Option(
        envvar="LILLIPUT_TOKEN", help="Secret that every request must send; required for a host other than loopback."
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", metavar="URL", help="Web site whose pages may use the API (CORS); repeatable."),
]


def run(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN...", help="Run folders to offer.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; by default the first free one from 8000 on.")
    ] = None,
    token: Token = None,
    origins: Origins = None,
    folder: Annotated[
        Path, typer.Option("--runs", metavar="FOLDER", help="Folder of runs to show in the page, and to train into.")
    ] = Path("runs"),
    watch: Annotated[
        str | None, typer.Option(hidden=True, help="PROCESS:RUN that `lilliput train --live` trains.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=1024, help="Texts that a model writes at the same time.")] = 32,
    queue: Annotated[int, typer.Option(min=0, max=100_000, help="Texts that may wait for their turn.")] = 128,
) -> None:
    """Serve models: a page to play with them, and the API of OpenAI."""
    from lilliput.errors import RunError
    from lilliput.serve.application import Application
    from lilliput.serve.models import ServedModels
    from lilliput.serve.security import is_loopback
    from lilliput.serve.server import listen, serve
    from lilliput.serve.training.jobs import Trainings

    if not is_loopback(host) and not token:
        raise RunError(
            f"others can reach {host}: choose a secret with --token TOKEN (or LILLIPUT_TOKEN), or leave out --host"
        )
    with ExitStack() as closing:
        listener = closing.enter_context(listen(host, port))
        models = ServedModels(runs or [], lambda text: typer.echo(text, err=True), rows=rows, most_waiting=queue)
        closing.callback(models.close)
        trainings = Trainings(folder)
        closing.callback(trainings.close)
        if watch is not None:
            process, _, name = watch.partition(":")
            trainings.watch(name, int(process))
        application = Application(models, trainings, host=host, token=token, origins=tuple(origins or ()))
        address, number = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address

        def started() -> None:
            names = ", ".join(model.name for model in models) or "no model"
            typer.echo(f"serving {names} at http://{shown}:{number} (Ctrl-C stops)")

        serve(application, listener, started)
