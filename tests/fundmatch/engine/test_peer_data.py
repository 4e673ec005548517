"""Rounds that others computed and published, redone here; elections turned into inputs."""

import csv
import json
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from fundmatch.__main__ import main
from fundmatch.engine import InputError, compute
from fundmatch.engine.pabulib import input_from_election, read_pb


def test_the_tally_of_a_clr_fund_round(data_dir):
    """Ethereum Staker round: claim = vcf·C + k·(S² − C), one vcf and one k for all projects."""
    tally = json.loads((data_dir / "fundmatch" / "ethstaker_tally.json").read_text())
    columns = (tally["sum_of_roots"], tally["spent_credits"], tally["claim_amount_wei"])
    rows = [
        (roots, int(spent), int(claim)) for roots, spent, claim in zip(*columns, strict=False) if int(spent)
    ]
    assert len(rows) == 20
    result = compute(
        {
            "spec": "fundmatch/1",
            "projects": [{"id": f"p{place:02}"} for place in range(len(rows))],
            "statistics": [[f"p{place:02}", row[0], row[1], 2] for place, row in enumerate(rows)],
            "pots": [{"id": "round", "rule": "quadratic", "budget_cents": 10**15, "mode": "normalise"}],
            "threshold": None,
        }
    )
    raw = [Fraction(result["projects"][f"p{place:02}"]["raw"]["round"]) for place in range(len(rows))]
    for (roots, spent, _), amount in zip(rows, raw, strict=True):
        assert amount == int(roots) ** 2 - spent
    # Two rows give vcf and k; every other claim must follow.
    (spent_a, claim_a), (spent_b, claim_b) = ((row[1], row[2]) for row in rows[:2])
    determinant = spent_a * raw[1] - spent_b * raw[0]
    vcf = (claim_a * raw[1] - claim_b * raw[0]) / determinant
    k = (spent_a * Fraction(claim_b) - spent_b * claim_a) / determinant
    for (_, spent, claim), amount in zip(rows, raw, strict=True):
        assert abs(vcf * spent + k * amount - claim) / claim < Fraction(1, 10**15)
    # The match part of every claim is our share of the pot, scaled.
    match = [result["projects"][f"p{place:02}"]["match_cents"]["round"] for place in range(len(rows))]
    total = sum(raw)
    for cents, amount in zip(match, raw, strict=True):
        assert abs(cents - 10**15 * amount / total) < 1


def test_the_published_table_of_the_chicago_pilot(data_dir):
    """Chicago 2020: 400 shared in proportion to S² (the table's LR_match), published to the cent."""
    with (data_dir / "fundmatch" / "chicago_2020.csv").open() as file:
        rows = list(csv.DictReader(file))
    with localcontext() as context:
        context.prec = 60
        statistics = [
            [
                row["project"],
                str((Decimal(row["LR_match"]) * 100).sqrt().quantize(Decimal("1e-24"))),
                int(Decimal(row["project_total_contribution"]) * 100),
                int(row["contribution_count"]),
            ]
            for row in rows
        ]
    result = compute(
        {
            "spec": "fundmatch/1",
            "projects": [{"id": row["project"]} for row in rows],
            "statistics": statistics,
            "pots": [{"id": "pilot", "rule": "quadratic-square", "budget_cents": 40_000}],
            "threshold": None,
        }
    )
    assert result["pots"]["pilot"]["spent_cents"] == 40_000
    for row in rows:
        published = int(Decimal(row["CLR_match"]) * 100)
        # Their S² is itself published rounded to the cent.
        assert abs(result["projects"][row["project"]]["match_cents"]["pilot"] - published) <= 1


ELECTIONS = {
    "France_Toulouse_2022.pb": (199, 4532, 8_000_000),
    "Poland_Warszawa_2026.pb": (83, 61_668, 24_186_815),
    "Poland_Swiecie_2023.pb": (22, 2553, 1_070_000),
}


