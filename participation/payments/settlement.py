"""The provider's word, asked for, compared, and written once. Webhook, browser return and poller all end here."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from defis.clock import database_now
from defis.models import Project
from participation.contributions.models import Contribution
from participation.contributions.selectors import ceiling_of, engaged_cents
from participation.ledger import accounts, locks
from participation.ledger.selectors import is_settled
from participation.ledger.services import Line, post
from participation.notifications.services import queue
from participation.payments.failpoints import failpoint
from participation.payments.models import Payment, Refund
from participation.payments.port import (
    CURRENCY,
    PaymentState,
    ProviderError,
    Snapshot,
    UnknownReference,
    provider_for,
)
from participation.payments.refunds_orders import cancel_unsent, insert_refund, look_at_refunds
from participation.payments.webhooks import intake_webhook
from participation.residency.models import ResidencyProof

__all__ = ["apply_snapshot", "intake_webhook", "settle_payment"]

logger = logging.getLogger("abonde.money")

# After the n-th look without an answer, wait so many minutes; then the last one, for ever.
PATIENCE = [1, 2, 2, 5, 5, 10, 30, 60]
# A page is dead this long after the provider's own figure: clocks differ.
PAGE_MARGIN = timedelta(minutes=10)


def settle_payment(payment: Payment) -> Payment:
    """Ask the provider about this payment and write what it says, once, in any order, any number of times.

    The call is made outside the transaction. Amount, currency and key must equal ours, else `review`.
    A provider that does not answer changes nothing: the poller asks again. Returns the payment as it is now.
    """
    if not payment.provider_reference:
        # Its page was never shown to anybody, even if the provider opened one.
        return _never_seen(payment)
    provider = provider_for(payment.provider)
    try:
        snapshot = provider.fetch(
            payment.provider_reference, key=payment.key, provider_payment=payment.provider_payment
        )
    except UnknownReference:
        return _never_seen(payment)
    except ProviderError as error:
        logger.info("payment.unanswered key=%s error=%s", payment.key, error)
        _ask_later(payment, str(error))
        return Payment.objects.get(pk=payment.pk)
    failpoint("settle.fetched")
    settled = apply_snapshot(payment, snapshot)
    if snapshot.refunded_cents and settled.state in {
        Payment.State.PAID,
        Payment.State.REFUND_DUE,
        Payment.State.DISPUTED,
    }:
        settled = look_at_refunds(settled)
    return settled


def apply_snapshot(payment: Payment, snapshot: Snapshot) -> Payment:
    """Write what `fetch()` said (one transaction; campaign shared, payment locked)."""
    with transaction.atomic(durable=True):
        locks.share_campaign(payment.contribution.campaign_id)
        held = locks.hold_payment(payment.pk)
        _apply(held, snapshot, database_now())
        failpoint("settle.written")
    failpoint("settle.committed")
    return held


# --- What the provider may say --------------------------------------------------------------------------


def _apply(payment: Payment, snapshot: Snapshot, now: datetime) -> None:
    waiting = payment.state in Payment.OPEN or (
        payment.state == Payment.State.REVIEW and payment.captured_cents is None
    )
    if not payment.provider_reference and payment.state != Payment.State.REVIEW:
        payment.provider_reference = snapshot.provider_reference
    if snapshot.provider_payment:
        payment.provider_payment = snapshot.provider_payment
    if difference := _difference(payment, snapshot):
        if payment.state not in {Payment.State.REFUNDED, Payment.State.REVIEW}:
            _review(payment, snapshot, difference, now)
        return
    if snapshot.state == PaymentState.PAID:
        if waiting or payment.state in {Payment.State.FAILED, Payment.State.EXPIRED}:
            _captured(payment, snapshot, now)
        _fee(payment, snapshot)
        if snapshot.disputed:
            _disputed(payment, now)
        payment.save()
    elif snapshot.state == PaymentState.UNKNOWN:
        if waiting:
            _review(payment, snapshot, f"unknown state: {snapshot.raw_state}", now)
    elif not waiting:
        if payment.state in {Payment.State.PAID, Payment.State.REFUND_DUE}:
            _review(
                payment, snapshot, f"was paid, provider now says: {snapshot.raw_state or snapshot.state}", now
            )
        return
    elif snapshot.state == PaymentState.FAILED:
        _ended(payment, Payment.State.FAILED, Contribution.State.FAILED, "failed", now)
        _tell(payment, "payment_failed")
    elif snapshot.state == PaymentState.EXPIRED:
        _ended(payment, Payment.State.EXPIRED, Contribution.State.ABANDONED, "expired", now)
    elif snapshot.state == PaymentState.CREATED and _page_is_dead(payment, now):
        _ended(payment, Payment.State.EXPIRED, Contribution.State.ABANDONED, "expired", now)
    else:
        if snapshot.state == PaymentState.PENDING:
            payment.state = Payment.State.PENDING
            if now - payment.created_at > timedelta(minutes=15):
                _tell(payment, "payment_pending")
        _next_look(payment, now)
        payment.save()


def _difference(payment: Payment, snapshot: Snapshot) -> str:
    """What does not equal our intent, in words for the treasurer; empty when all does."""
    if snapshot.currency != CURRENCY:
        return f"currency {snapshot.currency} instead of {CURRENCY}"
    if snapshot.amount_cents != payment.amount_cents:
        return f"amount {snapshot.amount_cents} instead of {payment.amount_cents} cents"
    if snapshot.our_key is not None and snapshot.our_key != payment.key:
        return f"key {snapshot.our_key} instead of {payment.key}"
    if payment.provider_reference and snapshot.provider_reference != payment.provider_reference:
        return f"reference {snapshot.provider_reference} instead of {payment.provider_reference}"
    return ""


def _captured(payment: Payment, snapshot: Snapshot, now: datetime) -> None:
    """Money arrived: it counts if it was in time, else it goes back."""
    contribution = payment.contribution
    project = contribution.project
    payment.paid_at = min(snapshot.paid_at or now, now)
    payment.captured_cents = snapshot.amount_cents
    payment.next_check_at = None
    payment.lease_until = None
    refusal = why_not_counted(payment)
    destination = (
        accounts.refund_due(contribution.campaign_id)
        if refusal
        else accounts.escrow(contribution.campaign_id, project.pk)
    )
    payment.state = Payment.State.REFUND_DUE if refusal else Payment.State.PAID
    payment.save()
    post(
        event_key=f"payment:{payment.key}:paid",
        kind="payment",
        holder=contribution.campaign.fund.legal_holder,
        lines=[(accounts.clearing(payment.provider), destination, snapshot.amount_cents)],
        campaign=contribution.campaign,
        payment=payment,
        reason=refusal,
    )
    if not refusal:
        contribution.state = Contribution.State.COUNTED
        contribution.counted_at = payment.paid_at
        contribution.ended_at, contribution.end_reason = None, ""
        contribution.save(update_fields=["state", "counted_at", "ended_at", "end_reason"])
        _tell(payment, "contribution_confirmed")
    else:
        if refusal != Refund.Reason.DUPLICATE:
            contribution.state = Contribution.State.REFUNDED
            contribution.ended_at, contribution.end_reason = now, refusal
            contribution.save(update_fields=["state", "ended_at", "end_reason"])
        insert_refund(payment, Refund.Reason(refusal), snapshot.amount_cents, now)
        _tell(payment, f"refund_{refusal}")
    logger.info("payment.captured key=%s cents=%s refusal=%s", payment.key, snapshot.amount_cents, refusal)


def why_not_counted(payment: Payment) -> str:
    """Reason of an automatic refund, empty when the money counts."""
    contribution, project = payment.contribution, payment.contribution.project
    campaign = contribution.campaign
    if contribution.state in {Contribution.State.COUNTED, Contribution.State.REFUNDED}:
        return Refund.Reason.DUPLICATE
    closes_at = min(project.closes_at or campaign.closes_at, campaign.closes_at)
    if (
        payment.paid_at is None
        or payment.paid_at >= closes_at
        or campaign.published_at is not None
        or is_settled(project.pk)
    ):
        return Refund.Reason.LATE
    if project.status != Project.Status.PRESELECTED:
        return Refund.Reason.CANCELLED
    if _residence_refused(contribution):
        return Refund.Reason.RESIDENCY
    if contribution.state != Contribution.State.STARTED and contribution.voter_id is not None:
        # It had been given up, its place may be taken: it counts again only within the ceiling.
        voter_id = locks.hold_voter(contribution.voter_id)
        if engaged_cents(voter_id) + contribution.amount_cents > ceiling_of(campaign):
            return Refund.Reason.DUPLICATE
    return ""


def _residence_refused(contribution: Contribution) -> bool:
    """A check of declarations refused this resident while her bank was still thinking."""
    if contribution.person_id is None:
        return False
    proofs = ResidencyProof.objects.filter(
        person_id=contribution.person_id, territory_id=contribution.campaign.fund.territory_id
    )
    results = set(proofs.values_list("result", flat=True))
    return ResidencyProof.Result.REFUSED in results and ResidencyProof.Result.ACCEPTED not in results


def _fee(payment: Payment, snapshot: Snapshot) -> None:
    """The provider's fee is borne by the fund, never by a contributor."""
    if not snapshot.fee_cents or payment.fee_cents:
        return
    campaign = payment.contribution.campaign
    post(
        event_key=f"payment:{payment.key}:fee",
        kind="fee",
        holder=campaign.fund.legal_holder,
        lines=[(accounts.fees(campaign.pk), accounts.clearing(payment.provider), snapshot.fee_cents)],
        campaign=campaign,
        payment=payment,
    )
    payment.fee_cents = snapshot.fee_cents


