"""Every rule on the same gifts, side by side: the data of `compare` and its rendering as text.

All rules share the same money, the budgets of the pots put together, without
caps and without threshold: what differs is the rule alone. The column `result`
is what the campaign's own pots pay.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import problem as p
from .reading import read_input
from .result import compute_problem

RESULT = "result"
DEFAULT_M_CENTS = 2500
_WIDEST_NAME = 32


@dataclass(frozen=True, slots=True)
class RuleColumn:
    """What one rule would pay: cents per project, and how concentrated that is.

    `top_share` and `gini` are ratios from 0 to 1; `rank_changes` counts projects
    whose place by amount is not the one they have under `result`.
    """

    rule: str
    cents: dict[str, int]
    top_share: float
    gini: float
    rank_changes: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The columns, `result` first, and what each project received from its donors."""

    citizens: dict[str, int]
    donors: dict[str, int]
    columns: list[RuleColumn]


def compare_rules(value: Mapping[str, Any], *, m_cents: int = DEFAULT_M_CENTS) -> Comparison:
    """Return what each rule would pay on the gifts of an input. Raises `InputError`."""
    problem = read_input(dict(value))
    result = compute_problem(problem)
    paid = {project: sum(row["match_cents"].values()) for project, row in result["projects"].items()}
    rules = [rule for rule in p.RULES if problem.money.individual or rule != p.PAIRWISE]
    budget = sum(pot.budget_cents for pot in problem.pots)
    frame = {
        "spec": p.SPEC,
        "projects": [{"id": project.id} for project in problem.projects],
        "pots": [_pot(rule, budget, m_cents) for rule in rules],
        "threshold": None,
    }
    gifts = {key: value[key] for key in ("contributions", "statistics") if key in value}
    shadow = compute_problem(read_input(frame | gifts))
    amounts = {RESULT: paid} | {
        rule: {project: row["match_cents"][rule] for project, row in shadow["projects"].items()}
        for rule in rules
    }
    return Comparison(
        citizens={project: row["citizens_cents"] for project, row in result["projects"].items()},
        donors={project: row["donors"] for project, row in result["projects"].items()},
        columns=[
            RuleColumn(
                rule, cents, top_share(cents.values()), gini(cents.values()), rank_changes(paid, cents)
            )
            for rule, cents in amounts.items()
        ],
    )


def top_share(amounts: Any) -> float:
    """Return the part of the sum that goes to the largest amount, 0 when there is nothing."""
    values = list(amounts)
    total = sum(values)
    return max(values) / total if total else 0.0


def gini(amounts: Any) -> float:
    """Return the Gini coefficient: 0 when all are equal, towards 1 when one has everything."""
    values = sorted(amounts)
    total = sum(values)
    if not total:
        return 0.0
    weighted = sum(place * value for place, value in enumerate(values, 1))
    return 2 * weighted / (len(values) * total) - (len(values) + 1) / len(values)


def rank_changes(reference: Mapping[str, int], amounts: Mapping[str, int]) -> int:
    """Return how many projects have another place by amount (ties share a place)."""
    before, after = _places(reference), _places(amounts)
    return sum(before[project] != after[project] for project in before)


def comparison_rows(comparison: Comparison) -> list[list[str]]:
    """Return the table as rows of text, header first: projects by what they are paid, then the measures."""
    header = ["project", "donors", "gifts", *(column.rule for column in comparison.columns)]
    order = sorted(comparison.citizens, key=lambda project: (-comparison.columns[0].cents[project], project))
    rows = [
        [
            project,
            str(comparison.donors[project]),
            _euros(comparison.citizens[project]),
            *(_euros(column.cents[project]) for column in comparison.columns),
        ]
        for project in order
    ]
    measures = [
        ["paid in all", "", "", *(_euros(sum(column.cents.values())) for column in comparison.columns)],
        ["largest share", "", "", *(f"{column.top_share:.1%}" for column in comparison.columns)],
        ["Gini coefficient", "", "", *(f"{column.gini:.3f}" for column in comparison.columns)],
        ["places changed", "", "", *(str(column.rank_changes) for column in comparison.columns)],
    ]
    return [header, *rows, *measures]


def as_text(rows: Sequence[Sequence[str]], measures: int = 4) -> str:
    """Return rows as an aligned table; the last `measures` rows stand under a line."""
    cut = [[_short(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in cut) for place in range(len(cut[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cut
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    body = lines[1 : len(lines) - measures]
    return "\n".join([lines[0], rule, *body, rule, *lines[len(lines) - measures :]]) + "\n"


def as_csv(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as CSV. A cell that a spreadsheet would run as a formula is preceded by an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell for cell in row])
    return text.getvalue()


def _pot(rule: str, budget: int, m_cents: int) -> dict[str, Any]:
    pot: dict[str, Any] = {"id": rule, "rule": rule, "budget_cents": budget}
    if rule != p.LINEAR:
        pot["mode"] = p.NORMALISE
    if rule == p.PAIRWISE:
        pot["m_cents"] = m_cents
    return pot


def _places(amounts: Mapping[str, int]) -> dict[str, int]:
    order = sorted(set(amounts.values()), reverse=True)
    place = {amount: number for number, amount in enumerate(order)}
    return {project: place[amount] for project, amount in amounts.items()}


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _short(text: str) -> str:
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= _WIDEST_NAME else clean[: _WIDEST_NAME - 1] + "…"
