"""Writing a dossier."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from .. import problem as p
from ..canonical import canonical_bytes
from ..difference import first_difference
from ..errors import DossierError
from ..gifts import Gifts
from ..merkle import Tree
from ..problem import Problem
from ..reading import read_input
from ..result import compute_problem, input_chunks, input_frame
from ..roots import shortest_decimal
from ..statistics import Statistics
from .archive import write_archive
from .pseudonyms import pseudonymise
from .readme import readme_text
from .receipts import receipt_leaves
from .sources import verifier_sources

FORMAT = "fundmatch-dossier/1"
GIFTS, UNLINKED, STATISTICS = "gifts", "unlinked", "statistics"
#: a project with fewer donors than this exposes them when gifts are published one by one
FEW_DONORS = 5


@dataclass(frozen=True, slots=True)
class DossierInfo:
    """What was written. `result` is the published one: its digests are those of the pseudonymised input."""

    form: str
    result: dict[str, Any]
    input_sha256: str
    result_sha256: str
    merkle_root: str
    rules_sha256: str
    leaves: tuple[bytes, ...]
    sha256: str


def write_dossier(
    path: str | os.PathLike[str],
    value: Mapping[str, Any],
    result: Mapping[str, Any],
    *,
    rules_text: str,
    key: bytes,
    references: Sequence[str] | None = None,
    title: str = "fundmatch",
    about: Mapping[str, Any] | None = None,
    form: str = "auto",
    key_destroyed: bool = False,
) -> DossierInfo:
    """Write the dossier of a round and return what it publishes.

    `value` is the input **whose donors are already pseudonyms of the round** (see
    `pseudonymise`) and `result` what `compute(value)` returned: the two are checked
    against each other. `key` (at least 32 secret bytes of this round) makes the salts
    of the leaves. `references` names the contributions one by one, for receipts.
    `about` is any JSON without floats (campaign, version, date) copied to the manifest.

    `form` is `gifts` (the input as it is, so the digests are those of `result`),
    `unlinked` (the donors once more under pseudonyms, one per project), `statistics`,
    or `auto`: gifts, unless a project has one to four donors; then statistics where
    they can answer the rules, else unlinked. The last two have digests of their own,
    given back with the result as it was published.

    Raises `InputError` on a bad input, `DossierError` when the result is not the
    one of this input or the form cannot serve the rules.
    """
    original = read_input(dict(value))
    chosen = _choose_form(original) if form == "auto" else form
    if chosen == UNLINKED:
        value = pseudonymise(value, key, linked=False)
    published = _published_problem(value, chosen, original)
    computed = compute_problem(original)
    outcome = computed if published is original else compute_problem(published)
    _check_same_money(result, outcome, computed)
    leaves = sorted(leaf.hash() for leaf in receipt_leaves(value, key, references))
    tree = Tree(leaves)
    rules = rules_text.encode()
    members = {
        "rules.txt": rules,
        "parameters.json": canonical_bytes(input_frame(published)),
        "input.json": b"".join(input_chunks(published)),
        "result.json": canonical_bytes(outcome),
        "leaves.txt": "".join(f"{leaf.hex()}\n" for leaf in leaves).encode(),
        "README.txt": readme_text(
            title=title,
            form=chosen,
            key_destroyed=key_destroyed,
            input_sha256=outcome["input_sha256"],
            result_sha256=outcome["result_sha256"],
            merkle_root=tree.root,
        ).encode(),
        **verifier_sources(),
    }
    rules_sha256 = hashlib.sha256(rules).hexdigest()
    members["manifest.json"] = canonical_bytes(
        {
            "about": dict(about or {}),
            "contributions": len(leaves),
            "dossier": FORMAT,
            "form": chosen,
            "input_sha256": outcome["input_sha256"],
            "members": {name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
            "merkle_root": tree.root,
            "result_sha256": outcome["result_sha256"],
            "rules_sha256": rules_sha256,
        }
    )
    write_archive(path, members)
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return DossierInfo(
        form=chosen,
        result=outcome,
        input_sha256=outcome["input_sha256"],
        result_sha256=outcome["result_sha256"],
        merkle_root=tree.root,
        rules_sha256=rules_sha256,
        leaves=tuple(leaves),
        sha256=sha256,
    )


def _choose_form(problem: Problem) -> str:
    if isinstance(problem.money, Statistics):
        return STATISTICS
    if not any(0 < donors < FEW_DONORS for donors in problem.money.donors()):
        return GIFTS
    if why_not_statistics(problem) is None:
        return STATISTICS
    return GIFTS if any(pot.rule == p.PAIRWISE for pot in problem.pots) else UNLINKED


def why_not_statistics(problem: Problem) -> str | None:
    """Return what the sums per project cannot answer in this problem, or None."""
    for pot in problem.pots:
        if pot.cap_per_donor_cents is not None:
            return f"the pot {pot.id} has a cap per donor"
        if pot.min_donor_cents:
            return f"the pot {pot.id} has a minimum per donor"
        if pot.order == p.FCFS:
            return f"the pot {pot.id} serves first come first"
        if pot.rule == p.PAIRWISE:
            return f"the pot {pot.id} is pairwise"
    money = problem.money
    if money.individual and money.power(0).cents != money.citizens():
        return "some gifts attract no complementary money"
    return None


def _published_problem(value: Mapping[str, Any], form: str, original: Problem) -> Problem:
    if form == STATISTICS:
        reason = why_not_statistics(original)
        if reason is not None:
            raise DossierError(f"statistics cannot serve this round: {reason}")
        if isinstance(original.money, Statistics):
            return original
        return Problem(original.projects, original.pots, original.threshold, statistics_of(original))
    if form not in (GIFTS, UNLINKED):
        raise DossierError(f"unknown form {form!r}")
    if not original.money.individual:
        raise DossierError("the input has no gifts to publish")
    if form == UNLINKED and any(pot.rule == p.PAIRWISE for pot in original.pots):
        raise DossierError("the pairwise rule needs to know who supported what")
    return read_input(dict(value)) if form == UNLINKED else original


def statistics_of(problem: Problem) -> Statistics:
    """Return (S, C, n) per project of the matchable gifts, exact, ready to be published."""
    power = cast(Gifts, problem.money).power(0)
    rows: list[list[Any]] = [
        [project.id, shortest_decimal(power.roots[rank]), power.cents[rank], power.donors[rank]]
        for rank, project in enumerate(problem.projects)
        if power.donors[rank]
    ]
    return Statistics(power.roots, power.cents, power.donors, rows)


def _check_same_money(
    result: Mapping[str, Any], published: Mapping[str, Any], compared: Mapping[str, Any]
) -> None:
    given = {key: value for key, value in result.items() if key != "engine"}
    expected = {key: value for key, value in compared.items() if key != "engine"}
    wrong = first_difference(given, expected)
    if wrong is not None:
        raise DossierError(f"the result is not the one of this input: {wrong}")
    for part in ("projects", "pots"):
        wrong = first_difference(published[part], compared[part])
        if wrong is not None:
            raise DossierError(f"the published form would change the result: {wrong}")
