"""Readable colours from any brand: WCAG 2.2 relative luminance and contrast ratio.

Formulas: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance and #dfn-contrast-ratio.
"""

import colorsys

WHITE = "#ffffff"
INK = "#0b0c0c"
# The least favourable backgrounds of abonde.css (--pb-surface), light and dark.
LIGHT_BACKGROUND = "#f4f5f7"
DARK_BACKGROUND = "#1f242c"
# Success criteria 1.4.3 (text) and 1.4.11 (graphics).
TEXT_RATIO = 4.5
GRAPHIC_RATIO = 3.0


def _channels(colour: str) -> tuple[float, float, float]:
    digits = colour.removeprefix("#")
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def _colour(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, from 0 (black) to 1 (white)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours `#rrggbb`, from 1 to 21."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def text_on(background: str) -> str:
    """White or near-black, whichever reads better on `background`."""
    return max((WHITE, INK), key=lambda colour: contrast(colour, background))


def readable(colour: str, background: str, ratio: float = TEXT_RATIO) -> str:
    """The nearest lightness of the same hue and saturation that reaches `ratio` on `background`."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(colour))
    end = 0.0 if luminance(background) > 0.18 else 1.0
    candidate = colour.lower()
    while contrast(candidate, background) < ratio and lightness != end:
        lightness = max(end, lightness - 0.01) if end == 0.0 else min(end, lightness + 0.01)
        candidate = _colour(colorsys.hls_to_rgb(hue, lightness, saturation))
    return candidate
