"""Remove the control codes of terminals and chats, such as colours.

Terminals: ECMA-48's escape sequences, the bell, and overstruck letters (bold letters in the output of `man`). Chats:
mIRC's colours and styles (https://modern.ircdocs.horse/formatting.html).
"""

import re

from lilliput.wording import counted

_CODES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # a control sequence, such as a colour
    r"|\x1b\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)"  # a command to the system, such as a title
    r"|\x1b[ -/][0-~]|\x1b[@-Z\\^_]"
    r"|\x03(?:\d{1,2}(?:,\d{1,2})?)?|[\x02\x07\x0f\x11\x16\x1d\x1e\x1f]"
    r"|[^\n]\x08"
)
_CONTROLS = re.compile(r"[\x02\x03\x07\x08\x0f\x11\x16\x1d-\x1f\x1b]")
_INCOMPLETE = re.compile(r"(?:\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,500}\x1b?|[ -/])?|.)\Z", re.DOTALL)
"""A possible start of a code at the end of a text."""
_LONGEST = 600
"""Characters; more than any code has."""
_EXTENDABLE = re.compile(r"\x03[\d,]{0,5}\Z")
"""A complete code at the end of a text that the next piece may extend."""


class Codes:
    """Remove codes from a text that comes in pieces, and count them."""

    def __init__(self) -> None:
        self.count = 0
        self._held = ""

    def remove(self, text: str, final: bool = True) -> str:
        """Return the text without codes; unless `final`, hold back the possible start of a code."""
        text, self._held = self._held + text, ""
        kept: list[str] = []
        done = 0
        for code in _CODES.finditer(text) if _CONTROLS.search(text) else ():
            if not final and _EXTENDABLE.match(text, code.start()):
                break
            kept.append(text[done : code.start()])
            done = code.end()
            self.count += 1
        rest = text[done:]
        if not final and (match := _EXTENDABLE.search(end := rest[-_LONGEST:]) or _INCOMPLETE.search(end)):
            self._held = match[0]
        return "".join([*kept, rest[: len(rest) - len(self._held)]])

    def notes(self, name: str) -> tuple[str, ...]:
        """Return the note on how many codes were removed."""
        if not self.count:
            return ()
        return (f"{name}: {counted(self.count, 'code')} of a terminal or chat removed, such as colours",)
