"""Dossiers: honest ones are identical, tampered ones differ and say where, hostile ones are refused."""

import hashlib
import json
import stat
import zipfile

import pytest

from fundmatch.__main__ import main
from fundmatch.engine import (
    DossierError,
    Leaf,
    Proof,
    Tree,
    check_receipt,
    compute,
    pseudonym,
    pseudonymise,
    receipt,
    receipt_leaves,
    receipt_proof,
    verify,
    verify_dossier,
    verify_receipt,
    write_dossier,
)
from fundmatch.engine.canonical import canonical_bytes
from fundmatch.engine.dossier import archive
from fundmatch.engine.merkle import merkle_root

KEY = bytes(range(32))
RULES = "Règlement : un euro d'habitant en appelle d'autres.\n"


def round_of(donors):
    """A round where each of three projects has this many donors; R fails."""
    rows = []
    for number in range(donors):
        rows += [[f"d{number}", "P", 1000 + number], [f"d{number}", "Q", 2000], [f"e{number}", "R", 100]]
    return {
        "spec": "fundmatch/1",
        "projects": [
            {"id": "P", "goal_cents": 10_000},
            {"id": "Q", "goal_cents": 20_000},
            {"id": "R", "goal_cents": 10**8},
        ],
        "contributions": rows,
        "pots": [
            {
                "id": "fonds",
                "rule": "quadratic",
                "budget_cents": 30_000,
                "funders": [{"id": "acme", "pledge_cents": 20_000}, {"id": "banque", "pledge_cents": 10_000}],
            },
            {"id": "ville", "rule": "linear", "budget_cents": 10_000, "ratio": "1/2"},
        ],
        "threshold": {"ratio": "3/4", "base": "total"},
    }


def published(path, value, **options):
    value = pseudonymise(value, KEY)
    info = write_dossier(path, value, compute(value), rules_text=RULES, key=KEY, title="Essai", **options)
    return value, info


@pytest.fixture
def dossier(tmp_path):
    path = tmp_path / "dossier.zip"
    published(path, round_of(6))
    return path


def members_of(path):
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def rewrite(path, members):
    archive.write_archive(path, members)


def json_of(members, name):
    return json.loads(members[name])


# ---- honest ones -----------------------------------------------------------


def test_an_untouched_dossier_is_identical(dossier, capfd):
    assert verify_dossier(dossier).identical
    assert main(["verify", str(dossier)]) == 0
    written = capfd.readouterr().out
    assert written.startswith("identical\n")
    assert json_of(members_of(dossier), "result.json")["result_sha256"] in written


def test_every_whole_result_makes_a_dossier_that_is_identical(whole_results, tmp_path):
    for case in whole_results:
        path = tmp_path / "dossier.zip"
        value, info = published(path, case["input"])
        found = verify_dossier(path)
        assert found.identical, (case["id"], found.first_difference)
        for project, row in info.result["projects"].items():
            assert row["match_cents"] == case["expected"]["projects"][project]["match_cents"]


def test_the_standard_library_is_enough_to_verify(dossier, bare_python, fundmatch):
    done = fundmatch("verify", dossier, python=bare_python)
    assert (done.returncode, done.stdout.split(b"\n")[0]) == (0, b"identical")


def test_the_source_inside_the_dossier_verifies_it(dossier, bare_python, tmp_path):
    import subprocess

    with zipfile.ZipFile(dossier) as opened:
        opened.extractall(tmp_path / "out")
    done = subprocess.run(
        [bare_python, "-m", "fundmatch", "verify", dossier],
        cwd=tmp_path / "out" / "verifier",
        capture_output=True,
    )
    assert (done.returncode, done.stdout.split(b"\n")[0]) == (0, b"identical")


def test_the_same_dossier_is_written_to_the_same_bytes(tmp_path):
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    _, info = published(one, round_of(6), about={"campaign": "2026", "version": 1})
    published(other, round_of(6), about={"campaign": "2026", "version": 1})
    assert one.read_bytes() == other.read_bytes()
    assert info.sha256 == hashlib.sha256(one.read_bytes()).hexdigest()


def test_the_published_input_is_the_very_bytes_of_its_digest(dossier):
    members = members_of(dossier)
    result = json_of(members, "result.json")
    assert hashlib.sha256(members["input.json"]).hexdigest() == result["input_sha256"]
    assert compute(json_of(members, "input.json")) == result
    assert verify(json_of(members, "input.json"), result) is None