def _disputed(payment: Payment, now: datetime) -> None:
    """The payer's bank took the money back: from the escrow while it is there, else it is the fund's loss."""
    if payment.state == Payment.State.DISPUTED:
        return
    contribution = payment.contribution
    campaign, project = contribution.campaign, contribution.project
    source = accounts.disputes(campaign.pk)
    note = "disputed after the money had left its escrow"
    if payment.state == Payment.State.PAID and not is_settled(project.pk):
        source = accounts.escrow(campaign.pk, project.pk)
        note = "disputed before the decision: taken out of the project"
        contribution.state = Contribution.State.REFUNDED
        contribution.ended_at, contribution.end_reason = now, "dispute"
        contribution.save(update_fields=["state", "ended_at", "end_reason"])
    elif payment.state == Payment.State.REFUND_DUE and cancel_unsent(payment, "disputed"):
        source = accounts.refund_due(campaign.pk)
        note = "disputed before its refund was sent: the refund is cancelled"
    elif payment.state == Payment.State.REVIEW:
        source = accounts.suspense()
    post(
        event_key=f"payment:{payment.key}:disputed",
        kind="dispute",
        holder=campaign.fund.legal_holder,
        lines=[(source, accounts.clearing(payment.provider), payment.captured_cents or payment.amount_cents)],
        campaign=campaign,
        payment=payment,
        reason=note,
    )
    payment.state = Payment.State.DISPUTED
    payment.note = note
    logger.warning("payment.disputed key=%s note=%s", payment.key, note)


