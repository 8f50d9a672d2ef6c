"""Signals wait until what is being done is done."""

import signal
from collections.abc import Iterator

import pytest

from lilliput.interrupts import SIGNALS, Interrupts


def own(number: int, frame: object) -> None:
    raise InterruptedError(number)


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    former = {number: signal.signal(number, own) for number in SIGNALS}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_waits_and_a_second_one_does_not(name: str, code: int) -> None:
    with Interrupts() as interrupts:
        assert not interrupts.wanted()
        signal.raise_signal(getattr(signal, name))
        assert interrupts.wanted()
        assert interrupts.exit_code == code
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    # Then it does what it would have done.
    with pytest.raises(InterruptedError, match=str(int(getattr(signal, name)))):
        interrupts.stop()


def test_a_signal_that_its_owner_lets_pass_stops_all_the_same() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        interrupts.stop()


def test_what_nohup_lets_a_program_ignore_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGHUP)
    assert not interrupts.wanted()
