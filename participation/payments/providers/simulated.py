"""Adapter of the stand-in provider of demonstrations and tests (a separate process, no real money)."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from participation.payments.port import (
    Capabilities,
    Hint,
    PaymentState,
    RefundMode,
    RefundRequest,
    RefundSnapshot,
    RefundState,
    SettlementKind,
    SettlementLine,
    Snapshot,
    Started,
    StartRequest,
    WebhookAuth,
    WebhookRejected,
)
from participation.payments.providers.transport import (
    READ_SECONDS,
    JsonClient,
    read_cents,
    read_header,
    read_key,
    read_object,
    read_time,
    refuse,
)

STATES = {
    "created": PaymentState.CREATED,
    "pending": PaymentState.PENDING,
    "paid": PaymentState.PAID,
    "failed": PaymentState.FAILED,
    "abandoned": PaymentState.EXPIRED,
    "expired": PaymentState.EXPIRED,
}
TOLERANCE_SECONDS = 300


class SimulatedProvider:
    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        webhook_secrets: Sequence[str],
        name: str = "simulated",
        notify_url: str = "",
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.name = name
        self.api_key = api_key
        self.webhook_secrets = list(webhook_secrets)
        self.notify_url = notify_url
        self.client = JsonClient(base_url, read_seconds=read_seconds)
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
            max_cents=10_000_000,
            page_minutes=30,
        )

    def start(self, request: StartRequest) -> Started:
        wish = {
            "key": str(request.key),
            "amount_cents": request.amount_cents,
            "currency": request.currency,
            "title": request.title,
            "reference": request.reference,
            "email": request.email,
            "return_url": request.return_url,
            "cancel_url": request.cancel_url,
            "notify_url": request.notify_url or self.notify_url,
        }
        # A played past asks for a page that is already closed: the stand-in's own duration then applies.
        if request.expires_at and request.expires_at > datetime.now(UTC):
            wish["expires_at"] = request.expires_at.isoformat()
        found = self._call("POST", "/v1/payments", json=wish, key=f"{request.key}-{request.attempt}")
        return Started(
            provider_reference=str(found["id"]),
            redirect_url=str(found["page"]),
            state=STATES.get(found["state"], PaymentState.UNKNOWN),
        )

    def fetch(
        self, provider_reference: str, *, key: UUID | None = None, provider_payment: str = ""
    ) -> Snapshot:
        found = self._call("GET", f"/v1/payments/{provider_reference}")
        return Snapshot(
            provider_reference=str(found["id"]),
            state=STATES.get(found["state"], PaymentState.UNKNOWN),
            amount_cents=read_cents(found["amount_cents"]),
            currency=str(found["currency"]),
            our_key=read_key(found["key"]),
            paid_at=read_time(found["paid_at"]),
            provider_payment=str(found["id"]),
            fee_cents=read_cents(found["fee_cents"]),
            refunded_cents=read_cents(found["refunded_cents"]),
            disputed=found["dispute"] in ("open", "lost"),
            paid_out=bool(found["paid_out"]),
            raw_state=str(found["state"]),
        )

    def refund(self, request: RefundRequest) -> RefundSnapshot:
        wish = {"amount_cents": request.amount_cents, "key": str(request.key), "comment": request.comment}
        path = f"/v1/payments/{request.provider_reference}/refunds"
        return self._refund(self._call("POST", path, json=wish, key=f"{request.key}-{request.attempt}"))

    def find_refunds(self, provider_reference: str, *, provider_payment: str = "") -> list[RefundSnapshot]:
        found = self._call("GET", f"/v1/payments/{provider_reference}/refunds")
        return [self._refund(one) for one in found["refunds"]]

    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, remote_ip: str = "") -> list[Hint]:
        parts = dict(
            part.partition("=")[::2] for part in read_header(headers, "X-Simulated-Signature").split(",")
        )
        at, given = parts.get("t", ""), parts.get("v1", "")
        expected = [
            hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
            for secret in self.webhook_secrets
        ]
        if not any(hmac.compare_digest(given.encode(), one.encode()) for one in expected):
            raise WebhookRejected("bad_signature")
        if not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE_SECONDS:
            raise WebhookRejected("stale")
        try:
            event = json.loads(body)
            hint = Hint(
                event_id=str(event["id"]),
                kind=str(event["type"]),
                provider_reference=str(event["payment"]),
                our_key=read_key(event["key"]),
                provider_payment=str(event["payment"]),
                payload=event,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise WebhookRejected("garbled", repr(error)) from error
        return [hint]

    def settlements(self, since: datetime, until: datetime) -> Iterator[SettlementLine]:
        query = {"since": since.isoformat(), "until": until.isoformat()}
        while True:
            page = self._call("GET", "/v1/movements", query=query)
            yield from (self._line(row) for row in page["movements"])
            if not page["next"]:
                return
            query["after"] = page["next"]

    def balance(self) -> int | None:
        return read_cents(self._call("GET", "/v1/balance")["cents"])

    # --- Words of the stand-in ----------------------------------------------------------------------
    def _call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        query: Mapping[str, str] | None = None,
        key: str = "",
    ) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else None
        answer = self.client.call(method, path, token=self.api_key, json=json, query=query, headers=headers)
        found = read_object(answer)
        if answer.status_code >= 400:
            error = found.get("error", {})
            refuse(answer, str(error.get("code", "")), str(error.get("message", "")))
        return found

    def _refund(self, found: Mapping[str, Any]) -> RefundSnapshot:
        states = {state.value for state in RefundState}
        return RefundSnapshot(
            provider_reference=str(found["id"]),
            state=RefundState(found["state"]) if found["state"] in states else RefundState.UNKNOWN,
            amount_cents=read_cents(found["amount_cents"]),
            currency=str(found["currency"]),
            our_key=read_key(found["key"]),
            created_at=read_time(found["created_at"]),
            done_at=read_time(found["done_at"]),
            raw_state=str(found["state"]),
            failure=str(found["failure"]),
        )

    def _line(self, row: Mapping[str, Any]) -> SettlementLine:
        kinds = {kind.value for kind in SettlementKind}
        booked = read_time(row["at"])
        if booked is None:
            raise ValueError("a movement without a date")
        return SettlementLine(
            line_id=str(row["id"]),
            kind=SettlementKind(row["kind"]) if row["kind"] in kinds else SettlementKind.OTHER,
            gross_cents=read_cents(row["gross_cents"]),
            fee_cents=read_cents(row["fee_cents"]),
            net_cents=read_cents(row["net_cents"]),
            at=booked,
            available_on=read_time(row["available_at"]),
            our_key=read_key(row["key"]),
            our_refund_key=read_key(row["refund_key"]),
            provider_reference=str(row["payment"]),
            provider_payment=str(row["payment"]),
            provider_refund=str(row["refund"]),
            payout=str(row["id"]) if row["kind"] == "payout" else "",
            raw_kind=str(row["kind"]),
        )
