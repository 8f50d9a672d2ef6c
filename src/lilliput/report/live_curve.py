"""A loss curve that grows while a run trains, as an SVG of a few kilobytes: for a notebook, once a second.

Matplotlib draws the picture of a finished run (`plots`); it would take a tenth of a second each time.
"""

import math
from collections.abc import Sequence
from html import escape

COLOURS = ("#0072B2", "#D55E00", "#009E73")
"""Colours of Okabe & Ito, as in `plots`."""
MOST_POINTS = 400
"""Points of a curve; when it has more, neighbours are averaged."""
_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 30, 26
_SPACING = 7
"""Width of a character of the legend."""


class LiveCurve:
    """Named curves over steps, in nats per token."""

    def __init__(self) -> None:
        self._curves: dict[str, list[tuple[float, float]]] = {}

    def add(self, name: str, step: int, loss: float) -> None:
        """Add a point to a curve; one that is not finite is left out."""
        if not math.isfinite(loss):
            return
        points = self._curves.setdefault(name, [])
        points.append((step, loss))
        if len(points) > MOST_POINTS:
            pairs = zip(points[::2], points[1::2], strict=False)
            self._curves[name] = [((x + u) / 2, (y + v) / 2) for (x, y), (u, v) in pairs] + points[len(points) & ~1 :]

    def svg(self) -> str:
        """Return the picture; nothing without a point."""
        if not self._curves:
            return ""
        low, high = self._range()
        last = max(points[-1][0] for points in self._curves.values())
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            'style="max-width:100%" role="img" font-family="sans-serif" font-size="12" fill="currentColor">',
            f"<title>{escape(self._summary())}</title>",
        ]
        for value in (low, (low + high) / 2, high):
            y = _vertical(value, low, high)
            parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="currentColor" opacity="0.2"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
        bottom = _HEIGHT - 8
        parts.append(f'<text x="{_LEFT}" y="{bottom}">nats per token</text>')
        parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{bottom}" text-anchor="end">step {last:,.0f}</text>')
        place = _LEFT
        for (name, points), colour in zip(self._curves.items(), COLOURS, strict=False):
            parts.append(_line(points, last, low, high, colour))
            shown = f"{name} {points[-1][1]:.3f}"
            parts.append(f'<rect x="{place}" y="9" width="14" height="4" fill="{colour}"/>')
            parts.append(f'<text x="{place + 20}" y="16">{escape(shown)}</text>')
            place += 36 + _SPACING * len(shown)
        return "".join([*parts, "</svg>"])

    def _range(self) -> tuple[float, float]:
        """Return the lowest and the highest loss to show, without the steep fall of the first steps."""
        values = [loss for points in self._curves.values() for _, loss in points[len(points) // 10 :]]
        low, high = min(values), max(values)
        margin = 0.06 * (high - low) or 0.1
        return max(0.0, low - margin), high + margin

    def _summary(self) -> str:
        return "Loss in nats per token: " + ", ".join(
            f"{name} {points[-1][1]:.3f}" for name, points in self._curves.items()
        )


def _vertical(value: float, low: float, high: float) -> float:
    share = (min(value, high) - low) / (high - low)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _line(points: Sequence[tuple[float, float]], last: float, low: float, high: float, colour: str) -> str:
    places = [
        f"{_LEFT + step / max(1, last) * (_WIDTH - _LEFT - _RIGHT):.1f},{_vertical(loss, low, high):.1f}"
        for step, loss in points
    ]
    dots = ""
    if len(points) <= 60:
        dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.5"/>' for x, y in (place.split(",") for place in places))
    line = f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
    return f'{line}<g fill="{colour}">{dots}</g>'
