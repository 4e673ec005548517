"""Contributions from CSV: the fast reader and the careful one agree; errors name the line."""

import json
import random
import subprocess
import sys

import pytest

from fundmatch.__main__ import main
from fundmatch.engine import InputError, compute
from fundmatch.engine.arrays import np
from fundmatch.engine.csvreader import blocks, header
from fundmatch.engine.csvreader.rows import read_rows
from fundmatch.engine.reading import read_with_csv
from fundmatch.engine.result import compute_problem

needs_numpy = pytest.mark.skipif(np is None, reason="NumPy is not installed: the fast reader was NOT checked")


def frame(projects):
    return {
        "spec": "fundmatch/1",
        "projects": [{"id": project, "goal_cents": 5000} for project in projects],
        "pots": [
            {"id": "fund", "rule": "quadratic", "budget_cents": 10**6, "cap_per_project_cents": 10**5},
            {"id": "city", "rule": "linear", "budget_cents": 10**6, "cap_per_donor_cents": 900},
        ],
        "threshold": {"ratio": "3/4", "base": "total"},
    }


def write(path, rows, *, head="donor,project,cents", end="\n", last=True):
    text = end.join([head, *(",".join(map(str, row)) for row in rows)]) + (end if last else "")
    path.write_bytes(text.encode())
    return path


def shapes():
    chance = random.Random(5)
    amounts = [0, 1, 7, 100, 2500, 12345678, 123456789, 10**15, 99999999]
    kinds = {
        "short ids": lambda n: f"d{n}",
        "eight bytes": lambda n: f"{n:08}",
        "nine bytes": lambda n: f"{n:09}",
        "like pseudonyms": lambda n: f"{n * 7919:032x}",
        "64 bytes": lambda n: f"{n:064}",
        "accents": lambda n: f"é{n}𝄞",
        "mixed lengths": lambda n: "x" * (1 + n % 60) + str(n % 7),
    }
    for name, donor in kinds.items():
        projects = [f"p{place}" for place in range(30)] + [
            "é-projet",
            "a long project id of more than eight bytes",
        ]
        rows = [
            (donor(chance.randrange(200)), chance.choice(projects), chance.choice(amounts))
            for _ in range(3000)
        ]
        yield pytest.param(projects, rows, id=name)


