"""From raw amounts to cents: budgets, caps, remainders, funders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Allocation:
    """What one pot pays. `cents` has an entry for every project still alive that the pot covers.

    `level` is the λ of the text: None for first come first served, and where no λ
    reaches the budget. `capped` are the projects held at the cap of the pot.
    """

    cents: Mapping[int, int]
    spent_cents: int
    level: Fraction | None
    capped: frozenset[int]


class Share(Protocol):
    """The money of one pot over the projects still alive, kept up to date as projects leave.

    Projects are ranks. What a project gets never decreases when another leaves,
    but for the cent of rounding: `lower` leaves that cent out.
    """

    def remove(self, rank: int) -> None:
        """Take a project out."""
        ...

    def lower(self, rank: int) -> int:
        """Return the cents of a project without the cent that rounding may add."""
        ...

    def may_round_up(self, rank: int) -> bool:
        """Return whether rounding may add a cent."""
        ...

    def exact(self, ranks: Iterable[int]) -> dict[int, int]:
        """Return the exact cents of some projects."""
        ...

    def allocate(self) -> Allocation:
        """Return the exact cents of all."""
        ...
