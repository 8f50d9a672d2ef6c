"""Text in a notebook: one display that grows. Otherwise every line would become a separate display."""

import io
from typing import Any


class NotebookText(io.StringIO):
    """A stream whose text a notebook shows in one display, with a status line below that changes."""

    def __init__(self) -> None:
        super().__init__()
        self._status = ""
        self._display: Any = None

    def status(self, line: str) -> None:
        """Replace the status line below the text."""
        self._status = line
        self.flush()

    def flush(self) -> None:
        """Update the display."""
        text = self.getvalue() + self._status
        if not text:
            return
        content = {"text/plain": text}
        if self._display is None:
            from IPython.display import display

            self._display = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call,unused-ignore]
        else:
            self._display.update(content, raw=True)
