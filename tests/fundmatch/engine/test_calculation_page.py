"""Every figure of docs/calculation.md is recomputed here."""

import copy
import json
import re
from fractions import Fraction
from math import isqrt
from pathlib import Path

import pytest

from fundmatch.engine import compute
from fundmatch.engine.estimate import Estimator

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "calculation.md").read_text(encoding="utf-8")
MAYOR = PAGE.split("## Une page", 1)[1].split("<details>", 1)[0]
VALUE = json.loads(PAGE.split("```json\n", 1)[1].split("```", 1)[0])


def euros(cents):
    whole, part = divmod(cents, 100)
    return f"{whole:,}".replace(",", " ") + f",{part:02} €"


def plain(cents):
    assert cents % 100 == 0
    return f"{cents // 100:,}".replace(",", " ") + " €"


def row(*cells):
    return f"| {' | '.join(cells)} |"


@pytest.fixture(scope="module")
def result():
    return compute(VALUE)


def gifts_of(project):
    return [cents for _, name, cents in VALUE["contributions"] if name == project]


def test_the_table_of_results(result):
    for project, shown in result["projects"].items():
        funded = shown["funded"]
        given = euros(shown["citizens_cents"])
        expected = row(
            project,
            "oui" if funded else "non",
            given if funded else f"{given} rendus",
            euros(shown["match_cents"]["fonds"]),
            euros(shown["match_cents"]["commune"]),
            euros(shown["total_cents"]),
        )
        assert expected in MAYOR


def test_the_table_of_funders(result):
    funders = result["pots"]["fonds"]["funders"]
    for funder, shown in funders.items():
        cells = (euros(shown["projects"][project]) for project in ("jardin", "vélos"))
        assert row(funder, *cells, euros(shown["spent_cents"])) in MAYOR
    commune = result["pots"]["commune"]
    left, spent = euros(commune["unspent_cents"]), euros(commune["spent_cents"])
    assert f"La commune a versé {spent} ; il lui reste {left}." in MAYOR


def test_the_arithmetic_of_the_squares(result):
    for project in ("jardin", "vélos", "sono"):
        gifts = sorted(gifts_of(project), reverse=True)
        roots = [isqrt(cents // 100) for cents in gifts]
        assert [root * root * 100 for root in roots] == gifts
        square = sum(roots) ** 2
        called = square - sum(gifts) // 100
        if len(gifts) > 1:
            assert f"{' + '.join(map(str, roots))} = {sum(roots)} ; {sum(roots)} × {sum(roots)}" in MAYOR
            assert f"appelle **{called} €**" in MAYOR or f"appellent **{called} €**" in MAYOR
            assert result["projects"][project]["raw"]["fonds"] == f"{called * 100}.000000"
        assert f"{square:,} €".replace(",", " ") in MAYOR
        goal = next(item["goal_cents"] for item in VALUE["projects"] if item["id"] == project)
        assert f"| {project} | {plain(goal)} |" in MAYOR
        assert plain(sum(gifts)) in MAYOR


def test_the_threshold(result):
    (left,) = result["eliminated"]
    assert left["project"] == "sono"
    base, needed = plain(left["base_cents"]), plain(left["needed_cents"])
    assert f"La sono réunit 900 € + 100 € = {base} ; il fallait {needed}." in MAYOR
    assert left["refunds"] == {"Jeanne": 90_000}


def test_the_sharing_and_its_missing_cent(result):
    level = Fraction(result["pots"]["fonds"]["lambda"])
    assert str(level) == "100/117"
    assert f"({level}, environ {round(level * 100)} %)" in MAYOR
    shares = [level * 70_400, level * 70_000]
    for share in shares:
        assert f"{int(share * 10) // 1000},{int(share * 10) % 1000:03}… €" in MAYOR
    first, second = (f"{float(share % 1):.2f}".replace(".", ",") for share in shares)
    assert f"({first} centime, contre {second})" in MAYOR
    assert sum(int(share) for share in shares) == result["pots"]["fonds"]["spent_cents"] - 1


def test_one_more_gift(result):
    rows = [row for row in VALUE["contributions"] if row[1] != "sono"]
    remaining = VALUE | {"projects": VALUE["projects"][:2], "contributions": rows}
    estimate = Estimator.from_input(remaining).gift("jardin", 400)
    gains = {gain.pot: gain.cents for gain in estimate.gains}
    assert (
        f"gagnerait {euros(gains['fonds'])} d'aide du fonds et {euros(gains['commune'])} de la commune"
        in MAYOR
    )
    assert f"perdraient {euros(-estimate.others['vélos'])} :" in re.sub(r"\s+", " ", MAYOR)
    after = copy.deepcopy(VALUE)
    after["contributions"].append(["Karim", "jardin", 400])
    exact = compute(after)["projects"]
    for project, change in (("jardin", gains["fonds"]), ("vélos", estimate.others["vélos"])):
        found = exact[project]["match_cents"]["fonds"] - result["projects"][project]["match_cents"]["fonds"]
        assert found == change


def test_no_figure_with_cents_is_there_that_was_not_computed(result):
    computed = set()

    def collect(value):
        if isinstance(value, dict):
            for item in value.values():
                collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)
        elif type(value) is int:
            computed.add(euros(value))

    collect(result)
    for amount in set(re.findall(r"\d[\d ]*,\d\d €", MAYOR)) - {"45,66 €", "4,00 €"}:
        assert amount in computed, amount


def test_the_digests(result):
    assert f"données : `{result['input_sha256']}`" in PAGE
    assert f"résultat : `{result['result_sha256']}`" in PAGE


def test_the_counter_example_of_the_threshold():
    value = {
        "spec": "fundmatch/1",
        "projects": [
            {"id": "P", "goal_cents": 1000},
            {"id": "Q", "goal_cents": 1600},
            {"id": "S", "goal_cents": 1950},
        ],
        "contributions": [["p", "P", 1000], ["q", "Q", 1000], ["s", "S", 1000]],
        "pots": [
            {"id": "euros", "rule": "proportional", "budget_cents": 100, "projects": ["P", "Q"]},
            {"id": "voices", "rule": "per-donor", "budget_cents": 600, "projects": ["P", "S"]},
            {"id": "twins", "rule": "proportional", "budget_cents": 300, "projects": ["Q", "S"]},
        ],
        "threshold": {"ratio": "4/5", "base": "total"},
    }
    before = compute(value)
    assert [entry["project"] for entry in before["eliminated"]] == ["S"]
    value["contributions"].append(["p", "P", 2000])
    after = compute(value)
    assert [entry["project"] for entry in after["eliminated"]] == ["Q"]
    text = re.sub(r"\s+", " ", PAGE)
    for shown, words in ((before, "S leaves, P gets {}."), (after, "shares `voices`: P gets {}.")):
        assert words.format(euros(sum(shown["projects"]["P"]["match_cents"].values()))) in text
    assert "Q loses 0,25 € to P" in text
    assert Fraction(100 * 1000, 2000) - Fraction(100 * 1000, 4000) == 25


def test_two_gifts_of_a_billion_euros():
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "contributions": [["a", "P", 10**11], ["b", "P", 10**11]],
        "pots": [{"id": "pot", "rule": "quadratic", "budget_cents": 10**15}],
    }
    paid = compute(value)["projects"]["P"]["match_cents"]["pot"]
    assert f"{paid:,} cents".replace(",", " ").replace(" cents", "") in re.sub(r"\s+", " ", PAGE)
