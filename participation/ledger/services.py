"""The only door into the ledger: `post`, once per event."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction

from defis.clock import clock_shift
from defis.models import Campaign, Organisation
from participation.ledger.accounts import Account, account_ids
from participation.ledger.models import LedgerTransaction
from participation.payments.models import Payment, Refund

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

Line = tuple[Account, Account, int]


class EventKeyReused(Exception):
    """The same event was posted before with other lines: nothing is written, a human must look."""


@dataclass(frozen=True, kw_only=True)
class Posting:
    """One event to write: `lines` are (debit, credit, cents)."""

    event_key: str
    kind: str
    lines: Sequence[Line]
    campaign_id: int | None = None
    payment_id: int | None = None
    refund_id: int | None = None
    reason: str = ""
    user_id: int | None = None


def post(
    *,
    event_key: str,
    kind: str,
    holder: Organisation,
    lines: Sequence[Line],
    campaign: Campaign | None = None,
    payment: Payment | None = None,
    refund: Refund | None = None,
    reason: str = "",
    user: "AbstractBaseUser | None" = None,
) -> LedgerTransaction:
    """Write one event of a holder: lines of (debit, credit, cents), in one atomic step.

    The same `event_key` again returns the first transaction and writes nothing. Lines of 0 cents are left out.
    Raises EventKeyReused (same key, other lines), ValueError (no line, negative cents) and IntegrityError
    (overdraft, account of another holder).
    """
    posting = Posting(
        event_key=event_key,
        kind=kind,
        lines=lines,
        campaign_id=campaign.pk if campaign else None,
        payment_id=payment.pk if payment else None,
        refund_id=refund.pk if refund else None,
        reason=reason,
        user_id=user.pk if user else None,
    )
    post_many(holder=holder, postings=[posting])
    return LedgerTransaction.objects.get(event_key=event_key)


def post_many(*, holder: Organisation, postings: Iterable[Posting]) -> int:
    """Write many events of one holder in one statement; returns how many were new.

    Same rules and errors as `post`, for the whole: all or nothing.
    """
    postings = [_clean(posting) for posting in postings]
    if not postings:
        return 0
    with transaction.atomic(savepoint=False):
        ids = account_ids(holder.pk, {a for p in postings for line in p.lines for a in line[:2]})
        lines = [
            (i, ids[d.code], ids[c.code], cents) for i, p in enumerate(postings) for d, c, cents in p.lines
        ]
        with connection.cursor() as cursor:
            cursor.execute(
                """WITH new AS (
                     INSERT INTO abonde_participation_ledgertransaction
                       (holder_id, event_key, kind, campaign_id, payment_id, refund_id, reason, posted_by_id, posted_at)
                     SELECT %(holder)s, event_key, kind, campaign, payment, refund, reason, posted_by,
                            statement_timestamp() + %(shift)s
                     FROM unnest(%(keys)s::text[], %(kinds)s::text[], %(campaigns)s::bigint[], %(payments)s::bigint[],
                                 %(refunds)s::bigint[], %(reasons)s::text[], %(users)s::int[])
                       AS given (event_key, kind, campaign, payment, refund, reason, posted_by)
                     ON CONFLICT (event_key) DO NOTHING
                     RETURNING id, event_key
                   ), entries AS (
                     INSERT INTO abonde_participation_ledgerentry (transaction_id, debit_id, credit_id, amount_cents)
                     SELECT new.id, l.debit, l.credit, l.cents
                     FROM unnest(%(position)s::int[], %(debits)s::bigint[], %(credits)s::bigint[], %(cents)s::bigint[])
                       AS l (position, debit, credit, cents)
                     JOIN new ON new.event_key = (%(keys)s::text[])[l.position + 1]
                   )
                   SELECT event_key FROM new""",
                {
                    "holder": holder.pk,
                    "shift": clock_shift(),
                    "keys": [p.event_key for p in postings],
                    "kinds": [p.kind for p in postings],
                    "campaigns": [p.campaign_id for p in postings],
                    "payments": [p.payment_id for p in postings],
                    "refunds": [p.refund_id for p in postings],
                    "reasons": [p.reason for p in postings],
                    "users": [p.user_id for p in postings],
                    "position": [line[0] for line in lines],
                    "debits": [line[1] for line in lines],
                    "credits": [line[2] for line in lines],
                    "cents": [line[3] for line in lines],
                },
            )
            new = {row[0] for row in cursor.fetchall()}
    repeated = [p for p in postings if p.event_key not in new]
    if repeated:
        _same_as_before(holder.pk, repeated, ids)
    return len(new)


def is_posted(event_key: str) -> bool:
    """True when this event is in the ledger."""
    return LedgerTransaction.objects.filter(event_key=event_key).exists()


def posted_at(event_key: str) -> datetime | None:
    """When this event was written (UTC), None if never."""
    return LedgerTransaction.objects.filter(event_key=event_key).values_list("posted_at", flat=True).first()


def balance_of(holder: Organisation, account: Account) -> int:
    """Cents on the account's own side, now; 0 for an account nobody used."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT abonde_ledger_balance(id) FROM abonde_participation_ledgeraccount
               WHERE holder_id = %s AND code = %s""",
            [holder.pk, account.code],
        )
        row = cursor.fetchone()
    return row[0] if row else 0


def _clean(posting: Posting) -> Posting:
    if any(cents < 0 for _, _, cents in posting.lines):
        raise ValueError(f"{posting.event_key}: an amount is negative; swap debit and credit instead.")
    lines = [line for line in posting.lines if line[2]]
    if not lines:
        raise ValueError(f"{posting.event_key}: nothing to post.")
    return Posting(**{**posting.__dict__, "lines": lines})


def _same_as_before(holder_id: int, postings: list[Posting], ids: dict[str, int]) -> None:
    """The repeated events say what they said the first time, or EventKeyReused."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT t.event_key, t.holder_id, array_agg(ARRAY[e.debit_id, e.credit_id, e.amount_cents])
               FROM abonde_participation_ledgertransaction t
               JOIN abonde_participation_ledgerentry e ON e.transaction_id = t.id
               WHERE t.event_key = ANY (%s) GROUP BY 1, 2""",
            [[p.event_key for p in postings]],
        )
        before = {key: (holder, sorted(map(tuple, lines))) for key, holder, lines in cursor.fetchall()}
    for posting in postings:
        lines = sorted((ids[d.code], ids[c.code], cents) for d, c, cents in posting.lines)
        if before.get(posting.event_key) != (holder_id, lines):
            raise EventKeyReused(f"{posting.event_key} was posted with other lines.")
