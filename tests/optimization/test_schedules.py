import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.optimization.schedules import rate_factor
from lilliput.optimization.settings import ScheduleSettings


def settings(**values: object) -> ScheduleSettings:
    return ScheduleSettings.model_validate({"warmup": 0.1, "final": 0.2, "decay": 0.5} | values)


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [
        ("constant", 0.05, 0.5),
        ("constant", 0.1, 1.0),
        ("constant", 1.0, 1.0),
        ("cosine", 0.1, 1.0),
        ("cosine", 0.55, 0.6),
        ("cosine", 1.0, 0.2),
        ("linear", 0.1, 1.0),
        ("linear", 0.55, 0.6),
        ("linear", 1.0, 0.2),
        ("wsd", 0.5, 1.0),
        ("wsd", 0.75, 0.6),
        ("wsd", 1.0, 0.2),
    ],
)
def test_known_points(schedule: str, progress: float, expected: float) -> None:
    assert math.isclose(rate_factor(settings(schedule=schedule), progress), expected)


@given(
    schedule=st.sampled_from(["constant", "cosine", "linear", "wsd"]),
    progress=st.floats(0, 1.5),
    warmup=st.floats(0, 0.9),
    final=st.floats(0, 1),
    decay=st.floats(0.01, 1),
)
def test_the_rate_never_leaves_its_bounds(
    schedule: str, progress: float, warmup: float, final: float, decay: float
) -> None:
    factor = rate_factor(settings(schedule=schedule, warmup=warmup, final=final, decay=decay), progress)
    assert 0 <= factor <= 1
    if progress < warmup:
        assert factor > 0  # the first step moves the weights
    else:
        assert factor >= final - 1e-12


@given(schedule=st.sampled_from(["cosine", "linear", "wsd"]), one=st.floats(0.1, 1), other=st.floats(0.1, 1))
def test_after_the_warm_up_the_rate_only_falls(schedule: str, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert rate_factor(settings(schedule=schedule), early) >= rate_factor(settings(schedule=schedule), late) - 1e-12
