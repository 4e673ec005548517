"""The same input gives the same bytes: rows in any order, with NumPy and without, in other interpreters."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from fundmatch.engine import compute
from fundmatch.engine.arrays import np

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(__file__).parent / "data"
CACHE = ROOT / ".cache" / "pyodide"
#: pyodide → the CPython it is
PYODIDES = {"0.27.7": "3.12", "0.29.3": "3.13", "314.0.7": "3.14"}


def big_round(seed=0):
    """A round large enough for every path of the arrays: long ids, large amounts, ties, caps, a threshold."""
    chance = random.Random(seed)
    projects = [f"p{place}" for place in range(120)] + ["é", "𝄞", "\ufb01"]
    amounts = [100, 100, 500, 1000, 2500, 99_999, 10**9]
    return {
        "spec": "fundmatch/1",
        "projects": [
            {"id": project, "goal_cents": chance.choice([3000, 2 * 10**9, 10**10])} for project in projects
        ],
        "contributions": [
            [
                f"{chance.randrange(300):032x}",
                chance.choice(projects),
                chance.choice(amounts),
                *([{"match": False}] if chance.random() < 0.05 else []),
            ]
            for _ in range(2500)
        ],
        "pots": [
            {
                "id": "fund",
                "rule": "quadratic",
                "budget_cents": 3_000_001,
                "mode": "normalise",
                "cap_per_project_cents": 70_000,
                "min_donor_cents": 200,
                "funders": [{"id": "a", "pledge_cents": 1_000_000}, {"id": "b", "pledge_cents": 2_000_001}],
            },
            {"id": "city", "rule": "linear", "budget_cents": 90_001, "cap_per_donor_cents": 900},
        ],
        "threshold": {"ratio": "3/4", "base": "total"},
    }


def shuffled(value, seed):
    chance = random.Random(seed)
    copied = json.loads(json.dumps(value))
    for rows in (copied["contributions"], copied["projects"], copied["pots"]):
        chance.shuffle(rows)
    return copied


@pytest.fixture
def files(tmp_path):
    value = big_round()
    paths = []
    for number in range(4):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(shuffled(value, number) if number else value, ensure_ascii=False))
        paths.append(path)
    return paths


def test_shuffled_rows_give_the_same_bytes_with_numpy_and_without(files, fundmatch, bare_python):
    written = {fundmatch("compute", path).stdout for path in files}
    written |= {fundmatch("compute", path, FUNDMATCH_PLAIN="1").stdout for path in files}
    written |= {fundmatch("compute", path, python=bare_python).stdout for path in files[:2]}
    assert len(written) == 1
    assert len(json.loads(written.pop())["eliminated"]) > 5
    if np is None:
        pytest.skip("NumPy is not installed: only the plain form was compared with itself")


def test_first_come_first_served_keeps_the_order_in_time(tmp_path, fundmatch, bare_python):
    value = big_round()
    value["pots"][1]["order"] = "fcfs"
    path = tmp_path / "input.json"
    path.write_text(json.dumps(value))
    one = fundmatch("compute", path).stdout
    assert one == fundmatch("compute", path, python=bare_python).stdout
    path.write_text(json.dumps(shuffled(value, 1)))
    assert json.loads(fundmatch("compute", path).stdout)["input_sha256"] != json.loads(one)["input_sha256"]


def test_sums_beyond_64_bits_are_exact():
    rows = [[f"d{number}", "P", 10**15] for number in range(10_000)]
    result = compute(
        {
            "spec": "fundmatch/1",
            "projects": [{"id": "P"}],
            "contributions": rows,
            "pots": [{"id": "fund", "rule": "proportional", "budget_cents": 10**15}],
        }
    )
    assert result["projects"]["P"]["citizens_cents"] == 10**19
    assert result["projects"]["P"]["raw"]["fund"] == str(10**19)


def test_roots_in_arrays_are_the_roots_in_integers():
    if np is None:
        pytest.skip("NumPy is not installed: its roots were NOT compared")
    from fundmatch.engine.gifts.vector_roots import LARGEST, exact_roots
    from fundmatch.engine.roots import root

    chance = random.Random(2)
    for largest in (1000, 10**6, 1 << 22, 10**9, LARGEST - 1, 10**18):
        amounts = set(range(1, 1000)) | {largest}
        for _ in range(2000):
            near = chance.randint(1, int(largest**0.5)) ** 2
            amounts |= {near - 1, near, near + 1, chance.randint(1, largest)}
        amounts = sorted(amount for amount in amounts if 1 <= amount <= largest)
        high, low = exact_roots(np.array(amounts, dtype=np.int64))
        found = [(one << 64) + other for one, other in zip(high.tolist(), low.tolist(), strict=True)]
        assert found == [root(amount) for amount in amounts]


def _pyodide(version):
    """Return the folder of an npm package pyodide, installed once in the cache."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(f"Node or npm is not installed: CPython {PYODIDES[version]} was NOT checked")
    folder = CACHE / version
    if not (folder / "node_modules" / "pyodide" / "pyodide.mjs").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}')
        done = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", f"pyodide@{version}"],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.skip(
                f"npm could not install pyodide {version}, CPython was NOT checked: {done.stderr[-300:]}"
            )
    return folder / "node_modules" / "pyodide" / "pyodide.mjs"


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize("version", PYODIDES, ids=PYODIDES.values())
def test_other_versions_of_cpython_give_the_same_bytes(version, files, fundmatch, tmp_path):
    module = _pyodide(version)
    done = subprocess.run(
        [
            "node",
            Path(__file__).with_name("pyodide_results.mjs"),
            module,
            ROOT,
            DATA / "results.json",
            *files,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["python"].startswith(PYODIDES[version] + ".")
    assert found["numpy"] is False
    assert found["differing"] == []
    assert found["compared"] == 42
    expected = json.loads(fundmatch("compute", files[0]).stdout)["result_sha256"]
    assert set(found["digests"]) == {expected}
