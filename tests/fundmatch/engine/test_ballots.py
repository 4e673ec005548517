"""Envelope ballots: the vectors, real elections with published winners, pabutools as judge, properties."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundmatch.engine import ballots as ballots_module
from fundmatch.engine.ballots import ADD1, ADD1U, COST, POINTS, VOTES, Ballots, equal_shares, greedy, phragmen
from fundmatch.engine.pabulib import read_pb

HERE = Path(__file__).parent
Json = dict[str, Any]


def _vectors() -> list[Any]:
    shared = Path(os.environ.get("ABONDE_DATA_DIR", HERE.parents[3] / "shared/data")) / "fundmatch"
    for folder in (HERE / "data", shared):
        if (folder / "vectors.json").exists():
            found = json.loads((folder / "vectors.json").read_text(encoding="utf-8"))["vectors"]
            return [pytest.param(v, id=v["id"]) for v in found if v["rule"] == "pb"]
    pytest.skip("vectors.json is neither beside the tests nor in ABONDE_DATA_DIR", allow_module_level=True)


@pytest.fixture(params=["numpy", "plain"])
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "plain":
        monkeypatch.setattr(ballots_module, "np", None)
    elif ballots_module.np is None:
        pytest.skip("numpy is not installed")
    return request.param


def every_rule(ballots: Ballots, budget: int) -> dict[str, list[str]]:
    """Outcomes under the names of the vectors."""
    found = {"sequential_phragmen": phragmen(ballots, budget).selected}
    for name, utility in (("Cost_Sat", COST), ("Cardinality_Sat", VOTES)):
        found[f"greedy_{name}"] = greedy(ballots, budget, utility).selected
        found[f"mes_{name}"] = equal_shares(ballots, budget, utility).selected
        found[f"mes_add1_{name}"] = equal_shares(ballots, budget, utility, ADD1).selected
        found[f"mes_add1u_{name}"] = equal_shares(ballots, budget, utility, ADD1U).selected
    return found


@pytest.mark.parametrize("vector", _vectors())
def test_every_rule_selects_the_projects_of_the_vectors(arithmetic: str, vector: Json) -> None:
    given_ = vector["input"]
    found = every_rule(Ballots(given_["costs"], given_["approvals"]), given_["budget"])
    expected = {rule: sorted(names) for rule, names in vector["expected"].items()}
    assert {rule: found[rule] for rule in expected} == expected


# --- Real elections -----------------------------------------------------------------------------------------


def _election(data_dir: Path, name: str) -> Any:
    path = data_dir / "pabulib" / f"{name}.pb"
    if not path.exists():
        pytest.skip(f"{path} is absent: the published winners were NOT checked")
    return read_pb(path)


def test_greedy_elects_the_published_winners_of_warszawa_2026(data_dir: Path) -> None:
    election = _election(data_dir, "Poland_Warszawa_2026")
    least = int(election.meta["min_project_score_threshold"])
    ballots = Ballots(election.costs_cents, election.votes.values())
    assert ballots.voters == 61_668
    assert greedy(ballots, election.budget_cents, min_votes=least).selected == sorted(election.selected)


def test_equal_shares_with_add1_elects_the_published_winners_of_swiecie_2023(
    arithmetic: str, data_dir: Path
) -> None:
    election = _election(data_dir, "Poland_Swiecie_2023")
    ballots = Ballots(election.costs_cents, election.votes.values())
    outcome = equal_shares(ballots, election.budget_cents, COST, ADD1, increment=100)  # one złoty
    assert outcome.selected == sorted(election.selected)
    assert outcome.spent <= election.budget_cents


# --- Another program as judge -------------------------------------------------------------------------------

PABUTOOLS = "pabutools==1.2.3"
JUDGE = """
import json, sys
from pabutools.election import ApprovalBallot, ApprovalProfile, CardinalBallot, CardinalProfile
from pabutools.election import Instance, Project
from pabutools.election import Additive_Cardinal_Sat, Cardinality_Sat, Cost_Sat
from pabutools.rules import greedy_utilitarian_welfare, method_of_equal_shares, sequential_phragmen

