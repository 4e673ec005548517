"""What the engine says: explanations, live estimates, comparison tables, the command line's manners."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fundmatch.__main__ import main
from fundmatch.engine import compute
from fundmatch.engine.estimate import Estimator
from fundmatch.engine.explain import explain, in_english
from fundmatch.engine.problem import RULES
from fundmatch.engine.tables import as_csv, compare_rules, comparison_rows, gini, top_share

VECTORS = json.loads((Path(__file__).parent / "data" / "vectors.json").read_text())["vectors"]


def frame(pots, *, goals=None, threshold=None, projects="PQ"):
    return {
        "spec": "fundmatch/1",
        "projects": [{"id": name, "goal_cents": (goals or {}).get(name, 1000)} for name in projects],
        "pots": pots,
        "threshold": threshold,
    }


def told(value, project):
    return [in_english(fact) for fact in explain(value, compute(value))[project]]


# ---- explanations ----------------------------------------------------------


def test_a_project_at_its_cap_is_told_as_an_editor_would_read_it():
    value = frame(
        [{"id": "fund", "rule": "quadratic", "budget_cents": 10**6, "cap_per_project_cents": 200_000}],
        goals={"P": 10**6},
    ) | {"contributions": [[f"d{number}", "P", 4000] for number in range(12)]}
    assert told(value, "P") == [
        "12 residents gave 480.00 €.",
        "Together they call 5,280.00 € from the pot fund (rule quadratic).",
        "The cap of 2,000.00 € per project applies.",
        "The pot fund pays 2,000.00 €.",
        "In all: 2,480.00 €.",
    ]


SITUATIONS = {
    "a single donor": (
        [{"id": "fund", "rule": "quadratic", "budget_cents": 100}],
        [["a", "P", 100]],
        "one_donor",
    ),
    "nobody": ([{"id": "fund", "rule": "linear", "budget_cents": 100}], [], "no_donor"),
    "too few": (
        [{"id": "fund", "rule": "quadratic", "budget_cents": 100, "min_donors": 3}],
        [["a", "P", 100], ["b", "P", 100]],
        "too_few_donors",
    ),
    "more called than there is": (
        [{"id": "fund", "rule": "linear", "budget_cents": 100}],
        [["a", "P", 100], ["b", "Q", 100]],
        "shared",
    ),
    "less called than there is, all spent": (
        [{"id": "fund", "rule": "proportional", "budget_cents": 1000}],
        [["a", "P", 100], ["b", "Q", 100]],
        "spread",
    ),
    "everybody at the cap": (
        [{"id": "fund", "rule": "per-donor", "budget_cents": 1000, "cap_per_project_cents": 1}],
        [["a", "P", 100], ["b", "P", 100]],
        "cap_applies",
    ),
    "served in time": (
        [{"id": "fund", "rule": "linear", "order": "fcfs", "budget_cents": 150}],
        [["a", "P", 100], ["b", "Q", 100]],
        "first_come",
    ),
    "too late": (
        [{"id": "fund", "rule": "linear", "order": "fcfs", "budget_cents": 50}],
        [["b", "Q", 100], ["a", "P", 100]],
        "pot_empty",
    ),
}


@pytest.mark.parametrize(("pots", "rows", "code"), SITUATIONS.values(), ids=SITUATIONS)
def test_each_situation_has_its_fact(pots, rows, code):
    value = frame(pots) | {"contributions": rows}
    facts = explain(value, compute(value))["P"]
    assert code in [fact.code for fact in facts]
    assert json.loads(json.dumps([fact.to_json() for fact in facts]))
    for fact in facts:
        assert in_english(fact).endswith(".")


def test_a_failed_project_is_told_what_was_missing():
    value = frame([], goals={"P": 10_000}, threshold={"ratio": "3/4", "base": "citizens"}) | {
        "contributions": [["a", "P", 7499], ["b", "Q", 1000]]
    }
    assert told(value, "P") == [
        "1 resident gave 74.99 €.",
        "It did not reach its threshold: 74.99 €, when 75.00 € were needed. It left the round in place 1.",
        "Its donors get back 74.99 €, all that they gave.",
    ]


def test_every_whole_result_can_be_told(whole_results):
    for case in whole_results:
        facts = explain(case["input"], case["expected"])
        assert set(facts) == set(case["expected"]["projects"])
        for told_facts in facts.values():
            assert told_facts[0].code == "received"
            assert all(in_english(fact) for fact in told_facts)


# ---- live estimates --------------------------------------------------------

SENSITIVITY = [vector for vector in VECTORS if vector["rule"] == "sensitivity"]


@pytest.mark.parametrize("vector", SENSITIVITY, ids=[vector["id"] for vector in SENSITIVITY])
def test_one_more_euro(vector):
    given, expected = vector["input"], vector["expected"]
    donor, project, cents = given["new_gift"]
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": name} for name in expected["delta_cents"]],
        "contributions": given["contributions"],
        "pots": [
            {
                "id": "pool",
                "rule": "quadratic",
                "budget_cents": given["pool_cents"],
                "mode": given["mode"],
                "cap_per_project_cents": given.get("cap_cents"),
            }
        ],
        "threshold": None,
    }
    already = sum(row[2] for row in given["contributions"] if row[:2] == [donor, project])
    estimate = Estimator.from_input(value).gift(project, cents, already_cents=already)
    # Estimates are rounded shares, the vectors whole results: a cent apart at most.
    for name, delta in expected["delta_cents"].items():
        found = estimate.cents if name == project else estimate.others.get(name, 0)
        assert abs(found - delta) <= 1
    assert estimate.low <= estimate.cents <= estimate.high


POT_KINDS = [
    {"rule": "quadratic", "mode": "saturate"},
    {"rule": "quadratic", "mode": "normalise", "cap_per_project_cents": 3000},
    {"rule": "quadratic", "mode": "saturate", "cap_per_project_cents": 3000, "min_donor_cents": 150},
    {"rule": "quadratic-square", "min_donors": 2},
    {"rule": "proportional"},
    {"rule": "per-donor", "cap_per_project_cents": 4000},
    {"rule": "linear", "ratio": "2/3", "cap_per_donor_cents": 500},
    {"rule": "linear", "cap_per_project_cents": 1500},
]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(POT_KINDS),
    st.integers(1, 20_000),
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from("PQR"), st.integers(1, 3000)),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from(["a", "b", "new"]),
    st.sampled_from("PQR"),
    st.integers(1, 5000),
)
def test_an_estimate_is_what_a_whole_computation_would_find(kind, budget, rows, donor, project, cents):
    value = frame([{"id": "pot", "budget_cents": budget, **kind}], projects="PQR")
    value["contributions"] = [list(row) for row in rows]
    already = sum(row[2] for row in rows if row[:2] == (donor, project))
    estimator = Estimator.from_input(value)
    estimate = estimator.gift(project, cents, already_cents=already)
    before = compute(value)["projects"]
    for name, row in before.items():
        assert abs(estimator.match_cents(name)["pot"] - row["match_cents"]["pot"]) <= 1
        low, high = estimator.match_range(name)
        assert low <= estimator.match_cents(name)["pot"] <= high
    value["contributions"].append([donor, project, cents])
    after = compute(value)["projects"]
    for name in before:
        exact = after[name]["match_cents"]["pot"] - before[name]["match_cents"]["pot"]
        found = estimate.cents if name == project else estimate.others.get(name, 0)
        # Two whole results are compared: two roundings, and the floor of the linear rule.
        assert abs(found - exact) <= 2


def test_estimates_of_pairwise_amounts_are_refused():
    value = frame([{"id": "w", "rule": "pairwise", "budget_cents": 1, "m_cents": 100}]) | {
        "contributions": []
    }
    with pytest.raises(ValueError, match="pairwise"):
        Estimator.from_input(value)


# ---- tables ----------------------------------------------------------------


def test_concentration_of_known_amounts():
    assert (top_share([1, 1, 2]), top_share([0, 0])) == (0.5, 0.0)
    assert gini([5, 5, 5, 5]) == pytest.approx(0)
    assert gini([0, 0, 0, 8]) == pytest.approx(0.75)
    assert gini([1, 3]) == pytest.approx(0.25)


def test_all_rules_share_the_same_money(whole_results):
    value = whole_results[6]["input"]
    table = compare_rules(value)
    assert [column.rule for column in table.columns] == ["result", *RULES]
    budget = sum(pot["budget_cents"] for pot in value["pots"])
    for column in table.columns:
        assert sum(column.cents.values()) <= budget
    rows = comparison_rows(table)
    assert len(rows) == 1 + len(value["projects"]) + 4
    assert len({len(row) for row in rows}) == 1


def test_a_formula_in_an_id_is_not_run_by_a_spreadsheet():
    assert as_csv([["=HYPERLINK(1)", "1"]]) == "'=HYPERLINK(1),1\n"


@pytest.mark.parametrize("kind", ["table", "csv"])
def test_compare_prints_a_table(kind, whole_results, tmp_path, capfd):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(whole_results[6]["input"]))
    assert main(["compare", str(path), "--format", kind]) == 0
    written = capfd.readouterr()
    assert written.err == ""
    for word in ("quadratic-square", "pairwise", "Gini", "places changed"):
        assert word in written.out


# ---- manners of the command line -------------------------------------------


def test_help_names_every_command_and_shows_examples(capfd):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    shown = capfd.readouterr().out
    for word in ("compute", "verify", "compare", "from-pb", "examples:", "exit codes", "donor,project,cents"):
        assert word in shown


@pytest.mark.parametrize("arguments", [[], ["sum"], ["compute"], ["compute", "x.json", "--faster"]], ids=str)
def test_a_wrong_command_is_exit_code_2(arguments, capfd):
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2
    assert "usage:" in capfd.readouterr().err


def test_compute_writes_a_file_or_prints_and_explains_on_demand(whole_results, tmp_path, capfdbinary):
    path, output = tmp_path / "input.json", tmp_path / "result.json"
    path.write_text(json.dumps(whole_results[0]["input"], ensure_ascii=False))
    assert main(["compute", str(path), "-o", str(output), "--explain"]) == 0
    written = capfdbinary.readouterr()
    assert written.out == b""
    assert "É3: 4 residents gave 10,150.46 €.".encode() in written.err
    assert main(["compute", str(path)]) == 0
    assert capfdbinary.readouterr().out == output.read_bytes()
    assert main(["compute", str(path), "-o", str(tmp_path / "no" / "folder")]) == 2
    assert main(["compute", str(tmp_path / "absent.json")]) == 2
    assert b"absent.json" in capfdbinary.readouterr().err


def test_an_input_may_come_from_the_standard_input(whole_results, fundmatch):
    import subprocess
    import sys

    text = json.dumps(whole_results[0]["input"]).encode()
    done = subprocess.run(
        [sys.executable, "-m", "fundmatch", "compute", "-"], input=text, capture_output=True
    )
    assert json.loads(done.stdout)["result_sha256"] == whole_results[0]["expected"]["result_sha256"]


def test_a_terminal_of_another_century_shows_something(fundmatch, tmp_path):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(frame([]) | {"contributions": [["é𝄞\x1b[2J", "R", 1]]}))
    done = fundmatch("compute", path, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 2
    assert done.stderr.isascii()
    assert b"\x1b" not in done.stderr
    path.write_text(json.dumps(frame([], projects="𝄞") | {"contributions": []}))
    done = fundmatch("compute", path, PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert "𝄞".encode() in done.stdout