def test_no_donor_is_named_anywhere(dossier):
    value = round_of(6)
    for name, data in members_of(dossier).items():
        if not name.startswith("verifier/"):
            for row in value["contributions"]:
                assert f'"{row[0]}"'.encode() not in data, name


def test_a_round_where_everyone_has_five_donors_publishes_gifts(tmp_path):
    value, info = published(tmp_path / "d.zip", round_of(5))
    assert info.form == "gifts"
    assert info.result["result_sha256"] == compute(value)["result_sha256"]


def test_a_project_with_four_donors_turns_gifts_into_sums(tmp_path):
    value = round_of(5)
    value["contributions"] = [row for row in value["contributions"] if row[:2] != ["e0", "R"]]
    path = tmp_path / "d.zip"
    _, info = published(path, value)
    assert info.form == "statistics"
    members = members_of(path)
    assert b"contributions" not in members["input.json"]
    assert json_of(members, "input.json")["statistics"][0][3] == 5
    assert verify_dossier(path).identical
    assert json_of(members, "manifest.json")["contributions"] == 14


@pytest.mark.parametrize(
    "pot",
    [{"cap_per_donor_cents": 500}, {"order": "fcfs"}],
    ids=["a cap per donor", "first come first served"],
)
def test_where_sums_cannot_serve_pseudonyms_change_from_project_to_project(pot, tmp_path):
    value = round_of(3)
    value["pots"][1] |= pot
    path = tmp_path / "d.zip"
    published_value, info = published(path, value)
    assert info.form == "unlinked"
    rows = json_of(members_of(path), "input.json")["contributions"]
    assert len({row[0] for row in rows}) == len({(row[0], row[1]) for row in rows})
    assert info.result["projects"] == compute(published_value)["projects"]
    assert verify_dossier(path).identical
    with pytest.raises(DossierError, match="statistics cannot serve"):
        published(path, value, form="statistics")


def test_money_that_attracts_none_keeps_the_gifts(tmp_path):
    value = round_of(3)
    value["contributions"].append(["club", "P", 5000, {"match": False}])
    _, info = published(tmp_path / "d.zip", value)
    assert info.form == "unlinked"


def test_a_result_of_another_input_is_not_published(tmp_path):
    value = pseudonymise(round_of(6), KEY)
    result = compute(value)
    result["projects"]["P"]["match_cents"]["fonds"] += 1
    with pytest.raises(DossierError, match=r"projects\.P\.match_cents\.fonds"):
        write_dossier(tmp_path / "d.zip", value, result, rules_text=RULES, key=KEY)
    assert not (tmp_path / "d.zip").exists()


def test_the_public_readme_says_what_is_proven_and_what_is_not(dossier):
    text = members_of(dossier)["README.txt"].decode()
    for sentence in ("CE QUE CELA NE PROUVE PAS", "WHAT IT DOES NOT PROVE", "python -m fundmatch verify"):
        assert sentence in text
    assert json_of(members_of(dossier), "result.json")["result_sha256"] in text
    assert max(map(len, text.splitlines())) < 100


# ---- pseudonyms and receipts -----------------------------------------------


def test_pseudonyms_last_one_round():
    assert pseudonym(KEY, "anne") == pseudonym(KEY, "anne")
    assert pseudonym(KEY, "anne") != pseudonym(KEY, "bob")
    assert pseudonym(KEY, "anne") != pseudonym(bytes(32), "anne")
    assert pseudonym(KEY, "anne", "P") not in (pseudonym(KEY, "anne"), pseudonym(KEY, "anne", "Q"))
    with pytest.raises(ValueError, match="32 bytes"):
        pseudonym(b"short", "anne")


def test_a_receipt_opens_into_the_root_and_no_other_line_does(tmp_path, capfd):
    path = tmp_path / "d.zip"
    references = [f"R{number}" for number in range(18)]
    value, info = published(path, round_of(6), references=references)
    leaves = receipt_leaves(value, KEY, references)
    tree = Tree(info.leaves)
    assert tree.root == info.merkle_root
    for leaf in leaves:
        proof = receipt_proof(info.leaves, leaf)
        assert proof == tree.proof(leaf.hash())
        assert check_receipt(info.merkle_root, leaf, proof)
        for other in (
            Leaf(leaf.salt, leaf.donor, leaf.project, leaf.cents + 1),
            Leaf(leaf.salt, leaf.donor, "R" if leaf.project != "R" else "P", leaf.cents),
            Leaf("0" * 32, leaf.donor, leaf.project, leaf.cents),
            Leaf(leaf.salt, leaf.donor, leaf.project, leaf.cents, False),
        ):
            assert not check_receipt(info.merkle_root, other, proof)
    kept = tmp_path / "receipt.json"
    kept.write_text(json.dumps(receipt(leaves[0], tree.proof(leaves[0].hash()), tree.root)))
    assert verify_receipt(path, json.loads(kept.read_text()))
    assert main(["verify", str(path), "--receipt", str(kept)]) == 0
    forged = json.loads(kept.read_text()) | {"cents": 10**6}
    kept.write_text(json.dumps(forged))
    assert main(["verify", str(path), "--receipt", str(kept)]) == 1
    assert "the receipt is not in this dossier" in capfd.readouterr().out
    kept.write_text("[]")
    assert main(["verify", str(path), "--receipt", str(kept)]) == 2
    with pytest.raises(KeyError):
        receipt_proof(info.leaves, Leaf("0" * 32, "x", "P", 1))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 13])
