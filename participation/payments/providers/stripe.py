"""Adapter of Stripe: Checkout Sessions on Stripe's own page, refunds, disputes, balance transactions.

One currency, one capture, no card ever seen here. Keys of ours travel in the metadata of the session, of the
PaymentIntent (hence of the charge) and of the refund, so that any of Stripe's objects leads back to us.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

import stripe

from participation.payments.port import (
    Capabilities,
    Hint,
    NeedsHuman,
    PaymentState,
    ProviderRefused,
    ProviderUnavailable,
    RefundMode,
    RefundRequest,
    RefundSnapshot,
    RefundState,
    SettlementKind,
    SettlementLine,
    Snapshot,
    Started,
    StartRequest,
    UnknownReference,
    WebhookAuth,
    WebhookRejected,
)
from participation.payments.providers.transport import (
    CONNECT_SECONDS,
    READ_SECONDS,
    read_cents,
    read_header,
    read_key,
)

logger = logging.getLogger("abonde.money")

Answer = TypeVar("Answer")
Json = Mapping[str, Any]

PAYMENT_KEY, REFUND_KEY = "abonde_payment", "abonde_refund"
# Stripe closes a page between 30 minutes and 24 hours after it was opened; the margin absorbs clocks.
SHORTEST, LONGEST = timedelta(minutes=45), timedelta(hours=23)
REFUND_STATES = {
    "pending": RefundState.PENDING,
    "succeeded": RefundState.DONE,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}
# An inquiry (warning_*) has moved no money; a chargeback that was won gave it back.
HARMLESS_DISPUTES = {"won", "warning_needs_response", "warning_under_review", "warning_closed", "prevented"}
LINES = {
    "charge": SettlementKind.PAYMENT,
    "payment": SettlementKind.PAYMENT,
    "refund": SettlementKind.REFUND,
    "payment_refund": SettlementKind.REFUND,
    "refund_failure": SettlementKind.REFUND_FAILURE,
    "payment_failure_refund": SettlementKind.REFUND_FAILURE,
    "dispute": SettlementKind.DISPUTE,
    "dispute_reversal": SettlementKind.DISPUTE_REVERSAL,
    "fee": SettlementKind.FEE,
    "payout": SettlementKind.PAYOUT,
}
OF_INTEREST = ("checkout.session.", "payment_intent.", "charge.", "refund.")


class StripeProvider:
    def __init__(
        self,
        *,
        secret_key: str,
        webhook_secrets: Sequence[str],
        name: str = "stripe",
        api_base: str = "https://api.stripe.com",
        read_seconds: float = READ_SECONDS,
        payout_deadline_days: int = 90,
        refund_window_days: int = 180,
    ) -> None:
        self.name = name
        self.webhook_secrets = list(webhook_secrets)
        stripe.enable_telemetry = False
        # Retrying is the money core's business: it looks before it acts.
        self.client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base.rstrip("/")},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, read_seconds)),
        )
        self.capabilities = Capabilities(
            idempotency=True,
            webhook_auth=WebhookAuth.HMAC,
            refunds=RefundMode.API,
            partial_refunds=True,
            lookup_refunds=True,
            async_confirm=True,
            needs_redirect=True,
            settlements=True,
            min_cents=50,
            max_cents=99_999_999,
            refund_window_days=refund_window_days,
            payout_deadline_days=payout_deadline_days,
            page_minutes=24 * 60,
            call_seconds=60,  # fetch() asks for the session, then for its disputes
        )

    # --- Collecting ---------------------------------------------------------------------------------
    def start(self, request: StartRequest) -> Started:
        ours = {PAYMENT_KEY: str(request.key), "reference": request.reference}
        wish: dict[str, Any] = {
            "mode": "payment",
            "payment_method_types": ["card"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": request.currency.lower(),
                        "unit_amount": request.amount_cents,
                        "product_data": {"name": request.title[:250] or request.reference},
                    },
                }
            ],
            "success_url": request.return_url,
            "cancel_url": request.cancel_url or request.return_url,
            "client_reference_id": str(request.key),
            "metadata": ours,
            "payment_intent_data": {"metadata": ours},
            "locale": request.locale,
        }
        if request.email:
            wish["customer_email"] = request.email
        if request.expires_at and request.asked_at:
            closing = min(max(request.expires_at, request.asked_at + SHORTEST), request.asked_at + LONGEST)
            wish["expires_at"] = int(closing.timestamp())
        found = self._ask(
            lambda: self.client.v1.checkout.sessions.create(
                cast(Any, wish), {"idempotency_key": f"abonde-start-{request.key}-{request.attempt}"}
            )
        )
        return Started(
            provider_reference=found["id"],
            redirect_url=found.get("url") or "",
            state=PaymentState.CREATED if found["status"] == "open" else PaymentState.UNKNOWN,
        )

    def fetch(
        self, provider_reference: str, *, key: UUID | None = None, provider_payment: str = ""
    ) -> Snapshot:
        expand = ["payment_intent.latest_charge.balance_transaction"]
        session = self._ask(
            lambda: self.client.v1.checkout.sessions.retrieve(provider_reference, {"expand": expand})
        )
        intent = session.get("payment_intent")
        return self._snapshot(session, intent if isinstance(intent, dict) else {})

    def _snapshot(self, session: Json, intent: Json) -> Snapshot:
        charge = intent.get("latest_charge")
        charge = charge if isinstance(charge, dict) else {}
        movement = charge.get("balance_transaction")
        state = session_state(session, intent)
        paid = state == PaymentState.PAID
        return Snapshot(
            provider_reference=session["id"],
            state=state,
            amount_cents=read_cents(intent["amount_received"] if paid else session["amount_total"]),
            currency=str((intent if paid else session)["currency"]).upper(),
            our_key=read_key(session.get("metadata", {}).get(PAYMENT_KEY)),
            paid_at=moment(charge.get("created")) if paid else None,
            provider_payment=str(intent.get("id", "")),
            fee_cents=read_cents(movement["fee"]) if isinstance(movement, dict) else 0,
            refunded_cents=read_cents(charge.get("amount_refunded", 0)),
            disputed=bool(charge.get("disputed")) and self._has_harmful_dispute(str(intent["id"])),
            raw_state=f"{session['status']}/{session['payment_status']}/{intent.get('status', '')}",
        )

    def _has_harmful_dispute(self, intent: str) -> bool:
        found = self._ask(lambda: self.client.v1.disputes.list({"payment_intent": intent, "limit": 100}))
        return any(dispute["status"] not in HARMLESS_DISPUTES for dispute in found["data"])

    # --- Giving back --------------------------------------------------------------------------------
    def refund(self, request: RefundRequest) -> RefundSnapshot:
        intent = request.provider_payment or self._intent_of(request.provider_reference)
        wish: dict[str, Any] = {
            "payment_intent": intent,
            "amount": request.amount_cents,
            "metadata": {REFUND_KEY: str(request.key), PAYMENT_KEY: str(request.payment_key)},
        }
        return self._refund(
            self._ask(
                lambda: self.client.v1.refunds.create(
                    cast(Any, wish), {"idempotency_key": f"abonde-refund-{request.key}-{request.attempt}"}
                )
            )
        )

    def find_refunds(self, provider_reference: str, *, provider_payment: str = "") -> list[RefundSnapshot]:
        intent = provider_payment or self._intent_of(provider_reference)
        if not intent:
            return []
        found = self._all(lambda: self.client.v1.refunds.list({"payment_intent": intent, "limit": 100}))
        return [self._refund(one) for one in reversed(list(found))]

    def _intent_of(self, provider_reference: str) -> str:
        session = self._ask(lambda: self.client.v1.checkout.sessions.retrieve(provider_reference))
        return str(session.get("payment_intent") or "")

    def _refund(self, found: Json) -> RefundSnapshot:
        state = REFUND_STATES.get(str(found.get("status")), RefundState.UNKNOWN)
        created = moment(found.get("created"))
        return RefundSnapshot(
            provider_reference=found["id"],
            state=state,
            amount_cents=read_cents(found["amount"]),
            currency=str(found["currency"]).upper(),
            our_key=read_key((found.get("metadata") or {}).get(REFUND_KEY)),
            created_at=created,
            done_at=created if state == RefundState.DONE else None,
            raw_state=str(found.get("status")),
            failure=str(found.get("failure_reason") or ""),
        )

    # --- Messages -----------------------------------------------------------------------------------
    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, remote_ip: str = "") -> list[Hint]:
        signature = read_header(headers, "Stripe-Signature")
        for secret in self.webhook_secrets:
            try:
                event = self.client.construct_event(body, signature, secret).to_dict(for_json=True)
                break
            except stripe.SignatureVerificationError as error:
                why = str(error)
            except (ValueError, AttributeError) as error:
                raise WebhookRejected("garbled", str(error)) from error
        else:
            raise WebhookRejected("bad_signature", why if self.webhook_secrets else "no secret configured")
        try:
            return [self._hint(event)] if event["type"].startswith(OF_INTEREST) else []
        except (KeyError, TypeError, AttributeError) as error:
            raise WebhookRejected("garbled", repr(error)) from error

    def _hint(self, event: dict[str, Any]) -> Hint:
        thing = event["data"]["object"]
        kind = thing.get("object")
        intent = thing["id"] if kind == "payment_intent" else thing.get("payment_intent")
        # Personal data of the payer stays at Stripe: what is kept says where to look, no more.
        return Hint(
            event_id=event["id"],
            kind=event["type"],
            provider_reference=thing["id"] if kind == "checkout.session" else "",
            our_key=read_key((thing.get("metadata") or {}).get(PAYMENT_KEY)),
            provider_payment=str(intent or ""),
            payload={
                "id": event["id"],
                "type": event["type"],
                "created": event.get("created"),
                "object": thing["id"],
                "status": thing.get("status"),
            },
        )

    # --- Books --------------------------------------------------------------------------------------
    def settlements(self, since: datetime, until: datetime) -> Iterator[SettlementLine]:
        created = {"gte": int(since.timestamp()), "lt": int(until.timestamp())}
        found = self._all(
            lambda: self.client.v1.balance_transactions.list(
                {"created": cast(Any, created), "limit": 100, "expand": ["data.source"]}
            )
        )
        for row in reversed(list(found)):
            yield self._line(row)

    def _line(self, row: Json) -> SettlementLine:
        source = row.get("source")
        source = source if isinstance(source, dict) else {"id": source or ""}
        category = str(row.get("reporting_category") or row["type"])
        kind = LINES.get(category, SettlementKind.OTHER)
        metadata = source.get("metadata") or {}
        gross, fee = read_cents(row["amount"]), read_cents(row["fee"])
        return SettlementLine(
            line_id=row["id"],
            kind=kind,
            gross_cents=gross,
            fee_cents=fee,
            net_cents=read_cents(row["net"]),
            currency=str(row["currency"]).upper(),
            at=datetime.fromtimestamp(row["created"], UTC),
            available_on=moment(row.get("available_on")),
            our_key=read_key(metadata.get(PAYMENT_KEY)),
            our_refund_key=read_key(metadata.get(REFUND_KEY)),
            provider_payment=str(source.get("payment_intent") or ""),
            provider_refund=source["id"] if source.get("object") == "refund" else "",
            payout=source["id"] if kind == SettlementKind.PAYOUT else "",
            raw_kind=f"{row['type']}/{category}",
        )

    def balance(self) -> int | None:
        found = self._ask(lambda: self.client.v1.balance.retrieve())
        return sum(
            read_cents(part["amount"])
            for name in ("available", "pending")
            for part in found.get(name, [])
            if part["currency"] == "eur"
        )

    # --- What Stripe's errors mean ------------------------------------------------------------------
    def _ask(self, call: Callable[[], Any]) -> dict[str, Any]:
        return cast(dict[str, Any], guarded(call).to_dict(for_json=False))

    def _all(self, call: Callable[[], Any]) -> Iterator[dict[str, Any]]:
        """Every page of a list, newest first as Stripe gives them."""
        pages = guarded(call).auto_paging_iter()
        while True:
            one = guarded(lambda: next(pages, None))
            if one is None:
                return
            yield one.to_dict(for_json=False)


def guarded(call: Callable[[], Answer]) -> Answer:
    """Runs one call of the SDK. Raises what the port promises, by what is known of the outcome."""
    try:
        return call()
    except stripe.RateLimitError as error:
        raise ProviderUnavailable("rate_limited", retry_after=retry_after(error)) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise NeedsHuman("credentials", str(error.user_message)) from error
    except stripe.StripeError as error:
        status, code = error.http_status or 0, str(error.code or "")
        detail = str(error.user_message)
        if status == 409 or status >= 500 or not 400 <= status < 500:
            # 409: the same key is being worked on at this moment.
            raise ProviderUnavailable(code or f"http_{status}", detail) from error
        if status == 404 or code == "resource_missing":
            raise UnknownReference(code, detail) from error
        raise ProviderRefused(code or type(error).__name__, detail) from error


def retry_after(error: stripe.StripeError) -> float | None:
    text = str((error.headers or {}).get("Retry-After", ""))
    return float(text) if text.isdigit() else None


def session_state(session: Json, intent: Json) -> PaymentState:
    """Stripe's three words (session, payment, intent) → ours. Anything unforeseen is UNKNOWN."""
    status, payment, attempt = session.get("status"), session.get("payment_status"), intent.get("status")
    if payment == "paid" and attempt == "succeeded":
        return PaymentState.PAID
    if payment != "unpaid":
        return PaymentState.UNKNOWN
    if status == "expired":
        return PaymentState.EXPIRED
    if status == "open":
        return PaymentState.PENDING if attempt == "processing" else PaymentState.CREATED
    if status == "complete":
        # The page is closed: only the bank is awaited, or it said no.
        return {
            "processing": PaymentState.PENDING,
            "requires_payment_method": PaymentState.FAILED,
            "canceled": PaymentState.FAILED,
        }.get(str(attempt), PaymentState.UNKNOWN)
    return PaymentState.UNKNOWN


def moment(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None
