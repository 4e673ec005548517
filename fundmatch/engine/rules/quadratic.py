"""Quadratic funding: S² − C, and the S² of the public simulators.

Buterin, Hitzig, Weyl, "A Flexible Design for Funding Public Goods" (SSRN 3243656):
with s the square root of what each donor gave, S their sum and C the sum of the
gifts, a project is owed S² and already has C.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..gifts import Power
from ..roots import SCALE

_MICRO = 10**6
#: S² is counted in 10^-48; one millionth of a cent is 10^42 of these
_STEP = SCALE * SCALE // _MICRO
_ONE_CENT = SCALE * SCALE


def quadratic_raw(power: Power, ranks: Iterable[int]) -> dict[int, int]:
    """Return S² − C in millionths of a cent, rounded half up; exactly 0 for one donor or none.

    Statistics that no gifts can have (S² below C) count as 0.
    """
    roots, cents, donors = power
    raw = {}
    for rank in ranks:
        if donors[rank] < 2:
            raw[rank] = 0
        else:
            amount = (2 * (roots[rank] * roots[rank] - cents[rank] * _ONE_CENT) + _STEP) // (2 * _STEP)
            raw[rank] = amount if amount > 0 else 0
    return raw


def square_raw(power: Power, ranks: Iterable[int]) -> dict[int, int]:
    """Return S² in millionths of a cent, rounded half up (the convention of the wtfisqf-style simulators)."""
    return {rank: (2 * power.roots[rank] ** 2 + _STEP) // (2 * _STEP) for rank in ranks}
