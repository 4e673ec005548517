"""The pots of an input."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .. import problem as p
from ..errors import InputError, shown
from ..limits import check_cents, check_id
from ..problem import Funder, Pot
from .shapes import a_list, an_object, check_ratio, choice, known_only, optional_cents, required, unique

_COMMON_KEYS = {"id", "rule", "budget_cents", "cap_per_project_cents", "projects", "funders"}
_KEYS = {
    p.LINEAR: _COMMON_KEYS | {"ratio", "order", "cap_per_donor_cents"},
    p.QUADRATIC: _COMMON_KEYS | {"mode", "min_donor_cents", "min_donors"},
}
for _rule in (p.SQUARE, p.PROPORTIONAL, p.PER_DONOR):
    _KEYS[_rule] = _KEYS[p.QUADRATIC]
_KEYS[p.PAIRWISE] = _KEYS[p.QUADRATIC] | {"m_cents"}
_ONLY_NORMALISE = {p.SQUARE, p.PROPORTIONAL, p.PER_DONOR}


def pot_of(value: object, where: str, known_projects: set[str]) -> Pot:
    """Return one pot, every optional key of its rule at its default. Raises `InputError`."""
    item = an_object(value, where)
    rule = required(item, "rule", where)
    if type(rule) is not str or rule not in _KEYS:
        raise InputError(where, f"unknown rule {shown(rule)}; the rules are {', '.join(p.RULES)}")
    known_only(item, _KEYS[rule], where)
    canonical: dict[str, Any] = {
        "id": check_id(required(item, "id", where), where),
        "rule": rule,
        "budget_cents": check_cents(required(item, "budget_cents", where), where, "budget_cents"),
        "cap_per_project_cents": optional_cents(item, "cap_per_project_cents", where),
    }
    ratio = Fraction(1)
    if rule == p.LINEAR:
        ratio = check_ratio(item.get("ratio", "1"), where)
        canonical["ratio"] = item.get("ratio", "1")
        canonical["order"] = choice(item, "order", (p.PRORATA, p.FCFS), p.PRORATA, where)
        canonical["cap_per_donor_cents"] = optional_cents(item, "cap_per_donor_cents", where)
    else:
        canonical["mode"] = _mode(item, rule, where)
        for key in ("min_donor_cents", "min_donors"):
            canonical[key] = check_cents(item.get(key, 0), where, key)
    if rule == p.PAIRWISE:
        canonical["m_cents"] = check_cents(required(item, "m_cents", where), where, "m_cents")
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
    mode = choice(item, "mode", (p.SATURATE, p.NORMALISE), default, where)
    if mode == p.SATURATE and rule in _ONLY_NORMALISE:
        raise InputError(where, f'mode "saturate" has no meaning for the rule {rule}')
    return mode


def _pot_projects(value: object, where: str, known: set[str]) -> list[str] | None:
    if value is None:
        return None
    found = []
    for place, project_id in enumerate(a_list(value, f"{where}.projects")):
        inner = f"{where}.projects[{place}]"
        check_id(project_id, inner)
        if project_id not in known:
            raise InputError(inner, f"unknown project {shown(project_id)}")
        found.append(project_id)
    unique(found, f"{where}.projects", "project")
    return sorted(found)


def _funders(value: object, where: str, budget: int) -> tuple[Funder, ...] | None:
    if value is None:
        return None
    found = []
    for place, row in enumerate(a_list(value, f"{where}.funders")):
        inner = f"{where}.funders[{place}]"
        item = an_object(row, inner)
        known_only(item, {"id", "pledge_cents"}, inner)
        funder_id = check_id(required(item, "id", inner), inner)
        pledge = check_cents(required(item, "pledge_cents", inner), inner, "pledge_cents")
        found.append(Funder(funder_id, pledge))
    unique([funder.id for funder in found], f"{where}.funders", "funder")
    promised = sum(funder.pledge_cents for funder in found)
    if promised != budget:
        raise InputError(f"{where}.funders", f"pledges add up to {promised} cents, the budget is {budget}")
    return tuple(sorted(found, key=lambda funder: funder.id))
