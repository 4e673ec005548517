"""What the two providers without a provider (counter, envelope) read in our own tables."""

from uuid import UUID

from django.db.models import Sum

from participation.payments.models import Payment, Refund
from participation.payments.port import ProviderRefused, RefundSnapshot, RefundState, UnknownReference


def payment(provider: str, reference: str) -> Payment:
    """The payment whose key is the reference. Raises UnknownReference."""
    try:
        return Payment.objects.get(provider=provider, key=UUID(reference))
    except (Payment.DoesNotExist, ValueError):
        raise UnknownReference("unknown", reference) from None


def refunded_cents(payment: Payment) -> int:
    """Cents given back for good."""
    done = payment.refunds.filter(state=Refund.State.DONE).aggregate(cents=Sum("amount_cents"))["cents"]
    return done or 0


def check_left(payment: Payment, cents: int) -> None:
    """Raises ProviderRefused when more would go back than came in."""
    left = payment.amount_cents - refunded_cents(payment)
    if cents > left:
        raise ProviderRefused("too_much", f"{cents} asked, {left} left")


def done_refund(payment: Payment, key: UUID) -> Refund | None:
    return payment.refunds.filter(key=key, state=Refund.State.DONE).first()


def refunds(payment: Payment) -> list[RefundSnapshot]:
    """Only what is done: an order that nobody carried out moved nothing."""
    return [snapshot(refund) for refund in payment.refunds.filter(state=Refund.State.DONE).order_by("pk")]


def snapshot(refund: Refund) -> RefundSnapshot:
    return RefundSnapshot(
        provider_reference=refund.provider_reference or str(refund.key),
        state=RefundState.DONE,
        amount_cents=refund.amount_cents,
        our_key=refund.key,
        created_at=refund.created_at,
        done_at=refund.done_at,
        raw_state="given back",
    )
