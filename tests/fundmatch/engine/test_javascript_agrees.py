"""The JavaScript verifier against the whole results, the vectors and the Python engine."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fundmatch.engine import InputError, compute

HERE = Path(__file__).parent
pytestmark = pytest.mark.peer

Json = dict[str, Any]
Judge = Callable[[Json], Json]


def _data(name: str) -> Json:
    for folder in (
        HERE / "data",
        Path(os.environ.get("ABONDE_DATA_DIR", HERE.parents[3] / "shared/data")) / "fundmatch",
    ):
        if (folder / name).exists():
            return json.loads((folder / name).read_text(encoding="utf-8"))
    pytest.skip(f"{name} is neither beside the tests nor in ABONDE_DATA_DIR", allow_module_level=True)


RESULTS = _data("results.json")["results"]
VECTORS = _data("vectors.json")["vectors"]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed: the JavaScript verifier was NOT checked")
    process = subprocess.Popen(
        [node, HERE / "verify_lines.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )

    def ask(value: Json) -> Json:
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(value) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield ask
    assert process.stdin
    process.stdin.close()
    process.wait(timeout=10)


@pytest.mark.parametrize("case", RESULTS, ids=lambda case: case["id"])
def test_javascript_reaches_the_published_result_and_digests(judge: Judge, case: Json) -> None:
    assert judge(case["input"]) == case["expected"]


def _vectors(rule: str) -> list[Any]:
    return [pytest.param(v, id=v["id"]) for v in VECTORS if v["rule"] == rule]


@pytest.mark.parametrize("vector", _vectors("qf"))
def test_javascript_pays_the_quadratic_vectors(judge: Judge, vector: Json) -> None:
    given_, expected = vector["input"], vector["expected"]
    projects = given_.get("projects") or sorted({row[1] for row in given_["contributions"]})
    result = judge(
        {
            "spec": "fundmatch/1",
            "projects": [{"id": p} for p in projects],
            "contributions": given_["contributions"],
            "pots": [
                {
                    "id": "pot",
                    "rule": "quadratic",
                    "budget_cents": given_["pool_cents"],
                    "cap_per_project_cents": given_["cap_cents"],
                    "mode": given_["mode"],
                }
            ],
        }
    )
    assert {p: row["match_cents"]["pot"] for p, row in result["projects"].items()} == expected["match_cents"]
    assert result["pots"]["pot"]["unspent_cents"] == expected["unspent_cents"]
    for p, raw in expected["raw_cents"].items():
        assert abs(Fraction(result["projects"][p]["raw"]["pot"]) - Fraction(raw)) <= Fraction(1, 10**6)


@pytest.mark.parametrize("vector", _vectors("linear"))
def test_javascript_pays_and_refunds_the_linear_vectors(judge: Judge, vector: Json) -> None:
    given_, expected = vector["input"], vector["expected"]
    result = judge(linear_input(given_))
    projects = result["projects"]
    assert {p: row["funded"] for p, row in projects.items()} == expected["funded"]
    for funder, cells in expected["match_cents"].items():
        assert {p: row["match_cents"].get(funder, 0) for p, row in projects.items()} == {
            p: cells.get(p, 0) for p in projects
        }
        assert result["pots"][funder]["unspent_cents"] == expected["unspent_cents"][funder]
    assert {p: row["total_cents"] for p, row in projects.items()} == expected["total_cents"]
    assert {row["project"]: row["refunds"] for row in result["eliminated"] if row["refunds"]} == expected[
        "refunds_cents"
    ]
    assert [row["project"] for row in result["eliminated"]] == expected["elimination_order"]


def linear_input(vector: Json) -> Json:
    """A vector's funders are one linear pot each; its `mode` is our `order`."""
    known = {"contributions", "projects", "funders", "mode", "threshold", "threshold_base"}
    assert set(vector) <= known, set(vector) - known
    names = {"id", "budget_cents", "ratio", "cap_per_project_cents", "cap_per_donor_cents", "projects"}
    pots = []
    for funder in vector["funders"]:
        assert set(funder) <= names, set(funder) - names
        pots.append({"rule": "linear", "order": vector.get("mode", "prorata"), **funder})
    return {
        "spec": "fundmatch/1",
        "projects": [{"id": p, "goal_cents": goal} for p, goal in vector["projects"].items()],
        "contributions": vector["contributions"],
        "pots": pots,
        "threshold": {"ratio": vector.get("threshold", "3/4"), "base": vector.get("threshold_base", "total")},
    }


@pytest.mark.parametrize("vector", _vectors("largest_remainder"))
def test_javascript_rounds_like_the_largest_remainder_vectors(judge: Judge, vector: Json) -> None:
    shares = {p: Fraction(share) for p, share in vector["input"]["shares"].items()}
    down = math.lcm(*(share.denominator for share in shares.values()))
    answer = judge(
        {
            "shares": [[p, str(int(share * down))] for p, share in shares.items()],
            "total": {"down": str(down), "cents": str(vector["input"]["total_cents"])},
        }
    )
    assert answer["shares"] == vector["expected"]


