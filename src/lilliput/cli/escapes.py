"""Line ends and tabulators in texts that are typed: a shell passes `'\\n'` on as a backslash and a letter."""

import re

_ESCAPE = re.compile(r"\\([nt\\])")
_MEANT = {"n": "\n", "t": "\t", "\\": "\\"}


def unescaped(text: str) -> str:
    r"""Return a text with what `\n`, `\t` and `\\` stand for; any other backslash stays."""
    return _ESCAPE.sub(lambda found: _MEANT[found[1]], text)
