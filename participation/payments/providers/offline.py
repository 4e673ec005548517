"""Cash and cheques received at a counter: recorded by one person, confirmed by another.

Our own records are the truth here. A payment is paid once `paid_at` is written, which only the
confirmation by a second person does; money goes back by hand.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from participation.payments.models import Payment
from participation.payments.port import (
    Capabilities,
    Hint,
    NeedsHuman,
    PaymentState,
    RefundMode,
    RefundRequest,
    RefundSnapshot,
    SettlementLine,
    Snapshot,
    Started,
    StartRequest,
    WebhookAuth,
    WebhookRejected,
)
from participation.payments.providers import records

REFUSED: dict[str, PaymentState] = {
    Payment.State.FAILED: PaymentState.FAILED,
    Payment.State.EXPIRED: PaymentState.EXPIRED,
}


class OfflineProvider:
    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotency=True,
        webhook_auth=WebhookAuth.NONE,
        refunds=RefundMode.OFFLINE,
        partial_refunds=True,
        lookup_refunds=True,
        async_confirm=True,
        needs_redirect=False,
        settlements=False,
        min_cents=1,
    )

    def __init__(self, *, name: str = "offline") -> None:
        self.name = name

    def start(self, request: StartRequest) -> Started:
        return Started(provider_reference=str(request.key), state=PaymentState.PENDING)

    def fetch(
        self, provider_reference: str, *, key: UUID | None = None, provider_payment: str = ""
    ) -> Snapshot:
        payment = records.payment(self.name, provider_reference)
        state = PaymentState.PAID if payment.paid_at else REFUSED.get(payment.state, PaymentState.PENDING)
        return Snapshot(
            provider_reference=provider_reference,
            state=state,
            amount_cents=payment.amount_cents,
            currency="EUR",
            our_key=payment.key,
            paid_at=payment.paid_at,
            provider_payment=provider_reference,
            refunded_cents=records.refunded_cents(payment),
            raw_state="confirmed" if payment.paid_at else "recorded",
        )

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        payment = records.payment(self.name, request.provider_reference)
        if done := records.done_refund(payment, request.key):
            return records.snapshot(done)
        records.check_left(payment, request.amount_cents)
        raise NeedsHuman(
            "by_hand",
            sentence=_(
                "Money received at a counter goes back by hand: make the transfer or hand the money over, "
                "then record it here."
            ),
        )

    def find_refunds(self, provider_reference: str, *, provider_payment: str = "") -> list[RefundSnapshot]:
        return records.refunds(records.payment(self.name, provider_reference))

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, remote_ip: str = "") -> list[Hint]:
        raise WebhookRejected("no_webhook", "a counter sends no messages")

    def settlements(self, since: datetime, until: datetime) -> Iterable[SettlementLine]:
        raise NeedsHuman("no_settlements", "compare with the bank statement and the deposit slips")

    def balance(self) -> int | None:
        return None
