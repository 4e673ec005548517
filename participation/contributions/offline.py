"""Cash and cheques at a counter: entered by one agent with control totals, confirmed by another.

A gift without a verified person counts for its project and attracts no complementary money.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Campaign, Project
from participation.contributions.models import Contribution, OfflineBatch, OfflineDonor
from participation.contributions.problems import closed, not_open, outside_limits, project_not_open
from participation.ledger import locks
from participation.notifications.words import euros
from participation.payments.models import Payment
from participation.payments.settlement import settle_payment

logger = logging.getLogger("abonde.money")
OFFLINE = "offline"


class OfflineRefused(Exception):
    """The slip is not accepted; `message` is for the agent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class OfflineGift:
    """One line of a slip (cents); an anonymous giver has no name."""

    project: Project
    amount_cents: int
    name: str = ""
    email: str = ""
    is_legal_person: bool = False


@transaction.atomic
def record_offline_contributions(
    *,
    campaign: Campaign,
    label: str,
    gifts: Sequence[OfflineGift],
    control_count: int,
    control_cents: int,
    received_on: date,
    user,
) -> OfflineBatch:
    """Enter a slip. `control_*` are what the agent counted by hand before typing; they must equal the lines.

    Nothing counts before somebody else confirms. Raises OfflineRefused ("control", "label_used") and
    ContributionRefused (dates, limits).
    """
    total = sum(gift.amount_cents for gift in gifts)
    if (len(gifts), total) != (control_count, control_cents):
        raise OfflineRefused(
            "control",
            _("%(lines)s lines and %(typed)s were typed, %(count)s and %(total)s counted. Check the slip.")
            % {
                "lines": len(gifts),
                "typed": euros(total),
                "count": control_count,
                "total": euros(control_cents),
            },
        )
    locks.share_campaign(campaign.pk)
    now = database_now()
    campaign = Campaign.objects.get(pk=campaign.pk)
    try:
        with transaction.atomic():
            batch = OfflineBatch.objects.create(
                campaign=campaign,
                label=label,
                control_count=control_count,
                control_cents=control_cents,
                received_on=received_on,
                recorded_by=user,
                created_at=now,
            )
    except IntegrityError as error:
        raise OfflineRefused("label_used", _("This slip has already been entered.")) from error
    for gift in gifts:
        _check(campaign, gift, now)
        donor = OfflineDonor.objects.create(
            campaign=campaign,
            batch=batch,
            name=gift.name,
            email=gift.email,
            is_legal_person=gift.is_legal_person,
            recorded_by=user,
        )
        contribution = Contribution.objects.create(
            campaign=campaign,
            project=gift.project,
            offline_donor=donor,
            amount_cents=gift.amount_cents,
            matchable=False,
            rules_version=campaign.rules_version,
            created_at=now,
        )
        key = uuid.uuid4()
        Payment.objects.create(
            contribution=contribution,
            provider=OFFLINE,
            key=key,
            provider_reference=str(key),
            amount_cents=gift.amount_cents,
            state=Payment.State.PENDING,
            created_at=now,
            asked_at=now,
        )
    logger.info("offline.recorded slip=%s lines=%s cents=%s", label, len(gifts), total)
    return batch


def confirm_offline_contributions(*, batch: OfflineBatch, user) -> OfflineBatch:
    """A second person has counted the same money: from now on it counts, if the campaign was still open.

    Idempotent; after a crash, confirming again finishes. Raises OfflineRefused ("same_person").
    """
    with transaction.atomic(durable=True):
        locks.share_campaign(batch.campaign_id)
        held = OfflineBatch.objects.select_for_update().get(pk=batch.pk)
        if held.recorded_by_id == user.pk:
            raise OfflineRefused("same_person", _("Somebody else must confirm what you entered."))
        if held.confirmed_at is None:
            held.confirmed_by, held.confirmed_at = user, database_now()
            held.save(update_fields=["confirmed_by", "confirmed_at"])
        # The offline provider believes `paid_at`, which only this service writes.
        Payment.objects.filter(
            contribution__offline_donor__batch=held, state=Payment.State.PENDING, paid_at__isnull=True
        ).update(paid_at=held.confirmed_at)
    for payment in Payment.objects.filter(
        contribution__offline_donor__batch=held, state=Payment.State.PENDING
    ).select_related("contribution"):
        settle_payment(payment)
    logger.info("offline.confirmed slip=%s", held.label)
    return held


def refuse_offline_contributions(*, batch: OfflineBatch, user) -> None:
    """The count was wrong: what was entered ends without effect, and another slip is entered.

    Raises OfflineRefused ("confirmed") once it counts.
    """
    with transaction.atomic(durable=True):
        held = OfflineBatch.objects.select_for_update().get(pk=batch.pk)
        if held.confirmed_at is not None:
            raise OfflineRefused("confirmed", _("This slip has been confirmed. Refund its lines instead."))
        payments = Payment.objects.filter(
            contribution__offline_donor__batch=held, state=Payment.State.PENDING
        )
        ids = list(payments.values_list("contribution_id", flat=True))
        payments.update(state=Payment.State.FAILED, note=f"refused by {user}")
        Contribution.objects.filter(pk__in=ids, state=Contribution.State.STARTED).update(
            state=Contribution.State.FAILED, ended_at=database_now(), end_reason="refused"
        )


def _check(campaign: Campaign, gift: OfflineGift, now) -> None:
    project = gift.project
    if project.campaign_id != campaign.pk or project.status != Project.Status.PRESELECTED:
        raise project_not_open()
    if now < (project.opens_at or campaign.opens_at):
        raise not_open()
    if now >= min(project.closes_at or campaign.closes_at, campaign.closes_at):
        raise closed()
    if not campaign.min_contribution_cents <= gift.amount_cents <= campaign.max_contribution_cents:
        raise outside_limits(campaign.min_contribution_cents, campaign.max_contribution_cents)
