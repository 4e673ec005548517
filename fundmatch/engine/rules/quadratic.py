"""Quadratic funding: S² − C, and the S² of the public simulators.

Buterin, Hitzig, Weyl, "A Flexible Design for Funding Public Goods" (SSRN 3243656):
with s the square root of what each donor gave, S their sum and C the sum of the
gifts, a project is owed S² and already has C.
"""

from __future__ import annotations

from ..roots import SCALE

_MICRO = 10**6
#: S² is counted in 10^-48; one millionth of a cent is 10^42 of these
_STEP = SCALE * SCALE // _MICRO
_ONE_CENT = SCALE * SCALE


def quadratic_raw(roots: int, cents: int, donors: int) -> int:
    """Return S² − C in millionths of a cent, rounded half up; exactly 0 for one donor or none.

    Statistics that no gifts can have (S² below C) count as 0.
    """
    if donors < 2:
        return 0
    return max(0, _half_up(roots * roots - cents * _ONE_CENT))


def square_raw(roots: int) -> int:
    """Return S² in millionths of a cent, rounded half up (the convention of the wtfisqf-style simulators)."""
    return _half_up(roots * roots)


def _half_up(amount: int) -> int:
    return (2 * amount + _STEP) // (2 * _STEP)
