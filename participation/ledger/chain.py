"""The daily seal of a holder's ledger: a digest of the day's entries, chained to the day before.

Triggers refuse to rewrite the past; an owner of the database can drop triggers. The chain makes that visible: copy
the last digest out of the database (it is printed by `manage.py seal_ledger_days`) and nobody can rewrite unseen.
"""

import hashlib
from collections.abc import Iterator

from django.db import connection, transaction

from defis.clock import database_now
from defis.models import Organisation
from participation.ledger.models import LedgerDay


def seal_days() -> list[LedgerDay]:
    """Seal what each holder posted since its last seal; returns the new seals. Once a day and holder.

    Waits for the transactions that are writing (10 seconds at most), so that no smaller number appears later.
    Raises OperationalError when they take longer: try again.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        # With it, no INSERT is under way: every number up to the greatest is final.
        cursor.execute("LOCK TABLE abonde_participation_ledgertransaction IN SHARE MODE")
        cursor.execute(
            "SELECT holder_id, max(id) FROM abonde_participation_ledgertransaction GROUP BY 1 ORDER BY 1"
        )
        heads = cursor.fetchall()
    today = database_now().date()
    seals = []
    for holder_id, head in heads:
        with transaction.atomic():
            last = LedgerDay.objects.filter(holder_id=holder_id).order_by("-last_transaction", "-pk").first()
            if last is not None and (last.day >= today or last.last_transaction >= head):
                continue
            after = last.last_transaction if last else 0
            previous = last.sha256 if last else ""
            sha256, entries = digest(holder_id, after, head, previous)
            seals.append(
                LedgerDay.objects.create(
                    holder_id=holder_id,
                    day=today,
                    last_transaction=head,
                    entries=entries,
                    sha256=sha256,
                    previous_sha256=previous,
                )
            )
    return seals


def digest(holder_id: int, after: int, until: int, previous: str) -> tuple[str, int]:
    """SHA-256 (hex) of the previous seal and the holder's entries numbered in (after, until]; and their number.

    One line per entry, in order: transaction, event, kind, instant (UTC), debit, credit, cents.
    """
    sha256 = hashlib.sha256(previous.encode())
    entries = 0
    for line in _lines(holder_id, after, until):
        sha256.update(line.encode())
        entries += 1
    return sha256.hexdigest(), entries


def broken_links(holder: Organisation | None = None, *, recompute: bool) -> list[str]:
    """What does not fit in the chain, in words; with `recompute`, every sealed entry is digested again."""
    wrong = []
    days = LedgerDay.objects.select_related("holder").order_by("holder_id", "last_transaction")
    if holder is not None:
        days = days.filter(holder=holder)
    before: LedgerDay | None = None
    for day in days:
        if before is not None and before.holder_id != day.holder_id:
            before = None
        previous = before.sha256 if before else ""
        if day.previous_sha256 != previous:
            wrong.append(f"{day.holder} {day.day}: does not follow the seal of the day before")
        elif recompute:
            after = before.last_transaction if before else 0
            if digest(day.holder_id, after, day.last_transaction, previous) != (day.sha256, day.entries):
                wrong.append(f"{day.holder} {day.day}: the entries are not those that were sealed")
        before = day
    return wrong


def _lines(holder_id: int, after: int, until: int) -> Iterator[str]:
    # A named cursor: a day of a million entries does not fit in memory for pleasure.
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(
            """SELECT t.id || '|' || t.event_key || '|' || t.kind || '|'
                      || to_char(t.posted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '|'
                      || d.code || '|' || c.code || '|' || e.amount_cents || E'\\n'
               FROM abonde_participation_ledgertransaction t
               JOIN abonde_participation_ledgerentry e ON e.transaction_id = t.id
               JOIN abonde_participation_ledgeraccount d ON d.id = e.debit_id
               JOIN abonde_participation_ledgeraccount c ON c.id = e.credit_id
               WHERE t.holder_id = %s AND t.id > %s AND t.id <= %s ORDER BY t.id, e.id""",
            [holder_id, after, until],
        )
        while rows := cursor.fetchmany(5000):
            yield from (row[0] for row in rows)
