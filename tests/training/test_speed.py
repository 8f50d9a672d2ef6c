"""How fast this machine is, beside the one that plans were measured on."""

import pytest

from lilliput.training import speed


def test_the_speed_is_a_multiple_of_the_plans_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "block_seconds", lambda: speed.REFERENCE_SECONDS / 3)
    speed.machine_speed.cache_clear()
    assert speed.machine_speed() == pytest.approx(3)
    monkeypatch.setattr(speed, "block_seconds", lambda: 1.0)
    assert speed.machine_speed() == pytest.approx(3)  # one look is enough
    speed.machine_speed.cache_clear()


def test_a_block_takes_some_time() -> None:
    assert 0 < speed.block_seconds() < 60
