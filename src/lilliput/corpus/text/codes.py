"""Codes by which a terminal or a chat shows colours: they are taken out of a text, since nobody wrote them.

Terminals: ECMA-48's sequences that begin with ESC, the bell, and a letter that is struck twice (as `man` writes bold
ones). Chats: mIRC's colours and styles (https://modern.ircdocs.horse/formatting.html).
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
_SIGNS = re.compile(r"[\x02\x03\x07\x08\x0f\x11\x16\x1d-\x1f\x1b]")
_BEGUN = re.compile(r"(?:\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,500}\x1b?|[ -/])?|.)\Z", re.DOTALL)
"""What a text without codes may end in that is the beginning of one."""
_LONGEST = 600
"""Characters, more than any code has."""
_LONGER = re.compile(r"\x03[\d,]{0,5}\Z")
"""A code that may go on."""


class Codes:
    """Takes codes out of a text that comes in pieces, and counts them."""

    def __init__(self) -> None:
        self.count = 0
        self._held = ""

    def take_out(self, text: str, final: bool = True) -> str:
        """Return what was held back and `text` without codes; what may be the beginning of one is held back."""
        text, self._held = self._held + text, ""
        kept: list[str] = []
        done = 0
        for code in _CODES.finditer(text) if _SIGNS.search(text) else ():
            if not final and _LONGER.match(text, code.start()):
                break
            kept.append(text[done : code.start()])
            done = code.end()
            self.count += 1
        rest = text[done:]
        if not final and (begun := _LONGER.search(end := rest[-_LONGEST:]) or _BEGUN.search(end)):
            self._held = begun[0]
        return "".join([*kept, rest[: len(rest) - len(self._held)]])

    def notes(self, name: str) -> tuple[str, ...]:
        """Return the note on how many codes were removed."""
        if not self.count:
            return ()
        return (f"{name}: {counted(self.count, 'code')} of a terminal or chat taken out (colours and the like)",)
