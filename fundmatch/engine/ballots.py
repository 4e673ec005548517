"""Envelope ballots: which projects a fixed budget buys when residents vote without their own money.

Where the fund gives each verified resident an envelope to hand out, or where people simply approve
projects, the question is not how to top up gifts but which projects fit in the budget:

- `greedy`: the most voted first, as long as they fit (what most cities do);
- `equal_shares`: every voter holds an equal part of the budget and supporters buy projects together, so
  that a minority decides on its part of the money (Peters, Pierczyński, Skowron 2021, equalshares.net),
  alone or completed ("add1": equal parts raised one unit at a time while the budget allows; "add1u": then
  the most voted that still fit);
- `phragmen`: voters earn money at the same speed and buy as soon as they can.

Exact: integers and ratios of integers only. Ties go to the smallest id. Amounts are integers of any one
unit (cents here); a vote is a list of approved projects, or points per project.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import repeat
from math import gcd
from typing import Any

from .arrays import Array, np

#: what a voter gains from a project she supports: its cost, one, or the points she gave it
COST, VOTES, POINTS = "cost", "votes", "points"
UTILITIES = (COST, VOTES, POINTS)
ALONE, ADD1, ADD1U = "", "add1", "add1u"
COMPLETIONS = (ALONE, ADD1, ADD1U)

Vote = Mapping[str, int] | Iterable[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One project taken. `price` is what a supporter who can pays per unit of utility (None for greedy)."""

    project: str
    cost: int
    votes: int
    price: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The projects bought, in the order in which they were, and what they cost together."""

    steps: tuple[Step, ...]
    spent: int
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def selected(self) -> list[str]:
        """The ids, in code point order."""
        return sorted(step.project for step in self.steps)


class Ballots:
    """The votes of an election, people with the same ballot counted together."""

    def __init__(self, costs: Mapping[str, int], votes: Iterable[Vote]) -> None:
        """Read costs (project id → cost) and votes. Raises ValueError on an unknown project or bad number."""
        self.ids = sorted(costs)
        if any(type(cost) is not int or cost < 0 for cost in costs.values()):
            raise ValueError("a cost is a non-negative integer")
        self.costs = [costs[project] for project in self.ids]
        rank = {project: place for place, project in enumerate(self.ids)}
        seen: Counter[tuple[tuple[int, int], ...]] = Counter()
        self.voters = 0
        self._votes, self._points = [0] * len(self.ids), [0] * len(self.ids)
        for vote in votes:
            points = vote.items() if isinstance(vote, Mapping) else dict.fromkeys(vote, 1).items()
            row = []
            for project, value in points:
                if project not in rank:
                    raise ValueError(f"a vote names the unknown project {project!r}")
                if type(value) is not int or value < 0:
                    raise ValueError(f"points are non-negative integers, not {value!r}")
                if value:
                    place = rank[project]
                    row.append((place, value))
                    self._votes[place] += 1
                    self._points[place] += value
            row.sort()
            seen[tuple(row)] += 1
            self.voters += 1
        self.rows = sorted(seen)
        self.counts = [seen[row] for row in self.rows]

    def votes(self) -> list[int]:
        """Return how many voters support each project, in the order of `ids`."""
        return self.scores(VOTES)

    def scores(self, utility: str) -> list[int]:
        """Return the sum of the voters' utilities for each project, in the order of `ids`."""
        if utility not in UTILITIES:
            raise ValueError(f"unknown utility {utility!r}")
        if utility == COST:
            return [count * cost for count, cost in zip(self._votes, self.costs, strict=True)]
        return list(self._points if utility == POINTS else self._votes)


def greedy(
    ballots: Ballots, budget: int, utility: str = COST, *, min_votes: int = 0, start: Sequence[str] = ()
) -> Outcome:
    """Take the projects by total utility per unit of cost, as long as they fit in what is left.

    With the utility `cost` that is by number of votes. Projects below `min_votes` are left out; those in
    `start` are bought already.
    """
    votes, scores = ballots.votes(), ballots.scores(utility)
    taken = set(start)
    left = budget - sum(ballots.costs[ballots.ids.index(project)] for project in taken)

    def density(place: int) -> tuple[bool, Fraction]:
        cost = ballots.costs[place]
        return bool(scores[place] and not cost), Fraction(scores[place], cost) if cost else Fraction(0)

    steps = []
    for place in sorted(
        range(len(ballots.ids)), key=density, reverse=True
    ):  # a stable sort: ties stay in id order
        if ballots.ids[place] in taken or votes[place] < min_votes or ballots.costs[place] > left:
            continue
        left -= ballots.costs[place]
        steps.append(Step(ballots.ids[place], ballots.costs[place], votes[place]))
    return Outcome(tuple(steps), sum(step.cost for step in steps))


