"""Redoing a dossier: identical, or where it first differs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..canonical import load_json
from ..difference import first_difference
from ..errors import DossierError, InputError, shown
from ..merkle import Leaf, Proof, check_receipt, merkle_root
from ..problem import Problem
from ..reading import read_input
from ..result import compute_problem, input_frame, result_digest
from .archive import read_archive
from .sources import FOLDER
from .writing import FORMAT, GIFTS, STATISTICS, UNLINKED

REQUIRED = (
    "README.txt",
    "input.json",
    "leaves.txt",
    "manifest.json",
    "parameters.json",
    "result.json",
    "rules.txt",
)
_MANIFEST_KEYS = {
    "about",
    "contributions",
    "dossier",
    "form",
    "input_sha256",
    "members",
    "merkle_root",
    "result_sha256",
    "rules_sha256",
}
_LEAF = re.compile(rb"[0-9a-f]{64}")
_LEAVES = re.compile(rb"(?:[0-9a-f]{64}\n)*")


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome. The digests are those computed here, None where the dossier did not get that far."""

    identical: bool
    first_difference: str | None
    input_sha256: str | None = None
    result_sha256: str | None = None
    merkle_root: str | None = None


class _Differs(Exception):
    pass


def verify_dossier(path: str | os.PathLike[str]) -> Verification:
    """Redo the result of a dossier with the standard library alone.

    Raises `DossierError` when the file is not a zip that is safe to read, and
    `OSError`. What identical means, and what it does not, is in the README of
    every dossier.
    """
    members = read_archive(path)
    digests: dict[str, str] = {}
    try:
        manifest = _manifest(members)
        computed = _redo(members, digests)
        _compare("result.json", _json(members, "result.json"), computed)
        _check_merkle(members["leaves.txt"], manifest, digests)
        _check_digests(members, manifest, computed)
    except _Differs as difference:
        return Verification(False, str(difference), **digests)
    return Verification(True, None, **digests)


def verify_receipt(path: str | os.PathLike[str], receipt: object) -> bool:
    """Return whether a receipt (the JSON that `merkle.receipt` makes) opens into the root of a dossier.

    Raises `DossierError` when the dossier or the receipt cannot be read.
    """
    members = read_archive(path)
    try:
        root = _manifest(members)["merkle_root"]
    except _Differs as difference:
        raise DossierError(str(difference)) from None
    try:
        if type(receipt) is not dict:
            raise ValueError("a receipt is an object")
        leaf = Leaf(
            salt=str(receipt["salt"]),
            donor=str(receipt["donor"]),
            project=str(receipt["project"]),
            cents=int(receipt["cents"]),
            matchable=bool(receipt.get("matchable", True)),
        )
        return check_receipt(root, leaf, Proof.from_json(receipt["proof"]))
    except (KeyError, ValueError, TypeError) as error:
        raise DossierError(f"not a receipt: {error}") from None


def _manifest(members: Mapping[str, bytes]) -> dict[str, Any]:
    for name in REQUIRED:
        if name not in members:
            raise _Differs(f"{name} is missing")
    manifest = _json(members, "manifest.json")
    if type(manifest) is not dict or set(manifest) != _MANIFEST_KEYS:
        raise _Differs("manifest.json does not have the fields of a dossier")
    if manifest["dossier"] != FORMAT:
        raise _Differs(f"manifest.json: dossier is {shown(manifest['dossier'])}, not {FORMAT}")
    if manifest["form"] not in (GIFTS, UNLINKED, STATISTICS):
        raise _Differs(f"manifest.json: unknown form {shown(manifest['form'])}")
    listed = manifest["members"]
    if type(listed) is not dict:
        raise _Differs("manifest.json: members is not an object")
    for name in sorted(members.keys() - {"manifest.json"} - listed.keys()):
        raise _Differs(f"{name} is not in the manifest")
    for name in sorted(listed.keys() - members.keys()):
        raise _Differs(f"{name} is in the manifest and missing from the dossier")
    for name in sorted(members):
        if name not in REQUIRED and not name.startswith(f"{FOLDER}/"):
            raise _Differs(f"{name} does not belong to a dossier")
    return manifest


