"""The gifts of an input, one by one or as sums per project."""

from __future__ import annotations

import re
from typing import Any

from .. import problem as p
from ..errors import InputError, shown
from ..gifts import Money, gifts, in_id_order
from ..limits import MAX_CENTS, MAX_ID, check_cents, check_id
from ..problem import Pot
from ..roots import SCALE_DIGITS
from ..statistics import Statistics
from .shapes import a_list, an_object, known_only

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,31})(?:\.([0-9]+))?", re.ASCII)

Columns = tuple[list[str], list[int], list[int], list[int], list[bool] | None]


def contributions_of(value: object, index: dict[str, int]) -> Money:
    """Return the gifts; `index` gives the rank of each project. Raises `InputError`."""
    rows = a_list(value, "contributions")
    columns = _plain_columns(rows, index)
    if columns is None:
        columns = _checked_columns(rows, index)
    donors, donor, project, cents, matchable = columns
    return gifts(donors, list(index), donor, project, cents, matchable)


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
            options = an_object(row[3], where)
            known_only(options, {"match"}, where)
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


def statistics_of(value: object, index: dict[str, int]) -> Statistics:
    """Return the sums per project; `index` gives the rank of each. Raises `InputError`."""
    roots = [0] * len(index)
    cents = [0] * len(index)
    donors = [0] * len(index)
    rows: dict[int, tuple[str, str, int, int]] = {}
    for number, row in enumerate(a_list(value, "statistics")):
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


def refuse_what_sums_cannot_answer(pots: list[Pot]) -> None:
    """Raise `InputError` on a pot that needs the gifts one by one."""
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
