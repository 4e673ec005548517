"""The bell: wait for what is in flight, snapshot, and later settle what was decided."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from defis.clock import clock_shift, database_now
from defis.models import Campaign
from participation.contributions.closing_settlement import (
    ClosingError,
    post_pledges,
    refund_project,
    settle_campaign,
)
from participation.ledger import locks
from participation.payments.models import Payment

__all__ = [
    "Check",
    "ClosingError",
    "GiftRow",
    "ProjectHeld",
    "Snapshot",
    "closing",
    "post_pledges",
    "refund_project",
    "settle_campaign",
    "settle_open_payments",
    "snapshot",
]

# donor, project pk, cents, attracts complementary money.
GiftRow = tuple[int, int, int, bool]

# Two accounts linked during the campaign are one human (participation.identity.services.voter_for): one donor.
_DONOR = "coalesce(v.merged_into_id, c.voter_id, -c.offline_donor_id)"
_GIFTS = "abonde_participation_contribution c LEFT JOIN abonde_participation_voter v ON v.id = c.voter_id"


@dataclass(frozen=True)
class Check:
    """One line that must be right before anything is published."""

    code: str
    ok: bool
    expected: int
    found: int


@dataclass(frozen=True)
class ProjectHeld:
    """What contributions say and what the ledger holds, for one project (cents)."""

    project_id: int
    citizens_cents: int
    donors: int
    escrow_cents: int


@dataclass(frozen=True)
class Snapshot:
    """A campaign's counted contributions, and proof that the ledger holds exactly that.

    `rows`: (donor, project pk, cents, matchable). The donor is a voter's pk (the one linked accounts lead to), or minus an offline donor's pk: ids
    of our own, to be replaced by pseudonyms before anybody else sees them. In time order when asked, else
    added up per donor, project and matchable. `open_payments` may still be captured, `review_payments` wait for
    a human: closing with some is refused by `ok`.
    """

    campaign_id: int
    taken_at: datetime
    rows: Sequence[GiftRow]
    projects: Sequence[ProjectHeld]
    open_payments: int
    review_payments: int

    @property
    def checks(self) -> list[Check]:
        held = [
            Check(
                f"escrow:{p.project_id}", p.escrow_cents == p.citizens_cents, p.citizens_cents, p.escrow_cents
            )
            for p in self.projects
        ]
        total = sum(cents for _, _, cents, _ in self.rows)
        return [
            Check(
                "rows",
                total == sum(p.citizens_cents for p in self.projects),
                sum(p.citizens_cents for p in self.projects),
                total,
            ),
            *held,
            Check("open_payments", self.open_payments == 0, 0, self.open_payments),
            Check("review_payments", self.review_payments == 0, 0, self.review_payments),
        ]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


@contextmanager
def closing(campaign: Campaign) -> Iterator[Campaign]:
    """A transaction in which nobody votes and nothing settles in this campaign, after all in flight has ended.

    Yields the campaign as it is now. Two workers: the second waits for the first. Raises ClosingError before the
    bell (by the database's clock), OperationalError when the wait lasts too long.
    """
    with transaction.atomic():
        locks.hold_campaign(campaign.pk)
        fresh = Campaign.objects.select_related("fund__legal_holder").get(pk=campaign.pk)
        if fresh.closes_at > database_now():
            raise ClosingError("The collection is still open.")
        yield fresh


def settle_open_payments(campaign: Campaign) -> int:
    """Before the bell's transaction: ask the provider about every payment that may still be captured.

    Returns how many are still open afterwards.
    """
    from participation.payments.settlement import settle_payment

    still_open = Payment.objects.filter(contribution__campaign=campaign, state__in=Payment.OPEN)
    for payment in still_open.select_related("contribution").iterator(chunk_size=500):
        settle_payment(payment)
    return still_open.count()


def snapshot(campaign: Campaign, *, in_time_order: bool = False) -> Snapshot:
    """The counted contributions and the ledger's figures. Exact inside `closing`; a rehearsal elsewhere."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp() + %s", [clock_shift()])
        taken_at = cursor.fetchone()[0]
        if in_time_order:
            cursor.execute(
                f"""SELECT {_DONOR}, c.project_id, c.amount_cents, c.matchable
                   FROM {_GIFTS}
                   WHERE c.campaign_id = %s AND c.state = 'counted' ORDER BY c.counted_at, c.id""",  # noqa: S608
                [campaign.pk],
            )
        else:
            cursor.execute(
                f"""SELECT {_DONOR}, c.project_id, sum(c.amount_cents)::bigint, c.matchable
                   FROM {_GIFTS}
                   WHERE c.campaign_id = %s AND c.state = 'counted' GROUP BY 1, 2, 4 ORDER BY 2, 1, 4 DESC""",  # noqa: S608
                [campaign.pk],
            )
        rows: list[GiftRow] = cursor.fetchall()
        cursor.execute(
            f"""SELECT p.id, coalesce(c.cents, 0)::bigint, coalesce(c.donors, 0),
                      coalesce((SELECT abonde_ledger_balance(a.id) FROM abonde_participation_ledgeraccount a
                                WHERE a.holder_id = %(holder)s AND a.code = 'escrow:' || p.id), 0)
               FROM abonde_defis_project p
               LEFT JOIN (SELECT c.project_id, sum(c.amount_cents) AS cents, count(DISTINCT {_DONOR}) AS donors
                          FROM {_GIFTS}
                          WHERE c.campaign_id = %(campaign)s AND c.state = 'counted' GROUP BY 1) c ON c.project_id = p.id
               WHERE p.campaign_id = %(campaign)s AND (c.cents IS NOT NULL OR p.status = 'preselected')
               ORDER BY p.id""",  # noqa: S608
            {"campaign": campaign.pk, "holder": campaign.fund.legal_holder_id},
        )
        projects = [ProjectHeld(*row) for row in cursor.fetchall()]
        cursor.execute(
            """SELECT count(*) FILTER (WHERE p.state IN ('created', 'pending')),
                      count(*) FILTER (WHERE p.state = 'review')
               FROM abonde_participation_payment p
               JOIN abonde_participation_contribution c ON c.id = p.contribution_id
               WHERE c.campaign_id = %s AND p.state IN ('created', 'pending', 'review')""",
            [campaign.pk],
        )
        open_payments, review_payments = cursor.fetchone()
    return Snapshot(campaign.pk, taken_at, rows, projects, open_payments, review_payments)
