"""One more gift, one donor less, five donors less, a hundred false ones."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundmatch.engine import compute
from fundmatch.engine.reading import read_input
from fundmatch.engine.shadow import (
    attack_cost,
    gain_curve,
    leave_one_donor_out,
    one_more_gift,
    without_largest_donors,
)

HERE = Path(__file__).parent
Json = dict[str, Any]


def _vectors() -> list[Any]:
    shared = Path(os.environ.get("ABONDE_DATA_DIR", HERE.parents[3] / "shared/data")) / "fundmatch"
    for folder in (HERE / "data", shared):
        if (folder / "vectors.json").exists():
            found = json.loads((folder / "vectors.json").read_text(encoding="utf-8"))["vectors"]
            return [pytest.param(v, id=v["id"]) for v in found if v["rule"] == "sensitivity"]
    pytest.skip("vectors.json is neither beside the tests nor in ABONDE_DATA_DIR", allow_module_level=True)


def _input(vector: Json) -> Json:
    return {
        "spec": "fundmatch/1",
        "projects": [{"id": p} for p in sorted({row[1] for row in vector["contributions"]})],
        "contributions": vector["contributions"],
        "pots": [
            {"id": "f", "rule": "quadratic", "budget_cents": vector["pool_cents"], "mode": vector["mode"]}
        ],
    }


@pytest.mark.parametrize("vector", _vectors())
def test_one_more_gift_moves_every_project_as_in_the_vectors(vector: Json) -> None:
    donor, project, cents = vector["input"]["new_gift"]
    told = one_more_gift(_input(vector["input"]), donor, project, cents)
    assert (
        told["before_cents"]
        == dict.fromkeys(told["before_cents"], 0) | vector["expected"]["match_before_cents"]
    )
    assert told["after_cents"] == vector["expected"]["match_after_cents"]
    assert told["delta_cents"] == vector["expected"]["delta_cents"]


@pytest.mark.parametrize("vector", _vectors())
def test_curve_agrees_with_the_exact_recomputation_to_a_cent(vector: Json) -> None:
    donor, project, cents = vector["input"]["new_gift"]
    value = _input(vector["input"])
    if all(known["id"] != project for known in value["projects"]):
        value["projects"].append({"id": project})
    already = sum(row[2] for row in value["contributions"] if row[:2] == [donor, project])
    (point,) = gain_curve(value, project, [cents], already)
    expected = vector["expected"]["delta_cents"]
    assert abs(point["gain_cents"] - expected[project]) <= 1
    assert abs(point["others_cents"] - sum(d for p, d in expected.items() if p != project)) <= len(expected)


# --- One donor less -----------------------------------------------------------------------------------------

RULES = ["quadratic", "quadratic-square", "proportional", "per-donor", "linear"]


@st.composite
def campaigns(draw: st.DrawFn) -> Json:
    projects = ["A", "B", "C"]
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from("stuvwx"), st.sampled_from(projects), st.integers(1, 5000)).map(list),
            min_size=1,
            max_size=15,
        )
    )
    pots = []
    for name in draw(st.sampled_from([["p"], ["p", "q"]])):
        rule = draw(st.sampled_from(RULES))
        pot: Json = {"id": name, "rule": rule, "budget_cents": draw(st.integers(0, 20_000))}
        pot["cap_per_project_cents"] = draw(st.none() | st.integers(1, 5000))
        if rule == "quadratic":
            pot["mode"] = draw(st.sampled_from(["saturate", "normalise"]))
        if rule == "linear":
            pot["cap_per_donor_cents"] = draw(st.none() | st.integers(1, 3000))
        else:
            pot["min_donor_cents"] = draw(st.sampled_from([0, 200]))
            pot["min_donors"] = draw(st.integers(0, 2))
        pots.append(pot)
    return {
        "spec": "fundmatch/1",
        "projects": [{"id": p} for p in projects],
        "contributions": rows,
        "pots": pots,
    }


def _match(value: Json) -> dict[str, int]:
    return {p: sum(row["match_cents"].values()) for p, row in compute(value)["projects"].items()}


@settings(max_examples=200, deadline=None)
@given(value=campaigns())
def test_range_is_the_one_of_removing_each_donor_and_computing_again(value: Json) -> None:
    told = leave_one_donor_out(read_input(value), [p["id"] for p in value["projects"]])["projects"]
    outcomes = [
        _match(value | {"contributions": [row for row in value["contributions"] if row[0] != donor]})
        for donor in {row[0] for row in value["contributions"]}
    ]
    now = _match(value)
    slack = len(value["pots"]) * 1.001  # each pot rounds to the cent
    for project, row in told.items():
        assert abs(row["match_cents"] - now[project]) <= slack
        seen = [outcome[project] for outcome in outcomes] + [now[project]]
        assert abs(row["low_cents"] - min(seen)) <= slack
        assert abs(row["high_cents"] - max(seen)) <= slack


def test_range_names_the_donor_on_whom_a_project_rests() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}, {"id": "Q"}],
        "contributions": [["rich", "P", 90_000], ["a", "P", 100], ["b", "Q", 2500], ["c", "Q", 2500]],
        "pots": [{"id": "f", "rule": "quadratic", "budget_cents": 10_000, "mode": "normalise"}],
    }
    row = leave_one_donor_out(read_input(value), ["P", "Q"])["projects"]["P"]
    assert row["low_cents"] == 0 and row["low_donor"] in ("a", "rich")
    assert row["high_cents"] == 10_000 and row["high_donor"] in ("b", "c")


def test_pots_without_a_closed_form_are_named() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "contributions": [["a", "P", 100], ["b", "P", 100]],
        "pots": [
            {"id": "w", "rule": "pairwise", "budget_cents": 100, "m_cents": 100},
            {"id": "first", "rule": "linear", "budget_cents": 100, "order": "fcfs"},
        ],
    }
    assert leave_one_donor_out(read_input(value), ["P"])["left_out"] == ["first", "w"]


# --- Five donors less ---------------------------------------------------------------------------------------


def test_without_the_largest_donors_is_the_whole_result_again() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P", "goal_cents": 20_000}, {"id": "Q", "goal_cents": 1000}],
        "contributions": [
            ["rich", "P", 15_000],
            ["a", "P", 100],
            ["b", "Q", 900],
            ["c", "Q", 900],
            ["z", "Q", 0],
        ],
        "pots": [{"id": "f", "rule": "linear", "budget_cents": 100_000}],
        "threshold": {"ratio": "3/4", "base": "total"},
    }
    told = without_largest_donors(value, 1)
    assert told["donors"] == [{"donor": "rich", "cents": 15_000}]
    assert told["part_of_gifts"] == pytest.approx(15_000 / 16_900)
    assert told["projects"]["P"] == {
        "match_cents": 15_100,
        "match_without_cents": 0,
        "funded": True,
        "funded_without": False,
    }
    assert told["projects"]["Q"]["match_without_cents"] == 1800


def test_equal_donors_are_taken_in_id_order() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "contributions": [["b", "P", 100], ["a", "P", 50], ["a", "P", 50], ["c", "P", 100]],
        "pots": [],
    }
    assert [row["donor"] for row in without_largest_donors(value, 2)["donors"]] == ["a", "b"]


# --- False identities ---------------------------------------------------------------------------------------


def _attacked(value: Json, project: str, n: int, cents: int) -> dict[str, int]:
    false = [[f"false{k}", project, cents] for k in range(n)]
    return _match(value | {"contributions": value["contributions"] + false})


@settings(max_examples=60, deadline=None)
@given(value=campaigns(), n=st.integers(1, 12), cents=st.integers(1, 3000))
def test_attack_is_the_one_of_adding_the_identities_and_computing_again(
    value: Json, n: int, cents: int
) -> None:
    (told,) = attack_cost(value, "A", cents, [n])
    before, after = _match(value), _attacked(value, "A", n, cents)
    assert told["cost_cents"] == n * cents
    assert abs(told["gain_cents"] - (after["A"] - before["A"])) <= 2 * len(value["pots"])
    others = sum(after[p] - before[p] for p in "BC")
    assert abs(told["others_cents"] - others) <= 4 * len(value["pots"])


def test_attack_on_an_unlimited_quadratic_pot_follows_the_formula() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "contributions": [["a", "P", 400], ["b", "P", 900]],
        "pots": [{"id": "f", "rule": "quadratic", "budget_cents": 10**12}],
    }
    for row in attack_cost(value, "P", 500, [1, 10, 100]):
        n, x, s = row["identities"], 500, 50
        assert row["gain_cents"] == pytest.approx(2 * s * n * math.sqrt(x) + n * (n - 1) * x, abs=1)
        assert row["gain_per_euro"] == pytest.approx(row["gain_cents"] / row["cost_cents"], abs=1e-2)


def test_a_minimum_per_donor_makes_small_identities_worthless() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "contributions": [["a", "P", 400], ["b", "P", 900]],
        "pots": [{"id": "f", "rule": "quadratic", "budget_cents": 10**9, "min_donor_cents": 200}],
    }
    assert attack_cost(value, "P", 199, [50])[0]["gain_cents"] == 0


def test_the_example_of_the_documentation_is_true() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "contributions": [["a", "P", 400], ["b", "P", 900]],
        "pots": [{"id": "f", "rule": "quadratic", "budget_cents": 10**12}],
    }
    (row,) = attack_cost(value, "P", 500, [10])
    text = (HERE.parents[2] / "docs" / "analysis.md").read_text(encoding="utf-8")
    assert f"cost {row['cost_cents'] // 100} €" in text
    assert f"call {row['gain_cents'] / 100:.2f} €" in text
