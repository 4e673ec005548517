"""What a treasurer decides where the program stopped: payments in review, refunds that failed, unknown lines.

Nothing here edits a figure: each decision is a ledger entry with its reason and its author, or it is refused.
Amounts in cents.
"""

import logging
from enum import StrEnum

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from defis.clock import database_now
from participation.contributions.models import Contribution
from participation.ledger import accounts, locks
from participation.ledger.models import LedgerEntry
from participation.ledger.services import is_posted, post
from participation.notifications.services import queue
from participation.payments.models import Payment, Refund, StatementLine
from participation.payments.port import (
    CURRENCY,
    PaymentState,
    ProviderError,
    RefundState,
    Snapshot,
    UnknownReference,
    provider_for,
)
from participation.payments.refunds_orders import RefundRefused, insert_refund, order_refund
from participation.payments.settlement import why_not_counted

logger = logging.getLogger("abonde.money")


class DecisionRefused(Exception):
    """This cannot be decided so; `message` is for the treasurer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Held(StrEnum):
    """Where the money of a payment that waits for a human is."""

    NOWHERE = "nowhere"  # nothing was captured, as far as we know
    SUSPENSE = "suspense"  # captured, never counted
    ESCROW = "escrow"  # counted, then the provider said something else


def where_is(payment: Payment) -> Held:
    """Where the ledger holds what this payment captured. Two queries at most."""
    if payment.captured_cents is None:
        return Held.NOWHERE
    if is_posted(f"payment:{payment.key}:review"):
        return Held.SUSPENSE
    return Held.ESCROW if is_posted(f"payment:{payment.key}:paid") else Held.NOWHERE


def waiting_payments() -> QuerySet[Payment]:
    """Payments that wait for a human: in review, or owed back without an order."""
    ordered = Refund.objects.filter(payment=OuterRef("pk")).exclude(state=Refund.State.FAILED)
    return Payment.objects.filter(
        Q(state=Payment.State.REVIEW) | Q(state=Payment.State.REFUND_DUE) & ~Exists(ordered)
    )


def accept_payment(*, payment: Payment, reason: str, user) -> Payment:
    """The human has checked: this money is the contribution it was asked for, and it counts.

    Only when amount and currency are the right ones, it came in time, and the provider, asked again, still
    holds it. Raises DecisionRefused.
    """
    reason = _reason(reason)
    snapshot = _ask(payment)
    if (
        snapshot is None
        or snapshot.state != PaymentState.PAID
        or snapshot.refunded_cents
        or snapshot.disputed
    ):
        raise DecisionRefused("not_paid", _("The provider does not say that it holds this money."))
    if snapshot.currency != CURRENCY or snapshot.amount_cents != payment.amount_cents:
        raise DecisionRefused("amount", _("The amount is not the one that was asked: refund it."))
    with transaction.atomic():
        locks.share_campaign(payment.contribution.campaign_id)
        held = locks.hold_payment(payment.pk)
        if held.state != Payment.State.REVIEW:
            raise DecisionRefused("state", _("This payment does not wait for a decision any more."))
        if held.captured_cents != held.amount_cents:
            raise DecisionRefused("amount", _("The amount is not the one that was asked: refund it."))
        where = where_is(held)
        if where == Held.SUSPENSE:
            _count(held, reason, user)
        elif where == Held.ESCROW:
            if _console_refunds(held):
                raise DecisionRefused("returned", _("A part went back at the provider's: refund the rest."))
        else:
            raise DecisionRefused("nothing", _("This payment holds no money."))
        held.state, held.note = Payment.State.PAID, reason
        held.save(update_fields=["state", "note"])
        logger.warning("payment.accepted key=%s where=%s user=%s", held.key, where, user.pk)
        return held


def refund_payment(*, payment: Payment, cause: str, reason: str, user) -> Refund:
    """All that a payment still holds goes back, wherever it waits. `cause` is a Refund.Reason.

    Raises DecisionRefused (no money, published result, already ordered).
    """
    reason = _reason(reason)
    try:
        with transaction.atomic():
            locks.share_campaign(payment.contribution.campaign_id)
            held = locks.hold_payment(payment.pk)
            if held.refunds.filter(state__in=Refund.OPEN).exists():
                raise DecisionRefused("ordered", _("A refund of this payment is already ordered."))
            if held.state not in {Payment.State.PAID, Payment.State.REVIEW, Payment.State.REFUND_DUE}:
                raise DecisionRefused("nothing", _("This payment holds no money."))
            where = where_is(held)
            if where == Held.NOWHERE:
                raise DecisionRefused("nothing", _("This payment holds no money."))
            if held.state == Payment.State.REFUND_DUE and where == Held.SUSPENSE:
                _owe(held, reason, user)
            elif held.state == Payment.State.REVIEW and where == Held.ESCROW:
                Payment.objects.filter(pk=held.pk).update(state=Payment.State.PAID)
                _level(held, user)
            return order_refund(payment=held, reason=cause, note=reason, user=user)
    except RefundRefused as error:
        raise DecisionRefused(
            "refused", _("The project's result is published, or nothing is left.")
        ) from error


def close_payment(*, payment: Payment, reason: str, user) -> Payment:
    """Nothing was taken, or all of it went back at the provider's: the payment ends without money.

    The provider is asked first. Raises DecisionRefused.
    """
    reason = _reason(reason)
    snapshot = _ask(payment)
    if snapshot is not None:
        kept = snapshot.amount_cents - snapshot.refunded_cents
        if snapshot.state == PaymentState.PAID and kept > 0:
            raise DecisionRefused("paid", _("The provider holds this money: refund it there first."))
        if snapshot.state == PaymentState.PENDING:
            raise DecisionRefused("pending", _("The bank has not answered yet."))
    with transaction.atomic():
        locks.share_campaign(payment.contribution.campaign_id)
        held = locks.hold_payment(payment.pk)
        if held.state != Payment.State.REVIEW or where_is(held) != Held.NOWHERE:
            raise DecisionRefused("state", _("This payment holds money: accept it or refund it."))
        held.state, held.note, held.next_check_at = Payment.State.FAILED, reason, None
        held.save(update_fields=["state", "note", "next_check_at"])
        Contribution.objects.filter(pk=held.contribution_id, state=Contribution.State.STARTED).update(
            state=Contribution.State.FAILED, ended_at=database_now(), end_reason="closed"
        )
        logger.warning("payment.closed key=%s user=%s", held.key, user.pk)
        return held


def try_refund_again(*, refund: Refund, reason: str, user) -> Refund:
    """Ask the provider once more for a refund that it could not make: a new order with its own key.

    Refused when the provider already knows one that is not failed: then it is finished by hand, never sent
    twice. A refund that only waits for its hour is tried at once. Returns the order that will be sent. Raises
    DecisionRefused.
    """
    reason = _reason(reason)
    if refund.state == Refund.State.MANUAL:
        _not_known_there(refund)
    with transaction.atomic():
        payment = locks.hold_payment(refund.payment_id)
        held = Refund.objects.get(pk=refund.pk)
        now = database_now()
        if held.state in {Refund.State.CREATED, Refund.State.SENT, Refund.State.IN_TRANSIT}:
            held.next_try_at = now
            held.save(update_fields=["next_try_at"])
            return held
        if held.state != Refund.State.MANUAL:
            raise DecisionRefused("state", _("This refund is over."))
        held.state = Refund.State.FAILED
        held.note = f"{held.note}\n{reason}".strip()
        held.save(update_fields=["state", "note"])
        again = insert_refund(payment, Refund.Reason(held.reason), held.amount_cents, now, note=reason)
        logger.warning("refund.again key=%s before=%s user=%s", again.key, held.key, user.pk)
        return again


@transaction.atomic
def take_line(*, line: StatementLine, user) -> StatementLine:
    """Somebody takes charge of a line that nobody can explain yet. Raises DecisionRefused."""
    held = StatementLine.objects.select_for_update().get(pk=line.pk)
    if held.state not in StatementLine.OPEN:
        raise DecisionRefused("state", _("This line is explained."))
    held.owner = user
    held.save(update_fields=["owner"])
    return held


# --- Inside ---------------------------------------------------------------------------------------------


def _reason(reason: str) -> str:
    if not reason.strip():
        raise DecisionRefused("reason", _("Give the reason."))
    return reason.strip()


def _ask(payment: Payment) -> Snapshot | None:
    """What the provider says now; None when it does not know the payment."""
    try:
        return provider_for(payment.provider).fetch(
            payment.provider_reference, key=payment.key, provider_payment=payment.provider_payment
        )
    except UnknownReference:
        return None
    except ProviderError as error:
        raise DecisionRefused("unanswered", str(error.sentence)) from error


def _count(payment: Payment, reason: str, user) -> None:
    """From suspense to the project, as a capture would have done."""
    contribution = payment.contribution
    campaign = contribution.campaign
    if why_not_counted(payment):
        raise DecisionRefused(
            "late", _("This money came too late, or its project is no longer open: refund it.")
        )
    post(
        event_key=f"payment:{payment.key}:accepted",
        kind="review_accepted",
        holder=campaign.fund.legal_holder,
        lines=[
            (
                accounts.suspense(),
                accounts.escrow(campaign.pk, contribution.project_id),
                payment.captured_cents or 0,
            )
        ],
        campaign=campaign,
        payment=payment,
        reason=reason,
        user=user,
    )
    contribution.state = Contribution.State.COUNTED
    contribution.counted_at = payment.paid_at
    contribution.ended_at, contribution.end_reason = None, ""
    contribution.save(update_fields=["state", "counted_at", "ended_at", "end_reason"])
    queue(
        key=f"contribution_confirmed:{payment.key}",
        kind="contribution_confirmed",
        person=contribution.person,
        context={
            "project": contribution.project.title,
            "cents": payment.captured_cents,
            "reference": contribution.reference,
            "path": f"/contributions/{contribution.reference}/",
        },
    )


def _owe(payment: Payment, reason: str, user) -> None:
    """A second payment of one contribution, kept in suspense: from now on it is owed to who paid it."""
    campaign = payment.contribution.campaign
    post(
        event_key=f"payment:{payment.key}:owed",
        kind="review_owed",
        holder=campaign.fund.legal_holder,
        lines=[(accounts.suspense(), accounts.refund_due(campaign.pk), payment.captured_cents or 0)],
        campaign=campaign,
        payment=payment,
        reason=reason,
        user=user,
    )


def _console_refunds(payment: Payment) -> list[tuple[str, int]]:
    """(provider's reference, cents) of what went back at the provider's console and is in suspense since."""
    begin = f"payment:{payment.key}:external:"
    entries = LedgerEntry.objects.filter(
        transaction__event_key__startswith=begin, transaction__refund__isnull=True
    )
    return [
        (key.removeprefix(begin), cents)
        for key, cents in entries.values_list("transaction__event_key", "amount_cents")
    ]


def _level(payment: Payment, user) -> None:
    """What went back at the console leaves the project and empties suspense."""
    campaign = payment.contribution.campaign
    now = database_now()
    for reference, cents in _console_refunds(payment):
        done = Refund.objects.create(
            payment=payment,
            amount_cents=cents,
            reason=Refund.Reason.OTHER,
            state=Refund.State.DONE,
            provider_reference=reference,
            created_at=now,
            done_at=now,
            note="made at the provider's console",
        )
        post(
            event_key=f"refund:{done.key}:levelled",
            kind="refund_external",
            holder=campaign.fund.legal_holder,
            lines=[
                (accounts.escrow(campaign.pk, payment.contribution.project_id), accounts.suspense(), cents)
            ],
            campaign=campaign,
            payment=payment,
            refund=done,
            user=user,
        )


def _not_known_there(refund: Refund) -> None:
    """Raise DecisionRefused when the provider has a refund that our books do not have as done."""
    payment = refund.payment
    provider = provider_for(payment.provider)
    if not provider.capabilities.lookup_refunds:
        raise DecisionRefused("blind", _("This provider does not tell its refunds: finish by hand."))
    try:
        found = provider.find_refunds(payment.provider_reference, provider_payment=payment.provider_payment)
    except ProviderError as error:
        raise DecisionRefused("unanswered", str(error.sentence)) from error
    done = set(
        Refund.objects.filter(payment=payment, state=Refund.State.DONE).values_list(
            "provider_reference", flat=True
        )
    )
    if any(s.state != RefundState.FAILED and s.provider_reference not in done for s in found):
        raise DecisionRefused(
            "known",
            _("The provider already has a refund of this payment. Check it there, then finish by hand."),
        )
