"""From the JSON input of fundmatch/1 to a `Problem`, or to an error that names the row.

Types are strict: a boolean is not an integer, 1.0 is not 1, an id is a string of
1 to 256 code points without lone surrogates, a field that the text does not know
is refused. Nothing is computed from an input that breaks the text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..csvreader import OnBytes, read_csv
from ..errors import InputError, shown
from ..gifts import Money, checked_columns, gifts, in_id_order, renumbered
from ..limits import MAX_CENTS, check_id
from ..problem import SPEC, Pot, Problem, Project, Threshold
from .frame import projects_of, threshold_of
from .money import contributions_of, refuse_what_sums_cannot_answer, statistics_of
from .pots import pot_of
from .shapes import a_list, an_object, known_only, required, unique

Frame = tuple[list[Project], list[Pot], Threshold | None]


def read_input(value: object) -> Problem:
    """Validate a whole input (the decoded JSON). Raises `InputError`."""
    top = an_object(value, "input")
    known_only(top, {"spec", "projects", "contributions", "statistics", "pots", "threshold"}, "input")
    _check_spec(top)
    if ("contributions" in top) == ("statistics" in top):
        raise InputError("input", "needs either contributions or statistics, and not both")
    projects, pots, threshold = _frame(top)
    index = {project.id: rank for rank, project in enumerate(projects)}
    money: Money
    if "statistics" in top:
        money = statistics_of(top["statistics"], index)
        refuse_what_sums_cannot_answer(pots)
    else:
        money = contributions_of(top["contributions"], index)
    return Problem(projects, pots, threshold, money)


def read_frame(value: object) -> Frame:
    """Validate an input without its gifts (they come from a CSV file or a database)."""
    top = an_object(value, "input")
    known_only(top, {"spec", "projects", "pots", "threshold"}, "input")
    _check_spec(top)
    return _frame(top)


def read_with_csv(
    frame: Mapping[str, Any], path: str | os.PathLike[str], on_bytes: OnBytes | None = None
) -> Problem:
    """Validate an input whose gifts are a CSV file. Raises `InputError` and `OSError`."""
    projects, pots, threshold = read_frame(dict(frame))
    index = {item.id: rank for rank, item in enumerate(projects)}
    return Problem(projects, pots, threshold, read_csv(path, index, on_bytes))


def read_columns(
    frame: Mapping[str, Any],
    *,
    donors: Sequence[str],
    donor: Sequence[int],
    project_ids: Sequence[str],
    project: Sequence[int],
    cents: Sequence[int],
    matchable: Sequence[bool] | None = None,
) -> Problem:
    """Validate an input whose gifts are columns, in time order (the door of databases).

    `donor[k]` is an index in `donors`, `project[k]` one in `project_ids`; arrays of
    NumPy are taken as they are. Raises `InputError`.
    """
    projects, pots, threshold = read_frame(dict(frame))
    index = {item.id: rank for rank, item in enumerate(projects)}
    for place, project_id in enumerate(project_ids):
        check_id(project_id, f"project_ids[{place}]")
        if project_id not in index:
            raise InputError(f"project_ids[{place}]", f"unknown project {shown(project_id)}")
    if len(set(project_ids)) != len(project_ids):
        raise InputError("project_ids", "the same project twice")
    for place, donor_id in enumerate(donors):
        check_id(donor_id, f"donors[{place}]")
    if len(set(donors)) != len(donors):
        raise InputError("donors", "the same donor twice")
    ranks = [index[project_id] for project_id in project_ids]
    donor, project, cents, matchable = checked_columns(
        donor=(donor, len(donors)),
        project=(project, len(ranks)),
        cents=(cents, MAX_CENTS + 1),
        matchable=matchable,
    )
    ordered, donor = in_id_order(list(donors), donor)
    money = gifts(ordered, list(index), donor, renumbered(project, ranks), cents, matchable)
    return Problem(projects, pots, threshold, money)


def _check_spec(top: Mapping[str, Any]) -> None:
    if top.get("spec") != SPEC:
        raise InputError("spec", f'must be "{SPEC}", not {shown(top.get("spec"))}')


def _frame(top: Mapping[str, Any]) -> Frame:
    threshold = threshold_of(top.get("threshold"))
    projects = projects_of(required(top, "projects", "input"), threshold is not None)
    known = {project.id for project in projects}
    pots = [
        pot_of(pot, f"pots[{place}]", known)
        for place, pot in enumerate(a_list(required(top, "pots", "input"), "pots"))
    ]
    unique([pot.id for pot in pots], "pots", "pot")
    return projects, sorted(pots, key=lambda pot: pot.id), threshold