IDS = ["a", "b", "10", "9", "é", "\uffff", "\U0001d11e", "__proto__", "A\nB"]
AMOUNTS = st.sampled_from([0, 1, 2, 3, 99, 100, 2500, 3333, 10**6, 123_456_789, 10**15]) | st.integers(
    0, 10**6
)
RATIOS = st.sampled_from(["0", "1", "1/2", "3/4", "2/4", "7/3", "1/1000"])


@st.composite
def inputs(draw: st.DrawFn) -> Json:
    """Small inputs that reach every corner of the text: caps, ties, thresholds, several funders, odd ids."""
    projects = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=6, unique=True))
    threshold = draw(
        st.none() | st.fixed_dictionaries({"ratio": RATIOS, "base": st.sampled_from(["total", "citizens"])})
    )
    gift = st.tuples(st.sampled_from(IDS), st.sampled_from(projects), AMOUNTS).map(list)
    options = st.sampled_from([[], [], [{}], [{"match": True}], [{"match": False}]])
    rows = draw(st.lists(st.tuples(gift, options).map(lambda pair: pair[0] + pair[1]), max_size=25))
    goals = st.integers(1, 10**7) if threshold else st.none() | st.integers(1, 10**7)
    value: Json = {
        "spec": "fundmatch/1",
        "projects": [{"id": p, "goal_cents": draw(goals)} for p in projects],
        "contributions": rows,
        "threshold": threshold,
        "pots": [
            draw(pots(name, projects))
            for name in draw(st.lists(st.sampled_from(IDS), max_size=3, unique=True))
        ],
    }
    return value


@st.composite
def pots(draw: st.DrawFn, name: str, projects: list[str]) -> Json:
    rule = draw(
        st.sampled_from(["linear", "quadratic", "quadratic", "quadratic-square", "proportional", "per-donor"])
    )
    pot: Json = {"id": name, "rule": rule, "budget_cents": draw(AMOUNTS)}
    caps = st.none() | AMOUNTS
    optional: dict[str, Any] = {"cap_per_project_cents": caps}
    optional["projects"] = st.none() | st.lists(st.sampled_from(projects), unique=True)
    if rule == "linear":
        optional |= {
            "ratio": RATIOS,
            "order": st.sampled_from(["prorata", "fcfs"]),
            "cap_per_donor_cents": caps,
        }
    else:
        modes = ["saturate", "normalise"] if rule == "quadratic" else ["normalise"]
        optional |= {
            "mode": st.sampled_from(modes),
            "min_donor_cents": AMOUNTS,
            "min_donors": st.integers(0, 4),
        }
    for key, values in optional.items():
        if draw(st.booleans()):
            pot[key] = draw(values)
    if draw(st.booleans()):
        weights = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
        shares = [pot["budget_cents"] * w // max(1, sum(weights)) for w in weights]
        shares[0] += pot["budget_cents"] - sum(shares)
        pot["funders"] = [{"id": IDS[-1 - k], "pledge_cents": share} for k, share in enumerate(shares)]
    return pot


def _without_engine(result: Json) -> Json:
    return {key: value for key, value in result.items() if key != "engine"}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=inputs())
def test_javascript_and_python_agree_on_any_input(judge: Judge, value: Json) -> None:
    assert judge(value) == _without_engine(compute(value))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=inputs(), seed=st.integers(0, 2**32))
def test_row_order_changes_nothing_in_javascript(judge: Judge, value: Json, seed: int) -> None:
    if any(pot.get("order") == "fcfs" for pot in value["pots"]):
        return  # there, the order is the time
    shuffled = json.loads(json.dumps(value))
    for key in ("projects", "contributions", "pots"):
        random.Random(seed).shuffle(shuffled[key])
    assert judge(shuffled) == judge(value)


_P = [{"id": "P"}]
_POT = {"id": "f", "rule": "quadratic", "budget_cents": 100}


def _bad(**changes: Any) -> Json:
    return {
        "spec": "fundmatch/1",
        "projects": _P,
        "contributions": [["d", "P", 1]],
        "pots": [_POT],
        **changes,
    }