def equal_shares(
    ballots: Ballots, budget: int, utility: str = COST, completion: str = ALONE, *, increment: int = 1
) -> Outcome:
    """The method of equal shares, alone or completed.

    `add1` runs it again with `increment` more per voter as long as the outcome stays within the budget
    and another supported project would still fit; `add1u` then lets `greedy` spend what is left.
    """
    if completion not in COMPLETIONS:
        raise ValueError(f"unknown completion {completion!r}")
    if completion == ADD1U:
        shares = equal_shares(ballots, budget, utility, ADD1, increment=increment)
        rest = greedy(ballots, budget, utility, start=shares.selected)
        return Outcome(shares.steps + rest.steps, shares.spent + rest.spent, shares.details)
    if not ballots.voters:
        return Outcome((), 0)
    market = _Market(ballots, utility)
    steps, extra, runs = market.run(Fraction(budget, ballots.voters)), 0, 1
    while completion == ADD1 and not market.is_exhaustive(steps, budget):
        more = market.run(Fraction(budget, ballots.voters) + extra + increment)
        runs += 1
        if sum(step.cost for step in more) > budget:
            break
        steps, extra = more, extra + increment
    return Outcome(tuple(steps), sum(step.cost for step in steps), {"added_per_voter": extra, "runs": runs})


def phragmen(ballots: Ballots, budget: int) -> Outcome:
    """Phragmén's sequential rule; stops as soon as a project that could be bought does not fit."""
    votes = ballots.votes()
    loads = [Fraction(0)] * len(ballots.rows)
    supporters = _supporters(ballots)
    left = {place for place, cost in enumerate(ballots.costs) if cost <= budget}
    steps: list[Step] = []
    spent = 0
    while left:
        new: dict[int, Fraction] = {}
        for place in left:
            if votes[place]:
                held = sum((loads[row] * ballots.counts[row] for row in supporters[place]), Fraction(0))
                new[place] = (held + ballots.costs[place]) / votes[place]
        least = min(new.values(), default=None)
        first = sorted(left - new.keys()) if least is None else sorted(q for q in new if new[q] == least)
        if any(spent + ballots.costs[place] > budget for place in first):
            break
        chosen = first[0]
        for row in supporters[chosen]:
            loads[row] = new[chosen]
        left.remove(chosen)
        spent += ballots.costs[chosen]
        steps.append(Step(ballots.ids[chosen], ballots.costs[chosen], votes[chosen], least))
    return Outcome(tuple(steps), spent)


def _supporters(ballots: Ballots) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in ballots.ids]
    for number, row in enumerate(ballots.rows):
        for place, _ in row:
            found[place].append(number)
    return found


