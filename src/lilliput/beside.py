"""Work in threads of its own, for what leaves the interpreter to others: sorting, compressing, encoding.

The standard library's executors refuse work as soon as the main thread has come to its end. A training in another
thread, for which the interpreter waits, could then neither begin nor end.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Beside(Generic[Result]):
    """A function that runs in a thread, from now on, or as soon as one of `places` is free."""

    def __init__(self, function: Callable[[], Result], places: threading.Semaphore | None = None) -> None:
        self._function = function
        self._places = places or threading.Semaphore()
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with self._places:
            try:
                self._results.append(self._function())
            except BaseException as error:  # raised where the result is asked for
                self._error = error

    def result(self) -> Result:
        """Wait for the function, and return what it returned or raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._results[0]
