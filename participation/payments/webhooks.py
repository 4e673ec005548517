"""What a provider sends: checked, kept as it came, then looked into by a worker."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Q
from psycopg.types.json import Jsonb

from defis.clock import clock_shift, database_now
from participation.payments.models import Payment, ProviderEvent
from participation.payments.port import Hint, provider_for

logger = logging.getLogger("abonde.money")


def intake_webhook(
    provider: str, headers: Mapping[str, str], body: bytes, *, remote_ip: str = ""
) -> list[ProviderEvent]:
    """Keep the provider's messages, each once; returns those seen for the first time.

    One statement per message and no call to the provider: hand the result to `handle_event` in a worker.
    Raises WebhookRejected.
    """
    hints = provider_for(provider).parse_webhook(headers, body, remote_ip=remote_ip)
    return [event for hint in hints if (event := _keep(provider, hint)) is not None]


def handle_event(event_id: int) -> None:
    """Look into the payment that the message is about. Any number of times, in any order."""
    from participation.payments.settlement import settle_payment

    event = ProviderEvent.objects.get(pk=event_id)
    payment = payment_of_event(event)
    if payment is None:
        logger.warning("event.unknown provider=%s event=%s", event.provider, event.event_id)
    else:
        # The message may be faster than the answer that told us the reference.
        payment.provider_reference = payment.provider_reference or event.provider_reference
        settle_payment(payment)
    ProviderEvent.objects.filter(pk=event.pk).update(handled_at=database_now())


def handle_events(limit: int = 200) -> int:
    """What no worker has looked into yet, oldest first (a queue that was lost loses nothing)."""
    waiting = (
        ProviderEvent.objects.filter(handled_at__isnull=True).order_by("pk").values_list("pk", flat=True)
    )
    handled = 0
    for event_id in list(waiting[:limit]):
        handle_event(event_id)
        handled += 1
    return handled


def payment_of_event(event: ProviderEvent) -> Payment | None:
    """The payment of ours that the message names, if any."""
    hint = event.payload.get("_hint", {})
    names = Q(pk__in=[])
    if event.provider_reference:
        names |= Q(provider_reference=event.provider_reference)
    if key := hint.get("our_key"):
        names |= Q(key=key)
    if charge := hint.get("provider_payment"):
        names |= Q(provider_payment=charge)
    return Payment.objects.select_related("contribution").filter(names, provider=event.provider).first()


def _keep(provider: str, hint: Hint) -> ProviderEvent | None:
    payload = {
        **hint.payload,
        "_hint": {
            "our_key": str(hint.our_key) if hint.our_key else None,
            "provider_payment": hint.provider_payment,
        },
    }
    parameters: list[Any] = [
        provider,
        hint.event_id,
        hint.kind[:64],
        hint.provider_reference,
        Jsonb(payload),
        clock_shift(),
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO abonde_participation_providerevent
                 (provider, event_id, kind, provider_reference, payload, received_at, deliveries)
               VALUES (%s, %s, %s, %s, %s, statement_timestamp() + %s, 1)
               ON CONFLICT (provider, event_id)
               DO UPDATE SET deliveries = abonde_participation_providerevent.deliveries + 1
               RETURNING id, deliveries""",
            parameters,
        )
        pk, deliveries = cursor.fetchone()
    if deliveries > 1:
        return None
    return ProviderEvent(
        pk=pk,
        provider=provider,
        event_id=hint.event_id,
        kind=hint.kind[:64],
        provider_reference=hint.provider_reference,
        payload=payload,
    )