@needs_numpy
@pytest.mark.parametrize(("projects", "rows"), list(shapes()))
def test_both_readers_and_the_json_input_agree(projects, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK", 4096)
    monkeypatch.setattr(blocks, "_ONE_THREAD", 4096)
    path = write(tmp_path / "gifts.csv", rows)
    index = {project: rank for rank, project in enumerate(sorted(projects))}
    fast = blocks.read_blocks(path, header.read_header(path), index, None)
    careful = read_rows(path, header.read_header(path), index, None)
    assert list(fast[0]) == list(careful[0]) == sorted({row[0] for row in rows})
    for one, other in zip(fast[1:4], careful[1:4], strict=True):
        assert list(one) == list(other)
    found = compute_problem(read_with_csv(frame(projects), path))
    assert found == compute(frame(projects) | {"contributions": [list(row) for row in rows]})


@pytest.mark.parametrize(
    ("head", "end", "last"),
    [
        ("donor,project,cents", "\r\n", True),
        ("donor,project,cents", "\n", False),
        ("\ufeffdonor,project,cents", "\r\n", False),
        (" donor , project , cents ", "\n", True),
        ('"donor","project","cents"', "\n", True),
    ],
)
def test_line_ends_and_headers_do_not_matter(head, end, last, tmp_path):
    rows = [("a", "P", 100), ("b", "P", 400), ("a", "Q", 900)]
    path = write(tmp_path / "gifts.csv", rows, head=head, end=end, last=last)
    found = compute_problem(read_with_csv(frame("PQ"), path))
    assert found == compute(frame("PQ") | {"contributions": [list(row) for row in rows]})


def test_columns_in_another_order_semicolons_quotes_and_blank_lines(tmp_path):
    path = tmp_path / "gifts.csv"
    path.write_text('cents;donor;project\n100;"a; or b";P\n\n400;"say ""hi""";P\n')
    found = compute_problem(read_with_csv(frame("P"), path))
    rows = [["a; or b", "P", 100], ['say "hi"', "P", 400]]
    assert found == compute(frame("P") | {"contributions": rows})


def test_a_column_match_marks_money_that_attracts_none(tmp_path):
    path = tmp_path / "gifts.csv"
    path.write_text("donor,project,cents,match\na,P,100,true\nb,P,400,false\nc,P,900,\n")
    found = compute_problem(read_with_csv(frame("P"), path))
    rows = [["a", "P", 100], ["b", "P", 400, {"match": False}], ["c", "P", 900]]
    assert found == compute(frame("P") | {"contributions": rows})


def test_a_file_with_a_header_only_is_a_round_without_gifts(tmp_path):
    path = write(tmp_path / "gifts.csv", [])
    assert compute_problem(read_with_csv(frame("P"), path)) == compute(frame("P") | {"contributions": []})


WRONG = {
    "a fraction": ("a,P,100\nb,P,1.5\n", "gifts.csv line 3: cents"),
    "a negative amount": ("a,P,-1\n", "line 2: cents"),
    "a plus sign": ("a,P,+1\n", "line 2: cents"),
    "a space": ("a,P, 1\n", "line 2: cents"),
    "no amount": ("a,P,\n", "line 2: cents"),
    "more than 10^15": ("a,P,1000000000000001\n", "line 2: cents"),
    "twenty digits": ("a,P,10000000000000000000\n", "line 2: cents"),
    "Arabic digits": ("a,P,١٢\n", "line 2: cents"),
    "an unknown project": ("a,P,1\na,R,1\n", "line 3: unknown project 'R'"),
    "an unknown project that begins like one": ("a,PP,1\n", "line 2: unknown project 'PP'"),
    "no donor": (",P,1\n", "line 2: an id has 1 to 256"),
    "a long donor": ("x" * 257 + ",P,1\n", "line 2: an id has 1 to 256"),
    "an endless donor": ("x" * 10**6 + ",P,1\n", "line 2"),
    "two fields": ("a,P\n", "line 2: has 2 fields, not 3"),
    "four fields": ("a,P,1,1\n", "line 2: has 4 fields, not 3"),
    "two and four fields": ("a,P\na,P,1,1\n", "line 2: has 2 fields"),
    "a quote left open": ('a,P,1\n"b,P,1\n', "gifts.csv line"),
    "not UTF-8": ("a,P,1\n\udcff,P,1\n", "not UTF-8"),
    "a match that is none": ("a,P,1,maybe\n", "match must be"),
}


@pytest.mark.parametrize(("rows", "named"), WRONG.values(), ids=WRONG)
def test_errors_name_the_line(rows, named, tmp_path):
    path = tmp_path / "gifts.csv"
    head = "donor,project,cents,match\n" if "match" in named else "donor,project,cents\n"
    path.write_bytes((head + rows).encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        read_with_csv(frame("P"), path)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "head", ["", "\n", "a,b,c\n", "donor,project\n", "donor,project,cents,cents\n", "\xff\n"]
)
def test_a_bad_header_is_named(head, tmp_path):
    path = tmp_path / "gifts.csv"
    path.write_bytes(head.encode("latin-1"))
    with pytest.raises(InputError, match=r"gifts\.csv"):
        read_with_csv(frame("P"), path)


def test_the_command_line_takes_gifts_from_a_csv(tmp_path, capfdbinary):
    path = write(tmp_path / "gifts.csv", [("a", "P", 100), ("b", "P", 400)])
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(frame("P")))
    assert main(["compute", str(rules), "--contributions", str(path)]) == 0
    found = json.loads(capfdbinary.readouterr().out)
    assert found == compute(frame("P") | {"contributions": [["a", "P", 100], ["b", "P", 400]]})
    rules.write_text(json.dumps(frame("P") | {"contributions": [["a", "P", 100]]}))
    assert main(["compute", str(rules), "--contributions", str(path)]) == 2
    assert b"has gifts of its own" in capfdbinary.readouterr().err
    rules.write_text(json.dumps(frame("P")))
    assert main(["compute", str(rules), "--contributions", str(tmp_path / "absent.csv")]) == 2
    assert b"absent.csv" in capfdbinary.readouterr().err


def test_ids_that_json_escapes_have_the_same_digest_from_both_doors(tmp_path):
    rows = [("back\\slash", "P", 100), ("tab\there", "P", 400), ("\x7f\u2028", "P", 900)]
    path = write(tmp_path / "gifts.csv", rows)
    found = compute_problem(read_with_csv(frame("P"), path))
    assert found == compute(frame("P") | {"contributions": [list(row) for row in rows]})


def test_a_file_is_read_without_numpy(tmp_path, bare_python, fundmatch):
    path = write(tmp_path / "gifts.csv", [("a", "P", 100), ("b", "P", 400)])
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(frame("P")))
    arguments = ("compute", rules, "--contributions", path)
    assert fundmatch(*arguments, python=bare_python).stdout == fundmatch(*arguments).stdout != b""


def test_no_progress_is_shown_where_nobody_looks(tmp_path, fundmatch):
    rows = [(f"d{number % 5000}", "P", 100 + number % 7) for number in range(60_000)]
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(frame("P")))
    path = write(tmp_path / "gifts.csv", rows)
    assert fundmatch("compute", rules, "--contributions", path, FUNDMATCH_PLAIN="1").stderr == b""


def test_progress_is_shown_on_a_terminal(tmp_path):
    import os
    import pty

    rows = "".join(f"d{number},P,{100 + number % 7}\n" for number in range(5000))
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(frame("P")))
    path = tmp_path / "gifts.csv"
    path.write_text("donor,project,cents\n" + rows * 300)
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "fundmatch",
            "compute",
            rules,
            "--contributions",
            path,
            "-o",
            tmp_path / "r.json",
        ],
        stderr=terminal,
        env={**os.environ, "FUNDMATCH_PLAIN": "1"},
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(controller, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    assert process.wait() == 0
    os.close(controller)
    assert b"reading" in shown
    assert shown.endswith(b"\r\x1b[K")
