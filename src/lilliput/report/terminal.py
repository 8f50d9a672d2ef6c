"""Protection of the terminal: control characters in texts and names are replaced.

A model may have learnt the escape codes of a log file, and a file name may contain "\\x1b[2J". So all terminal output
goes through here: the standard streams are `guarded`, and tables use `screen.Console`, which distinguishes its own
codes from those in a text. Generated text that goes to a file or a pipe is not changed.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All of C0 and C1 except tab and line feed."""


def printable(text: str) -> str:
    """Return a text with every control character except tab and line feed replaced by U+FFFD."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


class Guarded:
    """A standard stream without control characters: always, or only on a terminal."""

    def __init__(self, stream: TextIO, *, always: bool) -> None:
        self._stream = stream
        self._guards = always or stream.isatty()

    @property
    def rich_proxied_file(self) -> TextIO:
        """The unguarded stream, for rich: `screen.Console` has already removed foreign codes."""
        return self._stream

    def write(self, text: str) -> int:
        """Write a text and return its length."""
        self._stream.write(printable(text) if self._guards else text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard the standard streams: standard error always, standard output only on a terminal."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Guarded(sys.stdout, always=False), Guarded(sys.stderr, always=True)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
