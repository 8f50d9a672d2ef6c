"""A training run in a notebook: one display that is updated, with the curve, the latest sample and the log."""

import io
from html import escape
from typing import Any

from lilliput.report.live_curve import LiveCurve
from lilliput.report.terminal import printable


class NotebookDisplay(io.StringIO):
    """What a notebook shows of a run. Text that is written to it is the log, and after `close_log` the result.

    A front end without HTML shows the text, with the status line below it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.curve = LiveCurve()
        self._headline = ""
        self._progress = 0.0
        self._sample = ("", "")
        self._status = ""
        self._log_end: int | None = None
        self._display: Any = None

    def status(self, line: str, progress: float) -> None:
        """Replace the status line; `progress` is the finished share, 0 to 1."""
        self._status = self._headline = line
        self._progress = progress
        self.flush()

    def sample(self, title: str, text: str) -> None:
        """Replace the sample; it is shown at the next update."""
        self._sample = title, text

    def finish(self, line: str) -> None:
        """Show the end of the run instead of the status; it is shown at the next update."""
        self._headline, self._progress = line, 1.0

    def close_log(self) -> None:
        """End the log: what follows is the result."""
        self._status, self._log_end = "", len(self.getvalue())
        self.flush()

    def flush(self) -> None:
        """Update the display."""
        text = self.getvalue() + self._status
        if not text:
            return
        content = {"text/plain": text, "text/html": self._html()}
        if self._display is None:
            from IPython.display import display

            self._display = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call,unused-ignore]
        else:
            self._display.update(content, raw=True)

    def _html(self) -> str:
        title, sample = self._sample
        log, result = self.getvalue()[: self._log_end], ""
        if self._log_end is not None:
            result = self.getvalue()[self._log_end :]
        parts = [
            f'<div><progress value="{self._progress:.3f}"></progress> {_text(self._headline)}</div>',
            self.curve.svg(),
            f"<div><b>{_text(title)}</b></div>{_preformatted(sample)}" if sample.strip() else "",
            f"<details><summary>log</summary>{_preformatted(log)}</details>" if log else "",
            _preformatted(result) if result else "",
        ]
        return f'<div style="max-width: 60em">{"".join(parts)}</div>'


def _preformatted(text: str) -> str:
    # A notebook saved as a page shows the letters of outputs in the font around them.
    return f'<pre style="white-space: pre-wrap; font-family: monospace; word-break: normal">{_text(text)}</pre>'


def _text(text: str) -> str:
    return escape(printable(text))
