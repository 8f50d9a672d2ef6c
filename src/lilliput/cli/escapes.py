"""Escapes in typed texts: a shell passes `'\\n'` on as a backslash and a letter."""

import re

_ESCAPE = re.compile(r"\\([nt\\])")
_CHARACTERS = {"n": "\n", "t": "\t", "\\": "\\"}


def unescaped(text: str) -> str:
    r"""Replace `\n`, `\t` and `\\` by a line end, a tab and a backslash; keep any other backslash."""
    return _ESCAPE.sub(lambda match: _CHARACTERS[match[1]], text)
