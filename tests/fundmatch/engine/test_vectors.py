"""The visible vectors, through the command line. Field names are mapped here, not in the engine."""

import json
from fractions import Fraction
from math import lcm
from pathlib import Path

import pytest

VECTORS = json.loads((Path(__file__).parent / "data" / "vectors.json").read_text())["vectors"]


def of(rule):
    found = [vector for vector in VECTORS if vector["rule"] == rule]
    return pytest.mark.parametrize("vector", found, ids=[vector["id"] for vector in found])


def frame(projects, pots, **more):
    return {"spec": "fundmatch/1", "projects": projects, "pots": pots, "threshold": None, **more}


@of("qf")
def test_quadratic(vector, compute_by_command):
    given, expected = vector["input"], vector["expected"]
    result = compute_by_command(
        frame(
            [{"id": project} for project in given["projects"]],
            [
                {
                    "id": "pool",
                    "rule": "quadratic",
                    "budget_cents": given["pool_cents"],
                    "mode": given["mode"],
                    "cap_per_project_cents": given["cap_cents"],
                }
            ],
            contributions=given["contributions"],
        )
    )
    rows = result["projects"]
    assert {project: row["match_cents"]["pool"] for project, row in rows.items()} == expected["match_cents"]
    for project, raw in expected["raw_cents"].items():
        assert abs(Fraction(rows[project]["raw"]["pool"]) - Fraction(raw)) <= Fraction(1, 10**6)
    assert result["pots"]["pool"]["spent_cents"] == expected["distributed_cents"]
    assert result["pots"]["pool"]["unspent_cents"] == expected["unspent_cents"]


@of("linear")
def test_linear(vector, compute_by_command):
    given, expected = vector["input"], vector["expected"]
    result = compute_by_command(
        frame(
            [{"id": project, "goal_cents": goal} for project, goal in given["projects"].items()],
            [
                {"rule": "linear", "order": given.get("mode", "prorata"), **funder}
                for funder in given["funders"]
            ],
            contributions=given["contributions"],
            threshold={"ratio": "3/4", "base": given.get("threshold_base", "total")},
        )
    )
    rows = result["projects"]
    assert {project: row["funded"] for project, row in rows.items()} == expected["funded"]
    assert {project: row["total_cents"] for project, row in rows.items()} == expected["total_cents"]
    for funder, shares in expected["match_cents"].items():
        assert {project: rows[project]["match_cents"][funder] for project in shares} == shares
    for funder, cents in expected["unspent_cents"].items():
        assert result["pots"][funder]["unspent_cents"] == cents
    assert [entry["project"] for entry in result["eliminated"]] == expected["elimination_order"]
    refunds = {entry["project"]: entry["refunds"] for entry in result["eliminated"] if entry["refunds"]}
    assert refunds == expected["refunds_cents"]


@of("largest_remainder")
def test_largest_remainder(vector, compute_by_command):
    # A proportional pot whose gifts are the shares times their common denominator has exactly these shares.
    given = vector["input"]
    shares = {project: Fraction(share) for project, share in given["shares"].items()}
    assert sum(shares.values()) == given["total_cents"]
    scale = lcm(*(share.denominator for share in shares.values()))
    result = compute_by_command(
        frame(
            [{"id": project} for project in shares],
            [{"id": "pool", "rule": "proportional", "budget_cents": given["total_cents"]}],
            contributions=[["d", project, int(share * scale)] for project, share in shares.items()],
        )
    )
    found = {project: row["match_cents"]["pool"] for project, row in result["projects"].items()}
    assert found == vector["expected"]


@of("pairwise")
def test_pairwise(vector, compute_by_command):
    given, expected = vector["input"], vector["expected"]["raw_eur"]
    rows = [
        [donor, project, int(Fraction(str(euros)) * 100)]
        for donor, project, euros in given["contributions_eur"]
    ]
    result = compute_by_command(
        frame(
            [{"id": project} for project in expected],
            [
                {
                    "id": "pool",
                    "rule": "pairwise",
                    "budget_cents": 10**15,
                    "m_cents": int(Fraction(given["M"]) * 100),
                }
            ],
            contributions=rows,
        )
    )
    for project, euros in expected.items():
        found = Fraction(result["projects"][project]["raw"]["pool"])
        assert abs(found - Fraction(euros) * 100) <= Fraction(1, 10**4), project


def test_convention_of_clr_fund(compute_by_command):
    # cv-01: alpha·S² + (1 − alpha)·C is the gift plus the share of the pool.
    (vector,) = [vector for vector in VECTORS if vector["id"] == "cv-01"]
    shares = _shares(compute_by_command, "quadratic", vector["input"])
    payouts = [Fraction(payout) for payout in vector["expected"]["payout"]]
    for payout, gifts, share in zip(payouts, vector["input"]["contributions"], shares, strict=True):
        assert payout == gifts + share


def test_convention_of_the_public_simulators(compute_by_command):
    # cv-02: the pool in proportion to S², nothing subtracted.
    (vector,) = [vector for vector in VECTORS if vector["id"] == "cv-02"]
    shares = _shares(compute_by_command, "quadratic-square", {"contributions": [1, 1, 1], **vector["input"]})
    assert shares == [Fraction(match) for match in vector["expected"]["match"]]


def test_convention_of_octant_is_not_ours(compute_by_command):
    # cv-04: they cap without sharing the excess again, so part of their pool stays; ours is spent.
    (vector,) = [vector for vector in VECTORS if vector["id"] == "cv-04"]
    squares, pool, cap = (vector["input"][key] for key in ("sum_sqrt_squared", "pool", "cap"))
    assert vector["expected"]["note"] == "min(20, 100*q/91)"
    theirs = sum(min(Fraction(cap), Fraction(pool * square, sum(squares))) for square in squares)
    assert theirs < pool
    result = compute_by_command(
        frame(
            [{"id": f"p{square:02}"} for square in squares],
            [
                {
                    "id": "pool",
                    "rule": "quadratic-square",
                    "budget_cents": pool,
                    "cap_per_project_cents": cap,
                }
            ],
            statistics=[[f"p{square:02}", str(int(square**0.5)), square, 2] for square in squares],
        )
    )
    assert result["pots"]["pool"]["spent_cents"] == pool
    assert max(row["match_cents"]["pool"] for row in result["projects"].values()) == cap


def _shares(compute, rule, given):
    """Return exact shares of the pool, by scaling the pool until every share is a whole number."""
    scale = 309 * 5
    ids = [f"p{place}" for place in range(len(given["sum_sqrt"]))]
    rows = zip(ids, given["sum_sqrt"], given["contributions"], strict=True)
    result = compute(
        frame(
            [{"id": project} for project in ids],
            [{"id": "pool", "rule": rule, "budget_cents": given["pool"] * scale, "mode": "normalise"}],
            statistics=[[project, str(roots), cents, 2] for project, roots, cents in rows],
        )
    )
    return [Fraction(result["projects"][project]["match_cents"]["pool"], scale) for project in ids]