def _redo(members: Mapping[str, bytes], digests: dict[str, str]) -> dict[str, Any]:
    """Check that the parameters are those of the input, and compute the result of the input."""
    try:
        problem: Problem = read_input(_json(members, "input.json"))
    except InputError as error:
        raise _Differs(f"input.json: {error}") from None
    _compare("parameters.json", _json(members, "parameters.json"), input_frame(problem))
    computed = compute_problem(problem)
    digests["input_sha256"] = computed["input_sha256"]
    digests["result_sha256"] = computed["result_sha256"]
    return computed


def _compare(name: str, published: Any, computed: Mapping[str, Any]) -> None:
    """Compare what counts most for a reader first: money, then digests. `engine` is not compared."""
    if type(published) is not dict:
        raise _Differs(f"{name} is not an object")
    digest_keys = ("input_sha256", "result_sha256")
    one, other = (
        {key: value for key, value in side.items() if key not in (*digest_keys, "engine")}
        for side in (published, computed)
    )
    found = first_difference(one, other)
    for key in digest_keys:
        if found is None and key in computed:
            found = first_difference({key: published.get(key)}, {key: computed[key]})
    if found is None and name == "result.json" and type(published.get("engine")) is not str:
        found = "engine is missing"
    if found is not None:
        raise _Differs(f"{name}: {found}")


def _check_merkle(text: bytes, manifest: Mapping[str, Any], digests: dict[str, str]) -> None:
    lines = text.split()
    if not _LEAVES.fullmatch(text) or sorted(lines) != lines:
        raise _Differs(_first_wrong_leaf(text))
    digests["merkle_root"] = merkle_root(bytes.fromhex(b"".join(lines).decode()))
    for key, value in (("contributions", len(lines)), ("merkle_root", digests["merkle_root"])):
        found = first_difference({key: manifest[key]}, {key: value})
        if found is not None:
            raise _Differs(f"manifest.json: {found}")


def _first_wrong_leaf(text: bytes) -> str:
    previous = b""
    for number, line in enumerate(text.split(b"\n"), 1):
        if not _LEAF.fullmatch(line):
            return f"leaves.txt line {number} is not a fingerprint"
        if line < previous:
            return f"leaves.txt line {number} is not in order"
        previous = line
    return "leaves.txt does not end with a line end"


def _check_digests(
    members: Mapping[str, bytes], manifest: Mapping[str, Any], computed: Mapping[str, Any]
) -> None:
    for name in sorted(members.keys() - {"manifest.json"}):
        found = hashlib.sha256(members[name]).hexdigest()
        if manifest["members"][name] != found:
            stated = shown(manifest["members"][name], 64)
            raise _Differs(f"{name}: its fingerprint is {found}, the manifest says {stated}")
    expected = {
        "input_sha256": computed["input_sha256"],
        "result_sha256": computed["result_sha256"],
        "rules_sha256": hashlib.sha256(members["rules.txt"]).hexdigest(),
    }
    for key, value in expected.items():
        difference = first_difference({key: manifest[key]}, {key: value})
        if difference is not None:
            raise _Differs(f"manifest.json: {difference}")
    if hashlib.sha256(members["input.json"]).hexdigest() != computed["input_sha256"]:
        raise _Differs("input.json is not in canonical form")
    published = _json(members, "result.json")
    if result_digest(published) != computed["result_sha256"]:
        raise _Differs("result.json: its fingerprint is not the one it states")


def _json(members: Mapping[str, bytes], name: str) -> Any:
    try:
        return load_json(members[name], name=name)
    except InputError as error:
        raise _Differs(str(error)) from None
