"""An envelope that the fund gives to each verified resident: paid at once, no card, no other site.

Our own records are the truth here: the ceiling was checked and the payment written in one transaction.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from participation.payments.models import Payment
from participation.payments.port import (
    Capabilities,
    Hint,
    NeedsHuman,
    PaymentState,
    RefundMode,
    RefundRequest,
    RefundSnapshot,
    RefundState,
    SettlementLine,
    Snapshot,
    Started,
    StartRequest,
    WebhookAuth,
    WebhookRejected,
)
from participation.payments.providers import records


class AllowanceProvider:
    """Fetching says paid since the payment was written; refunding gives the envelope back at once."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        idempotency=True,
        webhook_auth=WebhookAuth.NONE,
        refunds=RefundMode.API,
        partial_refunds=True,
        lookup_refunds=True,
        async_confirm=False,
        needs_redirect=False,
        settlements=False,
        min_cents=1,
    )

    def __init__(self, *, name: str = "allowance") -> None:
        self.name = name

    def start(self, request: StartRequest) -> Started:
        return Started(provider_reference=str(request.key), state=PaymentState.PAID)

    def fetch(
        self, provider_reference: str, *, key: UUID | None = None, provider_payment: str = ""
    ) -> Snapshot:
        payment = records.payment(self.name, provider_reference)
        refused = payment.state in (Payment.State.FAILED, Payment.State.EXPIRED)
        return Snapshot(
            provider_reference=provider_reference,
            state=PaymentState.FAILED if refused else PaymentState.PAID,
            amount_cents=payment.amount_cents,
            currency="EUR",
            our_key=payment.key,
            paid_at=None if refused else payment.created_at,
            provider_payment=provider_reference,
            refunded_cents=records.refunded_cents(payment),
            raw_state="refused" if refused else "given",
        )

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        payment = records.payment(self.name, request.provider_reference)
        if done := records.done_refund(payment, request.key):
            return records.snapshot(done)
        records.check_left(payment, request.amount_cents)
        return RefundSnapshot(
            provider_reference=str(request.key),
            state=RefundState.DONE,
            amount_cents=request.amount_cents,
            our_key=request.key,
            raw_state="given back",
        )

    def find_refunds(self, provider_reference: str, *, provider_payment: str = "") -> list[RefundSnapshot]:
        return records.refunds(records.payment(self.name, provider_reference))

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, remote_ip: str = "") -> list[Hint]:
        raise WebhookRejected("no_webhook", "an envelope sends no messages")

    def settlements(self, since: datetime, until: datetime) -> Iterable[SettlementLine]:
        raise NeedsHuman("no_settlements", "an envelope has no account at a provider")

    def balance(self) -> int | None:
        return None
