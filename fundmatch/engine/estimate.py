"""What one more gift would do, while the campaign runs.

Works on the sums per project (S, C, n): a question costs the same whatever the
number of gifts. Closed forms in binary64, right to about a cent; they are shown,
never paid. The close recomputes everything exactly.

Raw amounts grow by 2·S·√x for a new donor of x, by 2·(S − √c)·(√(c+x) − √c) for
one who already gave c (fundmatch/1, section 7). What the budget cannot follow is
taken from the other projects, and the answer says from which.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Any, NamedTuple

from . import problem as p
from .problem import Pot
from .reading import read_frame, read_input
from .roots import SCALE
from .rules import RawAmounts

#: scenarios of a range: the others' support, or the project's own, multiplied by this
GROWTH = 2.0


class Sums(NamedTuple):
    """The sums of one project in one pot.

    `roots` is S in √cents, `cents` is C, `donors` is n; `capped_cents` is
    Σ min(c, cap per donor), for a linear pot with such a cap.
    """

    roots: float
    cents: float
    donors: int
    capped_cents: float | None = None


@dataclass(frozen=True, slots=True)
class Gain:
    """What a gift would do in one pot, in cents.

    `low` and `high` bound the gain over three stories: nothing else changes; the
    support of all other projects doubles; the support of this one doubles. The
    other projects lose `others` between them (a negative number).
    """

    pot: str
    cents: int
    low: int
    high: int
    others: Mapping[str, int]

    @property
    def lost_by_others(self) -> int:
        """Return the sum of what the other projects lose, as a negative number of cents."""
        return sum(self.others.values())


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a gift of `gift_cents` to a project would do, all pots together."""

    project: str
    gift_cents: int
    gains: tuple[Gain, ...]

    @property
    def cents(self) -> int:
        """The expected gain in cents."""
        return sum(gain.cents for gain in self.gains)

    @property
    def low(self) -> int:
        """The lowest gain of the three stories, in cents."""
        return sum(gain.low for gain in self.gains)

    @property
    def high(self) -> int:
        """The highest gain of the three stories, in cents."""
        return sum(gain.high for gain in self.gains)

    @property
    def others(self) -> dict[str, int]:
        """What each other project loses (negative cents), those that lose nothing left out."""
        found: dict[str, int] = {}
        for gain in self.gains:
            for project, cents in gain.others.items():
                found[project] = found.get(project, 0) + cents
        return found


class Estimator:
    """Answers for one campaign, built once from its pots and sums."""

    def __init__(self, frame: Mapping[str, Any], sums: Mapping[str, Mapping[str, Sums]]) -> None:
        """Take an input without gifts, and the sums: pot id → project id → `Sums`.

        Gifts that are not matchable, and donors below a pot's minimum, are not in
        the sums. Raises `InputError` on a bad frame, `ValueError` for `pairwise`.
        """
        _, pots, _ = read_frame(dict(frame))
        self._pots = {pot.id: _LivePot(pot, sums.get(pot.id, {})) for pot in pots}

    @classmethod
    def from_input(cls, value: Mapping[str, Any]) -> Estimator:
        """Build from a whole input, gifts or statistics. Raises `InputError`."""
        problem = read_input(dict(value))
        amounts = RawAmounts(problem.money)
        sums: dict[str, dict[str, Sums]] = {}
        for pot in problem.pots:
            power = amounts.power(pot.min_donor_cents)
            capped = problem.money.capped_cents(pot.cap_per_donor_cents)
            sums[pot.id] = {
                project.id: Sums(
                    power.roots[rank] / SCALE, power.cents[rank], power.donors[rank], capped[rank]
                )
                for rank, project in enumerate(problem.projects)
                if pot.covers(project.id)
            }
        frame = {key: item for key, item in value.items() if key not in ("contributions", "statistics")}
        return cls(frame, sums)

    def match_cents(self, project: str) -> dict[str, int]:
        """Return what each pot would pay the project if the campaign closed now, in cents."""
        return {pot_id: round(pot.share(project)) for pot_id, pot in self._pots.items() if project in pot.raw}

    def match_range(self, project: str) -> tuple[int, int]:
        """Return the lowest and the highest match of the three stories of `Gain`, in cents."""
        spans = [pot.span(project) for pot in self._pots.values() if project in pot.raw]
        return sum(round(low) for low, _ in spans), sum(round(high) for _, high in spans)

    def gift(self, project: str, cents: int, *, already_cents: int = 0) -> Estimate:
        """Return what a gift would do, from someone who gave `already_cents` to that project before."""
        gains = tuple(
            pot.gain(project, cents, already_cents) for pot in self._pots.values() if project in pot.raw
        )
        return Estimate(project, cents, gains)


