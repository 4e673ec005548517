"""Orders to give money back, and what becomes of them. The mass run is in `refunds_run`.

Each refund is its own object, written with its own key before any call. A payment has at most one open one,
and never more given back than captured: both are constraints of the database.
"""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from defis.clock import database_now
from participation.contributions.models import Contribution
from participation.ledger import accounts, locks
from participation.ledger.accounts import Account
from participation.ledger.selectors import is_settled
from participation.ledger.services import post
from participation.notifications.services import queue
from participation.payments.models import Payment, Refund
from participation.payments.port import ProviderError, RefundSnapshot, RefundState, provider_for

logger = logging.getLogger("abonde.money")


class RefundRefused(Exception):
    """This payment cannot be refunded now; the message says why, for the treasurer."""


@transaction.atomic
def order_refund(
    *, payment: Payment, reason: str, amount_cents: int | None = None, note: str = "", user=None
) -> Refund:
    """Decide that a payment's money goes back, in full unless `amount_cents` says less.

    Moves the money from where it is held to what is owed to contributors; the worker sends it. Idempotent while
    a refund of this payment is open. Raises RefundRefused (nothing left to give back, money already paid out).
    """
    locks.share_campaign(payment.contribution.campaign_id)
    held = locks.hold_payment(payment.pk)
    if existing := held.refunds.filter(state__in=Refund.OPEN).first():
        return existing
    captured = held.captured_cents or held.amount_cents
    returned = held.refunds.exclude(state=Refund.State.FAILED).aggregate(c=Sum("amount_cents"))["c"] or 0
    cents = captured - returned if amount_cents is None else amount_cents
    if held.state not in {Payment.State.PAID, Payment.State.REVIEW, Payment.State.REFUND_DUE}:
        raise RefundRefused(f"A payment in state {held.state} holds nothing to give back.")
    if not 0 < cents <= captured - returned:
        raise RefundRefused(f"{cents} cents asked, {captured - returned} left of this payment.")
    now = database_now()
    source = _where(held)
    refund = insert_refund(held, Refund.Reason(reason), cents, now, note=note)
    if source is not None:
        campaign = held.contribution.campaign
        post(
            event_key=f"refund:{refund.key}:ordered",
            kind="refund_ordered",
            holder=campaign.fund.legal_holder,
            lines=[(source, accounts.refund_due(campaign.pk), cents)],
            campaign=campaign,
            payment=held,
            refund=refund,
            reason=note or reason,
            user=user,
        )
    Payment.objects.filter(pk=held.pk).update(state=Payment.State.REFUND_DUE)
    if held.contribution.state in {Contribution.State.COUNTED, Contribution.State.STARTED}:
        Contribution.objects.filter(pk=held.contribution_id).update(
            state=Contribution.State.REFUNDED, ended_at=now, end_reason=reason
        )
    tell_refund(refund, "refund_started")
    logger.info("refund.ordered key=%s payment=%s cents=%s reason=%s", refund.key, held.key, cents, reason)
    return refund


def insert_refund(
    payment: Payment, reason: Refund.Reason, cents: int, now: datetime, *, note: str = ""
) -> Refund:
    """Write the order itself (the caller holds the payment and has posted, or posts, the money)."""
    return Refund.objects.create(
        payment=payment, amount_cents=cents, reason=reason, created_at=now, next_try_at=now, note=note
    )


def cancel_unsent(payment: Payment, why: str) -> bool:
    """Take back an order that no call was made for. False when it may already be at the provider."""
    return (
        Refund.objects.filter(payment=payment, state=Refund.State.CREATED, attempts=0).update(
            state=Refund.State.FAILED, note=why
        )
        == 1
    )


@transaction.atomic
def complete_by_hand(*, refund: Refund, user, proof: str, account: Account | None = None) -> Refund:
    """The treasurer gave the money back by transfer or at the counter: `proof` is the reference of it.

    Only for refunds that the provider could not make. Paid from the bank unless `account` says otherwise.
    Raises RefundRefused.
    """
    if not proof.strip():
        raise RefundRefused("A refund by hand needs the reference of its proof.")
    payment = locks.hold_payment(refund.payment_id)
    held = Refund.objects.get(pk=refund.pk)
    if held.state != Refund.State.MANUAL:
        raise RefundRefused(f"This refund is {held.get_state_display()}, not to be done by hand.")
    campaign = payment.contribution.campaign
    post(
        event_key=f"refund:{held.key}:by_hand",
        kind="refund_by_hand",
        holder=campaign.fund.legal_holder,
        lines=[(accounts.refund_due(campaign.pk), account or accounts.bank(), held.amount_cents)],
        campaign=campaign,
        payment=payment,
        refund=held,
        reason=proof,
        user=user,
    )
    now = database_now()
    held.state, held.done_at, held.note = Refund.State.DONE, now, proof
    held.save(update_fields=["state", "done_at", "note"])
    _after_done(payment, now)
    tell_refund(held, "refund_done")
    return held


