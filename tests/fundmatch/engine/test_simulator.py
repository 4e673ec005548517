"""The trio's simulator: one campaign replayed under several sets of rules, side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fundmatch.engine import InputError, compute
from fundmatch.engine.pabulib import input_from_election, read_pb
from fundmatch.engine.simulator import Variant, replay

CAMPAIGN: dict[str, Any] = {
    "spec": "fundmatch/1",
    "projects": [{"id": "crowd", "goal_cents": 30_000}, {"id": "whale", "goal_cents": 100_000}],
    "contributions": [[f"d{k}", "crowd", 500] for k in range(20)]
    + [["rich", "whale", 50_000], ["d1", "whale", 100]],
    "pots": [{"id": "old", "rule": "linear", "budget_cents": 1}],
    "threshold": {"ratio": "1", "base": "citizens"},
}
LINEAR = Variant(
    "one for one",
    [
        {"id": "authority", "rule": "linear", "budget_cents": 40_000},
        {"id": "company", "rule": "linear", "budget_cents": 20_000, "cap_per_project_cents": 5_000},
    ],
)
QUADRATIC = Variant(
    "quadratic",
    [
        {
            "id": "fonds",
            "rule": "quadratic",
            "budget_cents": 60_000,
            "mode": "normalise",
            "funders": [
                {"id": "authority", "pledge_cents": 40_000},
                {"id": "company", "pledge_cents": 20_000},
            ],
        }
    ],
)


def test_each_variant_is_the_exact_result_of_its_own_rules() -> None:
    report = replay(CAMPAIGN, [LINEAR, QUADRATIC])
    for variant, told in zip([LINEAR, QUADRATIC], report["variants"], strict=True):
        exact = compute(CAMPAIGN | {"pots": list(variant.pots), "threshold": None})
        assert told["name"] == variant.name
        for project, row in exact["projects"].items():
            assert told["projects"][project]["match_cents"] == sum(row["match_cents"].values())
            assert told["projects"][project]["total_cents"] == row["total_cents"]
        for pot, row in exact["pots"].items():
            assert told["pots"][pot] == {key: row[key] for key in ("spent_cents", "unspent_cents")}


def test_funders_are_counted_over_all_their_pots() -> None:
    linear, quadratic = replay(CAMPAIGN, [LINEAR, QUADRATIC])["variants"]
    assert set(linear["funders"]) == set(quadratic["funders"]) == {"authority", "company"}
    assert sum(linear["funders"].values()) == linear["spent_cents"]
    assert quadratic["funders"] == {"authority": 40_000, "company": 20_000}
    assert linear["budget_cents"] == quadratic["budget_cents"] == 60_000


def test_moves_are_told_against_the_first_variant() -> None:
    linear, quadratic = replay(CAMPAIGN, [LINEAR, QUADRATIC])["variants"]
    assert linear["moves"] == {"crowd": 0, "whale": 0}
    assert (linear["top_project"], quadratic["top_project"]) == ("whale", "crowd")
    assert quadratic["moves"] == {"crowd": 1, "whale": -1}


def test_a_threshold_removes_and_refunds_in_that_variant_only() -> None:
    strict = Variant("strict", LINEAR.pots, {"ratio": "1", "base": "total"})
    free, held = replay(CAMPAIGN, [LINEAR, strict])["variants"]
    assert free["funded"] == 2 and free["refunded_cents"] == 0 and free["eliminated"] == []
    assert held["eliminated"] == ["crowd", "whale"][: len(held["eliminated"])] and held["eliminated"]
    assert held["refunded_cents"] == sum(
        held["projects"][project]["citizens_cents"] for project in held["eliminated"]
    )


def test_goals_can_be_given_where_the_past_had_none() -> None:
    value = CAMPAIGN | {"projects": [{"id": "crowd"}, {"id": "whale"}]}
    held = Variant("held", QUADRATIC.pots, {"ratio": "3/4", "base": "total"})
    with pytest.raises(InputError, match="held"):
        replay(value, [held])
    told = replay(value, [held], goals_cents={"crowd": 10_000, "whale": 10_000})["variants"][0]
    assert told["projects"]["crowd"]["goal_cents"] == 10_000
    assert told["projects"]["crowd"]["goal_part"] == told["projects"]["crowd"]["total_cents"] / 10_000


def test_the_campaigns_own_rules_are_not_used_and_nothing_is_changed() -> None:
    before = json.dumps(CAMPAIGN)
    report = replay(CAMPAIGN, [QUADRATIC])
    assert "old" not in report["variants"][0]["pots"]
    assert json.dumps(CAMPAIGN) == before
    assert report["gifts"] == {"cents": 60_100, "donors": 21, "count": 22}
    json.dumps(report)


def test_a_pot_for_a_project_of_another_year_keeps_those_that_exist() -> None:
    pot = {"id": "p", "rule": "per-donor", "budget_cents": 100, "projects": ["crowd", "gone"]}
    (told,) = replay(CAMPAIGN, [Variant("v", [pot])])["variants"]
    assert told["projects"]["crowd"]["match_cents"] == 100
    nobody = pot | {"projects": ["gone"]}
    assert replay(CAMPAIGN, [Variant("v", [nobody])])["variants"][0]["spent_cents"] == 0


def test_published_sums_can_be_replayed_too() -> None:
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "statistics": [["P", "50", 1300, 2]],
        "pots": [],
    }
    told = replay(value, [Variant("q", [{"id": "f", "rule": "quadratic", "budget_cents": 10**6}])])
    assert told["variants"][0]["projects"]["P"]["match_cents"] == 1200
    assert told["gifts"] == {"cents": 1300, "donors": 2, "count": 0}


def test_two_variants_of_the_same_name_are_refused() -> None:
    with pytest.raises(InputError, match="same name"):
        replay(CAMPAIGN, [LINEAR, LINEAR])


def test_an_imported_election_is_replayed(data_dir: Path) -> None:
    path = data_dir / "pabulib" / "France_Toulouse_2022.pb"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    value = input_from_election(read_pb(path), cents_per_point=500)
    budget = 10_000_000
    pots = {
        rule: [{"id": "f", "rule": rule, "budget_cents": budget} | extra]
        for rule, extra in (("quadratic", {"mode": "normalise"}), ("per-donor", {}), ("proportional", {}))
    }
    report = replay(value, [Variant(name, pot) for name, pot in pots.items()])
    assert [variant["spent_cents"] for variant in report["variants"]] == [budget] * 3
    quadratic, voices, euros = report["variants"]
    # Every voter gave the same amount to each choice: one person, one voice is in proportion to the euros.
    assert voices["projects"] == euros["projects"]
    assert quadratic["gini"] > voices["gini"]


def run_simulate(tmp_path: Path, variants: object) -> subprocess.CompletedProcess[str]:
    (tmp_path / "input.json").write_text(json.dumps(CAMPAIGN), encoding="utf-8")
    (tmp_path / "variants.json").write_text(json.dumps(variants), encoding="utf-8")
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "fundmatch", "simulate"]
    files = [str(tmp_path / "input.json"), str(tmp_path / "variants.json")]
    return subprocess.run([*command, *files], cwd=root, capture_output=True, text=True, check=False)


def test_the_trio_compares_its_variants_on_the_command_line(tmp_path) -> None:
    """By hand: crowd calls 100 € of the authority and whale 501 €, for 400 €: 40 000 × 100/601 = 6 655.57 cents,
    whose remainder wins the missing cent. The company adds its cap of 50 €."""
    done = run_simulate(tmp_path, [{"name": v.name, "pots": list(v.pots)} for v in (LINEAR, QUADRATIC)])
    assert done.returncode == 0, done.stderr
    linear, quadratic = json.loads(done.stdout)["variants"]
    assert linear["projects"]["crowd"]["match_cents"] == 6_656 + 5_000
    # All but one of whale's money comes from one person: the crowd gets more by squares.
    assert quadratic["projects"]["crowd"]["match_cents"] > quadratic["projects"]["whale"]["match_cents"]


@pytest.mark.parametrize(
    ("variants", "sentence"),
    [
        ([], "at least one"),
        ({"name": "x"}, "must be a list"),
        ([{"name": "x"}], "row 1"),
        ([{"name": "x", "pots": [], "rule": "magic"}], "unknown field rule"),
        ([{"name": "x", "pots": [{"id": "p", "rule": "magic", "budget_cents": 1}]}], "magic"),
    ],
)
def test_a_bad_variant_is_named_and_nothing_is_printed(tmp_path, variants, sentence) -> None:
    done = run_simulate(tmp_path, variants)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stdout == ""
