"""Largest remainder: whole cents that add up.

Order of the missing cents (fundmatch/1, section 3): largest remainder first,
then larger share, then id. A share without remainder never receives one, so a
cap is never passed. Known as Hamilton's or Hare-Niemeyer's method.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def largest_remainder(shares: Sequence[Fraction]) -> list[int]:
    """Round exact shares (cents, in the order of the ids) to whole cents that add up to floor(Σ shares)."""
    floors = [share.numerator // share.denominator for share in shares]
    rests = [share - floor for share, floor in zip(shares, floors, strict=True)]
    missing = int(sum(rests, Fraction(0)))
    order = sorted(
        (place for place, rest in enumerate(rests) if rest),
        key=lambda place: (-rests[place], -floors[place], place),
    )
    for place in order[:missing]:
        floors[place] += 1
    return floors


def proportional_cents(amount: int, weights: Sequence[int]) -> list[int]:
    """Share an amount of cents in proportion to weights (in the order of the ids), to the cent.

    Nothing is shared when every weight is 0.
    """
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    floors, rests = [], []
    for weight in weights:
        floor, rest = divmod(amount * weight, total)
        floors.append(floor)
        rests.append(rest)
    missing = amount - sum(floors)
    if missing:
        order = sorted(
            (place for place, rest in enumerate(rests) if rest),
            key=lambda place: (-rests[place], -floors[place], place),
        )
        for place in order[:missing]:
            floors[place] += 1
    return floors
