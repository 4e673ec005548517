"""Every rule on the same gifts, and the two rules that are only ever shown: pairwise and clusters."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundmatch.engine import compute
from fundmatch.engine.shadow import by_group, compare, gini, lorenz, markov_harsh, pairwise_raw, subsidy_euros
from fundmatch.engine.shadow import clusters as clusters_module
from fundmatch.engine.shadow import pairwise as pairwise_module
from fundmatch.engine.tables import compare_rules

HERE = Path(__file__).parent
Json = dict[str, Any]
Gift = tuple[int, int, int]


def _data(name: str) -> Json:
    shared = Path(os.environ.get("ABONDE_DATA_DIR", HERE.parents[3] / "shared/data")) / "fundmatch"
    for folder in (HERE / "data", shared):
        if (folder / name).exists():
            return json.loads((folder / name).read_text(encoding="utf-8"))
    pytest.skip(f"{name} is neither beside the tests nor in ABONDE_DATA_DIR", allow_module_level=True)


VECTORS = _data("vectors.json")["vectors"]
RESULTS = _data("results.json")["results"]


def vectors(rule: str) -> list[Any]:
    return [pytest.param(v, id=v["id"]) for v in VECTORS if v["rule"] == rule]


def indexed(rows: list[list[Any]], unit: int) -> tuple[list[int], list[int], list[int], list[str]]:
    donors, projects = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    cents = [round(Fraction(str(row[2])) * unit) for row in rows]
    return [donors.index(row[0]) for row in rows], [projects.index(row[1]) for row in rows], cents, projects


# --- Pairwise -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["numpy", "plain"])
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(pairwise_module, "np", None)
        monkeypatch.setattr(clusters_module, "np", None)
    elif pairwise_module.np is None:
        pytest.skip("numpy is not installed")
    return request.param


@pytest.mark.parametrize("vector", vectors("pairwise"))
def test_pairwise_gives_the_amounts_of_the_vectors(arithmetic: str, vector: Json) -> None:
    unit = 10**6  # M has the unit of money: scaling both scales the result
    donor, project, cents, names = indexed(vector["input"]["contributions_eur"], unit)
    raw = pairwise_raw(donor, project, cents, len(names), round(Fraction(vector["input"]["M"]) * unit))
    for name, amount in zip(names, raw, strict=True):
        expected = float(Fraction(vector["expected"]["raw_eur"][name]))
        assert amount / unit == pytest.approx(expected, rel=1e-12, abs=1e-12)


def pair_by_pair(gifts: list[Gift], n_projects: int, m: int) -> list[float]:
    """The definition, with no shortcut."""
    rows: dict[int, dict[int, int]] = defaultdict(dict)
    for donor, project, cents in gifts:
        if cents:
            rows[donor][project] = rows[donor].get(project, 0) + cents
    terms: list[list[float]] = [[] for _ in range(n_projects)]
    for i, one in rows.items():
        for j, other in rows.items():
            common = one.keys() & other.keys()
            if i != j and common:
                t = math.fsum(math.sqrt(one[p]) * math.sqrt(other[p]) for p in common)
                for p in common:
                    terms[p].append(math.sqrt(one[p]) * math.sqrt(other[p]) * m / (m + t))
    return [math.fsum(row) for row in terms]


GIFTS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 4), st.sampled_from([0, 1, 100, 500, 2500, 12345, 10**11])),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(
    gifts=GIFTS,
    m=st.sampled_from([1, 100, 2500, 10**12]),
    way=st.sampled_from(["plain", "lists", "columns", "threads"]),
)
def test_pairwise_is_the_sum_over_pairs_whatever_the_way(gifts: list[Gift], m: int, way: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if way == "plain":
            patch.setattr(pairwise_module, "np", None)
        patch.setattr(pairwise_module, "_COLUMN_SHARE", 0.0 if way == "columns" else 2.0)
        patch.setattr(pairwise_module, "_THREADS_FROM", 0 if way == "threads" else 10**9)
        found = pairwise_raw([g[0] for g in gifts], [g[1] for g in gifts], [g[2] for g in gifts], 5, m)
    assert found == pytest.approx(pair_by_pair(gifts, 5, m), rel=1e-12, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(gifts=GIFTS, seed=st.integers(0, 2**32))
def test_pairwise_does_not_move_with_the_order_nor_the_numbers_of_donors(
    gifts: list[Gift], seed: int
) -> None:
    chance = random.Random(seed)
    names = list(range(13))
    chance.shuffle(names)
    other = [(names[donor], project, cents) for donor, project, cents in gifts]
    chance.shuffle(other)
    columns = [[[row[k] for row in rows] for k in range(3)] for rows in (gifts, other)]
    first, second = (pairwise_raw(*rows, 5, 2500) for rows in columns)
    assert first == second  # to the last bit


def test_a_pair_never_calls_more_than_twice_m_whatever_it_gives() -> None:
    gifts = [(donor, project, 10**12) for donor in (0, 1) for project in range(5)]
    raw = pairwise_raw(*([row[k] for row in gifts] for k in range(3)), 5, 2500)
    assert sum(raw) <= 2 * 2500


def test_pairwise_with_an_endless_m_is_quadratic() -> None:
    raw = pairwise_raw([0, 1, 2], [0, 0, 0], [100, 400, 900], 1, 10**15)
    assert raw[0] == pytest.approx((10 + 20 + 30) ** 2 - 1400, rel=1e-9)


def test_a_single_donor_calls_exactly_nothing() -> None:
    assert pairwise_raw([0, 0, 0], [0, 0, 1], [10**13, 1, 7], 2, 1) == [0.0, 0.0]


def test_pairwise_refuses_what_has_no_meaning() -> None:
    with pytest.raises(ValueError, match="m_cents"):
        pairwise_raw([0], [0], [1], 1, 0)
    with pytest.raises(ValueError, match="negative"):
        pairwise_raw([0], [0], [-1], 1, 1)


# --- Clusters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", vectors("cocm"))
def test_cluster_match_gives_the_subsidies_of_the_paper(vector: Json) -> None:
    found = subsidy_euros(vector["input"]["groups"], vector["input"]["contributions_eur"])
    assert found == pytest.approx(float(vector["expected"]["subsidy_eur"]), abs=1e-9)


@pytest.mark.parametrize("vector", vectors("cocm_markov_harsh"))
def test_markov_form_gives_the_amounts_of_the_vectors(arithmetic: str, vector: Json) -> None:
    donor, project, cents, names = indexed(vector["input"]["contributions_eur"], 100)
    raw = markov_harsh(donor, project, cents, len(names))
    assert raw is not None
    for name, amount in zip(names, raw, strict=True):
        assert amount / 100 == pytest.approx(vector["expected"]["raw_eur"][name], abs=1e-6)


def test_markov_form_declines_a_campaign_too_large_for_it() -> None:
    assert markov_harsh([0] * 10, [0] * 10, [1] * 10, 10**6) is None


def test_one_commune_each_is_quadratic_funding_over_communes() -> None:
    gifts = [("a", "P", 400), ("b", "P", 500), ("c", "P", 1600), ("d", "P", 900)]
    communes = {"a": "Obernai", "b": "Obernai", "c": "Barr"}  # d is not known: a group alone
    assert by_group(gifts, communes)["P"] == pytest.approx((30 + 40 + 30) ** 2 - 3400)


def test_one_commune_each_and_the_general_formula_agree() -> None:
    chance = random.Random(5)
    gifts = [(f"d{k}", "P", chance.randrange(100, 10_000)) for k in range(40)]
    communes = {donor: f"c{chance.randrange(6)}" for donor, _, _ in gifts}
    groups: dict[str, list[int]] = defaultdict(list)
    for place, (donor, _, _) in enumerate(gifts):
        groups[communes[donor]].append(place)
    general = subsidy_euros(list(groups.values()), [cents / 100 for _, _, cents in gifts])
    assert by_group(gifts, communes)["P"] == pytest.approx(100 * general)


def test_somebody_in_two_groups_counts_less_between_them() -> None:
    gifts = [("a", "P", 900), ("b", "P", 900), ("c", "P", 900)]
    apart = by_group(gifts, {"a": "x", "b": "y", "c": "z"})["P"]
    bridged = by_group(gifts, {"a": ["x"], "b": ["x", "y"], "c": ["y"]})["P"]
    assert bridged < apart


# --- Side by side -------------------------------------------------------------------------------------------

ROUND: Json = {
    "spec": "fundmatch/1",
    "projects": [
        {"id": "crowd", "goal_cents": 100},
        {"id": "club", "goal_cents": 100},
        {"id": "whale", "goal_cents": 100},
    ],
    "contributions": [[f"d{k}", "crowd", 500] for k in range(20)]
    + [[f"m{k}", project, 2500] for k in range(4) for project in ("club", "whale")]
    + [["rich", "whale", 500_000]],
    "pots": [{"id": "fonds", "rule": "quadratic", "budget_cents": 100_000, "mode": "normalise"}],
    "threshold": {"ratio": "3/4", "base": "total"},
}


def test_report_is_plain_json_and_agrees_with_the_table() -> None:
    for case in RESULTS:
        report = compare(case["input"])
        json.dumps(report)
        for column in compare_rules(case["input"]).columns:
            shown = report["rules"][column.rule]
            assert shown["cents"] == column.cents
            assert (shown["top_share"], shown["gini"]) == (column.top_share, column.gini)


def test_result_column_is_what_the_campaign_pays() -> None:
    paid = {p: row["match_cents"]["fonds"] for p, row in compute(ROUND)["projects"].items()}
    assert compare(ROUND)["rules"]["result"]["cents"] == paid


def test_every_rule_shares_the_same_money() -> None:
    rules = compare(ROUND, communes={})["rules"]
    for rule in (
        "quadratic",
        "quadratic-square",
        "pairwise",
        "proportional",
        "per-donor",
        "cluster-communes",
    ):
        assert rules[rule]["spent_cents"] == 100_000, rule
    assert rules["linear"]["spent_cents"] <= 100_000
    assert rules["per-donor"]["top_project"] == "crowd"
    assert rules["proportional"]["top_project"] == "whale"


def test_moves_add_up_and_name_who_gains_a_place() -> None:
    rules = compare(ROUND)["rules"]
    assert set(rules["result"]["moves"].values()) == {0}
    assert rules["per-donor"]["moves"]["crowd"] > 0
    assert rules["per-donor"]["rank_changes"] == sum(
        1 for move in rules["per-donor"]["moves"].values() if move
    )


def test_people_who_give_together_everywhere_are_flagged() -> None:
    ratios = compare(ROUND)["pairwise_ratio"]
    assert ratios["whale"]["look"] and ratios["whale"]["ratio"] > 1.5
    assert not ratios["crowd"]["look"] and ratios["crowd"]["ratio"] < 1


def test_a_project_that_calls_nothing_has_no_ratio() -> None:
    alone = ROUND | {"contributions": [["d", "crowd", 500]], "threshold": None}
    assert compare(alone)["pairwise_ratio"]["crowd"] == {"ratio": None, "look": False}


def test_statistics_tell_the_rules_and_nothing_about_donors() -> None:
    case = next(case for case in RESULTS if case["id"] == "re-s06")
    report = compare(case["input"])
    assert "pairwise" not in report["rules"] and "quadratic" in report["rules"]
    assert report["pairwise_ratio"] is report["without_largest"] is report["leave_one_out"] is None


def test_report_is_the_same_without_numpy_but_for_floating_dust() -> None:
    script = (
        "import json, sys; from fundmatch.engine.shadow import compare; "
        "print(json.dumps(compare(json.load(sys.stdin))))"
    )
    plain = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(ROUND),
        capture_output=True,
        text=True,
        check=True,
        cwd=HERE.parents[2],
        env={**os.environ, "FUNDMATCH_PLAIN": "1"},
    )
    told, ours = json.loads(plain.stdout), compare(ROUND)
    assert told["rules"] == ours["rules"]
    assert told["leave_one_out"] == ours["leave_one_out"]
    for project, row in ours["pairwise_ratio"].items():
        assert told["pairwise_ratio"][project]["ratio"] == pytest.approx(row["ratio"])


# --- Concentration ------------------------------------------------------------------------------------------


def test_gini_and_lorenz_on_figures_done_by_hand() -> None:
    assert gini([5, 5, 5, 5]) == 0
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)
    assert gini([1, 3]) == pytest.approx(0.25)
    assert lorenz([3, 1]) == [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_gini_is_twice_the_area_between_the_curve_and_the_diagonal(amounts: list[int]) -> None:
    curve = lorenz(amounts)
    area = sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in zip(curve, curve[1:], strict=False))
    assert gini(amounts) == pytest.approx(1 - 2 * area if sum(amounts) else 0.0, abs=1e-9)
