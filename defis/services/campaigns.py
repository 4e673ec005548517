"""A campaign's own life: announced, then its rules frozen at opening."""

import logging
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.audit import record
from defis.clock import database_now
from defis.models import Campaign, RulesVersion
from defis.rules import digest, opening_checklist, rules_of
from defis.services.refusals import Refused

logger = logging.getLogger(__name__)


@transaction.atomic
def announce_campaign(*, campaign: Campaign, user: Any = None) -> Campaign:
    """Make the campaign public. Idempotent: the first announcement keeps its date."""
    campaign = Campaign.objects.select_for_update(of=("self",)).select_related("fund").get(pk=campaign.pk)
    if campaign.announced_at is None:
        campaign.announced_at = database_now()
        campaign.full_clean(exclude=["defis"])
        campaign.save(update_fields=["announced_at"])
        record(campaign, "abonde.campaign.announce", user)
    return campaign


@transaction.atomic
def freeze_rules(*, campaign: Campaign, user: Any = None) -> Campaign:
    """Write version 1 of the rules with its digest; idempotent and safe with two workers.

    Raises Refused("checklist") with the lines that are not green.
    """
    campaign = (
        Campaign.objects.select_for_update(of=("self",))
        .select_related("fund__legal_holder", "fund__territory")
        .get(pk=campaign.pk)
    )
    if campaign.rules_frozen_at is not None:
        return campaign
    red = [check for check in opening_checklist(campaign) if not check.ok]
    if red:
        lines = "; ".join(f"{check.label} ({check.detail})" if check.detail else check.label for check in red)
        raise Refused("checklist", _("The campaign is not ready to open: %(lines)s") % {"lines": lines})
    rules = rules_of(campaign)
    now = database_now()
    version = RulesVersion.objects.create(
        campaign=campaign, version=1, rules=rules, sha256=digest(rules), requested_by=user, created_at=now
    )
    campaign.rules_version = version.version
    campaign.rules_sha256 = version.sha256
    campaign.rules_frozen_at = now
    campaign.save(update_fields=["rules_version", "rules_sha256", "rules_frozen_at"])
    record(campaign, "abonde.campaign.freeze", user, sha256=version.sha256)
    return campaign


def ensure_rules_frozen(*, campaign: Campaign) -> Campaign:
    """Freeze the rules if the hour has come and nobody did: opening does not wait for a cron.

    No query when they are frozen. Raises Refused("not_open") before opening or for a draft, and
    Refused("checklist") when the campaign may not open.
    """
    if campaign.rules_frozen_at is not None:
        return campaign
    if campaign.announced_at is None or campaign.opens_at > database_now():
        raise Refused("not_open", _("Contributions are not open yet."))
    return freeze_rules(campaign=campaign)


def freeze_due_rules() -> list[Campaign]:
    """Freeze every campaign whose opening has passed; one that is not ready is logged and left."""
    frozen = []
    due = Campaign.objects.filter(
        announced_at__isnull=False, rules_frozen_at__isnull=True, opens_at__lte=database_now()
    )
    for campaign in due:
        try:
            frozen.append(freeze_rules(campaign=campaign))
        except Refused as refusal:
            logger.error("campaign %s cannot open: %s", campaign.slug, refusal.message)
    return frozen