BAD = {
    "negative": _bad(contributions=[["d", "P", -1]]),
    "float": _bad(contributions=[["d", "P", 1.0]]),
    "exponent": _bad(contributions=[["d", "P", 1e30]]),
    "too much": _bad(contributions=[["d", "P", 10**15 + 1]]),
    "boolean": _bad(contributions=[["d", "P", True]]),
    "text": _bad(contributions=[["d", "P", "1"]]),
    "unknown project": _bad(contributions=[["d", "Q", 1]]),
    "unhashable project": _bad(contributions=[["d", ["P"], 1]]),
    "short row": _bad(contributions=[["d", "P"]]),
    "long row": _bad(contributions=[["d", "P", 1, {}, {}]]),
    "unknown gift option": _bad(contributions=[["d", "P", 1, {"matched": False}]]),
    "match is a number": _bad(contributions=[["d", "P", 1, {"match": 0}]]),
    "empty donor": _bad(contributions=[["", "P", 1]]),
    "long donor": _bad(contributions=[["d" * 257, "P", 1]]),
    "very long donor": _bad(contributions=[["d" * 10**6, "P", 1]]),
    "lone surrogate": _bad(contributions=[["\ud800", "P", 1]]),
    "duplicate project": _bad(projects=_P * 2),
    "duplicate pot": _bad(pots=[_POT] * 2),
    "unknown rule": _bad(pots=[_POT | {"rule": "cubic"}]),
    "rule is a list": _bad(pots=[_POT | {"rule": ["linear"]}]),
    "unknown pot field": _bad(pots=[_POT | {"ratio": "1"}]),
    "saturate per donor": _bad(pots=[_POT | {"rule": "per-donor", "mode": "saturate"}]),
    "pledges short of the budget": _bad(pots=[_POT | {"funders": [{"id": "x", "pledge_cents": 99}]}]),
    "duplicate funder": _bad(pots=[_POT | {"funders": [{"id": "x", "pledge_cents": 50}] * 2}]),
    "pot for an unknown project": _bad(pots=[_POT | {"projects": ["Q"]}]),
    "ratio by zero": _bad(pots=[_POT | {"rule": "linear", "ratio": "1/0"}]),
    "ratio is a number": _bad(pots=[_POT | {"rule": "linear", "ratio": 1}]),
    "ratio with a space": _bad(pots=[_POT | {"rule": "linear", "ratio": "1 /2"}]),
    "ratio in other digits": _bad(pots=[_POT | {"rule": "linear", "ratio": "\u0661"}]),
    "goal missing": _bad(threshold={"ratio": "1", "base": "total"}),
    "goal of zero": _bad(projects=[{"id": "P", "goal_cents": 0}]),
    "unknown base": _bad(projects=[{"id": "P", "goal_cents": 1}], threshold={"ratio": "1", "base": "all"}),
    "half a threshold": _bad(projects=[{"id": "P", "goal_cents": 1}], threshold={"ratio": "1"}),
    "unknown field": _bad(version=2),
    "other spec": _bad(spec="fundmatch/2"),
    "no spec": {"projects": _P, "contributions": [], "pots": []},
    "pots missing": {"spec": "fundmatch/1", "projects": _P, "contributions": []},
    "pots is an object": _bad(pots={}),
    "gifts and statistics": _bad(statistics=[]),
    "neither": {"spec": "fundmatch/1", "projects": _P, "pots": []},
    "not an object": [1],
}
_NO_GIFTS = {"spec": "fundmatch/1", "projects": _P, "pots": [_POT]}
BAD |= {
    "statistics: 25 decimals": _NO_GIFTS | {"statistics": [["P", "1." + "0" * 24 + "1", 1, 1]]},
    "statistics: exponent": _NO_GIFTS | {"statistics": [["P", "1e3", 1, 1]]},
    "statistics: number": _NO_GIFTS | {"statistics": [["P", 1, 1, 1]]},
    "statistics: twice": _NO_GIFTS | {"statistics": [["P", "1", 1, 1]] * 2},
    "statistics: minimum per donor": _NO_GIFTS
    | {"pots": [_POT | {"min_donor_cents": 1}], "statistics": [["P", "1", 1, 1]]},
    "statistics: first come": _NO_GIFTS
    | {"pots": [{"id": "f", "rule": "linear", "budget_cents": 1, "order": "fcfs"}], "statistics": []},
}


@pytest.mark.parametrize("name", BAD)
def test_both_refuse_the_same_bad_inputs(judge: Judge, name: str) -> None:
    if isinstance(BAD[name], dict):
        assert "refused" in judge(BAD[name]), "the JavaScript verifier accepted it"
    with pytest.raises(InputError):
        compute(BAD[name])


def test_javascript_refuses_pairwise_with_a_clear_sentence(judge: Judge) -> None:
    answer = judge(_bad(pots=[_POT | {"rule": "pairwise", "m_cents": 100}]))
    assert "pairwise" in answer["refused"]


@pytest.mark.parametrize(
    "statistics",
    [[["P", "1", 10**15, 5]], [["P", "0", 7, 0]], [["P", "3.10", 5, 2]], [["P", "0.000", 10**24, 3]], []],
)
@pytest.mark.parametrize("rule", ["quadratic", "proportional", "per-donor", "quadratic-square", "linear"])
def test_both_read_odd_statistics_alike(judge: Judge, statistics: list[Any], rule: str) -> None:
    value = _NO_GIFTS | {"statistics": statistics, "pots": [_POT | {"rule": rule}]}
    assert judge(value) == _without_engine(compute(value))
