"""The command line: one file per verb, which parses, calls and prints.

A verb's module imports nothing heavy at its top, so that `--help` answers at once; what it needs is imported where it
runs.
"""

import importlib
import io
import os
import sys

import typer
from typer.exceptions import TyperException

from lilliput.errors import LilliputError

VERBS = ("train", "plan", "sample", "eval", "judge", "doctor", "compare", "sweep", "plot", "recipes", "corpora", "demo")


def main(arguments: list[str] | None = None) -> None:
    """Run `lilliput` with `arguments` (default: those of the process) and exit."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A model may write what the terminal's encoding lacks; that is no reason to stop.
            stream.reconfigure(errors="replace")
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    verbs = arguments[:1] if arguments and arguments[0] in VERBS else VERBS
    sys.exit(_run(build_app(verbs), arguments, debug))


def build_app(verbs: tuple[str, ...] | list[str] = VERBS) -> typer.Typer:
    """Return the command-line application with only these verbs loaded."""
    app = typer.Typer(
        name="lilliput",
        help="Train tiny language models from scratch, on your own text, on the machine that is there.",
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for verb in verbs:
        module = importlib.import_module(f"lilliput.cli.{verb}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(module.run)
    return app


def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error (may stand anywhere)."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"lilliput {installed('lilliput')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _run(app: typer.Typer, arguments: list[str], debug: bool) -> int:
    try:
        result = typer.main.get_command(app).main(args=arguments, prog_name="lilliput", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except TyperException as error:
        if debug:
            raise
        verb = arguments[0] + " " if arguments and arguments[0] in VERBS else ""
        message = " ".join(error.format_message().split()).rstrip(".")
        typer.echo(f"error: {message}. See lilliput {verb}--help.", err=True)
        return 2
    except LilliputError as error:
        if debug:
            raise
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        # The reader of our output went away (`lilliput sample RUN | head`); that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
