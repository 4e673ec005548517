"""What is shown beside a result and never paid: other rules, concentration, influence, attacks.

    from fundmatch.engine.shadow import compare
    report = compare(value, communes={"donor-a": "Obernai"})

Everything is plain data that JSON can hold: amounts are integer cents, ratios floats. A figure here is a
question for people, not an answer: docs/analysis.md says what each one means and what it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..gifts import Gifts
from ..problem import Problem
from ..reading import read_input
from ..result import compute_problem
from ..tables import DEFAULT_M_CENTS, RESULT
from .clusters import by_group, markov_harsh, subsidy_euros
from .gain import attack_cost, gain_curve, one_more_gift
from .influence import LARGEST, leave_one_donor_out, without_largest_donors
from .measures import concentration, gini, lorenz, top_share
from .pairwise import pairwise_raw
from .rules import COORDINATION, budget_cents, described, pairwise_ratios, rule_columns, shared

__all__ = [
    "COORDINATION",
    "attack_cost",
    "by_group",
    "compare",
    "concentration",
    "gain_curve",
    "gini",
    "leave_one_donor_out",
    "lorenz",
    "markov_harsh",
    "one_more_gift",
    "pairwise_raw",
    "subsidy_euros",
    "top_share",
    "without_largest_donors",
]

CLUSTERS, MARKOV = "cluster-communes", "cluster-projects"


def compare(
    value: Mapping[str, Any],
    *,
    communes: Mapping[str, str | Iterable[str]] | None = None,
    m_cents: int = DEFAULT_M_CENTS,
    largest: int = LARGEST,
) -> dict[str, Any]:
    """Return the whole shadow analysis of an input. Raises `InputError`.

    - `basis`: what the rules share (the budgets of all pots, without caps or threshold), M, counts;
    - `rules`: `result` (what the campaign's own pots pay) and each rule, as `cents` per project,
      `spent_cents`, `top_share`, `top_project`, `gini`, `receivers`, `moves`, `rank_changes`;
      with `communes` (donor → commune, or several groups) also `cluster-communes`; and
      `cluster-projects`, the "harsh" Markov form, where the campaign is small enough;
    - `pairwise_ratio`: per project {"ratio", "look"}, look when above 1.5;
    - `without_largest`: the result, threshold included, without the largest donors;
    - `leave_one_out`: per project, how far one donor taken out can move its match.

    From `statistics` only the first two can be told: the rest is None.
    """
    problem = read_input(dict(value))
    result = compute_problem(problem)
    paid = {project: sum(row["match_cents"].values()) for project, row in result["projects"].items()}
    columns = rule_columns(problem, m_cents)
    cents: dict[str, Mapping[str, int]] = {RESULT: paid}
    cents |= {rule: column["cents"] for rule, column in columns.items()}
    report: dict[str, Any] = {
        "basis": {
            "budget_cents": budget_cents(problem),
            "m_cents": m_cents,
            "citizens_cents": {q: row["citizens_cents"] for q, row in result["projects"].items()},
            "donors": {q: row["donors"] for q, row in result["projects"].items()},
            "funded": sorted(q for q, row in result["projects"].items() if row["funded"]),
        },
        "pairwise_ratio": None,
        "without_largest": None,
        "leave_one_out": None,
    }
    if problem.money.individual:
        cents |= _cluster_columns(problem, communes)
        report["pairwise_ratio"] = pairwise_ratios(columns)
        report["without_largest"] = without_largest_donors(value, largest)
        report["leave_one_out"] = leave_one_donor_out(problem, report["basis"]["funded"])
    report["rules"] = {rule: described(column, paid) for rule, column in cents.items()}
    return report


def _cluster_columns(
    problem: Problem, communes: Mapping[str, str | Iterable[str]] | None
) -> dict[str, dict[str, int]]:
    gifts = cast(Gifts, problem.money)
    donor, project, cents = (list(map(int, column)) for column in gifts.matchable_sums(0))
    ids = [item.id for item in problem.projects]
    budget, found = budget_cents(problem), {}
    raws: dict[str, Mapping[str, float]] = {}
    if communes is not None:
        rows = (
            (gifts.donor_ids[who], ids[where], amount)
            for who, where, amount in zip(donor, project, cents, strict=True)
        )
        raws[CLUSTERS] = by_group(rows, communes)
    markov = markov_harsh(donor, project, cents, len(ids))
    if markov is not None:
        raws[MARKOV] = dict(zip(ids, markov, strict=True))
    for name, raw in raws.items():
        found[name] = shared({q: raw.get(q, 0.0) for q in ids}, budget)
    return found
