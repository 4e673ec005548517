"""What a run and its corrections really give: shares per project, pot and funder, in cents.

A corrected share replaces the calculated one; what a pot then spends is shared over its funders by the
text's own section 6, so that rows and columns still add up to the cent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fundmatch.engine.canonical import digest
from fundmatch.engine.problem import Funder
from fundmatch.engine.sharing.funders import funders_matrix
from fundmatch.models import MatchRun, Override


@dataclass(slots=True)
class ProjectShare:
    """One project's outcome, amounts in cents. `reference` is the project's public id."""

    reference: str
    funded: bool
    citizens_cents: int
    donors: int
    computed: dict[str, int]
    match: dict[str, int]
    corrections: dict[str, Override] = field(default_factory=dict)

    @property
    def match_cents(self) -> int:
        return sum(self.match.values())

    @property
    def total_cents(self) -> int:
        """Cents that the project receives; 0 when its contributors are refunded."""
        return self.citizens_cents + self.match_cents if self.funded else 0

    @property
    def refund_cents(self) -> int:
        return 0 if self.funded else self.citizens_cents


@dataclass(slots=True)
class Shares:
    """The whole sharing of one run, corrections included."""

    projects: dict[str, ProjectShare]
    #: pot → funder → project reference → cents, without zero cells
    funders: dict[str, dict[str, dict[str, int]]]

    def spent_cents(self, pot: str) -> int:
        """Return what a pot pays in total."""
        return sum(share.match.get(pot, 0) for share in self.projects.values())

    @property
    def citizens_cents(self) -> int:
        """Cents given by residents to funded projects."""
        return sum(share.citizens_cents for share in self.projects.values() if share.funded)

    @property
    def match_cents(self) -> int:
        return sum(share.match_cents for share in self.projects.values())

    @property
    def refund_cents(self) -> int:
        return sum(share.refund_cents for share in self.projects.values())

    @property
    def funded(self) -> list[ProjectShare]:
        return [share for share in self.projects.values() if share.funded]

    @property
    def refunded(self) -> list[ProjectShare]:
        return [share for share in self.projects.values() if not share.funded]


def shares_of(run: MatchRun, overrides: Iterable[Override] | None = None) -> Shares:
    """Return the shares of a run. `overrides` default to its own (with `project` and `pot` loaded)."""
    if overrides is None:
        overrides = run.overrides.select_related("project", "pot", "decided_by").order_by("pk")
    corrections: dict[str, dict[str, Override]] = {}
    for override in overrides:
        corrections.setdefault(override.project.reference, {})[override.pot.slug] = override
    projects = {}
    for reference, row in sorted(run.result["projects"].items()):
        computed = dict(row["match_cents"])
        mine = corrections.get(reference, {})
        projects[reference] = ProjectShare(
            reference=reference,
            funded=row["funded"],
            citizens_cents=row["citizens_cents"],
            donors=row["donors"],
            computed=computed,
            match=computed | {pot: override.amount_cents for pot, override in mine.items()},
            corrections=mine,
        )
    corrected = {pot for pots in corrections.values() for pot in pots}
    funders: dict[str, dict[str, dict[str, int]]] = {}
    for pot_id, pot in run.result["pots"].items():
        named = pot.get("funders", {})
        if pot_id not in corrected:
            funders[pot_id] = {name: dict(cells["projects"]) for name, cells in named.items()}
        else:
            funders[pot_id] = _matrix(run, pot_id, projects)
    return Shares(projects, funders)


def _matrix(run: MatchRun, pot_id: str, projects: dict[str, ProjectShare]) -> dict[str, dict[str, int]]:
    pot = next(pot for pot in pots_of(run) if pot["id"] == pot_id)
    order = sorted(projects)
    funders = [Funder(item["id"], item["pledge_cents"]) for item in pot["funders"] or []]
    funders.sort(key=lambda funder: funder.id)
    payments = {rank: projects[reference].match.get(pot_id, 0) for rank, reference in enumerate(order)}
    matrix = funders_matrix(funders, payments)
    return {name: {order[rank]: cents for rank, cents in cells.items()} for name, cells in matrix.items()}


def pots_of(run: MatchRun) -> list[dict[str, Any]]:
    """Return the pots of a run's input, as spec fundmatch/1 writes them."""
    return run.parameters["pots"]


def outcomes_of(shares: Shares) -> dict[str, dict[str, Any]]:
    """Return what pages show of each project (cents), corrections included, by reference."""
    return {
        reference: {
            "funded": share.funded,
            "citizens_cents": share.citizens_cents,
            "donors": share.donors,
            "match_cents": share.match_cents,
            "total_cents": share.total_cents,
        }
        for reference, share in shares.projects.items()
    }


def content_of(run: MatchRun, shares: Shares) -> dict[str, Any]:
    """Return what a signatory agrees to: which data, which result, each correction and why, every cent.

    Only public values, so that a stranger who holds the dossier can redo the digest that was signed.
    """
    return {
        "campaign": run.campaign.reference,
        "input_sha256": run.public["input_sha256"],
        "result_sha256": run.public["result_sha256"],
        "merkle_root": run.public["merkle_root"],
        "rules_sha256": run.rules_sha256,
        "shares": {
            reference: {"funded": share.funded, "match_cents": share.match}
            for reference, share in shares.projects.items()
        },
        "funders": shares.funders,
        "corrections": [
            {"project": reference, "pot": pot, "cents": override.amount_cents, "reason": override.reason}
            for reference, share in shares.projects.items()
            for pot, override in sorted(share.corrections.items())
        ],
    }


def content_digest(run: MatchRun, shares: Shares) -> str:
    """Return the SHA-256 of the canonical form of `content_of`: what a signature bears."""
    return digest(content_of(run, shares))
