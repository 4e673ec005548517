"""What a person may take with her, what is forgotten when she goes, and what time makes us forget.

Identity, residence and contributions live in three places. An erasure empties the first two; the third keeps its
amounts without a name, because accounts must be kept (code de commerce, article L123-22: ten years).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from defis.clock import DatabaseNow, database_now
from defis.models import Campaign
from participation.contributions.models import Contribution
from participation.identity.models import AttemptCount, Person
from participation.identity.services import close_user
from participation.notifications.models import Message
from participation.payments.models import Payment
from participation.receipts.models import FiscalReceipt
from participation.residency.models import ResidencyLetter, ResidencyProof, ResidentList

# A letter that nobody used keeps its street this long after its code died.
LETTER_KEPT = timedelta(days=30)


class ErasureWaits(Exception):
    """Not now: `message` says why and until when."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _said(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def export_person(*, person: Person) -> dict[str, Any]:
    """Everything tied to this person, as plain data; amounts in cents, times in UTC."""
    contributions = Contribution.objects.filter(person=person).select_related("project", "campaign")
    return {
        "exported_at": _said(database_now()),
        "identity": {
            "public_id": str(person.public_id),
            "name": person.display_name,
            "email": person.email,
            "language": person.language,
            "proved_to_be_at_least": person.proved_age,
            "proved_on": _said(person.proved_age_at),
            "first_seen": _said(person.created_at),
            "last_seen": _said(person.last_seen_at),
            "ways_to_sign_in": [
                {
                    "provider": identity.provider,
                    "issuer": identity.issuer,
                    "subject": identity.subject,
                    "linked_at": _said(identity.linked_at),
                    "last_sign_in": _said(identity.last_login_at),
                }
                for identity in person.identities.order_by("pk")
            ],
        },
        "residence": {
            "proofs": [
                {
                    "territory": proof.territory.name,
                    "method": proof.method,
                    "result": proof.result,
                    "reason": proof.reason,
                    "commune": proof.commune.name if proof.commune else None,
                    "postal_code": proof.postal_code,
                    "statement": proof.statement_version,
                    "checked_at": _said(proof.checked_at),
                    "expires_at": _said(proof.expires_at),
                }
                for proof in person.residency_proofs.select_related("territory", "commune")
            ],
            "letters": [
                {
                    "territory": letter.territory.name,
                    "recipient": letter.recipient,
                    "street": letter.street,
                    "postal_code": letter.postal_code,
                    "requested_at": _said(letter.requested_at),
                    "used_at": _said(letter.used_at),
                }
                for letter in person.letters.select_related("territory")
            ],
        },
        "contributions": [
            {
                "reference": contribution.reference,
                "campaign": contribution.campaign.name,
                "project": contribution.project.title,
                "amount_cents": contribution.amount_cents,
                "public_name": contribution.public_name,
                "state": contribution.state,
                "started_at": _said(contribution.created_at),
                "counted_at": _said(contribution.counted_at),
                "payments": list(_payments(contribution)),
            }
            for contribution in contributions.prefetch_related("payments__refunds")
        ],
        # Kept by law with the accounts of who issued them.
        "fiscal_receipts": [
            {
                "number": f"{receipt.year}-{receipt.number}",
                "amount_cents": receipt.amount_cents,
                "name": receipt.donor_name,
                "address": receipt.donor_address,
                "given_on": receipt.given_on.isoformat(),
            }
            for receipt in FiscalReceipt.objects.filter(payment__contribution__person=person)
        ],
        "messages": [
            {
                "to": message.to,
                "subject": message.subject,
                "text": message.text,
                "sent_at": _said(message.sent_at),
            }
            for message in Message.objects.filter(person=person)
        ],
    }


def _payments(contribution: Contribution) -> Iterator[dict[str, Any]]:
    for payment in contribution.payments.all():
        yield {
            "provider": payment.provider,
            "reference": payment.provider_reference,
            "amount_cents": payment.amount_cents,
            "state": payment.state,
            "paid_at": _said(payment.paid_at),
            "refunds": [
                {"amount_cents": refund.amount_cents, "reason": refund.reason, "state": refund.state}
                for refund in payment.refunds.all()
            ],
        }


