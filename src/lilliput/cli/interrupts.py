"""Ctrl-C and SIGTERM finish the step that is being taken; a second one stops at once."""

import signal
import threading
from types import FrameType, TracebackType


class Interrupts:
    """Context in which SIGINT and SIGTERM set a flag; `exit_code` is then 128 + the signal's number."""

    def __init__(self) -> None:
        self._received = 0
        self._former: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        # Only the main thread may set handlers; elsewhere (a notebook's worker) the caller keeps its own.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            raise KeyboardInterrupt
        self._received = number

    def wanted(self) -> bool:
        """Whether a signal asked to stop."""
        return self._received != 0

    @property
    def exit_code(self) -> int:
        """The exit code that says which signal it was: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self._received