class _LivePot:
    """One pot: the raw amounts now, sorted, and the level they lead to."""

    def __init__(self, pot: Pot, sums: Mapping[str, Sums]) -> None:
        if pot.rule == p.PAIRWISE:
            raise ValueError("pairwise amounts cannot be estimated from sums")
        self._pot = pot
        # A linear raw amount is already held at its cap.
        capped = pot.rule != p.LINEAR and pot.cap_per_project_cents is not None
        self._cap = float(pot.cap_per_project_cents or 0) if capped else None
        self._sums = {project: item for project, item in sums.items() if pot.covers(project)}
        self.raw = {project: _raw(pot, item) for project, item in self._sums.items()}
        self._sorted = sorted(self.raw.values())
        self._total = sum(self._sorted)
        growth = _GROWTH_OF[pot.rule]
        self._grown_raw = {project: raw * growth for project, raw in self.raw.items()}
        self._grown_sorted = [raw * growth for raw in self._sorted]
        self._grown_total = self._total * growth
        self._level = self._level_of(self._sorted, self._total)

    def share(self, project: str) -> float:
        return self._pay(self.raw[project], self._level)

    def span(self, project: str) -> tuple[float, float]:
        stories = [self.share(project)]
        grown = self._grown(project)
        stories.append(self._pay(grown, self._level_with(self.raw[project], grown)))
        stories.append(self._pay(self.raw[project], self._level_if_others_grow(project, self.raw[project])))
        return min(stories), max(stories)

    def gain(self, project: str, cents: int, already: int) -> Gain:
        before = self._sums[project]
        after = _with_gift(self._pot, before, cents, already)
        old, new = self.raw[project], _raw(self._pot, after)
        level = self._level_with(old, new)
        own = self._pay(new, level) - self.share(project)
        stories = [own]
        grown, grown_new = _raw(self._pot, _grown(before)), _raw(self._pot, _added(before, after))
        stories.append(
            self._pay(grown_new, self._level_with(old, grown_new))
            - self._pay(grown, self._level_with(old, grown))
        )
        stories.append(
            self._pay(new, self._level_if_others_grow(project, new))
            - self._pay(old, self._level_if_others_grow(project, old))
        )
        others = {}
        if level != self._level:
            pay, now = self._pay, self._level
            for other, raw in self.raw.items():
                if other != project and (lost := round(pay(raw, level) - pay(raw, now))):
                    others[other] = lost
        return Gain(self._pot.id, round(own), round(min(stories)), round(max(stories)), others)

    def _grown(self, project: str) -> float:
        return _raw(self._pot, _grown(self._sums[project]))

    def _pay(self, raw: float, level: float) -> float:
        if raw <= 0:
            return 0.0
        share = raw * level
        return share if self._cap is None or share < self._cap else self._cap

    def _level_with(self, old: float, new: float) -> float:
        """Return the level once one raw amount has changed."""
        return self._level if old == new else self._level_changed(self._sorted, self._total, old, new)

    def _level_if_others_grow(self, project: str, own: float) -> float:
        return self._level_changed(self._grown_sorted, self._grown_total, self._grown_raw[project], own)

    def _level_changed(self, ascending: list[float], total: float, old: float, new: float) -> float:
        changed = ascending.copy()
        del changed[bisect_left(changed, old)]
        insort(changed, new)
        return self._level_of(changed, total - old + new)

    def _level_of(self, ascending: list[float], total: float) -> float:
        """Return λ: water-filling over raw amounts in ascending order."""
        budget, cap = float(self._pot.budget_cents), self._cap
        saturate = self._pot.rule == p.LINEAR or self._pot.mode == p.SATURATE
        left, rest = budget, total
        if cap is not None:
            place = len(ascending)
            while place and rest > 0 and ascending[place - 1] * left > cap * rest:
                place -= 1
                left -= cap
                rest -= ascending[place]
            if not place or rest <= 0:
                # Everybody can be held at the cap.
                return 1.0 if saturate else float("inf")
        if rest <= 0:
            return 1.0
        level = left / rest
        return min(1.0, level) if saturate else level


def _raw(pot: Pot, sums: Sums) -> float:
    if sums.donors < max(pot.min_donors, 1):
        return 0.0
    if pot.rule == p.LINEAR:
        cents = sums.cents if sums.capped_cents is None else sums.capped_cents
        raw = float(cents) * pot.ratio.numerator / pot.ratio.denominator
        return raw if pot.cap_per_project_cents is None else min(raw, float(pot.cap_per_project_cents))
    if pot.rule == p.QUADRATIC:
        return max(0.0, sums.roots**2 - sums.cents) if sums.donors > 1 else 0.0
    if pot.rule == p.SQUARE:
        return sums.roots**2
    return float(sums.cents if pot.rule == p.PROPORTIONAL else sums.donors)


def _with_gift(pot: Pot, sums: Sums, cents: int, already: int) -> Sums:
    """Return the sums after a donor who gave `already` gives `cents` more."""
    minimum = max(pot.min_donor_cents, 1)
    counted = already if already >= minimum else 0
    now = already + cents if already + cents >= minimum else 0
    cap = pot.cap_per_donor_cents
    capped = sums.cents if sums.capped_cents is None else sums.capped_cents
    more = cents if cap is None else min(already + cents, cap) - min(already, cap)
    return Sums(
        sums.roots + sqrt(now) - sqrt(counted),
        sums.cents + now - counted,
        sums.donors + (now > 0) - (counted > 0),
        capped + more,
    )


def _grown(sums: Sums) -> Sums:
    """Return the sums of a project with as many donors again, giving the same."""
    capped = None if sums.capped_cents is None else sums.capped_cents * GROWTH
    return Sums(sums.roots * GROWTH, sums.cents * GROWTH, round(sums.donors * GROWTH), capped)


def _added(before: Sums, after: Sums) -> Sums:
    """Return the grown sums of a project once the same gift is made."""
    grown = _grown(before)
    capped = None
    if grown.capped_cents is not None and after.capped_cents is not None and before.capped_cents is not None:
        capped = grown.capped_cents + after.capped_cents - before.capped_cents
    return Sums(
        grown.roots + after.roots - before.roots,
        grown.cents + after.cents - before.cents,
        grown.donors + after.donors - before.donors,
        capped,
    )


#: what twice the donors do to a raw amount, about
_GROWTH_OF = {
    p.LINEAR: GROWTH,
    p.PROPORTIONAL: GROWTH,
    p.PER_DONOR: GROWTH,
    p.QUADRATIC: GROWTH**2,
    p.SQUARE: GROWTH**2,
}


def sums_row(roots: float | str | Decimal, cents: int, donors: int) -> Sums:
    """Return `Sums` from what a database column holds (S as a number or a decimal string)."""
    return Sums(float(roots), cents, donors)
