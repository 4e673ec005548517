"""The public rules of a campaign, in one canonical form that can be digested, and what opening needs."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Sum
from django.utils.translation import gettext as _
from wagtail import hooks

from defis.models import Campaign, Organisation, Pledge, Pot

# Columns that a trigger protects once the rules are frozen (migration 0002 names them too).
CAMPAIGN_RULES = (
    "opens_at",
    "closes_at",
    "min_contribution_cents",
    "max_contribution_cents",
    "max_per_person_cents",
    "goal_min_cents",
    "goal_max_cents",
    "duration_min_days",
    "duration_max_days",
    "threshold_numerator",
    "threshold_denominator",
    "threshold_base",
    "fee_bps",
    "minimum_age",
    "residency_methods",
    "identity_providers",
    "collection_provider",
    "allowance_cents",
)
POT_RULES = (
    "rule",
    "ratio_numerator",
    "ratio_denominator",
    "order",
    "mode",
    "cap_per_donor_cents",
    "cap_per_project_cents",
    "min_donor_cents",
    "min_donors",
)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return list(value) if isinstance(value, list | tuple) else value


def _fields(record: Model, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(getattr(record, name)) for name in names}


def rules_of(campaign: Campaign) -> dict[str, Any]:
    """The public rules of a campaign as plain JSON values: integer cents, UTC instants, no float.

    Read from the database, so that what is digested is what is stored.
    """
    campaign = Campaign.objects.select_related("fund__legal_holder", "fund__territory").get(pk=campaign.pk)
    pots = (
        Pot.objects.filter(campaign=campaign).order_by("slug").prefetch_related("pledges__funder", "projects")
    )
    return {
        "spec": "abonde-rules/1",
        "campaign": campaign.reference,
        "fund": campaign.fund.slug,
        "territory": campaign.fund.territory.slug,
        "legal_holder": campaign.fund.legal_holder.name,
        **_fields(campaign, CAMPAIGN_RULES),
        "pots": [
            {
                "id": pot.slug,
                **_fields(pot, POT_RULES),
                "projects": sorted(project.reference for project in pot.projects.all()) or None,
                "pledges": {
                    pledge.funder.name: pledge.amount_cents
                    for pledge in sorted(pot.pledges.all(), key=lambda pledge: pledge.funder.name)
                },
            }
            for pot in pots
        ],
    }


def canonical(rules: dict[str, Any]) -> bytes:
    """UTF-8 JSON, keys sorted, no spaces, one trailing newline."""
    return (json.dumps(rules, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def digest(rules: dict[str, Any]) -> str:
    """sha256 of the canonical form, hexadecimal."""
    return hashlib.sha256(canonical(rules)).hexdigest()


@dataclass(frozen=True)
class Check:
    """One line of « ready to open? »."""

    code: str
    label: str
    ok: bool
    detail: str = ""


def opening_checklist(campaign: Campaign) -> list[Check]:
    """What must be true before contributions open; hook `abonde_opening_checks` adds its own lines.

    A hook is a function `(campaign) -> list[Check]`.
    """
    fund = campaign.fund
    pots = list(Pot.objects.filter(campaign=campaign))
    pledged = Pledge.objects.filter(pot__campaign=campaign).aggregate(total=Sum("amount_cents"))["total"] or 0
    unsigned = Pledge.objects.filter(pot__campaign=campaign, signed_on__isnull=True).count()
    empty = [pot.name for pot in pots if not pot.pledges.exists()]
    endowment = fund.legal_holder.kind == Organisation.Kind.ENDOWMENT
    public = Pledge.objects.filter(pot__campaign=campaign, funder__kind=Organisation.Kind.AUTHORITY).exists()
    checks = [
        Check("announced", _("The campaign is announced"), campaign.announced_at is not None),
        Check("challenges", _("At least one challenge is attached"), campaign.defis.exists()),
        Check("territory", _("The territory has communes"), fund.territory.communes.exists()),
        Check("identity", _("A way to sign in is accepted"), bool(campaign.identity_providers)),
        Check("residence", _("A proof of residence is accepted"), bool(campaign.residency_methods)),
        Check("pots", _("Complementary money has a rule"), bool(pots)),
        Check(
            "pledges",
            _("Every pot has money"),
            bool(pots) and not empty and pledged > 0,
            ", ".join(empty),
        ),
        Check(
            "agreements",
            _("Every pledge has a signed agreement"),
            not unsigned,
            _("%(count)d without a date of signature") % {"count": unsigned} if unsigned else "",
        ),
        Check(
            "endowment",
            _("The holder of the money may receive it"),
            not (endowment and public),
            _("An endowment fund may not receive public money.") if endowment and public else "",
        ),
        Check(
            "envelope",
            _("The envelope of each resident is set"),
            campaign.collection_provider != "allowance" or bool(campaign.allowance_cents),
        ),
    ]
    extra: list[Callable[[Campaign], list[Check]]] = hooks.get_hooks("abonde_opening_checks")
    for more in extra:
        checks.extend(more(campaign))
    return checks
