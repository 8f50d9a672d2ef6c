"""Text in a notebook: one display that grows, where every line would otherwise be a display of its own."""

import io
from typing import Any


class NotebookText(io.StringIO):
    """A stream whose whole text a notebook shows in one place, with a line below it that changes."""

    def __init__(self) -> None:
        super().__init__()
        self._status = ""
        self._display: Any = None

    def status(self, line: str) -> None:
        """Show a line below the text, in place of the one before."""
        self._status = line
        self.flush()

    def flush(self) -> None:
        """Show the text as it is now."""
        text = self.getvalue() + self._status
        if not text:
            return
        content = {"text/plain": text}
        if self._display is None:
            from IPython.display import display

            self._display = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call,unused-ignore]
        else:
            self._display.update(content, raw=True)
