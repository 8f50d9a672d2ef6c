"""The curve of a running training: small, whole, and without what cannot be drawn."""

import math
import re
from xml.etree import ElementTree

from lilliput.report.live_curve import MOST_POINTS, LiveCurve

SVG = "{http://www.w3.org/2000/svg}"


def places(curve: LiveCurve) -> list[list[tuple[float, float]]]:
    lines = ElementTree.fromstring(curve.svg()).iter(f"{SVG}polyline")
    return [[(float(x), float(y)) for x, y in re.findall(r"(\S+),(\S+)", line.attrib["points"])] for line in lines]


def test_nothing_is_drawn_without_a_point() -> None:
    curve = LiveCurve()
    curve.add("training", 1, math.nan)
    assert curve.svg() == ""


def test_losses_fall_and_every_curve_is_named() -> None:
    curve = LiveCurve()
    for step in range(1, 21):
        curve.add("training", step, 4 - step / 10)
    curve.add("<validation>", 20, 1.5)
    training, validation = places(curve)
    assert training == sorted(training)
    assert [y for _, y in training] == sorted(y for _, y in training)  # down the screen
    assert validation[0][0] == training[-1][0]
    assert validation[0][1] > training[-1][1]
    text = "".join(ElementTree.fromstring(curve.svg()).itertext())
    for shown in ("training 2.000", "<validation> 1.500", "step 20", "nats per token"):
        assert shown in text


def test_one_point_and_equal_losses_are_drawn() -> None:
    curve = LiveCurve()
    curve.add("training", 1, 2.0)
    assert len(places(curve)[0]) == 1
    curve.add("training", 2, 2.0)
    assert len({y for _, y in places(curve)[0]}) == 1


def test_a_long_run_keeps_few_points_and_its_last() -> None:
    curve = LiveCurve()
    for step in range(1, 10 * MOST_POINTS + 2):
        curve.add("training", step, 3.0 + step % 2)
    points = places(curve)[0]
    assert MOST_POINTS / 2 - 1 <= len(points) <= MOST_POINTS
    assert points == sorted(points)
    assert points[-1][0] > 620  # the right end
    assert len(curve.svg()) < 20_000


def test_the_steep_fall_of_the_first_steps_does_not_flatten_the_rest() -> None:
    curve = LiveCurve()
    for step in range(40):
        curve.add("training", step, 100.0 if step < 3 else 2 - step / 100)
    heights = [y for _, y in places(curve)[0]]
    assert max(heights[3:]) - min(heights[3:]) > 120
    assert min(heights) >= 30  # inside the picture
