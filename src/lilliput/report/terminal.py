"""What reaches a terminal: texts and names may hold characters that rule it, and are shown without.

A model may have learnt the escape codes of a log file, and a file may be called "\\x1b[2J". So nothing is written to a
terminal but through here: the standard streams are `guarded`, and tables are shown by a `screen.Console`, which knows
its own codes from those in a text. Where no terminal reads, written text stays as it is.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Of C0 and C1 all but the tabulator and the line end."""


def printable(text: str) -> str:
    """Return a text with U+FFFD for every control character that is no tabulator and no line end."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


class Guarded:
    """A standard stream that is written to without control characters, always or where a terminal reads."""

    def __init__(self, stream: TextIO, *, always: bool) -> None:
        self._stream = stream
        self._guards = always or stream.isatty()

    @property
    def rich_proxied_file(self) -> TextIO:
        """Return the stream itself, to which rich writes: the codes of a `screen.Console` are its own."""
        return self._stream

    def write(self, text: str) -> int:
        """Write a text and return its length."""
        self._stream.write(printable(text) if self._guards else text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Guard the standard streams: messages are for people wherever they go, written text may go to a program."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Guarded(sys.stdout, always=False), Guarded(sys.stderr, always=True)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
