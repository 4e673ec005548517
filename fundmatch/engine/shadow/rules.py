"""The same gifts under every rule, side by side: who would get what, and how concentrated it is.

All rules share the same money (the budgets of the pots put together), without caps and without
threshold, so what differs is the rule alone. These are the figures of `fundmatch.engine.tables`, with
the raw amounts beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .. import problem as p
from ..problem import Problem
from ..result import compute_problem
from ..sharing.remainders import proportional_cents
from .measures import concentration

#: a project whose quadratic share is this many times its pairwise share deserves a look
COORDINATION = 1.5


def rule_columns(problem: Problem, m_cents: int) -> dict[str, dict[str, Any]]:
    """Return rule → {"cents", "raw"}, both by project id; raw as decimal strings, in cents.

    `pairwise` is left out where only the sums per project are known.
    """
    rules = [rule for rule in p.RULES if problem.money.individual or rule != p.PAIRWISE]
    budget = budget_cents(problem)
    pots = [
        p.Pot(
            id=rule,
            rule=rule,
            budget_cents=budget,
            mode=p.SATURATE if rule == p.LINEAR else p.NORMALISE,
            m_cents=m_cents,
            canonical={"id": rule, "rule": rule},
        )
        for rule in sorted(rules)
    ]
    shadow = compute_problem(Problem(problem.projects, pots, None, problem.money))
    return {
        rule: {
            "cents": {project: row["match_cents"][rule] for project, row in shadow["projects"].items()},
            "raw": {project: row["raw"][rule] for project, row in shadow["projects"].items()},
        }
        for rule in rules
    }


def budget_cents(problem: Problem) -> int:
    """Return the money of all pots together, in cents."""
    return sum(pot.budget_cents for pot in problem.pots)


def described(cents: Mapping[str, int], paid: Mapping[str, int]) -> dict[str, Any]:
    """Return a column with its measures; `moves` is how many places each project gains against `paid`."""
    before, now = places(paid), places(cents)
    moves = {project: before[project] - now[project] for project in cents}
    return {
        "cents": dict(cents),
        "spent_cents": sum(cents.values()),
        **concentration(cents),
        "moves": moves,
        "rank_changes": sum(1 for move in moves.values() if move),
    }


def shared(raw: Mapping[str, float], budget: int) -> dict[str, int]:
    """Share a budget in proportion to raw amounts (cents) that come from floating point."""
    ids = sorted(raw)
    weights = [int(Fraction(raw[project]) * 10**6 + Fraction(1, 2)) for project in ids]
    return dict(zip(ids, proportional_cents(budget, weights), strict=True))


def pairwise_ratios(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return, per project, its share under `quadratic` over its share under `pairwise`.

    Shares of the raw amounts, so that M sets no general level. Above `COORDINATION` the support of the
    project rests on people who give together elsewhere too, or on few large gifts: humans look.
    None where the project calls nothing.
    """
    if p.PAIRWISE not in columns:
        return {}
    raws = {
        rule: {project: float(amount) for project, amount in columns[rule]["raw"].items()}
        for rule in (p.QUADRATIC, p.PAIRWISE)
    }
    totals = {rule: sum(raw.values()) for rule, raw in raws.items()}
    found = {}
    for project, pairwise in raws[p.PAIRWISE].items():
        ratio = None
        if pairwise > 0:
            ratio = (raws[p.QUADRATIC][project] / totals[p.QUADRATIC]) / (pairwise / totals[p.PAIRWISE])
        found[project] = {"ratio": ratio, "look": ratio is not None and ratio > COORDINATION}
    return found


def places(amounts: Mapping[str, int]) -> dict[str, int]:
    """Return the place of each project by amount, 1 for the largest; equal amounts share a place."""
    order = sorted(set(amounts.values()), reverse=True)
    place = {amount: number for number, amount in enumerate(order, 1)}
    return {project: place[amount] for project, amount in amounts.items()}
