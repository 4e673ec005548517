"""The threshold: which projects are funded, and in which order the others leave.

Projects leave one by one, the worst funded first, because the match money that
one frees may save another (fundmatch/1, section 4).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from .gifts import Gifts
from .problem import CITIZENS, FCFS, LINEAR, PAIRWISE, SATURATE, Pot, Problem, Threshold
from .rules import RawAmounts
from .sharing import Allocation, Share
from .sharing.first_come import FirstComeShare
from .sharing.water import WaterShare

#: two different ratios base/goal of amounts in cents differ by more than 2^-104
_RATIO_BITS = 104

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Elimination:
    """One project that left: its base when it left, and the least that would have saved it, in cents."""

    rank: int
    base_cents: int
    needed_cents: int


@dataclass(slots=True)
class Settlement:
    """Who is funded, what each pot pays, who left in which order; `raw` may still hold who left."""

    alive: set[int]
    allocations: dict[str, Allocation]
    raw: dict[str, dict[int, int]]
    eliminated: list[Elimination] = field(default_factory=list)


def settle(problem: Problem, progress: Progress | None = None) -> Settlement:
    """Run the whole calculation on a valid problem."""
    amounts = RawAmounts(problem.money)
    alive = set(range(len(problem.projects)))
    eliminated: list[Elimination] = []
    shares: dict[str, Share] | None = None
    raw: dict[str, dict[int, int]] = {}
    if problem.threshold is not None:
        if problem.threshold.base == CITIZENS:
            eliminated = _below_on_citizens(problem, problem.threshold)
            alive.difference_update(item.rank for item in eliminated)
        elif any(pot.rule == PAIRWISE for pot in problem.pots):
            eliminated = eliminate_by_recomputation(problem, problem.threshold, amounts)
            alive.difference_update(item.rank for item in eliminated)
        else:
            raw = {pot.id: amounts.of(pot, _covered(problem, pot, alive)) for pot in problem.pots}
            shares = {pot.id: _share(problem, pot, raw[pot.id]) for pot in problem.pots}
            eliminated = _eliminate(problem, problem.threshold, shares, alive, progress)
    if shares is None:
        raw = {pot.id: amounts.of(pot, _covered(problem, pot, alive)) for pot in problem.pots}
        shares = {pot.id: _share(problem, pot, raw[pot.id]) for pot in problem.pots}
    return Settlement(alive, {key: share.allocate() for key, share in shares.items()}, raw, eliminated)


def needed_cents(threshold: Threshold, goal_cents: int) -> int:
    """Return the smallest number of cents that reaches the threshold."""
    return -(-threshold.ratio.numerator * goal_cents // threshold.ratio.denominator)


def _goals(problem: Problem) -> list[int]:
    return [project.goal_cents or 1 for project in problem.projects]


def _covered(problem: Problem, pot: Pot, alive: set[int]) -> list[int]:
    if pot.projects is None:
        return sorted(alive)
    return [rank for rank in sorted(alive) if problem.projects[rank].id in pot.projects]


def _share(problem: Problem, pot: Pot, raw: dict[int, int]) -> Share:
    if pot.order == FCFS:
        return FirstComeShare(
            raw,
            cast(Gifts, problem.money).matchable_in_time(),
            budget=pot.budget_cents,
            ratio=pot.ratio,
            cap_per_donor=pot.cap_per_donor_cents,
            cap_per_project=pot.cap_per_project_cents,
        )
    # The cap of a linear pot is already in its raw amounts, and it pays them at
    # most: that is water-filling without a cap, where λ may not pass 1.
    linear = pot.rule == LINEAR
    return WaterShare(
        raw,
        budget=pot.budget_cents,
        cap=None if linear else pot.cap_per_project_cents,
        scale=pot.scale,
        saturate=linear or pot.mode == SATURATE,
    )


def _below_on_citizens(problem: Problem, threshold: Threshold) -> list[Elimination]:
    """Return those below the threshold when the match money does not count: nothing to recompute."""
    citizens, goals = problem.money.citizens(), _goals(problem)
    below = [
        Elimination(rank, citizens[rank], needed_cents(threshold, goal))
        for rank, goal in enumerate(goals)
        if citizens[rank] * threshold.ratio.denominator < threshold.ratio.numerator * goal
    ]
    return sorted(below, key=lambda item: (_ratio_key(item.base_cents, goals[item.rank]), item.rank))


def _ratio_key(base_cents: int, goal_cents: int) -> int:
    """Return an integer that orders the ratios base/goal exactly, and ties equal ratios."""
    return (base_cents << _RATIO_BITS) // goal_cents


def _eliminate(
    problem: Problem,
    threshold: Threshold,
    shares: dict[str, Share],
    alive: set[int],
    progress: Progress | None,
) -> list[Elimination]:
    """Remove the worst funded project until none is below, updating the shares in place.

    A heap keeps each project at a lower bound of its ratio: what it had when last
    looked at, without the cents of rounding. Money only grows as others leave, so
    a bound may be late but never wrong; only the few projects whose bound could
    be the smallest are computed exactly.
    """
    citizens, goals = problem.money.citizens(), _goals(problem)
    pots = [(pot, shares[pot.id]) for pot in problem.pots]
    covering = [[share for pot, share in pots if pot.covers(project.id)] for project in problem.projects]

    def lower(rank: int) -> int:
        return citizens[rank] + sum(share.lower(rank) for share in covering[rank])

    heap = [(_ratio_key(lower(rank), goals[rank]), rank) for rank in alive]
    heapq.heapify(heap)
    eliminated: list[Elimination] = []
    ratio = threshold.ratio
    while heap:
        candidates = _lowest(heap, lower, covering, goals)
        bases = {rank: citizens[rank] for rank in candidates}
        for share in {id(share): share for rank in candidates for share in covering[rank]}.values():
            for rank, cents in share.exact(r for r in candidates if share in covering[r]).items():
                bases[rank] += cents
        worst = min(candidates, key=lambda rank: (_ratio_key(bases[rank], goals[rank]), rank))
        if bases[worst] * ratio.denominator >= ratio.numerator * goals[worst]:
            break
        for rank in candidates:
            if rank != worst:
                heapq.heappush(heap, (_ratio_key(lower(rank), goals[rank]), rank))
        eliminated.append(Elimination(worst, bases[worst], needed_cents(threshold, goals[worst])))
        alive.discard(worst)
        for share in covering[worst]:
            share.remove(worst)
        if progress is not None and len(eliminated) % 100 == 0:
            progress("eliminating", len(eliminated) / len(problem.projects))
    return eliminated


def _lowest(
    heap: list[tuple[int, int]], lower: Callable[[int], int], covering: list[list[Share]], goals: list[int]
) -> list[int]:
    """Pop the projects among which the worst funded is for certain."""
    candidates: list[int] = []
    ceiling: int | None = None
    while heap and (ceiling is None or heap[0][0] <= ceiling):
        _, rank = heap[0]
        base = lower(rank)
        key = _ratio_key(base, goals[rank])
        if key > heap[0][0]:
            heapq.heapreplace(heap, (key, rank))
            continue
        heapq.heappop(heap)
        roundings = sum(share.may_round_up(rank) for share in covering[rank])
        if roundings == 0 and ceiling == key:
            # Certain, and no better than a certain one of smaller id.
            heapq.heappush(heap, (key, rank))
            break
        candidates.append(rank)
        top = _ratio_key(base + roundings, goals[rank])
        ceiling = top if ceiling is None else min(ceiling, top)
    return candidates


def eliminate_by_recomputation(
    problem: Problem, threshold: Threshold, amounts: RawAmounts
) -> list[Elimination]:
    """Remove the worst funded project, compute everything again, until none is below.

    The text to the letter. Needed where raw amounts depend on who is left
    (`pairwise`); elsewhere it is what the faster loop is compared with.
    """
    citizens, goals = problem.money.citizens(), _goals(problem)
    alive = set(range(len(goals)))
    eliminated: list[Elimination] = []
    ratio = threshold.ratio
    while alive:
        bases = {rank: citizens[rank] for rank in alive}
        for pot in problem.pots:
            raw = amounts.of(pot, _covered(problem, pot, alive))
            for rank, cents in _share(problem, pot, raw).allocate().cents.items():
                bases[rank] += cents
        worst = min(alive, key=lambda rank: (_ratio_key(bases[rank], goals[rank]), rank))
        if bases[worst] * ratio.denominator >= ratio.numerator * goals[worst]:
            break
        alive.discard(worst)
        eliminated.append(Elimination(worst, bases[worst], needed_cents(threshold, goals[worst])))
    return eliminated
