"""Sharing a budget in proportion to raw amounts under a cap: exact water-filling.

Finds the smallest λ ≥ 0 such that Σ min(cap, λ·raw) = budget. Projects of equal
raw amount are one group: they have the same share. Groups are sorted by raw
amount, so those held at the cap are the first ones, and when a project leaves,
λ can only grow: the border moves forward, never back. A whole elimination loop
therefore moves it once over the list.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cached_property

from ..arrays import Array, np
from . import Allocation

#: fewer groups than this are ranked faster without arrays
_FEW_GROUPS = 48
#: more projects than this are ranked faster by ranking all
_MANY_QUESTIONS = 100
#: remainders closer than this (in cents, for shares below 10^8 cents) are compared exactly
_MARGIN = 1e-6
_FLOAT_LIMIT = 10**8


class WaterShare:
    """See `Share`. Raw amounts are counted in 1/scale of a cent; the budget and the cap in cents."""

    def __init__(
        self, raw: Mapping[int, int], *, budget: int, cap: int | None, scale: int, saturate: bool
    ) -> None:
        self._raw = raw
        self._budget = budget
        self._cap = cap
        self._scale = scale
        self._saturate = saturate
        self._unpaid = {rank for rank, amount in raw.items() if not amount}
        members: dict[int, list[int]] = {}
        for rank, amount in sorted(raw.items()):
            if not amount:
                continue
            if amount in members:
                members[amount].append(rank)
            else:
                members[amount] = [rank]
        self._amounts = sorted(members, reverse=True)
        self._members = [members[amount] for amount in self._amounts]
        self._group = {amount: place for place, amount in enumerate(self._amounts)}
        #: groups before this one are held at the cap
        self._border = 0
        self._capped_count = 0
        self._rest = sum(
            amount * len(group) for amount, group in zip(self._amounts, self._members, strict=True)
        )
        self._wanted = self._rest
        if cap is not None:
            self._wanted -= sum(amount - cap * scale for amount in raw.values() if amount > cap * scale)
        self._settle()

    def remove(self, rank: int) -> None:
        amount = self._raw[rank]
        if not amount:
            self._unpaid.discard(rank)
            return
        place = self._group[amount]
        if self._counts is not None:
            self._counts[place] -= 1
        group = self._members[place]
        del group[bisect_left(group, rank)]
        self._wanted -= self._at_most_cap(amount)
        if place < self._border:
            self._capped_count -= 1
        else:
            self._rest -= amount
        self._settle()

    def lower(self, rank: int) -> int:
        return self._split(self._raw[rank])[0]

    def may_round_up(self, rank: int) -> bool:
        return self._split(self._raw[rank])[1] > 0

    def exact(self, ranks: Iterable[int]) -> dict[int, int]:
        found = {}
        pending = []
        for rank in ranks:
            floor, rest = self._split(self._raw[rank])
            found[rank] = floor
            if rest:
                pending.append(rank)
        extra = self._receivers_among(pending)
        for rank in pending:
            found[rank] += rank in extra
        return found

    def allocate(self) -> Allocation:
        cents = dict.fromkeys(self._unpaid, 0)
        uncapped = self._first_uncapped()
        capped = [rank for group in self._members[:uncapped] for rank in group]
        cents.update(dict.fromkeys(capped, self._cap or 0))
        splits = self._splits(uncapped)
        for group, (floor, _) in zip(self._members[uncapped:], splits, strict=True):
            if len(group) == 1:
                cents[group[0]] = floor
            else:
                cents.update(dict.fromkeys(group, floor))
        for rank in self._receivers(uncapped, splits):
            cents[rank] += 1
        return Allocation(cents, self._distributed(), self.level, frozenset(capped))

    @property
    def level(self) -> Fraction | None:
        """The λ of the text, in lowest terms; None where no λ reaches the budget."""
        if self._denominator == 0:
            return None
        return Fraction(self._numerator * self._scale, self._denominator)

    def _at_most_cap(self, amount: int) -> int:
        return amount if self._cap is None else min(amount, self._cap * self._scale)

    def _is_over(self, amount: int) -> bool:
        if self._cap is None:
            return False
        return self._denominator == 0 or amount * self._numerator > self._cap * self._denominator

    def _settle(self) -> None:
        """Find the level: share = raw · numerator / denominator (0 when nothing reaches the budget)."""
        if self._saturate and self._wanted <= self._budget * self._scale:
            self._numerator, self._denominator = 1, self._scale
            return
        left = self._budget
        if self._cap is not None:
            left -= self._capped_count * self._cap
            while self._border < len(self._amounts):
                amount, count = self._amounts[self._border], len(self._members[self._border])
                if amount * left <= self._cap * self._rest:
                    break
                self._border += 1
                self._capped_count += count
                self._rest -= amount * count
                left -= count * self._cap
        # A budget of 0 is reached by λ = 0 even when there is nobody to pay.
        self._numerator, self._denominator = (left, self._rest) if self._budget else (0, 1)

    def _split(self, amount: int) -> tuple[int, int]:
        """Return the whole cents of a share and its remainder (over the common denominator)."""
        if not amount:
            return 0, 0
        if self._is_over(amount):
            assert self._cap is not None  # noqa: S101 - only a cap can be passed
            return self._cap, 0
        return divmod(amount * self._numerator, self._denominator)

    def _distributed(self) -> int:
        """Return floor(Σ shares)."""
        if self._denominator == 0:
            return self._capped_count * (self._cap or 0)
        if self._saturate and self._wanted <= self._budget * self._scale:
            return self._wanted // self._scale
        return self._budget

    def _splits(self, uncapped: int) -> list[tuple[int, int]]:
        """Return whole cents and remainder of the share of each group below the cap."""
        numerator, denominator = self._numerator, self._denominator
        return [divmod(amount * numerator, denominator) for amount in self._amounts[uncapped:]]

    def _receivers(self, uncapped: int, splits: list[tuple[int, int]]) -> set[int]:
        """Return the projects that receive a missing cent."""
        members = self._members[uncapped:]
        missing = self._distributed() - sum(map(len, self._members[:uncapped])) * (self._cap or 0)
        missing -= sum(floor * len(group) for group, (floor, _) in zip(members, splits, strict=True))
        chosen: set[int] = set()
        if missing:
            # A larger share is a larger raw amount, and the groups are in that order.
            rests = [-rest for _, rest in splits]
            for place in sorted(range(len(rests)), key=rests.__getitem__):
                if missing == len(chosen):
                    break
                group = members[place]
                if rests[place] and group:
                    chosen.update(group[: missing - len(chosen)])
        return chosen

    def _receivers_among(self, ranks: list[int]) -> set[int]:
        """Return those of these projects (their shares have remainders) that receive a missing cent.

        Where there are many groups and few questions, remainders are compared in
        floating point, and exactly where floating point cannot tell.
        """
        uncapped = self._first_uncapped()
        if not ranks:
            return set()
        if self._counts is None or len(ranks) > _MANY_QUESTIONS or uncapped == len(self._amounts):
            return self._receivers(uncapped, self._splits(uncapped))
        level = self._numerator / self._denominator
        amounts, counts = self._float_amounts[uncapped:], self._counts[uncapped:]
        if amounts[0] * level > _FLOAT_LIMIT:
            return self._receivers(uncapped, self._splits(uncapped))
        shares = amounts * level
        floors = np.floor(shares)
        rests = shares - floors
        edges = np.flatnonzero((rests < _MARGIN) | (rests > 1 - _MARGIN)).tolist()
        for place in edges:
            floors[place] = self._amounts[uncapped + place] * self._numerator // self._denominator
        capped = int(self._counts[:uncapped].sum()) * (self._cap or 0)
        missing = self._distributed() - capped - int(floors @ counts)
        found = set()
        for rank in ranks:
            mine = self._raw[rank]
            my_rest = mine * self._numerator % self._denominator
            lead = rests - my_rest / self._denominator
            ahead = lead > _MARGIN
            for place in [*edges, *np.flatnonzero(np.abs(lead) <= _MARGIN).tolist()]:
                amount = self._amounts[uncapped + place]
                ahead[place] = (amount * self._numerator % self._denominator, amount) > (my_rest, mine)
            before = int(counts @ ahead) + bisect_left(self._members[self._group[mine]], rank)
            if before < missing:
                found.add(rank)
        return found

    def _first_uncapped(self) -> int:
        """Return the place of the first group below the cap (a group that leaves keeps its place)."""
        low, high = 0, len(self._amounts)
        if self._denominator == 0:
            return high
        while low < high:
            middle = (low + high) // 2
            if self._is_over(self._amounts[middle]):
                low = middle + 1
            else:
                high = middle
        return low

    @cached_property
    def _counts(self) -> Array | None:
        if np is None or len(self._amounts) < _FEW_GROUPS:
            return None
        return np.array([len(group) for group in self._members], dtype=np.float64)

    @cached_property
    def _float_amounts(self) -> Array:
        return np.array([float(amount) for amount in self._amounts])


def lowest_terms(level: Fraction | None) -> str | None:
    """Return λ as the text shows it: "1", "2/3", or None."""
    if level is None:
        return None
    return str(level)