def look_at_refunds(payment: Payment) -> Payment:
    """Compare the provider's refunds of one payment with ours: those of ours advance, foreign ones are told.

    A refund made in full at the provider's console closes the contribution; a partial one waits for a human.
    """
    provider = provider_for(payment.provider)
    try:
        found = provider.find_refunds(payment.provider_reference, provider_payment=payment.provider_payment)
    except ProviderError as error:
        logger.info("refund.unanswered payment=%s error=%s", payment.key, error)
        return payment
    with transaction.atomic():
        locks.share_campaign(payment.contribution.campaign_id)
        held = locks.hold_payment(payment.pk)
        ours = {r.key: r for r in held.refunds.all()}
        by_reference = {r.provider_reference: r for r in ours.values() if r.provider_reference}
        open_ones = [r for r in ours.values() if r.state in {Refund.State.SENT, Refund.State.IN_TRANSIT}]
        for snapshot in found:
            mine = by_reference.get(snapshot.provider_reference)
            if mine is None and snapshot.our_key is not None:
                mine = ours.get(snapshot.our_key)
            if mine is not None:
                apply_refund(held, mine, snapshot)
            elif not open_ones and snapshot.state not in {RefundState.FAILED, RefundState.UNKNOWN}:
                # With a call of ours in flight, an unknown one may be it: leave that to the refund run.
                _external(held, snapshot)
        return locks.hold_payment(payment.pk)


def apply_refund(payment: Payment, refund: Refund, snapshot: RefundSnapshot) -> Refund:
    """Write the provider's word on one refund of ours (payment locked by the caller). Idempotent."""
    now = database_now()
    campaign = payment.contribution.campaign
    lines = [(accounts.refund_due(campaign.pk), accounts.clearing(payment.provider), refund.amount_cents)]
    told = ""
    if snapshot.amount_cents != refund.amount_cents or snapshot.state == RefundState.UNKNOWN:
        if refund.state not in {Refund.State.DONE, Refund.State.MANUAL}:
            refund.state = Refund.State.MANUAL
            refund.note = (
                f"provider says {snapshot.raw_state or snapshot.state}, {snapshot.amount_cents} cents"
            )
    elif snapshot.state == RefundState.DONE and refund.state not in {
        Refund.State.DONE,
        Refund.State.FAILED,
        Refund.State.MANUAL,
    }:
        refund.state, refund.done_at = Refund.State.DONE, snapshot.done_at or now
        _post_refund(payment, refund, "done", lines)
        told = "refund_done"
    elif snapshot.state == RefundState.FAILED and refund.state not in {
        Refund.State.FAILED,
        Refund.State.MANUAL,
    }:
        if refund.state == Refund.State.DONE:
            # It had been counted as given back, and came back (closed account).
            debit, credit, cents = lines[0]
            _post_refund(payment, refund, "returned", [(credit, debit, cents)])
            Payment.objects.filter(pk=payment.pk, state=Payment.State.REFUNDED).update(
                state=Payment.State.REFUND_DUE, note="a refund came back: to be done by hand"
            )
        refund.state, refund.done_at = Refund.State.MANUAL, None
        refund.note = snapshot.failure or "the provider could not give it back"
        told = "refund_failed"
    elif snapshot.state in {RefundState.PENDING, RefundState.IN_TRANSIT} and refund.state in {
        Refund.State.CREATED,
        Refund.State.SENT,
    }:
        refund.state = Refund.State.IN_TRANSIT
    refund.provider_reference = snapshot.provider_reference or refund.provider_reference
    refund.lease_until = None
    refund.save()
    if refund.state == Refund.State.DONE:
        _after_done(payment, now)
    if told:
        tell_refund(refund, told)
    return refund


