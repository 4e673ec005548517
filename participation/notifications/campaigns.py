"""Letters to everybody of a campaign: written by the worker in small steps, once per person and occasion."""

from datetime import timedelta

from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat

from defis.clock import database_now
from defis.models import Campaign
from participation.contributions.models import Contribution
from participation.identity.models import Person
from participation.notifications.models import Message
from participation.notifications.services import Letter, queue_many
from participation.payments.models import Refund

STEP = 500
# An old occasion is no news: a site restored or switched on late writes to nobody about it.
NEWS = timedelta(days=7)


def write_letters() -> int:
    """Write what is due since the last time; returns how many. Repeatable, interruptible, safe with two workers."""
    return sum([_closed(campaign) for campaign in _recent("closes_at")] + [_refunds_started(), _unfinished()])


def _recent(moment: str):
    now = database_now()
    return Campaign.objects.filter(
        announced_at__isnull=False, **{f"{moment}__lte": now, f"{moment}__gt": now - NEWS}
    )


def _closed(campaign: Campaign) -> int:
    people = _contributors(campaign, f"campaign_closed:{campaign.pk}:")
    return _write(
        Letter(
            key=f"campaign_closed:{campaign.pk}:{person.pk}",
            kind="campaign_closed",
            person=person,
            context={"campaign": campaign.name, "path": "/mes-contributions/"},
        )
        for person in people
    )


def _refunds_started() -> int:
    """A cancelled project's orders are written in one statement: each contributor is told why.

    Those of a published result are told by the publication's own mails (fundmatch.mails).
    """
    refunds = (
        Refund.objects.filter(reason=Refund.Reason.CANCELLED, created_at__gt=database_now() - NEWS)
        .annotate(letter=Concat(Value("refund_"), "reason", Value(":"), Cast("key", CharField())))
        .exclude(Exists(Message.objects.filter(key=OuterRef("letter"))))
        .exclude(payment__contribution__person__isnull=True)
        .exclude(payment__contribution__person__email="")
        .select_related("payment__contribution__project", "payment__contribution__person")[: STEP * 20]
    )
    return _write(
        Letter(
            key=f"refund_{refund.reason}:{refund.key}",
            kind=f"refund_{refund.reason}",
            person=refund.payment.contribution.person,
            context={
                "project": refund.payment.contribution.project.title,
                "cents": refund.amount_cents,
                "reference": refund.payment.contribution.reference,
                "path": f"/contributions/{refund.payment.contribution.reference}/",
            },
        )
        for refund in refunds
    )


def _unfinished() -> int:
    """Started yesterday, not paid, and the collection is still open: one reminder, never two."""
    now = database_now()
    gifts = (
        Contribution.objects.filter(
            state=Contribution.State.ABANDONED,
            end_reason="expired",
            ended_at__gt=now - NEWS,
            created_at__lt=now - timedelta(days=1),
            campaign__closes_at__gt=now,
            person__isnull=False,
        )
        .annotate(letter=Concat(Value("contribution_unfinished:"), Cast("pk", CharField())))
        .exclude(Exists(Message.objects.filter(key=OuterRef("letter"))))
        .exclude(person__email="")
        # Somebody who gave to the same project after all needs no reminder.
        .exclude(
            Exists(
                Contribution.objects.filter(
                    person=OuterRef("person"), project=OuterRef("project"), state__in=Contribution.ENGAGED
                )
            )
        )
        .select_related("project__campaign", "person")[:STEP]
    )
    return _write(
        Letter(
            key=f"contribution_unfinished:{gift.pk}",
            kind="contribution_unfinished",
            person=gift.person,
            context={
                "project": gift.project.title,
                "cents": gift.amount_cents,
                "reference": gift.reference,
                "closes": gift.project.closes_at or gift.project.campaign.closes_at,
                "path": f"/projets/{gift.project.slug}/",
            },
        )
        for gift in gifts
    )


def _contributors(campaign: Campaign, prefix: str):
    """People whose money counted in the campaign and who have not had this letter."""
    gave = Contribution.objects.filter(
        campaign=campaign, person=OuterRef("pk"), counted_at__isnull=False, state__in=["counted", "refunded"]
    )
    return (
        Person.objects.filter(Exists(gave))
        .annotate(letter=Concat(Value(prefix), Cast("pk", CharField())))
        .exclude(Exists(Message.objects.filter(key=OuterRef("letter"))))
        .exclude(email="")[: STEP * 20]
    )


def _write(letters) -> int:
    letters = list(letters)
    for start in range(0, len(letters), STEP):
        queue_many(letters[start : start + STEP])
    return len(letters)
