"""How fast this machine is, beside the one that plans were measured on."""

import pytest

from lilliput.planning import throughput


def test_the_speed_is_a_multiple_of_the_plans_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "block_seconds", lambda: throughput.REFERENCE_SECONDS / 3)
    throughput.machine_speed.cache_clear()
    assert throughput.machine_speed() == pytest.approx(3)
    monkeypatch.setattr(throughput, "block_seconds", lambda: 1.0)
    assert throughput.machine_speed() == pytest.approx(3)  # one look is enough
    throughput.machine_speed.cache_clear()


def test_a_block_takes_some_time() -> None:
    assert 0 < throughput.block_seconds() < 60
