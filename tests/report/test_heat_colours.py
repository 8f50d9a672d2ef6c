"""The colours of surprise can be read and told apart."""

import pytest

from lilliput.report.heat_map.colours import AMBER, CONTRAST, LEVELS, ORANGE, blended, colours, contrast, level
from lilliput.report.heat_map.style import DARK, LIGHT, TOKEN_STYLE


@pytest.mark.parametrize("page", [LIGHT, DARK])
def test_every_step_can_be_read_and_differs_from_the_one_before(page: tuple[str, str]) -> None:
    steps = [colours(step, *page) for step in range(LEVELS + 1)]
    assert all(contrast(background, text) >= CONTRAST for background, text in steps)
    assert len({background for background, _ in steps}) == LEVELS + 1
    assert steps[0] == page
    assert steps[-1][0] == ORANGE.lower()


def test_the_scale_reaches_from_nothing_to_eight_bits() -> None:
    assert [level(bits) for bits in (None, 0.0, 0.2, 0.5, 4.0, 8.0, 300.0)] == [0, 0, 0, 1, 8, LEVELS, LEVELS]


def test_blending_and_contrast() -> None:
    assert blended("#000000", "#ffffff", 0.5) == "#808080"
    assert blended(AMBER, ORANGE, 0) == AMBER.lower()
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_style_names_every_step_for_both_themes() -> None:
    light, _, dark = TOKEN_STYLE.partition("prefers-color-scheme: dark")
    for step in range(1, LEVELS + 1):
        assert f".s{step} {{" in light
        assert f".s{step} {{" in dark