def test_trees_of_any_size_prove_each_leaf(count):
    leaves = [Leaf(f"{number:032}", "d", "P", number + 1) for number in range(count)]
    tree = Tree(leaf.hash() for leaf in leaves)
    for leaf in leaves:
        assert check_receipt(tree.root, leaf, Proof.from_json(tree.proof(leaf.hash()).to_json()))
    assert merkle_root(b"".join(sorted(leaf.hash() for leaf in leaves))) == tree.root


def test_a_node_is_not_a_leaf():
    # Without the prefixes of RFC 6962 an inner node would pass for a contribution.
    leaves = [Leaf(f"{number:032}", "d", "P", 1).hash() for number in range(2)]
    assert hashlib.sha256(b"".join(sorted(leaves))).hexdigest() != Tree(leaves).root


# ---- tampering -------------------------------------------------------------


def in_json(name, change):
    def tamper(members):
        value = json_of(members, name)
        change(value)
        members[name] = canonical_bytes(value)

    return tamper


def setting(name, *path, to):
    def change(value):
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = to(value[path[-1]]) if callable(to) else to

    return in_json(name, change)


def moved_cent(members):
    """A cent from P to Q in the fund, and every total made to agree."""
    result = json_of(members, "result.json")
    for project, cents in (("P", -1), ("Q", 1)):
        result["projects"][project]["match_cents"]["fonds"] += cents
        result["projects"][project]["total_cents"] += cents
        result["pots"]["fonds"]["funders"]["acme"]["projects"][project] += cents
    members["result.json"] = canonical_bytes(result)


def swapped_donors(members):
    value = json_of(members, "input.json")
    rows = value["contributions"]
    rows[0][0], rows[-1][0] = rows[-1][0], rows[0][0]
    members["input.json"] = canonical_bytes(value)


