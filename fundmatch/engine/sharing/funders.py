"""Several funders in one pot (fundmatch/1, section 6): rows and columns that add up to the cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..problem import Funder
from .remainders import proportional_cents


def funders_matrix(funders: Sequence[Funder], payments: Mapping[int, int]) -> dict[str, dict[int, int]]:
    """Return what each funder pays to each project, in cents, without zero cells.

    `funders` are sorted by id; `payments` are what the pot pays per project rank.
    What is spent is shared over the funders in proportion to their pledges; then
    funder after funder, largest pledge first, its part is shared over the projects
    in proportion to what each is still owed; the last takes what is left.
    """
    ranks = sorted(rank for rank, cents in payments.items() if cents)
    owed = [payments[rank] for rank in ranks]
    parts = proportional_cents(sum(owed), [funder.pledge_cents for funder in funders])
    order = sorted(range(len(funders)), key=lambda place: (-funders[place].pledge_cents, place))
    matrix: dict[str, dict[int, int]] = {funder.id: {} for funder in funders}
    for place in order:
        column = owed if place == order[-1] else proportional_cents(parts[place], owed)
        matrix[funders[place].id] = {rank: cents for rank, cents in zip(ranks, column, strict=True) if cents}
        owed = [due - cents for due, cents in zip(owed, column, strict=True)]
    return matrix
