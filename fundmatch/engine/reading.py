"""From the JSON input of fundmatch/1 to a `Problem`, or to an error that names the row.

Types are strict: a boolean is not an integer, 1.0 is not 1, an id is a string of
1 to 256 code points without lone surrogates, a field that the text does not know
is refused. Nothing is computed from an input that breaks the text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from operator import itemgetter
from typing import Any

from . import problem as p
from .csvreader import OnBytes, read_csv
from .errors import InputError, shown
from .gifts import Money, checked_columns, gifts, in_id_order, renumbered
from .limits import MAX_CENTS, MAX_ID, check_cents, check_id
from .problem import SPEC, Funder, Pot, Problem, Project, Threshold
from .roots import SCALE_DIGITS
from .statistics import Statistics

_RATIO = re.compile(r"(0|[1-9][0-9]{0,31})(?:/(0|[1-9][0-9]{0,31}))?", re.ASCII)
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,31})(?:\.([0-9]+))?", re.ASCII)

Frame = tuple[list[Project], list[Pot], Threshold | None]

_PROJECT_KEYS = {"id", "goal_cents"}
_COMMON_KEYS = {"id", "rule", "budget_cents", "cap_per_project_cents", "projects", "funders"}
_KEYS = {
    p.LINEAR: _COMMON_KEYS | {"ratio", "order", "cap_per_donor_cents"},
    p.QUADRATIC: _COMMON_KEYS | {"mode", "min_donor_cents", "min_donors"},
}
for _rule in (p.SQUARE, p.PROPORTIONAL, p.PER_DONOR):
    _KEYS[_rule] = _KEYS[p.QUADRATIC]
_KEYS[p.PAIRWISE] = _KEYS[p.QUADRATIC] | {"m_cents"}
_ONLY_NORMALISE = {p.SQUARE, p.PROPORTIONAL, p.PER_DONOR}


def read_input(value: object) -> Problem:
    """Validate a whole input (the decoded JSON). Raises `InputError`."""
    top = _object(value, "input")
    _known(top, {"spec", "projects", "contributions", "statistics", "pots", "threshold"}, "input")
    _check_spec(top)
    if ("contributions" in top) == ("statistics" in top):
        raise InputError("input", "needs either contributions or statistics, and not both")
    projects, pots, threshold = _frame(top)
    index = {project.id: rank for rank, project in enumerate(projects)}
    money: Money
    if "statistics" in top:
        money = _statistics(top["statistics"], index)
        _refuse_what_statistics_cannot_serve(pots)
    else:
        money = _contributions(top["contributions"], index)
    return Problem(projects, pots, threshold, money)


def read_frame(value: object) -> Frame:
    """Validate an input without its gifts (they come from a CSV file or a database)."""
    top = _object(value, "input")
    _known(top, {"spec", "projects", "pots", "threshold"}, "input")
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


def check_ratio(value: object, where: str) -> Fraction:
    """Return the value of a ratio written "3/4" or "2". Raises `InputError`."""
    match = _RATIO.fullmatch(value) if type(value) is str and len(value) < 70 else None
    if match is None:
        raise InputError(where, f'ratio must be a string such as "3/4" or "2", not {shown(value)}')
    if match[2] is not None and int(match[2]) == 0:
        raise InputError(where, "ratio divides by zero")
    return Fraction(int(match[1]), int(match[2] or 1))


def _check_spec(top: Mapping[str, Any]) -> None:
    if top.get("spec") != SPEC:
        raise InputError("spec", f'must be "{SPEC}", not {shown(top.get("spec"))}')


def _frame(top: Mapping[str, Any]) -> Frame:
    threshold = _threshold(top.get("threshold"))
    projects = _projects(_required(top, "projects", "input"), threshold is not None)
    known = {project.id for project in projects}
    pots = [
        _pot(pot, f"pots[{place}]", known)
        for place, pot in enumerate(_list(_required(top, "pots", "input"), "pots"))
    ]
    _unique([pot.id for pot in pots], "pots", "pot")
    return projects, sorted(pots, key=lambda pot: pot.id), threshold


def _projects(value: object, goal_needed: bool) -> list[Project]:
    found: list[Project] = []
    for place, row in enumerate(_list(value, "projects")):
        if type(row) is not dict or not row.keys() <= _PROJECT_KEYS or "id" not in row:
            where = f"projects[{place}]"
            _known(_object(row, where), _PROJECT_KEYS, where)
            _required(row, "id", where)
        project_id, goal = row["id"], row.get("goal_cents")
        if type(project_id) is not str or not (project_id.isascii() and 0 < len(project_id) <= MAX_ID):
            check_id(project_id, f"projects[{place}]")
        if goal is not None:
            if type(goal) is not int or not 0 < goal <= MAX_CENTS:
                check_cents(goal, f"projects[{place}]", "goal_cents", minimum=1)
        elif goal_needed:
            raise InputError(
                f"projects[{place}]", f"project {shown(project_id)} has no goal, and there is a threshold"
            )
        found.append(Project(project_id, goal))
    _unique([project.id for project in found], "projects", "project")
    return sorted(found, key=itemgetter(0))


def _threshold(value: object) -> Threshold | None:
    if value is None:
        return None
    item = _object(value, "threshold")
    _known(item, {"ratio", "base"}, "threshold")
    ratio = check_ratio(_required(item, "ratio", "threshold"), "threshold")
    base = _required(item, "base", "threshold")
    if base not in (p.TOTAL, p.CITIZENS):
        raise InputError("threshold", f'base must be "total" or "citizens", not {shown(base)}')
    return Threshold(ratio, base, {"ratio": item["ratio"], "base": base})


def _pot(value: object, where: str, known_projects: set[str]) -> Pot:
    item = _object(value, where)
    rule = _required(item, "rule", where)
    if type(rule) is not str or rule not in _KEYS:
        raise InputError(where, f"unknown rule {shown(rule)}; the rules are {', '.join(p.RULES)}")
    _known(item, _KEYS[rule], where)
    canonical: dict[str, Any] = {
        "id": check_id(_required(item, "id", where), where),
        "rule": rule,
        "budget_cents": check_cents(_required(item, "budget_cents", where), where, "budget_cents"),
        "cap_per_project_cents": _optional_cents(item, "cap_per_project_cents", where),
    }
    ratio = Fraction(1)
    if rule == p.LINEAR:
        ratio = check_ratio(item.get("ratio", "1"), where)
        canonical["ratio"] = item.get("ratio", "1")
        canonical["order"] = _choice(item, "order", (p.PRORATA, p.FCFS), p.PRORATA, where)
        canonical["cap_per_donor_cents"] = _optional_cents(item, "cap_per_donor_cents", where)
    else:
        canonical["mode"] = _mode(item, rule, where)
        for key in ("min_donor_cents", "min_donors"):
            canonical[key] = check_cents(item.get(key, 0), where, key)
    if rule == p.PAIRWISE:
        canonical["m_cents"] = check_cents(_required(item, "m_cents", where), where, "m_cents")
    projects = _pot_projects(item.get("projects"), where, known_projects)
    canonical["projects"] = projects
    funders = _funders(item.get("funders"), where, canonical["budget_cents"])
    canonical["funders"] = (
        None if funders is None else [{"id": one.id, "pledge_cents": one.pledge_cents} for one in funders]
    )
    return Pot(
        id=canonical["id"],
        rule=rule,
        budget_cents=canonical["budget_cents"],
        ratio=ratio,
        order=canonical.get("order", p.PRORATA),
        mode=canonical.get("mode", p.SATURATE),
        cap_per_donor_cents=canonical.get("cap_per_donor_cents"),
        cap_per_project_cents=canonical["cap_per_project_cents"],
        min_donor_cents=canonical.get("min_donor_cents", 0),
        min_donors=canonical.get("min_donors", 0),
        m_cents=canonical.get("m_cents", 0),
        projects=None if projects is None else frozenset(projects),
        funders=funders,
        canonical=canonical,
    )


def _mode(item: Mapping[str, Any], rule: str, where: str) -> str:
    default = p.NORMALISE if rule in _ONLY_NORMALISE else p.SATURATE
    mode = _choice(item, "mode", (p.SATURATE, p.NORMALISE), default, where)
    if mode == p.SATURATE and rule in _ONLY_NORMALISE:
        raise InputError(where, f'mode "saturate" has no meaning for the rule {rule}')
    return mode


def _pot_projects(value: object, where: str, known: set[str]) -> list[str] | None:
    if value is None:
        return None
    found = []
    for place, project_id in enumerate(_list(value, f"{where}.projects")):
        inner = f"{where}.projects[{place}]"
        check_id(project_id, inner)
        if project_id not in known:
            raise InputError(inner, f"unknown project {shown(project_id)}")
        found.append(project_id)
    _unique(found, f"{where}.projects", "project")
    return sorted(found)


def _funders(value: object, where: str, budget: int) -> tuple[Funder, ...] | None:
    if value is None:
        return None
    found = []
    for place, row in enumerate(_list(value, f"{where}.funders")):
        inner = f"{where}.funders[{place}]"
        item = _object(row, inner)
        _known(item, {"id", "pledge_cents"}, inner)
        funder_id = check_id(_required(item, "id", inner), inner)
        pledge = check_cents(_required(item, "pledge_cents", inner), inner, "pledge_cents")
        found.append(Funder(funder_id, pledge))
    _unique([funder.id for funder in found], f"{where}.funders", "funder")
    promised = sum(funder.pledge_cents for funder in found)
    if promised != budget:
        raise InputError(f"{where}.funders", f"pledges add up to {promised} cents, the budget is {budget}")
    return tuple(sorted(found, key=lambda funder: funder.id))


def _contributions(value: object, index: dict[str, int]) -> Money:
    rows = _list(value, "contributions")
    columns = _plain_columns(rows, index)
    if columns is None:
        columns = _checked_columns(rows, index)
    donors, donor, project, cents, matchable = columns
    return gifts(donors, list(index), donor, project, cents, matchable)


Columns = tuple[list[str], list[int], list[int], list[int], list[bool] | None]


def _plain_columns(rows: list[Any], index: dict[str, int]) -> Columns | None:
    """Return the columns when every row is a flawless [donor, project, cents], else None.

    One pass of the interpreter's own loops per column: five times faster than
    looking at each row, which is left to `_checked_columns` and its messages.
    """
    if not rows or not set(map(type, rows)) <= {list, tuple} or set(map(len, rows)) != {3}:
        return None
    donor_ids, project_ids, cents = zip(*rows, strict=True)
    if set(map(type, cents)) != {int} or min(cents) < 0 or max(cents) > MAX_CENTS:
        return None
    if set(map(type, donor_ids)) != {str} or set(map(type, project_ids)) != {str}:
        return None
    distinct = sorted(set(donor_ids))
    lengths = set(map(len, distinct))
    if min(lengths) < 1 or max(lengths) > MAX_ID:
        return None
    try:
        "".join(distinct).encode()
        project = list(map(index.__getitem__, project_ids))
    except (UnicodeEncodeError, KeyError):
        return None
    place = dict(zip(distinct, range(len(distinct)), strict=True))
    return distinct, list(map(place.__getitem__, donor_ids)), project, list(cents), None


def _checked_columns(rows: list[Any], index: dict[str, int]) -> Columns:
    place: dict[str, int] = {}
    donor: list[int] = []
    project: list[int] = []
    cents: list[int] = []
    matchable: list[bool] = []
    plain = True
    for number, row in enumerate(rows):
        where = f"contributions[{number}]"
        if type(row) not in (list, tuple) or len(row) not in (3, 4):
            raise InputError(
                where, "must be [donor, project, cents] or [donor, project, cents, {match: false}]"
            )
        match = True
        if len(row) == 4:
            options = _object(row[3], where)
            _known(options, {"match"}, where)
            match = options.get("match", True)
            if type(match) is not bool:
                raise InputError(where, f"match must be true or false, not {shown(match)}")
        donor_id, project_id = row[0], row[1]
        if type(donor_id) is not str or donor_id not in place:
            place[check_id(donor_id, where)] = len(place)
        if type(project_id) is not str or project_id not in index:
            raise InputError(where, f"unknown project {shown(project_id)}")
        cents.append(check_cents(row[2], where))
        donor.append(place[donor_id])
        project.append(index[project_id])
        matchable.append(match)
        plain = plain and match
    donors, donor = in_id_order(list(place), donor)
    return donors, donor, project, cents, None if plain else matchable


def _statistics(value: object, index: dict[str, int]) -> Statistics:
    roots = [0] * len(index)
    cents = [0] * len(index)
    donors = [0] * len(index)
    rows: dict[int, tuple[str, str, int, int]] = {}
    for number, row in enumerate(_list(value, "statistics")):
        where = f"statistics[{number}]"
        if type(row) not in (list, tuple) or len(row) != 4:
            raise InputError(where, "must be [project, sum of roots, cents, donors]")
        project_id = row[0]
        if type(project_id) is not str or project_id not in index:
            raise InputError(where, f"unknown project {shown(project_id)}")
        rank = index[project_id]
        if rank in rows:
            raise InputError(where, f"the project {shown(project_id)} is listed twice")
        roots[rank], text = _sum_of_roots(row[1], where)
        # A sum of gifts may pass 10^15 cents; one gift may not.
        if type(row[2]) is not int or not 0 <= row[2] <= MAX_CENTS * MAX_CENTS:
            raise InputError(where, f"cents must be a non-negative integer, not {shown(row[2])}")
        cents[rank] = row[2]
        donors[rank] = check_cents(row[3], where, "donors")
        rows[rank] = (project_id, text, cents[rank], donors[rank])
    return Statistics(roots, cents, donors, [list(rows[rank]) for rank in sorted(rows)])


def _sum_of_roots(value: object, where: str) -> tuple[int, str]:
    match = _DECIMAL.fullmatch(value) if type(value) is str and len(value) < 70 else None
    if match is None or len(match[2] or "") > SCALE_DIGITS:
        raise InputError(
            where,
            f"S must be a decimal string of at most {SCALE_DIGITS} decimals, not {shown(value)}",
        )
    decimals = match[2] or ""
    kept = decimals.rstrip("0")
    return int(match[1] + decimals.ljust(SCALE_DIGITS, "0")), f"{match[1]}.{kept}" if kept else match[1]


def _refuse_what_statistics_cannot_serve(pots: list[Pot]) -> None:
    for pot in pots:
        reasons = {
            "a cap per donor": pot.cap_per_donor_cents is not None,
            "a minimum per donor": pot.min_donor_cents > 0,
            "first come first served": pot.order == p.FCFS,
            "the pairwise rule": pot.rule == p.PAIRWISE,
        }
        for reason, present in reasons.items():
            if present:
                raise InputError(
                    f"pot {shown(pot.id)}", f"{reason} needs the gifts one by one, not statistics"
                )


def _object(value: object, where: str) -> Mapping[str, Any]:
    if type(value) is not dict:
        raise InputError(where, f"must be an object, not {shown(value)}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if type(value) is tuple:
        return list(value)
    if type(value) is not list:
        raise InputError(where, f"must be a list, not {shown(value)}")
    return value


def _required(item: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in item:
        raise InputError(where, f"{key} is missing")
    return item[key]


def _known(item: Mapping[str, Any], keys: set[str], where: str) -> None:
    for key in item:
        if key not in keys:
            raise InputError(where, f"unknown field {shown(key)}")


def _unique(ids: list[str], where: str, what: str) -> None:
    if len(set(ids)) == len(ids):
        return
    seen = set()
    for item in ids:
        if item in seen:
            raise InputError(where, f"duplicate {what} {shown(item)}")
        seen.add(item)


def _optional_cents(item: Mapping[str, Any], key: str, where: str) -> int | None:
    value = item.get(key)
    return None if value is None else check_cents(value, where, key)


def _choice(item: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str, where: str) -> str:
    value = item.get(key, default)
    if type(value) is not str or value not in choices:
        raise InputError(where, f"{key} must be one of {', '.join(choices)}, not {shown(value)}")
    return value
