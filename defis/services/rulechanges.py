"""Rules after opening: asked with reasons by one person, signed by another, never silent."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from defis.audit import record
from defis.clock import database_now
from defis.models import Campaign, Organisation, Pledge, Pot, RuleChange, RulesVersion
from defis.notify import notify
from defis.rules import CAMPAIGN_RULES, POT_RULES, digest, rules_of
from defis.services.refusals import Refused


@transaction.atomic
def ask_rule_change(*, campaign: Campaign, changes: dict[str, Any], reason: str, user: Any) -> RuleChange:
    """Ask to change frozen rules: `{"campaign": {…}, "pots": {slug: {…}}, "pledges": {slug: {pk: cents}}}`.

    Nothing changes until somebody else signs. Raises Refused: "reason", "unknown_rule", "empty",
    "pending", "published".
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    reason = reason.strip()
    if not reason:
        raise Refused("reason", _("Say why the rules change: the public will read it."))
    _check_names(changes)
    if campaign.published_at is not None:
        raise Refused("published", _("The results are published: the rules of this campaign are history."))
    if campaign.rule_changes.filter(state=RuleChange.State.ASKED).exists():
        raise Refused("pending", _("Another change already waits for its second signature."))
    change = RuleChange.objects.create(
        campaign=campaign, changes=changes, reason=reason, requested_by=user, requested_at=database_now()
    )
    record(campaign, "abonde.rules.ask", user, change=change.pk, reason=reason)
    notify("rule_change_asked", campaign=campaign, change=change, user=user)
    return change


@transaction.atomic
def change_rules(*, change: RuleChange, signed_by: Any) -> Campaign:
    """Second signature: apply the change and write the next version of the rules, in one transaction.

    Raises Refused: "same_person", "done", "not_frozen", "invalid" (with the sentences of the models).
    """
    campaign = Campaign.objects.select_for_update().get(pk=change.campaign_id)
    change = RuleChange.objects.select_for_update().get(pk=change.pk)
    if change.state != RuleChange.State.ASKED:
        raise Refused("done", _("This change has already been decided."))
    if change.requested_by_id == signed_by.pk:
        raise Refused("same_person", _("The second signature is another person's."))
    if campaign.rules_frozen_at is None:
        raise Refused("not_frozen", _("The rules are not frozen yet: edit the campaign."))
    now = database_now()
    # The version comes first: the triggers look for it while the rules change.
    version = RulesVersion.objects.create(
        campaign=campaign,
        version=campaign.rules_version + 1,
        rules={},
        sha256="",
        reason=change.reason,
        requested_by=change.requested_by,
        signed_by=signed_by,
        created_at=now,
    )
    _apply(campaign, change.changes, version.version)
    rules = rules_of(campaign)
    version.rules, version.sha256 = rules, digest(rules)
    version.save(update_fields=["rules", "sha256"])
    campaign.rules_sha256 = version.sha256
    campaign.save(update_fields=["rules_sha256"])
    change.state, change.decided_by, change.decided_at = RuleChange.State.APPLIED, signed_by, now
    change.version = version
    change.save(update_fields=["state", "decided_by", "decided_at", "version"])
    record(campaign, "abonde.rules.change", signed_by, version=version.version, reason=change.reason)
    notify("rules_changed", campaign=campaign, version=version)
    return campaign


@transaction.atomic
def refuse_rule_change(*, change: RuleChange, user: Any) -> RuleChange:
    """Close a request without applying it (its author may take it back too)."""
    change = RuleChange.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=change.pk)
    if change.state != RuleChange.State.ASKED:
        raise Refused("done", _("This change has already been decided."))
    change.state, change.decided_by, change.decided_at = RuleChange.State.REFUSED, user, database_now()
    change.save(update_fields=["state", "decided_by", "decided_at"])
    record(change.campaign, "abonde.rules.refuse", user, change=change.pk)
    return change


def _check_names(changes: dict[str, Any]) -> None:
    unknown = set(changes) - {"campaign", "pots", "pledges"}
    unknown |= set(changes.get("campaign", {})) - set(CAMPAIGN_RULES)
    for values in changes.get("pots", {}).values():
        unknown |= set(values) - set(POT_RULES)
    if unknown:
        raise Refused("unknown_rule", _("Unknown rule: %(names)s") % {"names": ", ".join(sorted(unknown))})
    if not any(changes.get(part) for part in ("campaign", "pots", "pledges")):
        raise Refused("empty", _("Nothing would change."))


def _apply(campaign: Campaign, changes: dict[str, Any], version: int) -> None:
    try:
        for name, value in changes.get("campaign", {}).items():
            setattr(campaign, name, parse_datetime(value) if name.endswith("_at") and value else value)
        campaign.rules_version = version
        campaign.full_clean(exclude=["defis"])
        campaign.save()
        for slug, values in changes.get("pots", {}).items():
            pot = Pot.objects.get(campaign=campaign, slug=slug)
            for name, value in values.items():
                setattr(pot, name, value)
            pot.full_clean()
            pot.save()
        for slug, pledges in changes.get("pledges", {}).items():
            pot = Pot.objects.get(campaign=campaign, slug=slug)
            for funder_pk, cents in pledges.items():
                funder = Organisation.objects.get(pk=funder_pk)
                pledge = Pledge.objects.filter(pot=pot, funder=funder).first() or Pledge(
                    pot=pot, funder=funder
                )
                pledge.amount_cents = cents
                pledge.full_clean()
                pledge.save()
    except ValidationError as error:
        raise Refused("invalid", " ".join(error.messages)) from error
    except (Pot.DoesNotExist, Organisation.DoesNotExist) as error:
        raise Refused("unknown_rule", _("This pot or this funder does not exist.")) from error
