"""From a campaign and its counted gifts to the input of spec fundmatch/1, section 2.

Ids are public words: a project's reference, a pot's slug, a funder's name as a slug. A giver's id is a
pseudonym of this round only: without the run's key it leads to nobody, and two rounds cannot be joined.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from django.utils.text import slugify

from defis.models import Campaign, Pledge, Pot, Project
from fundmatch.engine.dossier import pseudonym

SPEC = "fundmatch/1"

#: projects whose gifts take part: being collected, or already decided (a correction)
TAKING_PART = (Project.Status.PRESELECTED, Project.Status.FUNDED, Project.Status.NOT_FUNDED)


class Gift(NamedTuple):
    """One counted contribution, as the snapshot gives it. `donor` is an id of ours; `cents` is positive."""

    reference: str
    donor: str
    project: str
    cents: int
    matchable: bool


def campaign_projects(campaign: Campaign) -> list[Project]:
    """Return the projects that the sharing looks at, by reference."""
    return list(campaign.projects.filter(status__in=TAKING_PART).order_by("reference"))


def campaign_input(
    campaign: Campaign,
    gifts: Iterable[Gift],
    *,
    donor_key: bytes,
    projects: Sequence[Project] | None = None,
) -> dict[str, Any]:
    """Return the whole input; gifts in time order. Amounts in cents, ratios as fractions in lowest terms.

    `donor_key` (32 secret bytes) makes the pseudonyms of the givers.
    """
    names: dict[str, str] = {}
    rows: list[list[Any]] = []
    for gift in gifts:
        donor = names.get(gift.donor)
        if donor is None:
            donor = names[gift.donor] = pseudonym(donor_key, gift.donor)
        row: list[Any] = [donor, gift.project, gift.cents]
        rows.append(row if gift.matchable else [*row, {"match": False}])
    return input_frame(campaign, projects) | {"contributions": rows}


def input_frame(campaign: Campaign, projects: Sequence[Project] | None = None) -> dict[str, Any]:
    """Return the input without its gifts: projects, pots with every parameter, threshold."""
    if projects is None:
        projects = campaign_projects(campaign)
    known = {project.reference for project in projects}
    return {
        "spec": SPEC,
        "projects": [{"id": project.reference, "goal_cents": project.goal_cents} for project in projects],
        "pots": [_pot(pot, known) for pot in campaign_pots(campaign)],
        "threshold": _threshold(campaign),
    }


def campaign_pots(campaign: Campaign) -> list[Pot]:
    """Return the pots with pledges, funders and restrictions: four queries whatever their number."""
    return list(campaign.pots.order_by("slug").prefetch_related("pledges__funder", "projects"))


def funder_ids(pot: Pot) -> dict[str, Pledge]:
    """Return each pledge of a pot under the public id of its funder, unique inside the pot."""
    found: dict[str, Pledge] = {}
    for pledge in sorted(pot.pledges.all(), key=lambda pledge: pledge.pk):
        name = slugify(pledge.funder.name)[:200] or f"org-{pledge.funder_id}"
        found[name if name not in found else f"{name}-{pledge.funder_id}"] = pledge
    return found


def _threshold(campaign: Campaign) -> dict[str, str] | None:
    if campaign.threshold_numerator is None:
        return None
    ratio = Fraction(campaign.threshold_numerator, campaign.threshold_denominator)
    return {"ratio": str(ratio), "base": campaign.threshold_base}


def _pot(pot: Pot, known: set[str]) -> dict[str, Any]:
    funders = funder_ids(pot)
    restricted = [project.reference for project in pot.projects.all()]
    return rule_of(pot) | {
        "budget_cents": sum(pledge.amount_cents for pledge in funders.values()),
        # A pot restricted to projects that all left covers none: an empty list, not "all".
        "projects": sorted(known.intersection(restricted)) if restricted else None,
        "funders": [
            {"id": name, "pledge_cents": pledge.amount_cents} for name, pledge in sorted(funders.items())
        ]
        or None,
    }


def rule_of(pot: Pot) -> dict[str, Any]:
    """Return a pot's own parameters, those of its rule only (the others would be refused)."""
    value: dict[str, Any] = {
        "id": pot.slug,
        "rule": pot.rule,
        "cap_per_project_cents": pot.cap_per_project_cents,
    }
    if pot.rule == Pot.Rule.LINEAR:
        return value | {
            "ratio": str(Fraction(pot.ratio_numerator, pot.ratio_denominator)),
            "order": pot.order,
            "cap_per_donor_cents": pot.cap_per_donor_cents,
        }
    return value | {"mode": pot.mode, "min_donor_cents": pot.min_donor_cents, "min_donors": pot.min_donors}