TAMPERINGS = {
    "one cent moved between two projects": (moved_cent, "result.json: pots.fonds.funders.acme.projects.P"),
    "a match raised": (
        setting("result.json", "projects", "P", "match_cents", "ville", to=lambda cents: cents + 1),
        "result.json: projects.P.match_cents.ville",
    ),
    "a total raised": (
        setting("result.json", "projects", "Q", "total_cents", to=lambda cents: cents + 1),
        "result.json: projects.Q.total_cents",
    ),
    "a raw amount changed": (
        setting("result.json", "projects", "P", "raw", "fonds", to="1.000000"),
        "result.json: projects.P.raw.fonds",
    ),
    "a failed project declared funded": (
        setting("result.json", "projects", "R", "funded", to=True),
        "result.json: projects.R.funded",
    ),
    "a project taken out of the result": (
        in_json("result.json", lambda value: value["projects"].pop("R")),
        "result.json: projects.R",
    ),
    "a refund lowered": (
        in_json("result.json", lambda value: value["eliminated"][0]["refunds"].popitem()),
        "result.json: eliminated[0].refunds.",
    ),
    "an elimination hidden": (
        in_json("result.json", lambda value: value["eliminated"].clear()),
        "result.json: eliminated[0]",
    ),
    "the level of a pot changed": (
        setting("result.json", "pots", "fonds", "lambda", to="1/2"),
        "result.json: pots.fonds.lambda",
    ),
    "what a funder pays changed": (
        setting("result.json", "pots", "fonds", "funders", "acme", "spent_cents", to=1),
        "result.json: pots.fonds.funders.acme.spent_cents",
    ),
    "an integer written as a float": (
        lambda members: members.update(
            {"result.json": members["result.json"].replace(b'"donors":6', b'"donors":6.0', 1)}
        ),
        "result.json: projects.P.donors",
    ),
    "the digest of the result": (
        setting("result.json", "result_sha256", to="0" * 64),
        "result.json: result_sha256",
    ),
    "the digest of the input": (
        setting("result.json", "input_sha256", to="0" * 64),
        "result.json: input_sha256",
    ),
    "a gift raised": (
        in_json("input.json", lambda value: value["contributions"][0].__setitem__(2, 10**6)),
        "result.json: ",
    ),
    "a gift taken out": (in_json("input.json", lambda value: value["contributions"].pop()), "result.json: "),
    "a gift added": (
        in_json("input.json", lambda value: value["contributions"].append(["f" * 32, "R", 1])),
        "result.json: ",
    ),
    "two donors swapped": (swapped_donors, "result.json: "),
    "a budget raised in the input": (
        setting("input.json", "pots", 1, "budget_cents", to=10**9),
        "parameters.json: pots[1].budget_cents: published 10000, computed 1000000000",
    ),
    "a ratio changed in the parameters": (
        setting("parameters.json", "pots", 1, "ratio", to="2"),
        'parameters.json: pots[1].ratio: published "2", computed "1/2"',
    ),
    "an input that breaks the text": (
        in_json("input.json", lambda value: value["contributions"][2].__setitem__(2, -5)),
        "input.json: contributions[2]: cents must be at least 0",
    ),
    "an input that is not JSON": (
        lambda members: members.update({"input.json": members["input.json"][:-20]}),
        "input.json: not JSON",
    ),
    "the rules rewritten": (
        lambda members: members.update({"rules.txt": b"Nothing is owed to anybody.\n"}),
        "rules.txt: its fingerprint",
    ),
    "the public text rewritten": (
        lambda members: members.update({"README.txt": b"All is well.\n"}),
        "README.txt: its fingerprint",
    ),
    "the verifier rewritten": (
        lambda members: members.update({"verifier/fundmatch/__main__.py": b"print('identical')\n"}),
        "verifier/fundmatch/__main__.py: its fingerprint",
    ),
    "a leaf taken out": (
        lambda members: members.update({"leaves.txt": members["leaves.txt"].split(b"\n", 1)[1]}),
        "manifest.json: contributions: published 18, computed 17",
    ),
    "a leaf replaced": (
        lambda members: members.update({"leaves.txt": b"0" * 64 + members["leaves.txt"][64:]}),
        "manifest.json: merkle_root",
    ),
    "the leaves in another order": (
        lambda members: members.update(
            {"leaves.txt": b"".join(reversed(members["leaves.txt"].splitlines(keepends=True)))}
        ),
        "leaves.txt line 2 is not in order",
    ),
    "the Merkle root": (setting("manifest.json", "merkle_root", to="0" * 64), "manifest.json: merkle_root"),
    "the digest of the rules": (
        setting("manifest.json", "rules_sha256", to="0" * 64),
        "manifest.json: rules_sha256",
    ),
    "a member removed": (lambda members: members.pop("rules.txt"), "rules.txt is missing"),
    "the manifest removed": (lambda members: members.pop("manifest.json"), "manifest.json is missing"),
    "a source removed": (
        lambda members: members.pop("verifier/fundmatch/engine/roots.py"),
        "verifier/fundmatch/engine/roots.py is in the manifest and missing",
    ),
    "a member added": (lambda members: members.update({"note.txt": b"!"}), "note.txt is not in the manifest"),
    "the same gifts in another order": (
        in_json("input.json", lambda value: value["contributions"].reverse()),
        "input.json: its fingerprint",
    ),
}


