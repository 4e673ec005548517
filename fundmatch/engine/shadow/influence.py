"""How much a result rests on a few people: without the largest donors, and without any single one."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from .. import problem as p
from ..gifts import Gifts
from ..problem import Pot, Problem
from ..reading import read_input
from ..result import compute_problem

LARGEST = 5
_TRY_EVERYBODY = 200_000  # donors × projects


def without_largest_donors(value: Mapping[str, Any], count: int = LARGEST) -> dict[str, Any]:
    """Return the whole result, threshold included, as it would be without the largest donors.

    The largest are those who gave most in all, matchable or not (tie: smallest id). Amounts are cents;
    the comparison is exact, by computing twice. Raises `InputError`.
    """
    given: dict[str, int] = defaultdict(int)
    for donor, _, cents, *_ in value["contributions"]:
        given[donor] += cents
    largest = sorted((d for d in given if given[d]), key=lambda donor: (-given[donor], donor))[:count]
    gone = set(largest)
    rest = dict(value) | {"contributions": [row for row in value["contributions"] if row[0] not in gone]}
    before, after = (compute_problem(read_input(dict(one)))["projects"] for one in (value, rest))
    return {
        "donors": [{"donor": donor, "cents": given[donor]} for donor in largest],
        "cents": sum(given[donor] for donor in largest),
        "part_of_gifts": sum(given[donor] for donor in largest) / (sum(given.values()) or 1),
        "projects": {
            project: {
                "match_cents": sum(row["match_cents"].values()),
                "match_without_cents": sum(after[project]["match_cents"].values()),
                "funded": row["funded"],
                "funded_without": after[project]["funded"],
            }
            for project, row in before.items()
        },
    }


@dataclass(slots=True)
class _Extreme:
    cents: float
    donor: str


def leave_one_donor_out(problem: Problem, funded: Iterable[str]) -> dict[str, Any]:
    """Return, per project, how far its match can move when any single donor is taken out.

    For the projects in `funded`, which stay in (the threshold is not applied again). Closed forms on the
    sums (S, C, n) in binary64, right to about a cent: one pass over the gifts, whatever the number of
    projects. Pots that are `pairwise`, or that serve first come first and ran out, have no such form and
    are listed in `left_out`. The pots are added up per donor, so an extreme is what one person does. In a
    large campaign, of the donors who gave a project nothing only those who move a pot's level most are
    tried: with several pots another of them might matter a little more.

    Each project gets {"match_cents", "low_cents", "low_donor", "high_cents", "high_donor"}.
    """
    gifts = cast(Gifts, problem.money)
    alive = set(funded)
    pots = [pot for pot in problem.pots if pot.rule != p.PAIRWISE and pot.order != p.FCFS]
    moves: list[_PotMoves] = [_PotMoves(problem, pot, alive) for pot in pots]
    ids = [project.id for project in problem.projects]
    everybody = len(gifts.donor_ids) * len(ids) <= _TRY_EVERYBODY
    found = {}
    for rank, project in enumerate(ids):
        if project not in alive:
            continue
        found[project] = _range(rank, moves, gifts.donor_ids, everybody)
    return {
        "projects": found,
        "left_out": [pot.id for pot in problem.pots if pot not in pots],
    }


def _range(rank: int, moves: list[_PotMoves], donor_ids: Any, everybody: bool) -> dict[str, Any]:
    now = math.fsum(move.share(rank, move.level) for move in moves)
    low, high = _Extreme(now, ""), _Extreme(now, "")
    own: dict[int, float] = defaultdict(float)
    for move in moves:
        for donor in move.raw_without.get(rank, {}):
            own.setdefault(donor, 0.0)
    candidates = set(range(len(donor_ids))) if everybody else set(own)
    # Somebody who gives nothing to this project moves it through the levels alone: the extreme ones count.
    for move in moves:
        for order in (move.by_level, reversed(move.by_level)):
            for donor in order:
                if donor not in own:
                    candidates.add(donor)
                    break
    for donor in sorted(candidates):
        cents = math.fsum(
            move.share(rank, move.levels.get(donor, move.level), move.raw_without.get(rank, {}).get(donor))
            for move in moves
        )
        if cents < low.cents:
            low = _Extreme(cents, donor_ids[donor])
        if cents > high.cents:
            high = _Extreme(cents, donor_ids[donor])
    return {
        "match_cents": round(now),
        "low_cents": round(low.cents),
        "low_donor": low.donor or None,
        "high_cents": round(high.cents),
        "high_donor": high.donor or None,
    }


class _PotMoves:
    """One pot: its level now, and its level and the raw amounts without each donor."""

    def __init__(self, problem: Problem, pot: Pot, alive: set[str]) -> None:
        self.pot = pot
        ranks = [
            rank
            for rank, project in enumerate(problem.projects)
            if project.id in alive and pot.covers(project.id)
        ]
        covered = set(ranks)
        donor, project, cents = cast(Gifts, problem.money).matchable_sums(pot.min_donor_cents)
        rows: dict[int, list[tuple[int, int]]] = defaultdict(list)
        sums = {rank: [0.0, 0, 0, 0] for rank in ranks}  # S, C, n, Σ min(c, cap per donor)
        for who, rank, amount in zip(map(int, donor), map(int, project), map(int, cents), strict=True):
            if rank in covered:
                rows[who].append((rank, amount))
        roots: dict[int, list[float]] = {rank: [] for rank in ranks}
        for row in rows.values():
            for rank, amount in row:
                roots[rank].append(math.sqrt(amount))
                sums[rank][1] += amount
                sums[rank][2] += 1
                sums[rank][3] += self._capped(amount)
        for rank in ranks:
            sums[rank][0] = math.fsum(roots[rank])
        self.raw = {rank: self._raw(*sums[rank]) for rank in ranks}
        self._sorted = sorted(self.raw.values())
        self._prefix = [0.0]
        for raw in self._sorted:
            self._prefix.append(self._prefix[-1] + raw)
        self.level = self._level({})
        self.levels: dict[int, float] = {}
        self.raw_without: dict[int, dict[int, float]] = defaultdict(dict)
        for who, row in rows.items():
            changed = {}
            for rank, amount in row:
                s, c, n, capped = sums[rank]
                changed[rank] = self._raw(
                    s - math.sqrt(amount), c - amount, n - 1, capped - self._capped(amount)
                )
                self.raw_without[rank][who] = changed[rank]
            self.levels[who] = self._level(changed)
        self.by_level = sorted(self.levels, key=lambda who: (self.levels[who], who))

    def share(self, rank: int, level: float, raw: float | None = None) -> float:
        """What the project gets at a level, with its own raw amount unless another is given."""
        if rank not in self.raw:
            return 0.0
        amount = (self.raw[rank] if raw is None else raw) * level
        cap = self.pot.cap_per_project_cents
        return amount if cap is None or self.pot.rule == p.LINEAR else min(amount, float(cap))

    def _capped(self, cents: int) -> int:
        cap = self.pot.cap_per_donor_cents
        return cents if cap is None else min(cents, cap)

    def _raw(self, roots: float, cents: float, donors: float, capped: float) -> float:
        pot = self.pot
        if donors < max(pot.min_donors, 1):
            return 0.0
        if pot.rule == p.LINEAR:
            raw = math.floor(capped * pot.ratio.numerator / pot.ratio.denominator)
            return float(raw if pot.cap_per_project_cents is None else min(raw, pot.cap_per_project_cents))
        if pot.rule == p.QUADRATIC:
            return max(0.0, roots * roots - cents) if donors > 1 else 0.0
        if pot.rule == p.SQUARE:
            return roots * roots
        return float(cents if pot.rule == p.PROPORTIONAL else donors)

    def _level(self, changed: Mapping[int, float]) -> float:
        """Return λ by water-filling, some raw amounts replaced: a few binary searches in the sorted ones."""
        budget = float(self.pot.budget_cents)
        saturate = self.pot.rule == p.LINEAR or self.pot.mode == p.SATURATE
        cap = self.pot.cap_per_project_cents if self.pot.rule != p.LINEAR else None
        old = [self.raw[rank] for rank in changed]
        new = list(changed.values())
        total = self._prefix[-1] - math.fsum(old) + math.fsum(new)
        if budget <= 0:
            return 0.0
        if total <= 0:
            return 1.0
        level = budget / total
        while cap is not None:
            most = cap / level if level else math.inf  # raw amounts above it are held at the cap
            place = bisect_left(self._sorted, most)
            over = (
                len(self._sorted) - place - sum(raw >= most for raw in old) + sum(raw >= most for raw in new)
            )
            rest = (
                self._prefix[place]
                - math.fsum(r for r in old if r < most)
                + math.fsum(r for r in new if r < most)
            )
            if budget - cap * over <= 0 or rest <= total * 1e-15:
                level = math.inf if not saturate else 1.0
                break
            higher = (budget - cap * over) / rest
            if higher <= level * (1 + 1e-12):
                break
            level = higher
        if saturate:
            level = min(1.0, level)
        return level if math.isfinite(level) else 1e300
