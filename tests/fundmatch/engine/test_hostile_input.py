"""Inputs that a careless or hostile hand could send: each is refused, with the row named."""

import copy
import json

import pytest

from fundmatch.__main__ import main
from fundmatch.engine import InputError, compute, compute_columns
from fundmatch.engine.arrays import np

GOOD = {
    "spec": "fundmatch/1",
    "projects": [{"id": "P", "goal_cents": 1000}, {"id": "Q", "goal_cents": 1000}],
    "contributions": [["a", "P", 2500], ["b", "P", 100, {"match": False}], ["c", "Q", 0]],
    "pots": [
        {"id": "fund", "rule": "quadratic", "budget_cents": 100},
        {"id": "city", "rule": "linear", "budget_cents": 100, "ratio": "1/2"},
    ],
    "threshold": {"ratio": "3/4", "base": "total"},
}


def changed(path, value):
    copied = copy.deepcopy(GOOD)
    target = copied
    for key in path[:-1]:
        target = target[key]
    if value is DELETED:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return copied


DELETED = object()
FUNDERS = [{"id": "x", "pledge_cents": 60}, {"id": "y", "pledge_cents": 40}]
REFUSED = {
    "an id of a million characters": (["contributions", 0, 0], "x" * 10**6, "contributions[0]"),
    "an id of 257 characters": (["projects", 0, "id"], "x" * 257, "projects[0]"),
    "an empty id": (["contributions", 1, 0], "", "contributions[1]"),
    "a number as id": (["contributions", 0, 0], 7, "contributions[0]"),
    "half a surrogate pair": (["contributions", 0, 0], "a\ud800", "contributions[0]"),
    "half a surrogate pair in a pot": (["pots", 0, "id"], "\udfff", "pots[0]"),
    "a duplicate project": (["projects", 1, "id"], "P", "duplicate project 'P'"),
    "a duplicate pot": (["pots", 1, "id"], "fund", "duplicate pot 'fund'"),
    "NaN": (["contributions", 0, 2], float("nan"), "contributions[0]"),
    "1e30": (["contributions", 0, 2], 1e30, "contributions[0]"),
    "1.0": (["contributions", 0, 2], 1.0, "contributions[0]"),
    "a boolean amount": (["contributions", 0, 2], True, "contributions[0]"),
    "a negative amount": (["contributions", 0, 2], -1, "contributions[0]"),
    "more than 10^15": (["contributions", 0, 2], 10**15 + 1, "contributions[0]"),
    "an enormous integer": (["contributions", 0, 2], 10**5000, "contributions[0]"),
    "an amount as text": (["contributions", 0, 2], "2500", "contributions[0]"),
    "an unknown project": (["contributions", 0, 1], "R", "contributions[0]: unknown project 'R'"),
    "an unknown project that receives 0": (["contributions", 2, 1], "R", "contributions[2]"),
    "a project that is not text": (["contributions", 0, 1], ["P"], "contributions[0]"),
    "a row too short": (["contributions", 0], ["a", "P"], "contributions[0]"),
    "a row too long": (["contributions", 0], ["a", "P", 1, {}, 1], "contributions[0]"),
    "a row that is text": (["contributions", 0], "aP1", "contributions[0]"),
    "a match that is not a boolean": (["contributions", 1, 3], {"match": 0}, "contributions[1]"),
    "an unknown option of a row": (["contributions", 1, 3], {"matched": False}, "contributions[1]"),
    "an unknown field": (["pots", 0, "budget"], 5, "pots[0]: unknown field 'budget'"),
    "a field of another rule": (["pots", 0, "ratio"], "1", "pots[0]: unknown field 'ratio'"),
    "an unknown field at the top": (["seed"], 5, "unknown field 'seed'"),
    "an unknown rule": (["pots", 0, "rule"], "cubic", "pots[0]: unknown rule 'cubic'"),
    "a rule that is a list": (["pots", 0, "rule"], ["linear"], "pots[0]"),
    "an unknown mode": (["pots", 0, "mode"], "spend", "pots[0]"),
    "saturate where it has no meaning": (
        ["pots", 0],
        {"id": "f", "rule": "per-donor", "budget_cents": 1, "mode": "saturate"},
        "pots[0]",
    ),
    "pairwise without M": (
        ["pots", 0],
        {"id": "f", "rule": "pairwise", "budget_cents": 1},
        "m_cents is missing",
    ),
    "an unknown order": (["pots", 1, "order"], "lifo", "pots[1]"),
    "a ratio as number": (["pots", 1, "ratio"], 0.5, "pots[1]"),
    "a ratio of words": (["pots", 1, "ratio"], "half", "pots[1]"),
    "a negative ratio": (["pots", 1, "ratio"], "-1/2", "pots[1]"),
    "a ratio over zero": (["pots", 1, "ratio"], "1/0", "pots[1]: ratio divides by zero"),
    "a ratio in Arabic digits": (["pots", 1, "ratio"], "٣/٤", "pots[1]"),
    "an endless ratio": (["pots", 1, "ratio"], "1" * 10**6, "pots[1]"),
    "a negative budget": (["pots", 0, "budget_cents"], -1, "pots[0]"),
    "no budget": (["pots", 0, "budget_cents"], DELETED, "pots[0]: budget_cents is missing"),
    "a fractional cap": (["pots", 0, "cap_per_project_cents"], 1.5, "pots[0]"),
    "pledges that do not add up": (["pots", 0, "funders"], FUNDERS[:1], "pots[0].funders"),
    "a funder twice": (["pots", 0, "funders"], [{"id": "x", "pledge_cents": 50}] * 2, "duplicate funder"),
    "a pot for an unknown project": (["pots", 0, "projects"], ["R"], "pots[0].projects[0]"),
    "a pot for a project twice": (["pots", 0, "projects"], ["P", "P"], "duplicate project"),
    "no goal where there is a threshold": (["projects", 1, "goal_cents"], DELETED, "projects[1]"),
    "a goal of 0": (["projects", 1, "goal_cents"], 0, "projects[1]"),
    "an unknown base": (["threshold", "base"], "match", "threshold"),
    "no base": (["threshold", "base"], DELETED, "threshold: base is missing"),
    "another spec": (["spec"], "fundmatch/2", "spec"),
    "no gifts at all": (["contributions"], DELETED, "either contributions or statistics"),
    "gifts and statistics": (["statistics"], [], "either contributions or statistics"),
    "projects as an object": (["projects"], {"P": 1000}, "projects: must be a list"),
    "a pot that is null": (["pots", 0], None, "pots[0]: must be an object"),
}


