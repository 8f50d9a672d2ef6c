"""Work in threads of its own."""

import threading
from functools import partial

import pytest

from lilliput.beside import Beside


def test_results_and_errors_come_to_who_asks() -> None:
    running = [Beside(partial(divmod, 7, number)) for number in (2, 0, 3)]
    assert running[0].result() == running[0].result() == (3, 1)
    assert running[2].result() == (2, 1)
    with pytest.raises(ZeroDivisionError):
        running[1].result()


def test_no_more_run_than_there_are_places() -> None:
    places, going, most = threading.Semaphore(2), threading.Semaphore(0), []
    lock, now = threading.Lock(), [0]

    def work() -> None:
        with lock:
            now[0] += 1
            most.append(now[0])
        going.acquire()
        with lock:
            now[0] -= 1

    running = [Beside(work, places) for _ in range(6)]
    for _ in running:
        going.release()
    for one in running:
        one.result()
    assert len(most) == 6
    assert max(most) <= 2
