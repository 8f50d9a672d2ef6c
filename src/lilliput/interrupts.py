"""Signals that stop a training run wait until the current step is finished and the run is saved.

Ctrl-C and a notebook's stop button send SIGINT, `kill` sends SIGTERM, and a closing terminal sends SIGHUP. Training in
another thread gets no signals; there the interpreter waits for the thread before it exits.
"""

import atexit
import signal
import threading
from types import FrameType, TracebackType
from typing import NoReturn

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """A context in which the first signal sets a flag and the second raises KeyboardInterrupt.

    `exit_code` is then 128 + the signal's number.
    """

    def __init__(self) -> None:
        self._received = 0
        self._former: dict[int, object] = {}
        self._left = threading.Event()

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is not threading.main_thread():
            atexit.register(self._wait_for_the_end)
            return self
        for number in SIGNALS:
            former = signal.getsignal(number)
            # A signal that `nohup` ignores stays ignored.
            if number == signal.SIGINT or former is not signal.SIG_IGN:
                self._former[number] = former
                signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._left.set()
        atexit.unregister(self._wait_for_the_end)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            raise KeyboardInterrupt
        self._received = number

    def _wait_for_the_end(self) -> None:
        """Keep the interpreter alive until the thread has left this context."""
        self._received = signal.SIGTERM
        self._left.wait()

    def wanted(self) -> bool:
        """Whether something asked to stop."""
        return self._received != 0

    def stop(self) -> NoReturn:
        """Raise the received signal again, to call after the context; in another thread, end the thread."""
        if self._former:
            signal.raise_signal(self._received)
            raise KeyboardInterrupt
        raise SystemExit(self.exit_code)

    @property
    def exit_code(self) -> int:
        """The exit code of the signal: 129 for SIGHUP, 130 for SIGINT, 143 for SIGTERM."""
        return 128 + self._received
