"""Results published without individual gifts: (S_p, C_p, n_p) per project."""

from __future__ import annotations

from typing import Any

from .gifts import Power


class Statistics:
    """The sums per project, in the order of the sorted projects.

    Serves the same questions as the gifts do, as far as sums can answer them.
    """

    individual = False

    def __init__(self, roots: list[int], cents: list[int], donors: list[int], rows: list[list[Any]]) -> None:
        self._roots = roots
        self._cents = cents
        self._donors = donors
        self.rows = rows

    def citizens(self) -> list[int]:
        """Return the cents received by each project."""
        return self._cents

    def donors(self) -> list[int]:
        """Return the number of donors of each project."""
        return self._donors

    def power(self, min_donor_cents: int) -> Power:
        """Return (S, C, n) per project; a minimum per donor was refused by the reader."""
        return Power(self._roots, self._cents, self._donors)

    def capped_cents(self, cap_per_donor_cents: int | None) -> list[int]:
        """Return C per project; a cap per donor was refused by the reader."""
        return self._cents
