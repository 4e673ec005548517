"""First come, first served: a linear pot that follows the order in time.

What each contribution would take while money is left does not depend on the
other projects; so the budget is a pointer on one line of demands, and when a
project leaves, the pointer only moves forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from . import Allocation


class FirstComeShare:
    """See `Share`. All amounts in cents."""

    def __init__(
        self,
        raw: Mapping[int, int],
        contributions: Iterable[tuple[int, int, int]],
        *,
        budget: int,
        ratio: Fraction,
        cap_per_donor: int | None,
        cap_per_project: int | None,
    ) -> None:
        self._raw = dict(raw)
        self._sum = sum(raw.values())
        self._budget = budget
        self._cap_per_project = cap_per_project
        self._taken = dict.fromkeys(raw, 0)
        self._left = budget
        #: the rest of a demand that the budget could serve only in part
        self._owed: tuple[int, int] | None = None
        self._demands = _demands(raw, contributions, ratio, cap_per_donor, cap_per_project)
        self._serve()

    def remove(self, rank: int) -> None:
        self._sum -= self._raw.pop(rank)
        self._left += self._taken.pop(rank)
        self._serve()

    def lower(self, rank: int) -> int:
        return self._raw[rank] if self._serves_all() else self._taken[rank]

    def may_round_up(self, rank: int) -> bool:
        return False

    def exact(self, ranks: Iterable[int]) -> dict[int, int]:
        return {rank: self.lower(rank) for rank in ranks}

    def allocate(self) -> Allocation:
        cents = dict(self._raw if self._serves_all() else self._taken)
        capped = frozenset(rank for rank, paid in cents.items() if paid and paid == self._cap_per_project)
        return Allocation(cents, sum(cents.values()), Fraction(1) if self._serves_all() else None, capped)

    def _serves_all(self) -> bool:
        return self._sum <= self._budget

    def _serve(self) -> None:
        while self._left and (demand := self._owed or next(self._demands, None)):
            self._owed = None
            rank, wanted = demand
            if rank not in self._taken:
                continue
            paid = min(wanted, self._left)
            self._taken[rank] += paid
            self._left -= paid
            if paid < wanted:
                self._owed = (rank, wanted - paid)


def _demands(
    raw: Mapping[int, int],
    contributions: Iterable[tuple[int, int, int]],
    ratio: Fraction,
    cap_per_donor: int | None,
    cap_per_project: int | None,
) -> Iterator[tuple[int, int]]:
    """Yield (project, cents) in time order: what each contribution takes while money is left."""
    given: dict[tuple[int, int], int] = {}
    taken = dict.fromkeys(raw, 0)
    for donor, project, cents in contributions:
        if project not in taken:
            continue
        part = cents
        if cap_per_donor is not None:
            before = given.get((donor, project), 0)
            given[donor, project] = before + cents
            part = min(before + cents, cap_per_donor) - min(before, cap_per_donor)
        wanted = part * ratio.numerator // ratio.denominator
        if cap_per_project is not None:
            wanted = min(wanted, cap_per_project - taken[project])
        if wanted:
            taken[project] += wanted
            yield project, wanted
