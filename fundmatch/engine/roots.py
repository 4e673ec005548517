"""Square roots of cents, exact to 24 decimals.

`root(c)` is the integer nearest to √(c·10⁴⁸) (fundmatch/1, section 3). A tie
cannot occur: √N is never an integer plus one half.
"""

from __future__ import annotations

from math import isqrt

SCALE_DIGITS = 24
SCALE = 10**SCALE_DIGITS
_FOUR_SQUARED = 4 * SCALE * SCALE


def root(cents: int) -> int:
    """Return √cents in units of 10⁻²⁴, rounded to the nearest integer."""
    return (isqrt(cents * _FOUR_SQUARED) + 1) >> 1


def decimal_text(scaled: int, digits: int) -> str:
    """Return an integer counted in 10^-digits as a plain decimal, all digits shown."""
    text = str(scaled).zfill(digits + 1)
    return f"{text[:-digits]}.{text[-digits:]}"


def shortest_decimal(scaled: int) -> str:
    """Return a sum of roots as a decimal string without trailing zeros, as the digest writes it."""
    return decimal_text(scaled, SCALE_DIGITS).rstrip("0").rstrip(".")