for line in sys.stdin:
    case = json.loads(line)
    projects = {name: Project(name, cost) for name, cost in case["costs"].items()}
    instance = Instance(projects.values(), budget_limit=case["budget"])
    names = lambda chosen: sorted(project.name for project in chosen)
    answer = {}
    if case["kind"] == "approval":
        profile = ApprovalProfile([ApprovalBallot(projects[p] for p in vote) for vote in case["votes"]])
        answer["sequential_phragmen"] = names(sequential_phragmen(instance, profile))
        measures = {"Cost_Sat": Cost_Sat, "Cardinality_Sat": Cardinality_Sat}
    else:
        votes = [{projects[p]: points for p, points in vote.items()} for vote in case["votes"]]
        profile = CardinalProfile([CardinalBallot(vote) for vote in votes])
        measures = {"Additive_Cardinal_Sat": Additive_Cardinal_Sat}
    for name, sat in measures.items():
        answer["greedy_" + name] = names(greedy_utilitarian_welfare(instance, profile, sat_class=sat))
        answer["mes_" + name] = names(method_of_equal_shares(instance, profile, sat_class=sat))
        add1 = method_of_equal_shares(instance, profile, sat_class=sat, voter_budget_increment=1)
        answer["mes_add1_" + name] = names(add1)
        answer["mes_add1u_" + name] = names(
            greedy_utilitarian_welfare(instance, profile, sat_class=sat, initial_budget_allocation=add1)
        )
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="session")
def pabutools() -> str:
    """An interpreter that has pabutools (GPL: a peer at test time, in an environment of its own)."""
    folder = Path(os.environ.get("ABONDE_PEERS_DIR", HERE.parents[2] / ".cache" / "peers")) / "pabutools"
    python = folder / "bin" / "python"
    check = [str(python), "-c", "import pabutools"]
    if not python.exists() or subprocess.run(check, capture_output=True).returncode:
        shutil.rmtree(folder, ignore_errors=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", PABUTOOLS]
        for command in ([sys.executable, "-m", "venv", str(folder)], install):
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode:
                pytest.skip(f"{PABUTOOLS} could not be installed, no judge was heard: {done.stderr[-200:]}")
    return str(python)


def _random_case(chance: random.Random, kind: str) -> Json:
    costs = {f"p{k}": chance.choice([1, 5, 10, 15, 30, 40]) for k in range(chance.randrange(1, 8))}
    votes: list[Any] = []
    for _ in range(chance.randrange(1, 15)):
        chosen = [p for p in costs if chance.random() < 0.4]
        votes.append(chosen if kind == "approval" else {p: chance.randrange(1, 6) for p in chosen})
    return {"kind": kind, "costs": costs, "budget": chance.randrange(10, 90), "votes": votes}


@pytest.mark.peer
def test_pabutools_selects_the_same_projects(pabutools: str) -> None:
    chance = random.Random(20_261_122)
    cases = [_random_case(chance, kind) for kind in ("approval", "cardinal") for _ in range(150)]
    told = subprocess.run(
        [pabutools, "-c", JUDGE],
        input="\n".join(map(json.dumps, cases)),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    for case, line in zip(cases, told.stdout.splitlines(), strict=True):
        ballots, budget, expected = Ballots(case["costs"], case["votes"]), case["budget"], json.loads(line)
        if case["kind"] == "approval":
            assert every_rule(ballots, budget) == expected, case
            continue
        assert greedy(ballots, budget, POINTS).selected == expected["greedy_Additive_Cardinal_Sat"], case
        for prefix, completion in (("mes_", ""), ("mes_add1_", ADD1), ("mes_add1u_", ADD1U)):
            found = equal_shares(ballots, budget, POINTS, completion).selected
            assert found == expected[f"{prefix}Additive_Cardinal_Sat"], (case, prefix)


# --- Properties ---------------------------------------------------------------------------------------------

COSTS = st.dictionaries(st.sampled_from("ABCDEFG"), st.integers(0, 60), min_size=1)


@st.composite
def elections(draw: st.DrawFn) -> tuple[dict[str, int], list[dict[str, int]], int]:
    costs = draw(COSTS)
    points = st.dictionaries(st.sampled_from(sorted(costs)), st.integers(0, 5))
    return costs, draw(st.lists(points, max_size=12)), draw(st.integers(0, 150))


@settings(max_examples=150, deadline=None)
@given(election=elections(), utility=st.sampled_from([COST, VOTES, POINTS]), seed=st.integers(0, 999))
def test_no_rule_overspends_nor_minds_the_order_of_voters(election: Any, utility: str, seed: int) -> None:
    costs, votes, budget = election
    shuffled = votes.copy()
    random.Random(seed).shuffle(shuffled)
    for rule in (
        lambda b: greedy(b, budget, utility),
        lambda b: equal_shares(b, budget, utility),
        lambda b: equal_shares(b, budget, utility, ADD1U),
        lambda b: phragmen(b, budget),
    ):
        first, second = rule(Ballots(costs, votes)), rule(Ballots(costs, shuffled))
        assert first == second
        assert first.spent == sum(costs[p] for p in first.selected) <= budget
        assert len(set(first.selected)) == len(first.selected)


@settings(max_examples=100, deadline=None)
@given(election=elections(), utility=st.sampled_from([COST, VOTES, POINTS]))
def test_numpy_and_plain_arithmetic_buy_alike(election: Any, utility: str) -> None:
    costs, votes, budget = election
    found = equal_shares(Ballots(costs, votes), budget, utility, ADD1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ballots_module, "np", None)
        assert equal_shares(Ballots(costs, votes), budget, utility, ADD1) == found


@settings(max_examples=150, deadline=None)
@given(election=elections())
def test_supporters_can_pay_for_what_equal_shares_buys(election: Any) -> None:
    """The price is such that supporters together pay exactly the cost, none of them more than she holds."""
    costs, votes, budget = election
    ballots = Ballots(costs, votes)
    if not ballots.voters:
        return
    purses = [Fraction(budget, ballots.voters)] * len(votes)
    for step in equal_shares(ballots, budget, POINTS).steps:
        paid = Fraction(0)
        for voter, vote in enumerate(votes):
            part = min(purses[voter], step.price * vote.get(step.project, 0))
            purses[voter] -= part
            paid += part
        assert paid == step.cost


def test_a_minority_decides_on_its_part_of_the_money() -> None:
    costs = dict.fromkeys([f"R{k}" for k in range(10)] + [f"B{k}" for k in range(10)], 10)
    votes = [[f"R{k}" for k in range(10)]] * 51 + [[f"B{k}" for k in range(10)]] * 49
    ballots = Ballots(costs, votes)
    assert all(p.startswith("R") for p in greedy(ballots, 100).selected)
    assert sum(p.startswith("B") for p in equal_shares(ballots, 100).selected) == 4


@pytest.mark.parametrize(
    ("costs", "votes"),
    [
        ({"A": -1}, []),
        ({"A": 1.5}, []),
        ({"A": 1}, [["B"]]),
        ({"A": 1}, [{"A": -1}]),
        ({"A": 1}, [{"A": True}]),
    ],
)
def test_bad_ballots_are_refused(costs: Any, votes: Any) -> None:
    with pytest.raises(ValueError):
        Ballots(costs, votes)


def test_unknown_words_are_refused() -> None:
    ballots = Ballots({"A": 1}, [["A"]])
    with pytest.raises(ValueError, match="utility"):
        greedy(ballots, 1, "love")
    with pytest.raises(ValueError, match="completion"):
        equal_shares(ballots, 1, COST, "add2")
