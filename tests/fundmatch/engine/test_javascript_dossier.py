"""The JavaScript verifier as a stranger meets it: dossiers on the command line, honest or hostile."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundmatch.engine import compute
from fundmatch.engine.dossier import pseudonymise, write_dossier

ROOT = Path(__file__).resolve().parents[3]
VERIFIER = ROOT / "fundmatch/static/fundmatch/verify.mjs"
NODE = shutil.which("node")
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(NODE is None, reason="Node is not installed: the JavaScript verifier was NOT checked"),
]

INPUT: dict[str, Any] = {
    "spec": "fundmatch/1",
    "projects": [
        {"id": "jardin", "goal_cents": 5_000},
        {"id": "vélo", "goal_cents": 30_000},
        {"id": "zzz", "goal_cents": 10**9},
    ],
    "contributions": [
        ["anne", "jardin", 2_500],
        ["bob", "jardin", 400],
        ["anne", "vélo", 10_000],
        ["chloé", "vélo", 900],
        ["club", "vélo", 5_000, {"match": False}],
        ["bob", "zzz", 100],
    ],
    "pots": [
        {
            "id": "fonds",
            "rule": "quadratic",
            "budget_cents": 20_000,
            "mode": "normalise",
            "funders": [{"id": "acme", "pledge_cents": 15_000}, {"id": "banque", "pledge_cents": 5_000}],
        },
        {"id": "cea", "rule": "linear", "budget_cents": 100_000},
    ],
    "threshold": {"ratio": "3/4", "base": "total"},
}


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def dossier(value: Any, result: Any, **options: Any) -> bytes:
    files = {"README.txt": b"\xff\xfe not text at all", "input.json": value, "result.json": result}
    return zipped(
        {
            k: v if isinstance(v, bytes) else json.dumps(v, ensure_ascii=False).encode()
            for k, v in files.items()
        },
        **options,
    )


def node(*arguments: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(NODE), "--max-old-space-size=512", VERIFIER, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )


def verify(tmp_path: Path, content: bytes) -> subprocess.CompletedProcess[str]:
    (tmp_path / "dossier.zip").write_bytes(content)
    return node(tmp_path / "dossier.zip")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_untouched_dossier_is_identical(tmp_path: Path, compression: int) -> None:
    result = compute(INPUT)
    answer = verify(tmp_path, dossier(INPUT, result, compression=compression))
    assert (answer.returncode, answer.stdout) == (0, f"identical {result['result_sha256']}\n")


def test_computing_prints_the_canonical_result(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text(json.dumps(INPUT), encoding="utf-8")
    answer = node(tmp_path / "input.json")
    assert json.loads(answer.stdout) == {k: v for k, v in compute(INPUT).items() if k != "engine"}


def test_input_and_result_as_separate_files(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text(json.dumps(INPUT), encoding="utf-8")
    (tmp_path / "result.json").write_text(json.dumps(compute(INPUT)), encoding="utf-8")
    assert node(tmp_path / "input.json", tmp_path / "result.json").returncode == 0


def _set(path: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def tamper(given: dict[str, Any], result: dict[str, Any]) -> None:
        target: Any = {"input": given, "result": result}
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        for step in steps:
            target = target[step]
        target[last] = value

    return tamper


TAMPERINGS = {
    "a share moved up": (
        _set("result/projects/jardin/match_cents/fonds", 9_999),
        "projects.jardin.match_cents.fonds",
    ),
    "a total": (_set("result/projects/vélo/total_cents", 1), "projects.vélo.total_cents"),
    "the citizens' money": (_set("result/projects/vélo/citizens_cents", 1), "projects.vélo.citizens_cents"),
    "the number of donors": (_set("result/projects/vélo/donors", 30), "projects.vélo.donors"),
    "a raw amount": (_set("result/projects/vélo/raw/fonds", "1.000000"), "projects.vélo.raw.fonds"),
    "a failed project funded": (_set("result/projects/zzz/funded", True), "projects.zzz.funded"),
    "a refund": (_set("result/eliminated/0/refunds/bob", 0), "eliminated.0.refunds.bob"),
    "no refund list": (_set("result/eliminated", []), "eliminated.0"),
    "a funder's column": (
        _set("result/pots/fonds/funders/acme/spent_cents", 0),
        "pots.fonds.funders.acme.spent_cents",
    ),
    "a funder's cell": (
        _set("result/pots/fonds/funders/acme/projects/vélo", 0),
        "pots.fonds.funders.acme.projects.vélo",
    ),
    "the money left": (_set("result/pots/cea/unspent_cents", 0), "pots.cea.unspent_cents"),
    "the level": (_set("result/pots/fonds/lambda", "1"), "pots.fonds.lambda"),
    "the digest of the input": (_set("result/input_sha256", "0" * 64), "input_sha256"),
    "the digest of the result": (_set("result/result_sha256", "0" * 64), "result_sha256"),
    "a field too many": (_set("result/note", "thanks"), "note"),
    "a number written as text": (_set("result/pots/cea/spent_cents", "17800"), "pots.cea.spent_cents"),
    "a gift": (_set("input/contributions/0/2", 2_501), "input_sha256"),
    "a donor's name": (_set("input/contributions/0/0", "anna"), "input_sha256"),
    "the budget": (_set("input/pots/1/budget_cents", 100_001), "input_sha256"),
    "a goal": (_set("input/projects/0/goal_cents", 5_001), "input_sha256"),
    "the threshold": (_set("input/threshold/ratio", "6/8"), "input_sha256"),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_named(tmp_path: Path, name: str) -> None:
    tamper, where = TAMPERINGS[name]
    given, result = copy.deepcopy(INPUT), compute(INPUT)
    tamper(given, result)
    answer = verify(tmp_path, dossier(given, result))
    assert answer.returncode == 1
    assert answer.stdout.startswith(f"differs: {where}"), answer.stdout


def test_another_engine_name_is_not_a_difference(tmp_path: Path) -> None:
    assert verify(tmp_path, dossier(INPUT, compute(INPUT) | {"engine": "another 9.9"})).returncode == 0


def _announcing(content: bytes, size: int) -> bytes:
    """The same zip whose directory announces another uncompressed size for its last entry."""
    at = content.rindex(b"PK\x01\x02")
    return content[: at + 24] + struct.pack("<I", size) + content[at + 28 :]


def deep_result() -> bytes:
    """Right digest of the input, then 200 000 levels where the eliminated projects should be."""
    start = json.dumps({"input_sha256": compute(INPUT)["input_sha256"]})[:-1]
    return f'{start}, "eliminated": {"[" * 200_000}{"]" * 200_000}}}'.encode()


UNREADABLE = {
    "not a zip": lambda: b"PK\x03\x04 nothing",
    "truncated": lambda: dossier(INPUT, compute(INPUT))[:-200],
    "bomb announcing its size": lambda: dossier(INPUT, b" " * 600_000_000),
    "bomb announcing little": lambda: _announcing(dossier(INPUT, b" " * 50_000_000), 1_000),
    "entry shorter than announced": lambda: _announcing(dossier(INPUT, compute(INPUT)), 500_000),
    "many entries": lambda: zipped({f"f{k}": b"" for k in range(5_000)}),
}
UNTRUE = {
    "empty zip": lambda: zipped({}),
    "no result": lambda: zipped({"input.json": json.dumps(INPUT).encode()}),
    "result is a list": lambda: dossier(INPUT, []),
    "result is not JSON": lambda: dossier(INPUT, b"{"),
    "result is not UTF-8": lambda: dossier(INPUT, b'{"spec": "\xff"}'),
    "floats in the input": lambda: dossier(
        json.dumps(INPUT).replace("2500", "2500.0").encode(), compute(INPUT)
    ),
    "deep JSON": lambda: dossier(b"[" * 200_000 + b"]" * 200_000, compute(INPUT)),
    "deep JSON in the result": lambda: dossier(INPUT, deep_result()),
    "megabyte ids": lambda: dossier(
        json.dumps(INPUT).replace("anne", "n" * 1_000_000).encode(), compute(INPUT)
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_hostile_zips_are_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    answer = verify(tmp_path, UNREADABLE[name]())
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    assert len(answer.stderr) < 500


@pytest.mark.parametrize("name", UNTRUE)
def test_dossiers_that_hold_no_result_differ_in_one_sentence(tmp_path: Path, name: str) -> None:
    answer = verify(tmp_path, UNTRUE[name]())
    assert answer.returncode == 1
    assert answer.stdout.startswith("differs: ") and len(answer.stdout) < 500
    assert not answer.stderr


def test_names_with_dots_are_never_written_anywhere(tmp_path: Path) -> None:
    content = {
        "../../escaped.txt": b"x",
        "input.json": json.dumps(INPUT).encode(),
        "result.json": json.dumps(compute(INPUT)).encode(),
    }
    assert verify(tmp_path, zipped(content)).returncode == 0
    assert not list(tmp_path.parent.parent.rglob("escaped.txt"))


def test_two_entries_of_the_same_name_are_refused(tmp_path: Path) -> None:
    files = [("input.json", INPUT), ("result.json", compute(INPUT)), ("result.json", {})]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning):
        for name, content in files:
            archive.writestr(name, json.dumps(content))
    answer = verify(tmp_path, buffer.getvalue())
    assert answer.returncode == 2 and "twice" in answer.stderr


KEY = b"k" * 32


def written(tmp_path: Path, value: dict[str, Any], **options: Any) -> bytes:
    """A dossier as the site publishes it, with its manifest, leaves and sources."""
    hidden = pseudonymise(value, KEY)
    write_dossier(
        tmp_path / "written.zip", hidden, compute(hidden), rules_text="Règlement", key=KEY, **options
    )
    return (tmp_path / "written.zip").read_bytes()


@pytest.mark.parametrize("form", ["gifts", "unlinked", "auto"])
def test_dossiers_of_the_site_are_identical(tmp_path: Path, form: str) -> None:
    assert verify(tmp_path, written(tmp_path, INPUT, form=form)).stdout.startswith("identical")


def test_dossiers_of_sums_are_identical(tmp_path: Path) -> None:
    value = INPUT | {"contributions": [row for row in INPUT["contributions"] if len(row) == 3]}
    content = written(tmp_path, value, form="statistics")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "statistics" in json.loads(archive.read("input.json"))
    assert verify(tmp_path, content).stdout.startswith("identical")


def _replace(content: bytes, name: str, change: Callable[[bytes], bytes | None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    changed = change(files.pop(name, b""))
    return zipped(files | ({} if changed is None else {name: changed}))


@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("rules.txt", lambda old: old + b"!", "manifest.members.rules.txt"),
        ("README.txt", lambda old: None, "manifest.members.README.txt"),
        ("verifier/verify.mjs", lambda old: old + b"//", "manifest.members.verifier/verify.mjs"),
        ("added.txt", lambda old: b"hello", "manifest.members.added.txt"),
        ("leaves.txt", lambda old: old[65:], "manifest.members.leaves.txt"),
        ("leaves.txt", lambda old: old[:-2] + b"\n", "leaves.txt: line"),
        ("parameters.json", lambda old: old.replace(b"5000", b"5001"), "manifest.members.parameters.json"),
        (
            "manifest.json",
            lambda old: old.replace(b'"contributions":6', b'"contributions":7'),
            "manifest.contributions",
        ),
    ],
)
def test_a_changed_file_beside_the_result_is_named(
    tmp_path: Path, name: str, change: Callable[[bytes], bytes | None], where: str
) -> None:
    answer = verify(tmp_path, _replace(written(tmp_path, INPUT), name, change))
    assert answer.returncode == 1
    assert answer.stdout.startswith(f"differs: {where}"), answer.stdout


def test_the_hash_of_the_tree_is_sha256() -> None:
    messages = [
        bytes(range(256))[:length] * times for length in (0, 1, 55, 56, 63, 64, 65, 119) for times in (1, 3)
    ]
    script = f"""
        import {{ quickHash }} from {json.dumps(VERIFIER.as_uri())}
        for (const text of {json.dumps([message.hex() for message in messages])}) {{
          const bytes = Uint8Array.from(text.match(/../g) ?? [], byte => parseInt(byte, 16))
          console.log(Buffer.from(quickHash(bytes)).toString('hex'))
        }}"""
    told = subprocess.run(
        [str(NODE), "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == [hashlib.sha256(message).hexdigest() for message in messages]
