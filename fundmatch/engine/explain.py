"""Why a project receives what it receives: facts that a person can read aloud.

A fact is a code and its numbers, in no language: the site says it in French and
German, the command line in English. Everything is read from the input without
its gifts and from the published result, so a stranger explains as well as we do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from . import problem as p
from .problem import Pot
from .reading import read_frame

RECEIVED = "received"
NOT_FUNDED = "not_funded"
REFUNDED = "refunded"
TOO_FEW_DONORS = "too_few_donors"
NO_DONOR = "no_donor"
ONE_DONOR = "one_donor"
CALLS = "calls"
CAP_APPLIES = "cap_applies"
ALL_AT_CAP = "all_at_cap"
SHARED = "shared"
SPREAD = "spread"
FIRST_COME = "first_come"
POT_EMPTY = "pot_empty"
PAYS = "pays"
TOTAL = "total"
GOAL_REACHED = "goal_reached"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing to say. `pot` is None when it is about the project as a whole; amounts are cents."""

    code: str
    pot: str | None = None
    numbers: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the fact as JSON."""
        return {"code": self.code, "pot": self.pot, "numbers": self.numbers}


def explain(frame: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, list[Fact]]:
    """Return the facts of each project of a result, in the order in which they are told.

    `frame` is the input; its gifts, if any, are not looked at. Raises `InputError`
    when it is not valid.
    """
    kept = {key: value for key, value in frame.items() if key not in ("contributions", "statistics")}
    projects, pots, _ = read_frame(kept)
    left = {entry["project"]: (place, entry) for place, entry in enumerate(result["eliminated"], 1)}
    return {
        project.id: list(_project_facts(project.id, project.goal_cents, pots, result, left.get(project.id)))
        for project in projects
    }


def _project_facts(
    project: str,
    goal: int | None,
    pots: list[Pot],
    result: Mapping[str, Any],
    left: tuple[int, Mapping[str, Any]] | None,
) -> Iterable[Fact]:
    row = result["projects"][project]
    yield Fact(RECEIVED, None, {"donors": row["donors"], "cents": row["citizens_cents"]})
    if left is not None:
        place, entry = left
        yield Fact(
            NOT_FUNDED,
            None,
            {
                "place": place,
                "base_cents": entry["base_cents"],
                "needed_cents": entry["needed_cents"],
                "goal_cents": goal,
            },
        )
        yield Fact(REFUNDED, None, {"cents": entry["refund_total_cents"]})
        return
    for pot in pots:
        if pot.covers(project):
            yield from _pot_facts(pot, row, result["pots"][pot.id])
    yield Fact(TOTAL, None, {"cents": row["total_cents"]})
    if goal is not None and row["total_cents"] >= goal:
        yield Fact(GOAL_REACHED, None, {"goal_cents": goal})


def _pot_facts(pot: Pot, row: Mapping[str, Any], spent: Mapping[str, Any]) -> Iterable[Fact]:
    raw = Fraction(row["raw"][pot.id])
    paid = row["match_cents"][pot.id]
    if not raw:
        yield _nothing(pot, row)
        return
    yield Fact(
        CALLS, pot.id, {"rule": pot.rule, "cents": int(raw + Fraction(1, 2)), "raw": row["raw"][pot.id]}
    )
    cap = pot.cap_per_project_cents
    level = None if spent["lambda"] is None else Fraction(spent["lambda"])
    if cap is not None and paid == cap and (raw > cap or pot.rule == p.LINEAR):
        yield Fact(CAP_APPLIES, pot.id, {"cap_cents": cap})
    elif level is None and pot.order == p.FCFS:
        yield Fact(FIRST_COME if paid else POT_EMPTY, pot.id, {"budget_cents": pot.budget_cents})
    elif level is None:
        yield Fact(ALL_AT_CAP, pot.id, {"cap_cents": cap})
    elif level < 1:
        yield Fact(SHARED, pot.id, _level(level, pot))
    elif level > 1:
        yield Fact(SPREAD, pot.id, _level(level, pot))
    yield Fact(PAYS, pot.id, {"cents": paid})


def _nothing(pot: Pot, row: Mapping[str, Any]) -> Fact:
    donors = row["donors"]
    if donors == 0:
        return Fact(NO_DONOR, pot.id)
    if donors < pot.min_donors:
        return Fact(TOO_FEW_DONORS, pot.id, {"donors": donors, "min_donors": pot.min_donors})
    if donors == 1 and pot.rule in (p.QUADRATIC, p.PAIRWISE):
        return Fact(ONE_DONOR, pot.id)
    return Fact(PAYS, pot.id, {"cents": 0})


def _level(level: Fraction, pot: Pot) -> dict[str, Any]:
    # Hundredths of a percent, rounded down: a share is never said to be larger than it is.
    return {
        "level": str(level),
        "per_ten_thousand": int(level * 10_000),
        "budget_cents": pot.budget_cents,
    }


def in_english(fact: Fact) -> str:
    """Return a fact as an English sentence."""
    n = fact.numbers
    pot = f"the pot {fact.pot}"
    match fact.code:
        case "received":
            return f"{_people(n['donors'])} gave {euros(n['cents'])}."
        case "not_funded":
            return (
                f"It did not reach its threshold: {euros(n['base_cents'])}, when "
                f"{euros(n['needed_cents'])} were needed. It left the round in place {n['place']}."
            )
        case "refunded":
            return f"Its donors get back {euros(n['cents'])}, all that they gave."
        case "no_donor":
            return f"Nobody gave, so {pot} pays nothing."
        case "too_few_donors":
            return f"{n['donors']} donors are fewer than the {n['min_donors']} of {pot}: it pays nothing."
        case "one_donor":
            return f"One donor alone calls nothing from {pot}: it answers when several people give."
        case "calls":
            return f"Together they call {euros(n['cents'])} from {pot} (rule {n['rule']})."
        case "cap_applies":
            return f"The cap of {euros(n['cap_cents'])} per project applies."
        case "all_at_cap":
            return f"Every project of {pot} is at the cap of {euros(n['cap_cents'])}."
        case "shared":
            return (
                f"Everybody together called more than the {euros(n['budget_cents'])} of {pot}: "
                f"each gets {n['per_ten_thousand'] / 100:.2f} % of what it called."
            )
        case "spread":
            share = n["per_ten_thousand"] / 100
            return f"{pot.capitalize()} had more than was called: {share:.2f} % of it is paid."
        case "first_come":
            return f"First come, first served, until the {euros(n['budget_cents'])} of {pot} were spent."
        case "pot_empty":
            return f"The {euros(n['budget_cents'])} of {pot} were spent before its turn."
        case "pays":
            return f"{pot.capitalize()} pays {euros(n['cents'])}."
        case "total":
            return f"In all: {euros(n['cents'])}."
        case "goal_reached":
            return f"The goal of {euros(n['goal_cents'])} is reached."
    raise ValueError(f"unknown fact {fact.code}")


def euros(cents: int) -> str:
    """Return an amount as "1,234.50 €"."""
    return f"{cents // 100:,}.{cents % 100:02d} €"


def _people(count: int) -> str:
    return "1 resident" if count == 1 else f"{count} residents"
