"""The colours of surprise: nothing at 0 bits, amber above, orange from 8 bits on.

The hues are those of Okabe & Ito, as in the loss curves: colour-blind readers see the steps by their brightness. Each
background comes with a colour of text that can be read on it.
"""

AMBER, ORANGE = "#E69F00", "#D55E00"
MOST_BITS = 8
"""Surprise with the strongest colour."""
LEVELS = 16
"""Steps of the scale, each half a bit."""
CONTRAST = 4.5
"""Least contrast between a text and its background, as WCAG 2 asks for."""
BLACK, WHITE = "#000000", "#ffffff"


def level(bits: float | None) -> int:
    """Return the step of the scale, from 0 to `LEVELS`; 0 for a token without a score."""
    return 0 if bits is None else min(LEVELS, round(bits / MOST_BITS * LEVELS))


def colours(step: int, page: str, ink: str) -> tuple[str, str]:
    """Return the background and the colour of text of a step, on a page with this background and this ink."""
    share = step / LEVELS
    background = blended(page, blended(AMBER, ORANGE, share), share)
    return background, readable(background, ink)


def readable(background: str, ink: str) -> str:
    """Return `ink` if it can be read on the background, otherwise black or white."""
    if contrast(ink, background) >= CONTRAST:
        return ink
    return max((BLACK, WHITE), key=lambda colour: contrast(colour, background))


def blended(first: str, second: str, share: float) -> str:
    """Return a colour between two, with this share of the second."""
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * share):02x}" for one, other in pairs)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in _channels(colour))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
