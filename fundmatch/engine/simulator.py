"""Before a campaign opens: the gifts of the last one, or of an election, replayed under several rules.

A fund's three partners disagree in words; they agree more easily on figures side by side. A variant is
a name, pots and a threshold; every variant is computed exactly, on the same gifts, with the same goals.

    from fundmatch.engine.simulator import Variant, replay
    report = replay(last_campaign, [Variant("linear", pots_a, None), Variant("quadratic", pots_b, threshold)])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import InputError
from .reading import read_input
from .result import compute_problem
from .shadow.measures import concentration
from .shadow.rules import places


@dataclass(frozen=True, slots=True)
class Variant:
    """One set of parameters: pots and threshold as fundmatch/1 writes them."""

    name: str
    pots: Sequence[Mapping[str, Any]]
    threshold: Mapping[str, Any] | None = None


def replay(
    value: Mapping[str, Any], variants: Sequence[Variant], *, goals_cents: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Return what each variant would have paid on the gifts of an input, as plain data.

    The pots and the threshold of `value` are not used. `goals_cents` replaces or adds goals (an election has
    costs, a past campaign may have had none). Per variant, in `variants` order:

    - `projects`: per project `funded`, `match_cents`, `total_cents`, `goal_cents`, `goal_part` (ratio);
    - `pots`: per pot `spent_cents` and `unspent_cents`; `funders`: what each funder pays over all pots;
    - `funded`, `refunded_cents`, `spent_cents`, `budget_cents`, `per_euro` (match per euro of citizens);
    - `top_share`, `top_project`, `gini`, `receivers`; `moves`: places gained against the first variant;
    - `eliminated`: the projects that fail, in order.

    A pot that names projects unknown here keeps those that exist.
    Raises `InputError`, which names the variant.
    """
    names = [variant.name for variant in variants]
    if len(set(names)) != len(names):
        raise InputError("variants", "two variants have the same name")
    reports = [_replayed(value, variant, goals_cents or {}) for variant in variants]
    if reports:
        first = places({q: row["match_cents"] for q, row in reports[0]["projects"].items()})
        for report in reports:
            now = places({q: row["match_cents"] for q, row in report["projects"].items()})
            report["moves"] = {project: first[project] - now[project] for project in now}
    return {"gifts": _gifts(value), "variants": reports}


def _replayed(value: Mapping[str, Any], variant: Variant, goals: Mapping[str, int]) -> dict[str, Any]:
    projects = []
    for project in value["projects"]:
        goal = goals.get(project["id"], project.get("goal_cents"))
        projects.append({"id": project["id"]} | ({} if goal is None else {"goal_cents": goal}))
    known = {project["id"] for project in projects}
    pots = [
        dict(pot) | ({"projects": [q for q in pot["projects"] if q in known]} if pot.get("projects") else {})
        for pot in variant.pots
    ]
    money = {key: value[key] for key in ("contributions", "statistics") if key in value}
    frame = {"spec": value["spec"], "projects": projects, "pots": pots, "threshold": variant.threshold}
    try:
        result = compute_problem(read_input(frame | money))
    except InputError as error:
        raise InputError(f"variant {variant.name!r}", str(error)) from None
    return _report(variant, result, {project["id"]: project.get("goal_cents") for project in projects})


def _report(variant: Variant, result: Mapping[str, Any], goals: Mapping[str, int | None]) -> dict[str, Any]:
    rows = {}
    for project, row in result["projects"].items():
        match, goal = sum(row["match_cents"].values()), goals[project]
        rows[project] = {
            "funded": row["funded"],
            "citizens_cents": row["citizens_cents"],
            "match_cents": match,
            "total_cents": row["total_cents"],
            "goal_cents": goal,
            "goal_part": None if goal is None else row["total_cents"] / goal,
        }
    funders: dict[str, int] = {}
    for pot_id, pot in result["pots"].items():
        shares = pot.get("funders") or {pot_id: {"spent_cents": pot["spent_cents"]}}
        for funder, paid in shares.items():
            funders[funder] = funders.get(funder, 0) + paid["spent_cents"]
    spent = sum(pot["spent_cents"] for pot in result["pots"].values())
    kept = sum(row["citizens_cents"] for row in rows.values() if row["funded"])
    return {
        "name": variant.name,
        "threshold": None if variant.threshold is None else dict(variant.threshold),
        "projects": rows,
        "pots": {
            pot: {"spent_cents": paid["spent_cents"], "unspent_cents": paid["unspent_cents"]}
            for pot, paid in result["pots"].items()
        },
        "funders": funders,
        "funded": sum(1 for row in rows.values() if row["funded"]),
        "refunded_cents": sum(entry["refund_total_cents"] for entry in result["eliminated"]),
        "spent_cents": spent,
        "budget_cents": spent + sum(pot["unspent_cents"] for pot in result["pots"].values()),
        "per_euro": spent / kept if kept else 0.0,
        **concentration({project: row["match_cents"] for project, row in rows.items()}),
        "eliminated": [entry["project"] for entry in result["eliminated"]],
    }


def _gifts(value: Mapping[str, Any]) -> dict[str, int]:
    if "statistics" in value:
        rows = value["statistics"]
        return {"cents": sum(row[2] for row in rows), "donors": sum(row[3] for row in rows), "count": 0}
    rows = [row for row in value["contributions"] if row[2]]
    return {"cents": sum(row[2] for row in rows), "donors": len({row[0] for row in rows}), "count": len(rows)}