class _Market:
    """Voters with money. All amounts are integers over one common denominator, `self._down`.

    Voters of one ballot always hold the same, and few different amounts exist at a time: each ballot
    points to an amount, and a project looks at (amount, utility) pairs and how many voters have each.
    """

    def __init__(self, ballots: Ballots, utility: str) -> None:
        self._ballots = ballots
        self._votes = ballots.votes()
        self._scores = ballots.scores(utility)
        points = sorted({value for row in ballots.rows for _, value in row}) if utility == POINTS else [1]
        index = {value: number for number, value in enumerate(points)}
        self._places = [place for place, score in enumerate(self._scores) if score]
        self._utilities: dict[int, list[int]] = {
            place: [ballots.costs[place]] if utility == COST else points for place in self._places
        }
        rows: list[Array] = [[] for _ in ballots.ids]
        kinds: list[Array] = [[] for _ in ballots.ids]
        for number, row in enumerate(ballots.rows):
            for place, value in row:
                rows[place].append(number)
                if utility == POINTS:
                    kinds[place].append(index[value])
        self._counts: Array = ballots.counts
        if np is not None:
            rows = [np.array(row, dtype=np.int64) for row in rows]
            kinds = [np.array(kind, dtype=np.int64) if kind else 0 for kind in kinds]
            self._counts = np.array(ballots.counts, dtype=np.int64)
        self._rows, self._kinds = rows, kinds

    def is_exhaustive(self, steps: Sequence[Step], budget: int) -> bool:
        """Return whether no other project that somebody supports would fit."""
        taken = {step.project for step in steps}
        left = budget - sum(step.cost for step in steps)
        ids, costs = self._ballots.ids, self._ballots.costs
        return all(ids[place] in taken or not costs[place] or costs[place] > left for place in self._places)

    def run(self, each: Fraction) -> list[Step]:
        """Buy projects, cheapest per unit of utility first, until no group of supporters can pay one."""
        ballots = self._ballots
        self._down = each.denominator
        self._amounts = [each.numerator]
        self._holds: Array = [0] * len(ballots.rows)
        if np is not None:
            self._holds = np.zeros(len(ballots.rows), dtype=np.int64)
        steps = [self._step(place, Fraction(0)) for place in self._places if not ballots.costs[place]]
        # Money only decreases, so what a project cost per unit of utility last time is a lower bound.
        bound = {
            place: Fraction(ballots.costs[place], self._scores[place])
            for place in self._places
            if ballots.costs[place]
        }
        while bound:
            best: Fraction | None = None
            chosen = -1
            for place in sorted(bound, key=lambda place: (bound[place], place)):
                if best is not None and bound[place] > best:
                    break
                price = self._price(place)
                if price is None:
                    del bound[place]
                    continue
                bound[place] = price
                if best is None or price < best or (price == best and place < chosen):
                    best, chosen = price, place
            if best is None:
                break
            del bound[chosen]
            self._pay(chosen, best)
            steps.append(self._step(chosen, best))
        return steps

    def _step(self, place: int, price: Fraction) -> Step:
        return Step(self._ballots.ids[place], self._ballots.costs[place], self._votes[place], price)

    def _pairs(self, place: int) -> list[tuple[int, int, int]]:
        """(amount held, utility, voters) among the supporters of a project."""
        width = len(self._utilities[place])
        if np is not None:
            held = self._holds[self._rows[place]] * width + self._kinds[place]
            tally = np.bincount(held, weights=self._counts[self._rows[place]])
            found = [(int(key), int(tally[key])) for key in np.flatnonzero(tally)]
        else:
            counter: Counter[int] = Counter()
            for row, kind in self._plain_rows(place):
                counter[self._holds[row] * width + kind] += self._counts[row]
            found = list(counter.items())
        utilities = self._utilities[place]
        return [(self._amounts[key // width], utilities[key % width], count) for key, count in found]

    def _plain_rows(self, place: int) -> Iterable[tuple[int, int]]:
        return zip(self._rows[place], self._kinds[place] or repeat(0))  # noqa: B905 - repeat has no end

    def _price(self, place: int) -> Fraction | None:
        """The least price per unit of utility at which supporters raise the cost; None if they cannot."""
        pairs = self._pairs(place)
        missing = self._ballots.costs[place] * self._down
        if sum(amount * count for amount, _, count in pairs) < missing:
            return None
        weight = sum(utility * count for _, utility, count in pairs)
        if len({utility for _, utility, _ in pairs}) == 1:
            pairs.sort()
        else:
            pairs.sort(key=lambda pair: Fraction(pair[0], pair[1]))
        for amount, utility, count in pairs:
            if missing * utility <= amount * weight:
                break
            missing -= amount * count  # these give all they have
            weight -= utility * count
        return Fraction(missing, weight * self._down)

    def _pay(self, place: int, price: Fraction) -> None:
        """Take price × utility, at most what she holds, from every supporter."""
        up = price.numerator * self._down  # amounts over the common denominator down × price.denominator
        self._amounts = [amount * price.denominator for amount in self._amounts]
        self._down *= price.denominator
        known = {amount: number for number, amount in enumerate(self._amounts)}
        utilities = self._utilities[place]
        width = len(utilities)
        after = []
        for key in range(len(self._amounts) * width):
            left = max(0, self._amounts[key // width] - up * utilities[key % width])
            if left not in known:
                known[left] = len(known)
            after.append(known[left])
        self._amounts = list(known)
        rows, kinds = self._rows[place], self._kinds[place]
        if np is not None:
            self._holds[rows] = np.array(after, dtype=np.int64)[self._holds[rows] * width + kinds]
            used = np.unique(self._holds).tolist()
        else:
            for row, kind in self._plain_rows(place):
                self._holds[row] = after[self._holds[row] * width + kind]
            used = sorted(set(self._holds))
        self._forget_unused(used)

    def _forget_unused(self, used: list[int]) -> None:
        """Drop amounts that nobody holds any more, and the common factor of the others."""
        kept = [self._amounts[number] for number in used]
        common = gcd(self._down, *kept)
        self._down //= common
        self._amounts = [amount // common for amount in kept]
        place = {number: new for new, number in enumerate(used)}
        if np is not None:
            table = np.zeros(max(used, default=0) + 1, dtype=np.int64)
            table[used] = list(range(len(used)))
            self._holds = table[self._holds]
        else:
            self._holds = [place[number] for number in self._holds]