@pytest.mark.parametrize(("path", "value", "named"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_its_row(path, value, named):
    with pytest.raises(InputError) as caught:
        compute(changed(path, value))
    assert named in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_good_one_is_accepted():
    assert compute(GOOD)["projects"]["P"]["funded"] is True


@pytest.mark.parametrize("value", [None, 7, [], "fundmatch/1", {}, True], ids=repr)
def test_what_is_no_input_at_all_is_refused(value):
    with pytest.raises(InputError):
        compute(value)


STATISTICS = {
    "contributions of an impossible kind": [["P", "12.5", 2600]],
    "an unknown project": [["R", "12.5", 2600, 2]],
    "a project twice": [["P", "12.5", 2600, 2], ["P", "12.5", 2600, 2]],
    "a sum of roots as number": [["P", 12.5, 2600, 2]],
    "25 decimals": [["P", "1." + "1" * 25, 2600, 2]],
    "a negative sum": [["P", "-1", 2600, 2]],
    "an exponent": [["P", "1e3", 2600, 2]],
    "a bare point": [["P", "1.", 2600, 2]],
    "leading zeros": [["P", "01", 2600, 2]],
    "a boolean": [["P", "1", True, 2]],
    "a fraction of a donor": [["P", "1", 2600, 1.5]],
}


@pytest.mark.parametrize("rows", STATISTICS.values(), ids=STATISTICS)
def test_bad_statistics_are_refused(rows):
    value = {key: item for key, item in GOOD.items() if key != "contributions"} | {"statistics": rows}
    with pytest.raises(InputError, match=r"statistics\["):
        compute(value)


@pytest.mark.parametrize(
    "pot",
    [
        {"rule": "linear", "cap_per_donor_cents": 5},
        {"rule": "linear", "order": "fcfs"},
        {"rule": "quadratic", "min_donor_cents": 1},
        {"rule": "pairwise", "m_cents": 2500},
    ],
    ids=str,
)
def test_statistics_refuse_what_sums_cannot_answer(pot):
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "statistics": [["P", "12.5", 100, 2]],
        "pots": [{"id": "f", "budget_cents": 1, **pot}],
    }
    with pytest.raises(InputError, match="needs the gifts"):
        compute(value)


def test_impossible_statistics_call_nothing():
    # No gifts have S² below C; such sums are not paid a negative amount.
    value = {
        "spec": "fundmatch/1",
        "projects": [{"id": "P"}],
        "statistics": [["P", "12.5", 2600, 2]],
        "pots": [{"id": "f", "rule": "quadratic", "budget_cents": 100}],
    }
    assert compute(value)["projects"]["P"]["raw"] == {"f": "0.000000"}


TEXTS = {
    "not JSON": b"{",
    "not UTF-8": b'{"spec": "\xff"}',
    "a key twice": b'{"spec": "fundmatch/1", "spec": "fundmatch/1"}',
    "a hundred thousand brackets": b'{"spec": ' + b"[" * 100_000,
    "a hundred thousand closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "nothing": b"",
    "NaN": json.dumps(changed(["contributions", 0, 2], float("nan"))).encode(),
    "a float that is an integer": json.dumps(changed(["contributions", 0, 2], 1e3)).encode(),
    "five thousand digits": json.dumps(GOOD).replace("2500", "9" * 5000).encode(),
    "an escaped half surrogate": json.dumps(GOOD).replace('"a"', '"\\ud800"').encode(),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_command_line_refuses_bad_files_with_exit_code_2(text, tmp_path, capfd):
    path = tmp_path / "input.json"
    path.write_bytes(text)
    assert main(["compute", str(path)]) == 2
    written = capfd.readouterr()
    assert written.out == ""
    assert written.err.startswith("fundmatch: ")
    assert written.err.count("\n") == 1
    assert "Traceback" not in written.err


def test_endless_digits_name_their_row(tmp_path, capfd):
    path = tmp_path / "input.json"
    path.write_text(json.dumps(GOOD).replace("2500", "9" * 5000))
    assert main(["compute", str(path)]) == 2
    assert "contributions[0]" in capfd.readouterr().err


def test_columns_from_outside_are_checked_too():
    frame = {key: item for key, item in GOOD.items() if key != "contributions"}
    good = {
        "donors": ["b", "a"],
        "donor": [1, 0],
        "project_ids": ["Q", "P"],
        "project": [1, 0],
        "cents": [2500, 0],
    }
    assert compute_columns(frame, **good)["projects"]["P"]["citizens_cents"] == 2500
    bad = [
        {"donor": [2, 0]},
        {"donor": [-1, 0]},
        {"cents": [1.5, 0]},
        {"cents": [True, 0]},
        {"cents": [10**15 + 1, 0]},
        {"cents": [1]},
        {"donors": ["a", "a"]},
        {"donors": ["a", ""]},
        {"project_ids": ["Q", "R"]},
        {"project_ids": ["Q", "Q"]},
        {"matchable": [1, 0]},
        {"matchable": [True]},
    ]
    if np is not None:
        bad += [
            {"cents": np.array([1.0, 2.0])},
            {"cents": np.array([-1, 2])},
            {"donor": np.array([0, 9])},
            {"matchable": np.array([0, 1])},
        ]
    for wrong in bad:
        with pytest.raises(InputError):
            compute_columns(frame, **(good | wrong))
