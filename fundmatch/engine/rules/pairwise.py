"""Pairwise-bounded quadratic funding (Buterin 2019, ethresear.ch/t/5553).

raw_p = Σ over ordered pairs i≠j of s_ip · s_jp · M / (M + T_ij), T_ij = Σ_p s_ip · s_jp.
A pair of donors cannot call more than 2M over all projects, whatever it gives.
Computed in binary64, rounded half up to a millionth of a cent: other programs
agree within 10^-4 cent, not to the byte, so no campaign may pay by it.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor

from ..gifts import Gifts

_MICRO = 10**6


def pairwise_raw(gifts: Gifts, ranks: set[int], min_donor_cents: int, m_cents: int) -> dict[int, int]:
    """Return the raw amount of each of these projects, in millionths of a cent."""
    # The shadow rules do not run where a campaign pays: loaded only when asked for.
    from ..shadow.pairwise import pairwise_raw as amounts_in_cents

    if m_cents == 0:
        return dict.fromkeys(ranks, 0)
    donor, project, cents = gifts.matchable_sums(min_donor_cents)
    if len(ranks) < len(gifts.project_ids):
        kept = [place for place, rank in enumerate(project) if int(rank) in ranks]
        donor, project, cents = ([column[place] for place in kept] for column in (donor, project, cents))
    amounts = amounts_in_cents(donor, project, cents, len(gifts.project_ids), m_cents)
    return {rank: _half_up(amounts[rank]) for rank in ranks}


def _half_up(amount: float) -> int:
    return floor(Fraction(amount) * _MICRO + Fraction(1, 2))