def why_erasure_waits(person: Person) -> str:
    """The sentence that says why not now; "" when nothing stands in the way."""
    user = person.user
    if user is not None and (user.is_superuser or user.groups.exists()):
        return _("Your account works for the site. Please ask its administrator to delete it.")
    if Payment.objects.filter(contribution__person=person, state__in=Payment.OPEN).exists():
        return _("A payment of yours is waiting for the bank. You can delete your account when it has ended.")
    refused = person.residency_proofs.filter(result="refused").values("territory")
    running = Campaign.objects.filter(
        fund__territory__in=refused, published_at__isnull=True, opens_at__lte=DatabaseNow()
    )
    if running.exists():
        # Otherwise a refused declaration could be made again under a new account.
        return _(
            "A declaration of yours was refused. You can delete your account when the results are published."
        )
    return ""


@transaction.atomic
def erase_person(*, person: Person) -> Person:
    """Forget who and where; keep what was given, without a name. Raises ErasureWaits.

    The voter of each campaign stays, under a keyed hash: whoever comes back finds her ceiling as she left it.
    """
    locked = Person.objects.select_for_update(of=("self",)).select_related("user").get(pk=person.pk)
    if waits := why_erasure_waits(locked):
        raise ErasureWaits(waits)
    locked.contributions.update(person=None, public_name="")
    Message.objects.filter(person=locked).delete()
    locked.residency_proofs.all().delete()
    locked.letters.all().delete()
    locked.memberships.all().delete()
    locked.identities.all().delete()
    user, locked.user = locked.user, None
    locked.display_name = locked.email = ""
    locked.proved_age = locked.proved_age_at = locked.last_seen_at = None
    locked.erased_at = database_now()
    locked.save()
    if user is not None:
        close_user(user)
    return locked


# --- What time makes us forget --------------------------------------------------------------------------
def forgotten_people(now: datetime) -> QuerySet[Person]:
    """People unseen for ABONDE_RETENTION_DAYS, with nothing in a campaign that is not published."""
    before = now - timedelta(days=settings.ABONDE_RETENTION_DAYS)
    seen = Q(last_seen_at__lt=before) | Q(last_seen_at__isnull=True, created_at__lt=before)
    busy = Contribution.objects.filter(campaign__published_at__isnull=True, person__isnull=False).values(
        "person"
    )
    return (
        Person.objects.filter(seen, erased_at__isnull=True)
        .exclude(pk__in=busy)
        .exclude(Q(user__is_superuser=True) | Q(user__groups__isnull=False))
        .order_by("pk")
    )


def retention(*, dry_run: bool) -> dict[str, int]:
    """Forget what is too old; how many of each. A dry run counts and changes nothing."""
    now = database_now()
    expired = now - timedelta(days=settings.ABONDE_RETENTION_DAYS)
    dead_letters = ResidencyLetter.objects.filter(
        Q(expires_at__lt=now - LETTER_KEPT)
        | Q(batch__isnull=True, requested_at__lt=now - timedelta(days=365)),
        used_at__isnull=True,
        cancelled_at__isnull=True,
    )
    counted: dict[str, QuerySet[Any]] = {
        "lists of residents that ended": ResidentList.objects.filter(expires_at__lt=now),
        "proofs that ended long ago": ResidencyProof.objects.filter(expires_at__lt=expired),
        "messages": Message.objects.filter(created_at__lt=expired).exclude(state=Message.State.QUEUED),
        "attempt counts": AttemptCount.objects.filter(window__lt=now - timedelta(days=1)),
        "sessions": Session.objects.filter(expire_date__lt=now),
    }
    done = {name: rows.count() for name, rows in counted.items()}
    done["streets of letters"] = dead_letters.count()
    people = list(forgotten_people(now))
    done["people"] = len(people)
    if dry_run:
        return done
    for rows in counted.values():
        rows.delete()
    dead_letters.update(recipient="", street="", code_digest="", cancelled_at=now)
    done["people"] = sum(_erase_quietly(person) for person in people)
    return done


def _erase_quietly(person: Person) -> bool:
    try:
        erase_person(person=person)
    except ErasureWaits:
        return False
    return True