def tell_refund(refund: Refund, kind: str) -> None:
    """Queue the message about a refund, once per kind."""
    contribution = refund.payment.contribution
    queue(
        key=f"{kind}:{refund.key}",
        kind=kind,
        person=contribution.person,
        context={
            "project": contribution.project.title,
            "cents": refund.amount_cents,
            "reference": contribution.reference,
            "path": f"/contributions/{contribution.reference}/",
        },
    )


# --- Inside ---------------------------------------------------------------------------------------------


def _where(payment: Payment) -> Account | None:
    """The account that holds this payment's money; None when it is already owed to the contributor."""
    contribution = payment.contribution
    if payment.state == Payment.State.REFUND_DUE:
        return None
    if payment.state == Payment.State.REVIEW:
        return accounts.suspense()
    if is_settled(contribution.project_id):
        raise RefundRefused("The project's result is published: this money has left its escrow.")
    return accounts.escrow(contribution.campaign_id, contribution.project_id)


def _post_refund(payment: Payment, refund: Refund, what: str, lines) -> None:
    campaign = payment.contribution.campaign
    post(
        event_key=f"refund:{refund.key}:{what}",
        kind=f"refund_{what}",
        holder=campaign.fund.legal_holder,
        lines=lines,
        campaign=campaign,
        payment=payment,
        refund=refund,
    )


def _after_done(payment: Payment, now: datetime) -> None:
    """When everything captured went back, payment and contribution say so."""
    returned = (
        Refund.objects.filter(payment=payment, state=Refund.State.DONE).aggregate(c=Sum("amount_cents"))["c"]
        or 0
    )
    if returned < (payment.captured_cents or payment.amount_cents):
        return
    Payment.objects.filter(
        pk=payment.pk, state__in=[Payment.State.PAID, Payment.State.REFUND_DUE, Payment.State.REVIEW]
    ).update(state=Payment.State.REFUNDED)
    Contribution.objects.filter(
        pk=payment.contribution_id, state__in=[Contribution.State.COUNTED, Contribution.State.STARTED]
    ).exclude(payments__state=Payment.State.PAID).update(
        state=Contribution.State.REFUNDED, ended_at=now, end_reason="refunded"
    )


def _external(payment: Payment, snapshot: RefundSnapshot) -> None:
    """Somebody gave money back at the provider's console."""
    contribution = payment.contribution
    campaign = contribution.campaign
    key = f"payment:{payment.key}:external:{snapshot.provider_reference}"
    full = snapshot.amount_cents == (payment.captured_cents or payment.amount_cents)
    clearing = accounts.clearing(payment.provider)
    now = database_now()
    due = payment.state == Payment.State.REFUND_DUE
    if full and (due or (payment.state == Payment.State.PAID and not is_settled(contribution.project_id))):
        # Ours, if it waits, must not be sent as well.
        waits = [Refund.State.CREATED, Refund.State.MANUAL]
        order = Refund.objects.filter(payment=payment, state__in=waits).first() if due else None
        source = (
            accounts.refund_due(campaign.pk) if due else accounts.escrow(campaign.pk, contribution.project_id)
        )
        if order is None and due:
            return
        if order is None:
            order = Refund(
                payment=payment,
                amount_cents=snapshot.amount_cents,
                reason=Refund.Reason.OTHER,
                created_at=now,
            )
        order.state, order.done_at, order.next_try_at = Refund.State.DONE, snapshot.done_at or now, None
        order.provider_reference, order.note = snapshot.provider_reference, "made at the provider's console"
        order.save()
        lines = [(source, clearing, snapshot.amount_cents)]
        _after_done(payment, now)
        tell_refund(order, "refund_done")
        note = order.note
    else:
        lines = [(accounts.suspense(), clearing, snapshot.amount_cents)]
        order = None
        note = f"{snapshot.amount_cents} cents given back at the provider's console ({snapshot.provider_reference})"
        if payment.state == Payment.State.PAID:
            Payment.objects.filter(pk=payment.pk).update(state=Payment.State.REVIEW, note=note)
    post(
        event_key=key,
        kind="refund_external",
        holder=campaign.fund.legal_holder,
        lines=lines,
        campaign=campaign,
        payment=payment,
        refund=order,
        reason=note,
    )
    logger.warning("refund.external payment=%s cents=%s", payment.key, snapshot.amount_cents)
