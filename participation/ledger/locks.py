"""Advisory locks of money, each behind a function of its own: a test takes one out and sees what it prevents.

Order, always: campaign, then voter or payment, then ledger accounts (taken by the database itself, sorted).
All end with the transaction. Keys are in one bigint: the kind in the top byte, the row's id below.
"""

from django.db import connection

from participation.payments.models import Payment

_CAMPAIGN = 1 << 56
_STATISTICS = 3 << 56


def share_campaign(campaign_id: int) -> None:
    """Say "somebody's money is moving in this campaign". Never waits for another vote, only for a closing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_CAMPAIGN | campaign_id])


def hold_campaign(campaign_id: int, *, seconds: int = 30) -> None:
    """Wait until every vote and settlement in flight has ended, then keep others out until commit.

    Raises django.db.OperationalError after `seconds`.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true), pg_advisory_xact_lock(%s)",
            [f"{seconds}s", _CAMPAIGN | campaign_id],
        )


def hold_voter(voter_id: int) -> int:
    """One human's gifts pass one after the other: sum them only after this (READ COMMITTED snapshots).

    Returns the voter that this one is or leads to: the row locked.
    """
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT merged_into_id FROM abonde_participation_voter WHERE id = %s FOR UPDATE", [voter_id]
            )
            leads_to = cursor.fetchone()[0]
        if leads_to is None:
            return voter_id
        voter_id = leads_to


def hold_voter_of(*, person_id: int, campaign_id: int) -> int | None:
    """Lock the voter that this account is in this campaign; its id, or None when it never gave here."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT v.id, v.merged_into_id FROM abonde_participation_votermembership m
               JOIN abonde_participation_voter v ON v.id = m.voter_id
               WHERE m.person_id = %s AND m.campaign_id = %s FOR UPDATE OF v""",
            [person_id, campaign_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return row[0] if row[1] is None else hold_voter(row[1])


def hold_payment(payment_id: int) -> Payment:
    """The payment as it is now, nobody else changing it until commit."""
    return (
        Payment.objects.select_for_update(of=("self",))
        .select_related(
            "contribution__campaign__fund__legal_holder", "contribution__project", "contribution__person"
        )
        .get(pk=payment_id)
    )


def try_statistics() -> bool:
    """True for one worker at a time; the others have nothing to do."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_STATISTICS])
        return cursor.fetchone()[0]
