"""The six rules: from the gifts of a pot to a raw amount per project.

Raw amounts are integers: cents for `linear`, `proportional` and `per-donor`,
millionths of a cent for the rules with roots (`Pot.scale` tells).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from .. import problem as p
from ..gifts import Gifts, Money, Power
from ..problem import Pot
from .counting import per_donor_raw, proportional_raw
from .linear import linear_raw
from .pairwise import pairwise_raw
from .quadratic import quadratic_raw, square_raw

_BY_SUMS = {
    p.QUADRATIC: quadratic_raw,
    p.SQUARE: square_raw,
    p.PROPORTIONAL: proportional_raw,
    p.PER_DONOR: per_donor_raw,
}


class RawAmounts:
    """The raw amounts of all pots of one calculation; sums shared by several pots are made once."""

    def __init__(self, money: Money) -> None:
        self._money = money
        self._power: dict[int, Power] = {}

    def of(self, pot: Pot, ranks: Iterable[int]) -> dict[int, int]:
        """Return the raw amount of each of these projects (those the pot covers and that are still alive)."""
        ranks = list(ranks)
        if pot.rule == p.LINEAR:
            capped = self._money.capped_cents(pot.cap_per_donor_cents)
            return {rank: linear_raw(capped[rank], pot.ratio, pot.cap_per_project_cents) for rank in ranks}
        power = self.power(pot.min_donor_cents)
        least = max(pot.min_donors, 1)
        present = [rank for rank in ranks if power.donors[rank] >= least]
        if pot.rule == p.PAIRWISE:
            # The gifts to a project without enough donors still bind the pairs
            # of donors: T_ij is taken over all projects of the pot.
            amounts = pairwise_raw(cast(Gifts, self._money), set(ranks), pot.min_donor_cents, pot.m_cents)
            raw = {rank: amounts[rank] for rank in present}
        else:
            raw = _BY_SUMS[pot.rule](power, present)
        return dict.fromkeys(ranks, 0) | raw

    def power(self, min_donor_cents: int) -> Power:
        """Return (S, C, n) per project for a minimum per donor."""
        if min_donor_cents not in self._power:
            self._power[min_donor_cents] = self._money.power(min_donor_cents)
        return self._power[min_donor_cents]
