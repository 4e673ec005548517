"""Whole results from an independent implementation of the text, through the command line, without Django."""

import json
from pathlib import Path

import pytest

IDS = [
    item["id"]
    for item in json.loads((Path(__file__).parent / "data" / "results.json").read_text())["results"]
]


@pytest.mark.parametrize("number", range(len(IDS)), ids=IDS)
def test_the_command_line_without_django_finds_the_whole_result(
    number, whole_results, bare_python, fundmatch, tmp_path
):
    case = whole_results[number]
    path = tmp_path / "input.json"
    path.write_text(json.dumps(case["input"], ensure_ascii=False))
    done = fundmatch("compute", path, python=bare_python)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found.pop("engine").startswith("wagtail-abonde ")
    assert found == case["expected"]


def test_there_are_42_of_them():
    assert len(IDS) == 42


def test_statistics_give_the_shares_of_the_gifts_they_come_from(whole_results, compute_by_command):
    by_id = {case["id"]: case for case in whole_results}
    twins = [case for case in whole_results if "twin_of" in case]
    assert len(twins) == 6
    for case in twins:
        from_sums = compute_by_command(case["input"])
        from_gifts = compute_by_command(by_id[case["twin_of"]]["input"])
        assert from_sums["projects"] == from_gifts["projects"]
        assert from_sums["pots"] == from_gifts["pots"]
        assert from_sums["input_sha256"] != from_gifts["input_sha256"]
        assert all("refunds" not in entry for entry in from_sums["eliminated"])
