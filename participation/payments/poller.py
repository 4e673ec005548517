"""Ask again about payments that nobody has told us the end of."""

import logging
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from defis.clock import clock_shift
from participation.payments.models import Payment
from participation.payments.settlement import settle_payment

logger = logging.getLogger("abonde.money")

# Longer than any provider's call: nobody else asks about a claimed payment meanwhile.
LEASE = timedelta(minutes=5)


def check_open_payments(*, limit: int = 200) -> int:
    """Ask the providers about the open payments whose time has come; returns how many were asked.

    Safe with several workers: each payment is claimed under a lease that ends by itself if we die.
    """
    payments = _claim(limit)
    for payment in payments:
        settle_payment(payment)
    return len(payments)


def _claim(limit: int) -> list[Payment]:
    parameters: dict[str, Any] = {"shift": clock_shift(), "lease": LEASE, "limit": limit}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """UPDATE abonde_participation_payment SET lease_until = statement_timestamp() + %(shift)s + %(lease)s
               WHERE id IN (
                 SELECT id FROM abonde_participation_payment
                 WHERE state IN ('created', 'pending') AND next_check_at <= statement_timestamp() + %(shift)s
                   AND (lease_until IS NULL OR lease_until <= statement_timestamp() + %(shift)s)
                 ORDER BY next_check_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
               ) RETURNING id""",
            parameters,
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Payment.objects.filter(pk__in=ids).select_related("contribution").order_by("next_check_at"))
