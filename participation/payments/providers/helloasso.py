"""Adapter of HelloAsso Checkout v5, written from its published OpenAPI.

What shapes it: no idempotency key (so it looks before it refunds), an order that only shows once the payment
is authorised (so nothing tells a refusal from a page that was left), refunds that may ask for a second factor
(so a person finishes them), notifications signed for partners only (else known by the sender's address).
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import requests
from django.utils.translation import gettext_lazy as _

from participation.payments.port import (
    CURRENCY,
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
    READ_SECONDS,
    JsonClient,
    read_cents,
    read_header,
    read_key,
    read_object,
    read_time,
    refuse,
)

Json = Mapping[str, Any]
PAYMENT_KEY, AMOUNT = "abonde_payment", "abonde_cents"

# The 21 values of PaymentState. What does not say clearly where the money is goes to a human.
STATES = {
    "Init": PaymentState.CREATED,
    "Pending": PaymentState.PENDING,
    "Waiting": PaymentState.PENDING,
    "WaitingBankValidation": PaymentState.PENDING,
    "WaitingBankWithdraw": PaymentState.PENDING,
    "WaitingAuthentication": PaymentState.PENDING,
    "Authorized": PaymentState.PAID,
    "Refunding": PaymentState.PAID,
    "Refunded": PaymentState.PAID,
    "Contested": PaymentState.PAID,
    "Refused": PaymentState.FAILED,
    "Canceled": PaymentState.FAILED,
    "Abandoned": PaymentState.EXPIRED,
    "AuthorizedPreprod": PaymentState.UNKNOWN,  # paid, but only in the sandbox: see `sandbox`
    "Registered": PaymentState.UNKNOWN,  # a payment made elsewhere and noted by hand
    "Corrected": PaymentState.UNKNOWN,
    "Deleted": PaymentState.UNKNOWN,
    "Error": PaymentState.UNKNOWN,
    "Inconsistent": PaymentState.UNKNOWN,
    "NoDonation": PaymentState.UNKNOWN,
    "Unknown": PaymentState.UNKNOWN,
}
# The 10 values of PaymentCashOutState: has the money left for the association's bank? None: it does not say.
PAID_OUT: dict[str, bool | None] = {
    "MoneyIn": False,
    "CantTransferReceiverFull": False,
    "TransferInProgress": False,
    "Transfered": False,
    "WaitingForCashOutConfirmation": False,
    "CashedOut": True,
    "Refunding": None,
    "Refunded": None,
    "Contested": None,
    "Unknown": None,
}
# The 9 values of OperationState, for a refund.
REFUND_STATES = {
    "Init": RefundState.PENDING,
    "Processing": RefundState.IN_TRANSIT,
    "Processed": RefundState.DONE,
    "Refused": RefundState.FAILED,
    "Aborted": RefundState.FAILED,
    "Canceled": RefundState.FAILED,
    "Error": RefundState.UNKNOWN,
    "InternalError": RefundState.UNKNOWN,
    "Unknown": RefundState.UNKNOWN,
}
TOKEN_MARGIN_SECONDS = 60
# How far back a refund told in a period may have been paid: the list is by date of payment only.
LOOK_BACK = timedelta(days=200)


class HelloAssoProvider:
    """`refund_window_days` 0 means that HelloAsso's word on it has not been asked for yet."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        organization: str,
        name: str = "helloasso",
        api_base: str = "https://api.helloasso.com",
        signature_keys: Sequence[str] = (),
        notifier_ips: Sequence[str] = (),
        sandbox: bool = False,
        read_seconds: float = READ_SECONDS,
        refund_window_days: int = 0,
        payout_deadline_days: int | None = None,
    ) -> None:
        self.name = name
        self.client_id = client_id
        self.client_secret = client_secret
        self.organization = organization
        self.signature_keys = list(signature_keys)
        self.notifier_ips = set(notifier_ips)
        self.states = STATES | ({"AuthorizedPreprod": PaymentState.PAID} if sandbox else {})
        self.client = JsonClient(api_base, read_seconds=read_seconds)
        self._token = ""
        self._token_until = 0.0
        self._token_lock = threading.Lock()
        self.capabilities = Capabilities(
            idempotency=False,
            webhook_auth=WebhookAuth.HMAC if self.signature_keys else WebhookAuth.IP,
            refunds=RefundMode.API,
            partial_refunds=True,
            lookup_refunds=True,
            async_confirm=True,
            needs_redirect=True,
            settlements=True,
            min_cents=50,
            refund_window_days=refund_window_days,
            payout_deadline_days=payout_deadline_days,
            page_minutes=15,
            call_seconds=100,  # refund(): a token, a look, the refund, and a token again if it had just died
        )

    # --- Collecting ---------------------------------------------------------------------------------
    def start(self, request: StartRequest) -> Started:
        wish = {
            "totalAmount": request.amount_cents,
            "initialAmount": request.amount_cents,
            "itemName": request.title[:250] or request.reference,
            "backUrl": request.cancel_url or request.return_url,
            "errorUrl": request.return_url,
            "returnUrl": request.return_url,
            "containsDonation": True,
            # The amount too: HelloAsso does not give it back before the order exists.
            "metadata": {
                PAYMENT_KEY: str(request.key),
                AMOUNT: request.amount_cents,
                "reference": request.reference,
            },
        }
        if request.email:
            wish["payer"] = {"email": request.email}
        found = self._call("POST", f"/v5/organizations/{self.organization}/checkout-intents", json=wish)
        return Started(provider_reference=str(found["id"]), redirect_url=str(found["redirectUrl"]))

    def fetch(
        self, provider_reference: str, *, key: UUID | None = None, provider_payment: str = ""
    ) -> Snapshot:
        intent = self._intent(provider_reference)
        metadata = intent.get("metadata") or {}
        our_key = read_key(metadata.get(PAYMENT_KEY))
        order = intent.get("order")
        payments = (order or {}).get("payments") or []
        if len(payments) == 1:
            return self._snapshot(intent, payments[0], our_key)
        # No order: not paid, or not yet, or never; HelloAsso does not say which.
        return Snapshot(
            provider_reference=str(intent["id"]),
            state=PaymentState.UNKNOWN if order else PaymentState.CREATED,
            amount_cents=sum(map(own_cents, payments)) if order else read_cents(metadata.get(AMOUNT)),
            currency=CURRENCY,
            our_key=our_key,
            raw_state=f"{len(payments)} payments" if order else "no order",
        )

    def _snapshot(self, intent: Json, payment: Json, our_key: UUID | None) -> Snapshot:
        raw = str(payment.get("state"))
        cash_out = str(payment.get("cashOutState"))
        state = self.states.get(raw, PaymentState.UNKNOWN)
        if cash_out not in PAID_OUT and state == PaymentState.PAID:
            state = PaymentState.UNKNOWN
        live = [refund for refund in operations(payment) if refund.state != RefundState.FAILED]
        return Snapshot(
            provider_reference=str(intent["id"]),
            state=state,
            amount_cents=own_cents(payment),
            currency=CURRENCY,
            our_key=our_key,
            paid_at=read_time(payment.get("date")) if state == PaymentState.PAID else None,
            provider_payment=str(payment["id"]),
            refunded_cents=sum(refund.amount_cents for refund in live),
            disputed="Contested" in (raw, cash_out),
            paid_out=PAID_OUT.get(cash_out),
            raw_state=f"{raw}/{cash_out}",
        )

    def _intent(self, provider_reference: str) -> dict[str, Any]:
        if not provider_reference.isdigit():
            raise UnknownReference("unknown", provider_reference)
        path = f"/v5/organizations/{self.organization}/checkout-intents/{provider_reference}"
        return self._call("GET", path)

    # --- Giving back --------------------------------------------------------------------------------
    def refund(self, request: RefundRequest) -> RefundSnapshot:
        """Looks first: an operation nobody knows of is our own earlier try, or somebody's doing.

        Raises NeedsHuman for a second factor (HTTP 409) and for a refund that cannot be explained.
        """
        payment = self._payment(request.provider_reference, request.provider_payment)
        known = operations(payment)
        strangers = [
            one
            for one in known
            if one.provider_reference not in request.known_references and one.state != RefundState.FAILED
        ]
        if len(strangers) == 1 and strangers[0].amount_cents == request.amount_cents:
            return strangers[0]
        if strangers:
            found = ", ".join(f"{one.provider_reference}: {one.amount_cents}" for one in strangers)
            raise NeedsHuman(
                "unexplained_refund",
                found,
                sentence=_("HelloAsso already shows a refund of this payment that was not ordered here."),
            )
        query = {"comment": request.comment or str(request.key), "sendRefundMail": "false"}
        if request.amount_cents == own_cents(payment):
            query["cancelOrder"] = "true"
        else:
            query["amount"] = str(request.amount_cents)
        return operation(self._call("POST", f"/v5/payments/{payment['id']}/refund", query=query))

    def find_refunds(self, provider_reference: str, *, provider_payment: str = "") -> list[RefundSnapshot]:
        if not provider_payment and not (self._intent(provider_reference).get("order")):
            return []
        return operations(self._payment(provider_reference, provider_payment))

    def _payment(self, provider_reference: str, provider_payment: str) -> dict[str, Any]:
        """The payment with its refunds. Raises ProviderRefused when nothing was paid."""
        if not provider_payment:
            order = self._intent(provider_reference).get("order") or {}
            payments = order.get("payments") or []
            if len(payments) != 1:
                raise ProviderRefused("not_paid", f"{len(payments)} payments")
            provider_payment = str(payments[0]["id"])
        return self._call("GET", f"/v5/payments/{provider_payment}")

    # --- Messages -----------------------------------------------------------------------------------
    def parse_webhook(self, headers: Mapping[str, str], body: bytes, *, remote_ip: str = "") -> list[Hint]:
        self._check_sender(headers, body, remote_ip)
        try:
            event = json.loads(body)
            kind, data = str(event["eventType"]), event["data"]
            if kind not in ("Order", "Payment"):
                return []
            order = data if kind == "Order" else data.get("order") or {}
            payment = data if kind == "Payment" else (data.get("payments") or [{}])[0]
            metadata = event.get("metadata") or {}
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise WebhookRejected("garbled", repr(error)) from error
        # No event number: the same words twice are the same message.
        digest = hashlib.sha256(body).hexdigest()[:32]
        return [
            Hint(
                event_id=f"{kind}-{data.get('id')}-{digest}",
                kind=kind,
                provider_reference=str(order.get("checkoutIntentId") or ""),
                our_key=read_key(metadata.get(PAYMENT_KEY)),
                provider_payment=str(payment.get("id") or ""),
                # Names and addresses of the payer are left out.
                payload={"eventType": kind, "id": data.get("id"), "state": payment.get("state")},
            )
        ]

    def _check_sender(self, headers: Mapping[str, str], body: bytes, remote_ip: str) -> None:
        if not self.signature_keys:
            if remote_ip not in self.notifier_ips:
                raise WebhookRejected("bad_address", remote_ip)
            return
        given = read_header(headers, "x-ha-signature").encode()
        expected = [hmac.new(key.encode(), body, hashlib.sha256).hexdigest() for key in self.signature_keys]
        if not any(hmac.compare_digest(given, one.encode()) for one in expected):
            raise WebhookRejected("bad_signature")

    # --- Books --------------------------------------------------------------------------------------
    def settlements(self, since: datetime, until: datetime) -> Iterator[SettlementLine]:
        """Built from the payments, for want of an account statement: paid, refunded, paid out."""
        lines: list[SettlementLine] = []
        for payment in self._payments(since - LOOK_BACK, until):
            lines += [line for line in lines_of(payment, self.states) if since <= line.at < until]
        yield from sorted(lines, key=lambda line: (line.at, line.line_id))

    def _payments(self, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        query = {
            "from": since.astimezone(UTC).isoformat(),
            "to": until.astimezone(UTC).isoformat(),
            "pageSize": "100",
            "sortOrder": "Asc",
        }
        while True:
            page = self._call("GET", f"/v5/organizations/{self.organization}/payments", query=query)
            yield from page["data"]
            token = (page.get("pagination") or {}).get("continuationToken")
            if not page["data"] or not token:
                return
            query["continuationToken"] = str(token)

    def balance(self) -> int | None:
        return None

    # --- Access -------------------------------------------------------------------------------------
    def _call(
        self, method: str, path: str, *, json: Any = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        answer = self.client.call(method, path, token=self._access(), json=json, query=query)
        if answer.status_code == 401:
            # The token died before its time; a refused call has moved nothing, so once more is safe.
            self._forget_token()
            answer = self.client.call(method, path, token=self._access(), json=json, query=query)
        found = read_object(answer)
        if answer.status_code == 409:
            raise NeedsHuman(
                "second_factor",
                explain(found),
                sentence=_(
                    "HelloAsso asks for a second factor before it gives this money back. "
                    "Sign in to HelloAsso and make the refund there; it will be recognised here."
                ),
            )
        if answer.status_code >= 400:
            errors = found.get("errors") or [{}]
            refuse(answer, str(errors[0].get("code") or ""), explain(found))
        return found

    def _access(self) -> str:
        """The access token, asked for again a minute before it dies. Kept in memory only."""
        with self._token_lock:
            if time.monotonic() >= self._token_until:
                form = {
                    "grant_type": "client_credentials",
                    "client_id": self.client_id,
                    "client_secret": self.client_secret,
                }
                answer: requests.Response = self.client.call("POST", "/oauth2/token", form=form)
                found = read_object(answer)
                if answer.status_code >= 400:
                    raise NeedsHuman("credentials", str(found.get("error", answer.status_code)))
                self._token = str(found["access_token"])
                lifetime = int(found.get("expires_in", 0)) - TOKEN_MARGIN_SECONDS
                self._token_until = time.monotonic() + max(lifetime, 0)
            return self._token

    def _forget_token(self) -> None:
        with self._token_lock:
            self._token_until = 0.0


def explain(found: Json) -> str:
    return "; ".join(str(error.get("message", "")) for error in found.get("errors") or []) or str(found)[:200]


def own_cents(payment: Json) -> int:
    """What the project gets: the tip that a payer may leave to HelloAsso is not ours."""
    if not payment.get("amountTip"):
        return read_cents(payment["amount"])
    return sum(read_cents(item["shareAmount"]) for item in payment.get("items") or [])


def operation(found: Json) -> RefundSnapshot:
    meta = found.get("meta") or {}
    state = REFUND_STATES.get(str(found.get("status")), RefundState.UNKNOWN)
    return RefundSnapshot(
        provider_reference=str(found["id"]),
        state=state,
        amount_cents=read_cents(found["amount"]),
        created_at=read_time(meta.get("createdAt")),
        done_at=read_time(meta.get("updatedAt")) if state == RefundState.DONE else None,
        raw_state=str(found.get("status")),
        failure=str(found.get("status")) if state == RefundState.FAILED else "",
    )


def operations(payment: Json) -> list[RefundSnapshot]:
    return [operation(found) for found in payment.get("refundOperations") or []]


def lines_of(payment: Json, states: Mapping[str, PaymentState]) -> Iterator[SettlementLine]:
    """Movements that one payment tells. HelloAsso takes no fee."""
    if states.get(str(payment.get("state"))) != PaymentState.PAID:
        return
    cents, ident = own_cents(payment), str(payment["id"])
    intent = str((payment.get("order") or {}).get("checkoutIntentId") or "")

    def line(
        line_id: str, kind: SettlementKind, gross: int, at: Any, *, refund: str = "", payout: str = ""
    ) -> SettlementLine:
        booked = read_time(at)
        if booked is None:
            raise ProviderUnavailable("garbled", f"no date on {line_id}")
        return SettlementLine(
            line_id=line_id,
            kind=kind,
            gross_cents=gross,
            fee_cents=0,
            net_cents=gross,
            at=booked,
            provider_reference=intent,
            provider_payment=ident,
            raw_kind=f"{payment.get('state')}/{payment.get('cashOutState')}",
            provider_refund=refund,
            payout=payout,
        )

    yield line(f"payment-{ident}", SettlementKind.PAYMENT, cents, payment.get("date"))
    for refund in operations(payment):
        if refund.state in (RefundState.DONE, RefundState.IN_TRANSIT):
            yield line(
                f"refund-{refund.provider_reference}",
                SettlementKind.REFUND,
                -refund.amount_cents,
                (refund.created_at or datetime.now(UTC)).isoformat(),
                refund=refund.provider_reference,
            )
    if payment.get("state") == "Contested":
        changed = (payment.get("meta") or {}).get("updatedAt") or payment.get("date")
        yield line(f"dispute-{ident}", SettlementKind.DISPUTE, -cents, changed)
    if PAID_OUT.get(str(payment.get("cashOutState"))) and payment.get("cashOutDate"):
        day = str(payment["cashOutDate"])
        yield line(f"payout-{ident}", SettlementKind.PAYOUT, -cents, day, payout=day[:10])
