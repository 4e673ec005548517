"""Gifts of an election that already took place, written in bulk as envelopes (no card, no provider)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

from defis.models import Campaign, Project
from defis.models.references import new_reference
from participation.contributions.models import Contribution
from participation.identity.digests import voter_digest
from participation.identity.models import Voter
from participation.ledger import accounts, locks
from participation.ledger.services import Posting, post_many
from participation.payments.models import Payment

PROVIDER = "allowance"
BATCH = 5_000


class ImportRefused(Exception):
    """The campaign collects real money: nothing may be written beside its provider."""


@dataclass(frozen=True, slots=True)
class Gift:
    """What an imported voter gave to a project of the campaign, in cents."""

    voter: str
    project: Project
    cents: int


def import_gifts(*, campaign: Campaign, gifts: Iterable[Gift], given_at: datetime) -> int:
    """Record gifts as counted contributions, paid by an envelope, posted in the ledger; returns how many were new.

    Idempotent: a gift is known by (campaign, voter, project). `given_at` is the instant of all of them (UTC).
    Only for a campaign whose provider is the envelope; raises ImportRefused otherwise.
    """
    if campaign.collection_provider != PROVIDER:
        raise ImportRefused(f"{campaign} collects by {campaign.collection_provider}, not by envelopes.")
    return sum(_import_batch(campaign, batch, given_at) for batch in _batches(gifts))


def _batches(gifts: Iterable[Gift]) -> Iterator[Sequence[Gift]]:
    iterator = iter(gifts)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _key(campaign: Campaign, gift: Gift) -> UUID:
    return uuid5(
        NAMESPACE_URL,
        "\x1f".join(("abonde-import/1", campaign.reference, gift.voter, gift.project.reference)),
    )


@transaction.atomic
def _import_batch(campaign: Campaign, batch: Sequence[Gift], given_at: datetime) -> int:
    locks.hold_campaign(campaign.pk)
    keys = {_key(campaign, gift): gift for gift in batch}
    known = set(
        Contribution.objects.filter(idempotency_key__in=keys).values_list("idempotency_key", flat=True)
    )
    new = {key: gift for key, gift in keys.items() if key not in known}
    voters = _voters(campaign, {gift.voter for gift in new.values()})
    contributions = Contribution.objects.bulk_create(
        Contribution(
            reference=new_reference(),
            campaign=campaign,
            project=gift.project,
            voter_id=voters[gift.voter],
            amount_cents=gift.cents,
            state=Contribution.State.COUNTED,
            idempotency_key=key,
            rules_version=campaign.rules_version,
            created_at=given_at,
            counted_at=given_at,
        )
        for key, gift in new.items()
    )
    payments = Payment.objects.bulk_create(
        Payment(
            contribution=contribution,
            provider=PROVIDER,
            key=uuid5(contribution.idempotency_key, "payment"),
            provider_reference=str(uuid5(contribution.idempotency_key, "payment")),
            provider_payment=str(uuid5(contribution.idempotency_key, "payment")),
            amount_cents=contribution.amount_cents,
            captured_cents=contribution.amount_cents,
            state=Payment.State.PAID,
            paid_at=given_at,
            created_at=given_at,
            asked_at=given_at,
        )
        for contribution in contributions
    )
    post_many(
        holder=campaign.fund.legal_holder,
        postings=[
            Posting(
                event_key=f"payment:{payment.key}:paid",
                kind="payment",
                lines=[
                    (
                        accounts.clearing(PROVIDER),
                        accounts.escrow(campaign.pk, payment.contribution.project_id),
                        payment.amount_cents,
                    )
                ],
                campaign_id=campaign.pk,
                payment_id=payment.pk,
                reason="imported election",
            )
            for payment in payments
        ],
    )
    return len(contributions)


def _voters(campaign: Campaign, names: set[str]) -> dict[str, int]:
    """Imported name -> voter's pk, made where missing."""
    digests = {voter_digest(campaign.reference, "import/1", name): name for name in names}
    Voter.objects.bulk_create(
        [Voter(campaign=campaign, digest=digest) for digest in sorted(digests)], ignore_conflicts=True
    )
    rows = Voter.objects.filter(campaign=campaign, digest__in=digests).values_list("digest", "pk")
    return {digests[digest]: pk for digest, pk in rows}
