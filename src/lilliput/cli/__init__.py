"""The command line: `commands` has one module per command, and the modules here serve several of them or its options.

A command's module imports nothing heavy at the top, so that `--help` answers at once. Heavy imports are inside `run`.
"""

import os
import sys


def main(arguments: list[str] | None = None) -> None:
    """Run `lilliput` with `arguments` (default: those of the process) and exit."""
    try:
        _open_closed_streams()
        # Imported here, so that Ctrl-C is caught: the import takes a tenth of a second.
        from lilliput.cli.application import run

        code = run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _open_closed_streams() -> None:
    """Replace closed standard streams (`>&-`, services) by empty ones; the next file opened would take their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
