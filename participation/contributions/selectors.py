"""Reads about contributions: totals of projects, what a voter may still give, a person's own list."""

from collections.abc import Sequence

from django.db import connection
from django.db.models import Prefetch, Q, QuerySet, Sum

from defis.clock import clock_shift
from defis.funding import Funding
from defis.models import Campaign, Project
from participation.contributions.models import Contribution
from participation.identity.models import Person, Voter, VoterMembership
from participation.payments.models import Payment


def project_funding(projects: Sequence[Project]) -> dict[int, Funding]:
    """Counted cents and givers of each project, exact at this instant, in one query whatever their number."""
    ids = [project.pk for project in projects]
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT project_id, citizens_cents, donors, statement_timestamp() + %s
               FROM abonde_project_figures(%s)""",
            [clock_shift(), ids],
        )
        return {
            pk: Funding(citizens_cents=cents, donors=donors, as_of=now)
            for pk, cents, donors, now in cursor.fetchall()
        }


def ceiling_of(campaign: Campaign) -> int:
    """Most that one voter may give in this campaign (cents)."""
    if campaign.allowance_cents is None:
        return campaign.max_per_person_cents
    return min(campaign.max_per_person_cents, campaign.allowance_cents)


def left_for(person: Person, campaign: Campaign) -> int:
    """Cents that this person may still give in this campaign: payments in progress are counted as given."""
    membership = VoterMembership.objects.filter(person=person, campaign=campaign).first()
    if membership is None:
        return ceiling_of(campaign)
    return max(0, ceiling_of(campaign) - engaged_cents(membership.voter_id))


def engaged_cents(voter_id: int) -> int:
    """Cents given or being given by a voter, and through accounts that turned out to be the same human."""
    rows = Voter.objects.filter(Q(pk=voter_id) | Q(merged_into=voter_id))
    engaged = Contribution.objects.filter(voter__in=rows, state__in=Contribution.ENGAGED)
    return engaged.aggregate(cents=Sum("amount_cents"))["cents"] or 0


def contributions_of(person: Person) -> QuerySet[Contribution]:
    """A person's contributions, newest first, with project and payments (refunds included): 3 queries."""
    return (
        Contribution.objects.filter(person=person)
        .select_related("project__campaign__fund")
        .prefetch_related(Prefetch("payments", Payment.objects.order_by("-pk").prefetch_related("refunds")))
    )


def payment_of(contribution: Contribution) -> Payment:
    """The payment that tells where a contribution stands: the live one, else the last."""
    payments = list(
        Payment.objects.filter(contribution=contribution).select_related(
            "contribution__project", "contribution__person"
        )
    )
    live = [p for p in payments if p.state in {*Payment.OPEN, Payment.State.PAID, Payment.State.REVIEW}]
    return (live or payments)[0]
