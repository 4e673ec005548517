"""Mails that we owe to somebody: written once per event, in the transaction of the event, sent by a worker."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.db.models import F
from django.utils import translation

from defis.clock import database_now
from participation.identity.models import Person
from participation.notifications.models import Message
from participation.notifications.texts import render

logger = logging.getLogger("abonde.messages")

MAX_ATTEMPTS = 8


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One message to write: `key` is the event's, so that the same event writes to nobody twice."""

    key: str
    kind: str
    person: Person | None = None
    to: str = ""
    language: str = ""
    context: dict[str, Any] = field(default_factory=dict)


def queue(
    *,
    key: str,
    kind: str,
    person: Person | None = None,
    to: str = "",
    language: str = "",
    context: dict[str, Any] | None = None,
) -> None:
    """Write a message in the caller's transaction. Nobody to write to (erased, no address): nothing happens.

    `kind` is one of `texts.TEXTS`; amounts in `context` are cents under names that end with `cents`.
    """
    queue_many([Letter(key=key, kind=kind, person=person, to=to, language=language, context=context or {})])


def queue_many(letters: Iterable[Letter]) -> None:
    """Write many messages in one statement; those of a known key are left as they are."""
    messages = []
    for letter in letters:
        to = letter.to or (letter.person.email if letter.person else "")
        if not to:
            continue
        language = letter.language or (letter.person.language if letter.person else settings.LANGUAGE_CODE)
        with translation.override(language):
            rendered = render(letter.kind, letter.context, language)
        messages.append(
            Message(
                key=letter.key[:200],
                kind=letter.kind[:32],
                person=letter.person,
                to=to,
                language=language,
                subject=rendered.subject[:200],
                text=rendered.text,
                html=rendered.html,
            )
        )
    if messages:
        Message.objects.bulk_create(messages, ignore_conflicts=True, batch_size=500)


def send_messages(*, limit: int = 500) -> int:
    """Send what is waiting, oldest first; returns how many left. Safe with several workers.

    Each message is claimed and marked in its own transaction. A crash after the mail server's yes and before ours
    sends one mail twice: the mail carries its key as Message-ID so that a mail program shows it once.
    """
    sent = 0
    mailer = get_connection()
    mailer.open()
    try:
        while sent < limit and _send_next(mailer):
            sent += 1
    finally:
        mailer.close()
    return sent


def _send_next(mailer) -> bool:
    with transaction.atomic(durable=True):
        message = (
            Message.objects.select_for_update(skip_locked=True)
            .filter(state=Message.State.QUEUED)
            .order_by("attempts", "pk")
            .first()
        )
        if message is None:
            return False
        domain = settings.PUBLIC_ORIGIN.split("//")[-1].split("/")[0].split(":")[0]
        mail = EmailMultiAlternatives(
            message.subject,
            message.text,
            to=[message.to],
            connection=mailer,
            headers={
                "Message-ID": f"<{message.key.replace(':', '.')}@{domain}>",
                "Auto-Submitted": "auto-generated",
            },
        )
        if message.html:
            mail.attach_alternative(message.html, "text/html")
        try:
            mail.send()
        except OSError as error:
            logger.warning("message.failed key=%s error=%s", message.key, error)
            Message.objects.filter(pk=message.pk).update(
                attempts=F("attempts") + 1,
                state=Message.State.FAILED if message.attempts + 1 >= MAX_ATTEMPTS else Message.State.QUEUED,
            )
            return False
        Message.objects.filter(pk=message.pk).update(state=Message.State.SENT, sent_at=database_now())
    return True