@pytest.mark.parametrize(("tamper", "named"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_a_tampered_dossier_differs_and_says_where(tamper, named, dossier, capfd):
    members = members_of(dossier)
    tamper(members)
    rewrite(dossier, members)
    found = verify_dossier(dossier)
    assert not found.identical
    assert named in found.first_difference
    assert main(["verify", str(dossier)]) == 1
    assert capfd.readouterr().out == f"differs: {found.first_difference}\n"


def test_there_are_at_least_twenty_of_them():
    assert len(TAMPERINGS) >= 20


def test_a_dossier_made_again_from_other_gifts_is_identical_to_itself_only(dossier, tmp_path, capfd):
    """What verification cannot prove, and what catches it: the digest published elsewhere, and a receipt."""
    value, honest = published(dossier, round_of(6))
    other = round_of(6)
    other["contributions"][0][2] += 50_000
    forged = tmp_path / "forged.zip"
    published(forged, other)
    assert main(["verify", str(forged)]) == 0
    assert main(["verify", str(forged), "--result-sha256", honest.result_sha256]) == 1
    assert "published elsewhere" in capfd.readouterr().out
    leaf = receipt_leaves(value, KEY)[0]
    proof = Tree(honest.leaves).proof(leaf.hash())
    assert verify_receipt(dossier, receipt(leaf, proof, honest.merkle_root))
    assert not verify_receipt(forged, receipt(leaf, proof, honest.merkle_root))


# ---- hostile zips ----------------------------------------------------------


def raw_zip(path, entries, *, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as opened:
        for info, data in entries:
            opened.writestr(info, data)


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def bomb(path):
    raw_zip(path, [("input.json", b"0" * 50_000_000)])


def lying_size(path):
    """The directory announces ten bytes; a megabyte comes out."""
    raw_zip(path, [("input.json", bytes(range(256)) * 4096)])
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)


def encrypted(path):
    raw_zip(path, [("input.json", b"{}")])
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(mark) + offset] |= 1
    path.write_bytes(data)


def truncated(path):
    raw_zip(path, [("input.json", b"{}" * 1000)])
    path.write_bytes(path.read_bytes()[:-30])


def spoiled(path):
    raw_zip(path, [("input.json", bytes(range(256)) * 40)])
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)


def twice(path):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw_zip(path, [("input.json", b"{}"), ("input.json", b"[]")])


HOSTILE = {
    "a bomb": (bomb, "swells"),
    "a size that lies": (lying_size, "larger than announced|not a readable zip"),
    "a path that climbs": (lambda path: raw_zip(path, [("../../etc/cron.d/x", b"")]), "forbidden name"),
    "an absolute path": (lambda path: raw_zip(path, [("/etc/passwd", b"")]), "forbidden name"),
    "a Windows path": (lambda path: raw_zip(path, [("C:\\x", b"")]), "forbidden name"),
    "a folder": (lambda path: raw_zip(path, [("verifier/", b"")]), "forbidden name"),
    "a control character in a name": (lambda path: raw_zip(path, [("a\x1b[2J", b"")]), "forbidden name"),
    "a symbolic link": (
        lambda path: raw_zip(path, [(link("input.json"), b"/etc/passwd")]),
        "not a plain file",
    ),
    "a member twice": (twice, "there twice"),
    "an encrypted member": (encrypted, "encrypted"),
    "another compression": (
        lambda path: raw_zip(path, [("input.json", b"{}")], compression=zipfile.ZIP_BZIP2),
        "compressed in an unknown way",
    ),
    "a thousand members": (
        lambda path: raw_zip(path, [(f"verifier/{number}", b"") for number in range(1000)]),
        "1000 members",
    ),
    "a file cut short": (truncated, "not a readable zip"),
    "a spoiled member": (spoiled, "not a readable zip"),
    "no zip": (lambda path: path.write_bytes(b"identical"), "not a readable zip"),
    "an empty file": (lambda path: path.write_bytes(b""), "not a readable zip"),
}


@pytest.mark.parametrize(("make", "named"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_zip_is_refused(make, named, tmp_path, capfd):
    path = tmp_path / "hostile.zip"
    make(path)
    with pytest.raises(DossierError, match=named):
        verify_dossier(path)
    assert main(["verify", str(path)]) == 2
    written = capfd.readouterr()
    assert (written.out, written.err.count("\n")) == ("", 1)
    assert "\x1b" not in written.err


def test_an_absent_dossier_is_exit_code_2(tmp_path, capfd):
    assert main(["verify", str(tmp_path / "nothing.zip")]) == 2
    assert "nothing.zip" in capfd.readouterr().err


def test_a_manifest_of_the_wrong_shape_differs(dossier):
    members = members_of(dossier)
    for shape in (b"[]", b"{}", b"null", b'{"members": 5}', b"{" * 10_000):
        rewrite(dossier, members | {"manifest.json": shape})
        found = verify_dossier(dossier)
        assert not found.identical
        assert "manifest.json" in found.first_difference


@pytest.mark.parametrize("shape", [b"[]", b"null", b"5", b'{"projects": 5}', b"[" * 10_000], ids=repr)
@pytest.mark.parametrize("name", ["result.json", "parameters.json", "input.json", "leaves.txt"])
def test_members_of_the_wrong_shape_differ(name, shape, dossier):
    rewrite(dossier, members_of(dossier) | {name: shape})
    found = verify_dossier(dossier)
    assert not found.identical
    assert name.split(".")[0] in found.first_difference
