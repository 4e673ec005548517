"""The picture of the gifts at one instant, and what a correction keeps of an older picture."""

from dataclasses import dataclass, field
from typing import Any

from defis.models import Campaign
from fundmatch.inputs import Gift, campaign_input
from fundmatch.models import MatchRun
from participation.contributions.closing import snapshot
from participation.contributions.models import Contribution


@dataclass(slots=True)
class Picture:
    """An input of spec fundmatch/1, the contribution behind each row, the ledger's figures (cents)."""

    value: dict[str, Any]
    references: list[str]
    figures: dict[str, Any] = field(default_factory=dict)


def picture_of(campaign: Campaign, donor_key: bytes) -> Picture:
    """Return the counted gifts of now, in order of capture. Exact only under the campaign's lock."""
    gifts = [
        Gift(reference, donor_id(voter, offline), project, cents, matchable)
        for reference, voter, offline, project, cents, matchable in Contribution.objects.filter(
            campaign=campaign, state=Contribution.State.COUNTED
        )
        .order_by("counted_at", "pk")
        .values_list(
            "reference", "voter_id", "offline_donor_id", "project__reference", "amount_cents", "matchable"
        )
        .iterator(chunk_size=50_000)
    ]
    return Picture(
        campaign_input(campaign, gifts, donor_key=donor_key),
        [gift.reference for gift in gifts],
        ledger_figures(campaign),
    )


def donor_id(voter_id: int | None, offline_donor_id: int | None) -> str:
    """Return what a giver is called here before the pseudonym: an id of ours, never stored in a run."""
    return f"v{voter_id}" if voter_id is not None else f"o{offline_donor_id}"


def ledger_figures(campaign: Campaign) -> dict[str, Any]:
    """Return what the ledger held at the same instant, in cents, by project; and the payments still open."""
    taken = snapshot(campaign)
    return {
        "taken_at": taken.taken_at.isoformat(),
        "escrow_cents": {str(held.project_id): held.escrow_cents for held in taken.projects},
        "citizens_cents": {str(held.project_id): held.citizens_cents for held in taken.projects},
        "open_payments": taken.open_payments,
        "review_payments": taken.review_payments,
    }


def with_decided_gifts(picture: Picture, published: MatchRun) -> Picture:
    """Return the picture for a correction of published results.

    Gifts to projects that were refunded are no longer counted today, but they were part of the calculation:
    they stay as they were. Gifts to funded projects are those of today: what a bank took back is gone, what
    was captured before the bell and became known only since is there. The order in time is kept.
    """
    funded = {reference for reference, row in published.result["projects"].items() if row["funded"]}
    today = {
        reference: row
        for reference, row in zip(picture.references, picture.value["contributions"], strict=True)
        if row[1] in funded
    }
    references, rows = [], []
    for reference, row in zip(
        published.read_references(), published.read_input()["contributions"], strict=True
    ):
        if row[1] not in funded:
            references.append(reference)
            rows.append(row)
        elif (row_today := today.pop(reference, None)) is not None:
            references.append(reference)
            rows.append(row_today)
    references += today.keys()
    rows += today.values()
    return Picture(picture.value | {"contributions": rows}, references, picture.figures)
