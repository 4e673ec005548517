"""The threshold loop: the fast one, which computes few projects exactly, against the text to the letter."""

import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fundmatch.engine import compute
from fundmatch.engine.arrays import np
from fundmatch.engine.reading import read_input
from fundmatch.engine.rules import RawAmounts
from fundmatch.engine.sharing import water
from fundmatch.engine.threshold import eliminate_by_recomputation, settle

_spec = importlib.util.spec_from_file_location("engine_inputs", Path(__file__).parent / "inputs.py")
inputs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(inputs)


def both_ways(value):
    value["threshold"]["base"] = "total"
    problem = read_input(value)
    letter = eliminate_by_recomputation(problem, problem.threshold, RawAmounts(problem.money))
    return settle(problem).eliminated, letter


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inputs.whole_inputs(threshold=True, most_rows=40))
def test_the_fast_loop_removes_the_same_projects_in_the_same_order_with_the_same_figures(value):
    fast, letter = both_ways(value)
    assert fast == letter


def crowd(seed, *, size, pots, equal_goals):
    chance = random.Random(seed)
    projects = [f"p{place:03}" for place in range(size)]
    amounts = [100, 100, 500, 1000, 1000, 2500, 12345]
    return {
        "spec": "fundmatch/1",
        "projects": [
            {"id": project, "goal_cents": 6000 if equal_goals else chance.choice([3000, 6000, 6001, 20000])}
            for project in projects
        ],
        "contributions": [
            [f"d{chance.randrange(60)}", chance.choice(projects), chance.choice(amounts)]
            for _ in range(size * 4)
        ],
        "pots": pots,
        "threshold": {"ratio": "3/4", "base": "total"},
    }


POTS = {
    "quadratic": [{"id": "q", "rule": "quadratic", "budget_cents": 120_001, "mode": "normalise"}],
    "quadratic with a cap": [
        {
            "id": "q",
            "rule": "quadratic",
            "budget_cents": 120_001,
            "mode": "normalise",
            "cap_per_project_cents": 2500,
        }
    ],
    "saturated with a cap": [
        {"id": "q", "rule": "quadratic", "budget_cents": 250_000, "cap_per_project_cents": 3500}
    ],
    "linear and quadratic": [
        {"id": "l", "rule": "linear", "budget_cents": 50_003, "ratio": "2/3"},
        {"id": "q", "rule": "quadratic", "budget_cents": 70_001},
    ],
    "first come first served": [
        {"id": "f", "rule": "linear", "budget_cents": 60_000, "order": "fcfs", "cap_per_donor_cents": 900},
        {"id": "v", "rule": "per-donor", "budget_cents": 30_000},
    ],
}


@pytest.mark.parametrize("equal_goals", [True, False])
@pytest.mark.parametrize("pots", POTS.values(), ids=POTS)
def test_a_crowd_with_many_ties(pots, equal_goals, monkeypatch):
    for seed in range(4):
        fast, letter = both_ways(crowd(seed, size=80, pots=pots, equal_goals=equal_goals))
        assert fast == letter
        assert fast


@pytest.mark.skipif(np is None, reason="NumPy is not installed: its ranking of remainders was NOT compared")
@pytest.mark.parametrize("pots", POTS.values(), ids=POTS)
def test_the_ranking_in_arrays_is_the_ranking_in_integers(pots, monkeypatch):
    for seed in range(3):
        value = crowd(seed, size=120, pots=pots, equal_goals=False)
        monkeypatch.setattr(water, "_FEW_GROUPS", 1)
        arrays = compute(value)
        monkeypatch.setattr(water, "_FEW_GROUPS", 10**9)
        assert compute(value) == arrays


def test_equal_ratios_leave_in_the_order_of_their_ids():
    result = compute(
        {
            "spec": "fundmatch/1",
            "projects": [{"id": name, "goal_cents": 1000} for name in ("𝄞", "b", "\ufb01", "a")],
            "contributions": [["d", name, 100] for name in ("a", "b", "\ufb01", "𝄞")],
            "pots": [],
            "threshold": {"ratio": "1", "base": "total"},
        }
    )
    # By code point: JavaScript's own order would put 𝄞 before \ufb01.
    assert [entry["project"] for entry in result["eliminated"]] == ["a", "b", "\ufb01", "𝄞"]


def test_a_pairwise_pot_is_computed_again_at_each_step():
    value = crowd(
        3,
        size=12,
        equal_goals=False,
        pots=[{"id": "w", "rule": "pairwise", "budget_cents": 9000, "m_cents": 2500, "mode": "normalise"}],
    )
    result = compute(value)
    assert result["eliminated"]
    left = {entry["project"] for entry in result["eliminated"]}
    value["projects"] = [project for project in value["projects"] if project["id"] not in left]
    value["contributions"] = [row for row in value["contributions"] if row[1] not in left]
    again = compute(value)
    assert again["eliminated"] == []
    assert again["pots"] == result["pots"]