def _review(payment: Payment, snapshot: Snapshot, why: str, now: datetime) -> None:
    """A human must look. Money that arrived is held in suspense, dated, until then."""
    campaign = payment.contribution.campaign
    lines: list[Line] = []
    if (
        snapshot.state == PaymentState.PAID
        and payment.captured_cents is None
        and snapshot.currency == CURRENCY
    ):
        payment.captured_cents = snapshot.amount_cents
        payment.paid_at = min(snapshot.paid_at or now, now)
        lines = [(accounts.clearing(payment.provider), accounts.suspense(), snapshot.amount_cents)]
    live = Payment.objects.filter(contribution_id=payment.contribution_id).exclude(pk=payment.pk)
    if live.filter(state__in=[*Payment.OPEN, Payment.State.PAID, Payment.State.REVIEW]).exists():
        # Only one payment of a contribution may be live; this one is known by its note.
        payment.state = Payment.State.REFUND_DUE if lines else payment.state
    else:
        payment.state = Payment.State.REVIEW
    payment.note = why
    payment.next_check_at = None
    payment.save()
    if lines:
        post(
            event_key=f"payment:{payment.key}:review",
            kind="review",
            holder=campaign.fund.legal_holder,
            lines=lines,
            campaign=campaign,
            payment=payment,
            reason=why,
        )
    logger.warning("payment.review key=%s why=%s", payment.key, why)


def _ended(payment: Payment, state: str, contribution_state: str, reason: str, now: datetime) -> None:
    """Nothing was captured and nothing can be any more."""
    payment.state = state
    payment.next_check_at = payment.lease_until = None
    payment.save()
    Contribution.objects.filter(pk=payment.contribution_id, state=Contribution.State.STARTED).update(
        state=contribution_state, ended_at=now, end_reason=reason
    )


def _never_seen(payment: Payment) -> Payment:
    """The provider does not know it: nobody saw a page, so after a page's life nobody can pay."""
    with transaction.atomic(durable=True):
        locks.share_campaign(payment.contribution.campaign_id)
        held = locks.hold_payment(payment.pk)
        now = database_now()
        if held.state in Payment.OPEN:
            if held.provider_reference:
                _next_look(held, now)
                held.note = "the provider no longer knows this reference"
                held.save()
            elif now > held.created_at + timedelta(hours=1):
                _ended(held, Payment.State.EXPIRED, Contribution.State.ABANDONED, "never_started", now)
            else:
                _next_look(held, now)
                held.save()
        return held


def _ask_later(payment: Payment, note: str) -> None:
    with transaction.atomic(durable=True):
        held = locks.hold_payment(payment.pk)
        if held.state in Payment.OPEN:
            _next_look(held, database_now())
            held.note = note[:2000]
            held.save(update_fields=["attempts", "next_check_at", "lease_until", "note"])


def _next_look(payment: Payment, now: datetime) -> None:
    minutes = PATIENCE[min(payment.attempts, len(PATIENCE) - 1)]
    payment.attempts = min(payment.attempts + 1, 32_000)
    payment.next_check_at = now + timedelta(minutes=minutes)
    payment.lease_until = None


def _page_is_dead(payment: Payment, now: datetime) -> bool:
    minutes = provider_for(payment.provider).capabilities.page_minutes
    asked = payment.asked_at or payment.created_at
    return minutes is not None and now > asked + timedelta(minutes=minutes) + PAGE_MARGIN


def _tell(payment: Payment, kind: str) -> None:
    contribution = payment.contribution
    queue(
        key=f"{kind}:{payment.key}",
        kind=kind,
        person=contribution.person,
        context={
            "project": contribution.project.title,
            "cents": payment.captured_cents or payment.amount_cents,
            "reference": contribution.reference,
            "path": f"/contributions/{contribution.reference}/",
        },
    )
