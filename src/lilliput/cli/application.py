"""The application: registers the commands and turns every error into an exit code and at most one line."""

import importlib
import io
import os
import sys
from contextlib import suppress

import typer
from typer.exceptions import TyperException

from lilliput.errors import LilliputError

RENAMED_FLAGS = {"--length": "--max-tokens", "--characters": "--max-characters"}
"""Flags of earlier versions."""
VERBS = (
    "train",
    "plan",
    "sample",
    "serve",
    "eval",
    "judge",
    "score",
    "verse",
    "doctor",
    "compare",
    "sweep",
    "plot",
    "recipes",
    "corpora",
    "demo",
)


def run(arguments: list[str]) -> int:
    """Run `lilliput` with `arguments` and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A model may write characters that are missing from the encoding of the terminal.
            stream.reconfigure(errors="replace")
    from lilliput.report.terminal import guarded

    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    verbs = arguments[:1] if arguments and arguments[0] in VERBS else VERBS
    with guarded():
        return _run(build_app(verbs), arguments, debug)


def build_app(verbs: tuple[str, ...] | list[str] = VERBS) -> typer.Typer:
    """Return the command-line application with only these commands loaded."""
    app = typer.Typer(
        name="lilliput",
        help="Train tiny language models from scratch, on your own text and your own computer.",
        invoke_without_command=True,
        add_completion=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for verb in verbs:
        module = importlib.import_module(f"lilliput.cli.commands.{verb}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(module.run)
    return app


def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit.", is_eager=True),
    debug: bool = typer.Option(
        False, "--debug", help="Show the traceback of an error (allowed anywhere in the command)."
    ),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"lilliput {installed('lilliput')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _run(app: typer.Typer, arguments: list[str], debug: bool) -> int:
    try:
        result = typer.main.get_command(app).main(args=arguments, prog_name="lilliput", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except TyperException as error:
        if debug:
            raise
        verb = arguments[0] + " " if arguments and arguments[0] in VERBS else ""
        message = " ".join(error.format_message().split()).rstrip(".")
        former = getattr(error, "option_name", "")
        if former in RENAMED_FLAGS:
            message = f"{former} is now {RENAMED_FLAGS[former]}"
        return _refuse(f"{message}. See lilliput {verb}--help.")
    except LilliputError as error:
        if debug:
            raise
        return _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as stop:
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        return _reader_gone()
    except OSError as error:
        if debug:
            raise
        reason = error.strerror or str(error)
        if error.filename:
            return _refuse(f"{error.filename}: {reason}")
        # A stream's error has no name.
        _forget(1)
        return _refuse(f"cannot write the output: {reason}")


def _refuse(message: str) -> int:
    try:
        typer.echo(f"error: {' '.join(message.split())}", err=True)
    except OSError:  # standard error is closed
        _forget(2)
    return 2


def _reader_gone() -> int:
    """Return the exit code after a reader closed the pipe (`lilliput sample RUN | head`), which is no error."""
    _forget(1)
    return 0


def _forget(number: int) -> None:
    """Send the rest of a standard stream to the null device; flushing it at exit would fail otherwise."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
