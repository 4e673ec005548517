"""What one more gift does, and what false identities would: for any amount, by the sums per project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import Any

from .. import problem as p
from ..estimate import Estimator, Sums
from ..problem import Pot
from ..reading import read_input
from ..result import compute_problem
from ..roots import SCALE

#: euros offered on the curve of a project page: 1 to 200
AMOUNTS_CENTS = (100, 200, 500, 1000, 2000, 3000, 5000, 7500, 10_000, 15_000, 20_000)
IDENTITIES = (1, 2, 3, 5, 10, 20, 30, 50, 75, 100)


def one_more_gift(value: Mapping[str, Any], donor: str, project: str, cents: int) -> dict[str, Any]:
    """Return the match before and after one more gift, to the cent, by computing twice.

    {"before_cents", "after_cents", "delta_cents"}, each by project, all pots together; a project that the
    input does not know yet is added, without a goal. Raises `InputError`.
    """
    projects = list(value["projects"])
    if all(known["id"] != project for known in projects):
        projects.append({"id": project})
    later = dict(value) | {
        "projects": projects,
        "contributions": [*value["contributions"], [donor, project, cents]],
    }
    before, after = (
        {name: sum(row["match_cents"].values()) for name, row in result["projects"].items()}
        for result in (compute_problem(read_input(dict(one))) for one in (value, later))
    )
    return {
        "before_cents": before,
        "after_cents": after,
        "delta_cents": {name: amount - before.get(name, 0) for name, amount in after.items()},
    }


def gain_curve(
    value: Mapping[str, Any],
    project: str,
    amounts_cents: Sequence[int] = AMOUNTS_CENTS,
    already_cents: int = 0,
) -> list[dict[str, int]]:
    """Return what gifts of several amounts would bring to a project, and cost the others, in cents.

    From a new donor, or from one who already gave `already_cents` to it. In constant time per amount and
    project, in floating point, right to about a cent.
    """
    estimator = Estimator.from_input(value)
    curve = []
    for cents in amounts_cents:
        estimate = estimator.gift(project, cents, already_cents=already_cents)
        curve.append(
            {
                "gift_cents": cents,
                "gain_cents": estimate.cents,
                "low_cents": estimate.low,
                "high_cents": estimate.high,
                "others_cents": sum(estimate.others.values()),
            }
        )
    return curve


def attack_cost(
    value: Mapping[str, Any],
    project: str,
    gift_cents: int,
    identities: Iterable[int] = IDENTITIES,
) -> list[dict[str, Any]]:
    """Return what n false identities, each giving `gift_cents` to a project, would bring it.

    Closed form: n new donors of x add n√x to S and n·x to C, so the raw quadratic amount grows by
    2·S·n·√x + n(n−1)·x; the other rules follow from the same sums, then the level of the pot is found
    again. Each entry: identities, `cost_cents` (n·x, which the project keeps if it is funded),
    `gain_cents` of match, `gain_per_euro`, and `others_cents`, what other projects lose (negative).
    All pots together; `pairwise` pots do not count. Threshold not applied again.
    """
    frame, pots, sums = _sums_by_pot(value)
    before = _match(frame, sums)
    found = []
    for n in identities:
        after = _match(
            frame, {pot.id: _with_identities(pot, sums[pot.id], project, n, gift_cents) for pot in pots}
        )
        cost, gain = n * gift_cents, after[project] - before[project]
        found.append(
            {
                "identities": n,
                "cost_cents": cost,
                "gain_cents": gain,
                "gain_per_euro": gain / cost if cost else 0.0,
                "others_cents": sum(after[other] - before[other] for other in after if other != project),
            }
        )
    return found


def _with_identities(pot: Pot, sums: Mapping[str, Sums], project: str, n: int, cents: int) -> dict[str, Sums]:
    changed = dict(sums)
    if project in changed:
        now = changed[project]
        counted = n if cents >= max(pot.min_donor_cents, 1) else 0
        most = cents if pot.cap_per_donor_cents is None else min(cents, pot.cap_per_donor_cents)
        changed[project] = Sums(
            now.roots + counted * sqrt(cents),
            now.cents + counted * cents,
            now.donors + counted,
            (now.cents if now.capped_cents is None else now.capped_cents) + n * most,
        )
    return changed


def _sums_by_pot(value: Mapping[str, Any]) -> tuple[dict[str, Any], list[Pot], dict[str, dict[str, Sums]]]:
    problem = read_input(dict(value))
    pots = [pot for pot in problem.pots if pot.rule != p.PAIRWISE]
    frame = {key: item for key, item in value.items() if key not in ("contributions", "statistics")}
    frame["pots"] = [pot for pot in value["pots"] if pot["rule"] != p.PAIRWISE]
    sums = {}
    for pot in pots:
        power = problem.money.power(pot.min_donor_cents)
        capped = problem.money.capped_cents(pot.cap_per_donor_cents)
        sums[pot.id] = {
            project.id: Sums(power.roots[rank] / SCALE, power.cents[rank], power.donors[rank], capped[rank])
            for rank, project in enumerate(problem.projects)
            if pot.covers(project.id)
        }
    return frame, pots, sums


def _match(frame: Mapping[str, Any], sums: Mapping[str, Mapping[str, Sums]]) -> dict[str, int]:
    estimator = Estimator(frame, sums)
    return {item["id"]: sum(estimator.match_cents(item["id"]).values()) for item in frame["projects"]}
