"""Background threads for work that releases the interpreter lock: sorting, compressing, encoding.

The standard library's executors refuse work once the main thread has ended. A training run in another thread, for
which the interpreter waits, could then neither start nor finish.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Beside(Generic[Result]):
    """A function that runs in a thread: at once, or as soon as one of `slots` is free."""

    def __init__(self, function: Callable[[], Result], slots: threading.Semaphore | None = None) -> None:
        self._function = function
        self._slots = slots or threading.Semaphore()
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._slots:
            try:
                self._results.append(self._function())
            except BaseException as error:  # raised again by `result`
                self._error = error

    def result(self) -> Result:
        """Wait for the function, and return what it returned or raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