@pytest.mark.parametrize(("name", "figures"), ELECTIONS.items(), ids=ELECTIONS)
def test_an_election_becomes_an_input_that_computes(name, figures, data_dir, tmp_path, capfd):
    projects, voters, budget = figures
    path = tmp_path / "input.json"
    assert main(["from-pb", str(data_dir / "pabulib" / name), "-o", str(path)]) == 0
    value = json.loads(path.read_text())
    assert len(value["projects"]) == projects
    assert len({row[0] for row in value["contributions"]}) <= voters
    assert value["pots"][0]["budget_cents"] == budget * 100
    election = read_pb(data_dir / "pabulib" / name)
    assert len(election.votes) == voters
    assert main(["compute", str(path), "-o", str(tmp_path / "result.json")]) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    # The files count their votes themselves.
    counted = _votes_column(data_dir / "pabulib" / name)
    for project, votes in counted.items():
        assert result["projects"][project]["donors"] == votes
        assert result["projects"][project]["citizens_cents"] == votes * 1000
    assert result["pots"]["fund"]["spent_cents"] == budget * 100
    assert capfd.readouterr().out == ""


def _votes_column(path):
    text = path.read_text(encoding="utf-8-sig")
    section = text.split("PROJECTS\n", 1)[1].split("\nVOTES\n", 1)[0]
    rows = csv.DictReader(section.splitlines(), delimiter=";")
    return {row["project_id"]: int(row["votes"]) for row in rows}


PB = """META
key;value
description;Example
vote_type;cumulative
budget;1000.50
PROJECTS
project_id;cost;name
a;300.25;"A garden; with roses"
b;0;Free
VOTES
voter_id;vote;points
v1;a,b;3,1
v2;b;4
"""


def test_points_are_worth_an_amount_each(tmp_path):
    path = tmp_path / "example.pb"
    path.write_text(PB)
    election = read_pb(path)
    assert (election.budget_cents, election.names["a"]) == (100_050, "A garden; with roses")
    value = input_from_election(election, cents_per_point=250, budget_cents=5000, rule="proportional")
    assert value["projects"] == [{"id": "a", "goal_cents": 30_025}, {"id": "b"}]
    assert value["contributions"] == [["v1", "a", 750], ["v1", "b", 250], ["v2", "b", 1000]]
    assert compute(value)["projects"]["b"]["match_cents"] == {"fund": 3125}


BROKEN = {
    "no votes": (PB.split("VOTES")[0], "VOTES is missing"),
    "an ordinal vote": (PB.replace("cumulative", "ordinal"), "ordinal"),
    "points that do not match": (PB.replace("3,1", "3"), "example.pb line 12: 2 projects and 1 points"),
    "an unknown project": (PB.replace("a,b;3,1", "a,c;3,1"), "line 12: unknown project 'c'"),
    "a project twice in a vote": (PB.replace("a,b;3,1", "a,a;3,1"), "line 12"),
    "a voter twice": (PB.replace("v2", "v1"), "line 13: duplicate voter"),
    "a project twice": (PB.replace("b;0;Free", "a;0;Free"), "line 9: duplicate project"),
    "a cost in words": (PB.replace("300.25", "dear"), "line 8: cost"),
    "a cost of NaN": (PB.replace("300.25", "NaN"), "line 8: cost"),
    "fractions of a cent": (PB.replace("300.25", "300.255"), "line 8: cost"),
    "negative points": (PB.replace("3,1", "-3,1"), "line 12: points"),
    "text before the sections": ("hello\n" + PB, "line 1"),
    "nothing": ("", "META is missing"),
}


@pytest.mark.parametrize(("text", "named"), BROKEN.values(), ids=BROKEN)
def test_a_broken_election_is_refused_with_its_line(text, named, tmp_path, capfd):
    path = tmp_path / "example.pb"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_pb(path)
    assert named in str(caught.value)
    assert main(["from-pb", str(path)]) == 2
