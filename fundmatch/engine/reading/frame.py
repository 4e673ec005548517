"""The projects and the threshold of an input."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from .. import problem as p
from ..errors import InputError, shown
from ..limits import MAX_CENTS, MAX_ID, check_cents, check_id
from ..problem import Project, Threshold
from .shapes import a_list, an_object, check_ratio, known_only, required, unique


def projects_of(value: object, goal_needed: bool) -> list[Project]:
    """Return the projects, sorted by id. Raises `InputError`."""
    rows = a_list(value, "projects")
    found = _plain_projects(rows)
    if found is None:
        found = [_project(row, f"projects[{place}]", goal_needed) for place, row in enumerate(rows)]
    unique([project.id for project in found], "projects", "project")
    return sorted(found, key=itemgetter(0))


def _plain_projects(rows: list[Any]) -> list[Project] | None:
    """Return the projects when every row is a flawless {"id", "goal_cents"}, else None."""
    if not rows or set(map(type, rows)) != {dict} or set(map(len, rows)) != {2}:
        return None
    try:
        ids = list(map(itemgetter("id"), rows))
        goals = list(map(itemgetter("goal_cents"), rows))
    except KeyError:
        return None
    if set(map(type, ids)) != {str} or set(map(type, goals)) != {int}:
        return None
    lengths = set(map(len, ids))
    if min(lengths) < 1 or max(lengths) > MAX_ID or not "".join(ids).isascii():
        return None
    if min(goals) < 1 or max(goals) > MAX_CENTS:
        return None
    return list(map(Project, ids, goals))


def _project(row: object, where: str, goal_needed: bool) -> Project:
    item = an_object(row, where)
    known_only(item, {"id", "goal_cents"}, where)
    project_id = check_id(required(item, "id", where), where)
    goal = item.get("goal_cents")
    if goal is not None:
        goal = check_cents(goal, where, "goal_cents", minimum=1)
    elif goal_needed:
        raise InputError(where, f"project {shown(project_id)} has no goal, and there is a threshold")
    return Project(project_id, goal)


def threshold_of(value: object) -> Threshold | None:
    """Return the threshold, or None. Raises `InputError`."""
    if value is None:
        return None
    item = an_object(value, "threshold")
    known_only(item, {"ratio", "base"}, "threshold")
    ratio = check_ratio(required(item, "ratio", "threshold"), "threshold")
    base = required(item, "base", "threshold")
    if base not in (p.TOTAL, p.CITIZENS):
        raise InputError("threshold", f'base must be "total" or "citizens", not {shown(base)}')
    return Threshold(ratio, base, {"ratio": item["ratio"], "base": base})
