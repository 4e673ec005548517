"""Elections in the Pabulib format (pabulib.org/format) as inputs of fundmatch.

A vote becomes contributions: each project approved receives the same amount from
the voter; points (cumulative and scoring votes) are worth an amount each. That is
how the past elections of a city, or of another, are replayed under our rules.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from .errors import InputError, shown
from .limits import MAX_CENTS, check_id
from .problem import SPEC

APPROVALS = ("approval", "choose-1")
POINTS = ("cumulative", "scoring")
_SECTIONS = ("META", "PROJECTS", "VOTES")


@dataclass(slots=True)
class Election:
    """What a .pb file says. Costs and budget in cents; a vote maps projects to points (approval: 1)."""

    meta: dict[str, str]
    budget_cents: int
    costs_cents: dict[str, int]
    names: dict[str, str]
    selected: list[str] | None
    votes: dict[str, dict[str, int]] = field(default_factory=dict)


def read_pb(path: str | os.PathLike[str]) -> Election:
    """Read a .pb file. Raises `InputError`, which names the line, and `OSError`."""
    name = Path(path).name
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(name, f"not UTF-8 text (byte {error.start})") from None
    sections = _sections(text, name)
    meta = {row["key"]: row.get("value", "") for _, row in sections["META"] if "key" in row}
    costs: dict[str, int] = {}
    names: dict[str, str] = {}
    selected: list[str] = []
    has_selection = False
    for line, row in sections["PROJECTS"]:
        where = f"{name} line {line}"
        project = check_id(row.get("project_id", ""), where)
        if project in costs:
            raise InputError(where, f"duplicate project {shown(project)}")
        costs[project] = _cents(row.get("cost", ""), where, "cost")
        names[project] = row.get("name") or project
        if "selected" in row:
            has_selection = True
            if row["selected"] == "1":
                selected.append(project)
    kind = meta.get("vote_type", "approval")
    if kind not in APPROVALS + POINTS:
        raise InputError(
            name, f"votes of the type {shown(kind)} have no amounts that could become contributions"
        )
    votes: dict[str, dict[str, int]] = {}
    for line, row in sections["VOTES"]:
        where = f"{name} line {line}"
        voter = check_id(row.get("voter_id", ""), where)
        if voter in votes:
            raise InputError(where, f"duplicate voter {shown(voter)}")
        votes[voter] = _vote(row, kind, costs, where)
    return Election(
        meta=meta,
        budget_cents=_cents(meta.get("budget", ""), name, "budget"),
        costs_cents=costs,
        names=names,
        selected=selected if has_selection else None,
        votes=votes,
    )


def input_from_election(
    election: Election,
    *,
    cents_per_point: int = 1000,
    budget_cents: int | None = None,
    rule: str = "quadratic",
    threshold: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return an input of fundmatch/1: goals are the costs, one pot has the budget of the election.

    `cents_per_point` is what an approval, or a point, is worth: 10 € unless told.
    """
    pot: dict[str, Any] = {
        "id": "fund",
        "rule": rule,
        "budget_cents": election.budget_cents if budget_cents is None else budget_cents,
    }
    if rule == "pairwise":
        pot["m_cents"] = 2500
    return {
        "spec": SPEC,
        "projects": [
            {"id": project, "goal_cents": cost} if cost else {"id": project}
            for project, cost in election.costs_cents.items()
        ],
        "contributions": [
            [voter, project, points * cents_per_point]
            for voter, vote in election.votes.items()
            for project, points in vote.items()
        ],
        "pots": [pot],
        "threshold": threshold,
    }


def _sections(text: str, name: str) -> dict[str, list[tuple[int, dict[str, str]]]]:
    """Return section → [(line, fields by name)]."""
    found: dict[str, list[tuple[int, dict[str, str]]]] = {}
    rows: list[tuple[int, dict[str, str]]] | None = None
    header: list[str] | None = None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    try:
        for row in reader:
            if not any(field.strip() for field in row):
                continue
            title = row[0].strip().upper()
            if len(row) == 1 and title in _SECTIONS and title not in found:
                rows = found[title] = []
                header = None
            elif rows is None:
                raise InputError(f"{name} line {reader.line_num}", "before the section META")
            elif header is None:
                header = [field.strip() for field in row]
            else:
                values = (field.strip() for field in row)
                rows.append((reader.line_num, dict(zip(header, values, strict=False))))
    except csv.Error as error:
        raise InputError(f"{name} line {reader.line_num}", f"not CSV: {error}") from None
    for section in _SECTIONS:
        if section not in found:
            raise InputError(name, f"the section {section} is missing")
    return found


def _cents(text: str, where: str, what: str) -> int:
    try:
        amount = Decimal(text.replace(",", ".")) if len(text) < 40 else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0 or amount * 100 > MAX_CENTS:
        raise InputError(where, f"{what} must be an amount of money, not {shown(text)}")
    cents = amount * 100
    if cents != int(cents):
        raise InputError(where, f"{what} has fractions of a cent: {shown(text)}")
    return int(cents)


def _vote(row: dict[str, str], kind: str, costs: dict[str, int], where: str) -> dict[str, int]:
    chosen = [item.strip() for item in row.get("vote", "").split(",") if item.strip()]
    points = ["1"] * len(chosen)
    if kind in POINTS:
        points = [item.strip() for item in row.get("points", "").split(",") if item.strip()]
        if len(points) != len(chosen):
            raise InputError(where, f"{len(chosen)} projects and {len(points)} points")
    vote: dict[str, int] = {}
    for project, text in zip(chosen, points, strict=True):
        if project not in costs:
            raise InputError(where, f"unknown project {shown(project)}")
        if project in vote:
            raise InputError(where, f"the project {shown(project)} twice in one vote")
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise InputError(where, f"points must be a whole number, not {shown(text)}")
        vote[project] = int(text)
    return vote
