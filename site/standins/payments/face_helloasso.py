"""A subset of HelloAsso's API v5, after its published OpenAPI: no idempotency key, refunds that may ask
for a second factor, and an order that only shows once the payment is authorised."""

import json
import re
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from standins.payments.bank import Bank, Refusal
from standins.payments.exchange import Face, Problem, Reply, Request, Route
from standins.payments.store import iso, moment

CLIENT_ID, CLIENT_SECRET, ORGANIZATION = "simulated-client", "simulated-secret", "fondation-demo"
TOKEN_SECONDS = 1800
PAGE_MINUTES = 15
REFUND_SECONDS = 0.5  # Processing, then Processed
INTENTS, ORDERS, PAYMENTS = 10_000, 500_000, 900_000
REQUIRED = {
    "backUrl",
    "containsDonation",
    "errorUrl",
    "initialAmount",
    "itemName",
    "returnUrl",
    "totalAmount",
}
ALLOWED = REQUIRED | {"terms", "payer", "metadata"}
STATUS = {"pending": "Init", "in_transit": "Processing", "done": "Processed", "failed": "Refused"}


class HelloAssoFace(Face):
    name = "helloasso"
    prefix = "/helloasso"

    def __init__(self, bank: Bank, origin: str) -> None:
        super().__init__(bank, origin)
        organization = r"/helloasso/v5/organizations/(?P<slug>[\w-]+)"
        one = r"/helloasso/v5/payments/(?P<payment>\d+)"
        self.routes = [
            Route("POST", re.compile(r"/helloasso/oauth2/token"), "token", self.token),
            Route("POST", re.compile(organization + "/checkout-intents"), "start", self.create),
            Route(
                "GET", re.compile(organization + r"/checkout-intents/(?P<intent>\d+)"), "fetch", self.intent
            ),
            Route("GET", re.compile(one), "find_refunds", self.payment),
            Route("POST", re.compile(one + "/refund"), "refund", self.refund),
            Route("GET", re.compile(organization + "/payments"), "settlements", self.payments),
        ]

    # --- Access -------------------------------------------------------------------------------------
    def token(self, request: Request) -> Reply:
        form = dict(request.form())
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return Reply.of({"error": "invalid_client"}, 400)
        if form.get("grant_type") not in ("client_credentials", "refresh_token"):
            return Reply.of({"error": "unsupported_grant_type"}, 400)
        access = secrets.token_urlsafe(24)
        known = {t: end for t, end in self.store.recall("helloasso_tokens", {}).items() if end > time.time()}
        self.store.remember("helloasso_tokens", {**known, access: time.time() + TOKEN_SECONDS})
        return Reply.of(
            {
                "access_token": access,
                "refresh_token": secrets.token_urlsafe(24),
                "token_type": "bearer",
                "expires_in": TOKEN_SECONDS - 1,
            }
        )

    def check_access(self, request: Request, route: Route) -> None:
        if route.operation == "token":
            return
        if self.store.recall("helloasso_tokens", {}).get(request.bearer, 0) <= time.time():
            raise Problem(401, "Unauthorized", "Authorization has been denied for this request.")

    def problem(self, problem: Problem) -> Reply:
        return Reply.of({"errors": [{"code": problem.code, "message": problem.sentence}]}, problem.status)

    # --- Checkout -----------------------------------------------------------------------------------
    def create(self, request: Request) -> Reply:
        self._organization(request)
        wish = request.json()
        if missing := REQUIRED - wish.keys():
            raise Problem(400, "ArgumentInvalid", f"Missing: {', '.join(sorted(missing))}")
        if extra := wish.keys() - ALLOWED:
            raise Problem(400, "ArgumentInvalid", f"Unknown: {', '.join(sorted(extra))}")
        amount = wish["totalAmount"]
        if not isinstance(amount, int) or amount < 50 or amount != wish["initialAmount"] or wish.get("terms"):
            raise Problem(
                400, "ArgumentInvalid", "The amounts are not acceptable (whole cents, one term, 50 or more)."
            )
        if not 1 <= len(wish["itemName"]) <= 250:
            raise Problem(400, "ArgumentInvalid", "itemName has 1 to 250 characters.")
        if any(
            urlsplit(wish[name]).scheme not in ("http", "https")
            for name in ("backUrl", "errorUrl", "returnUrl")
        ):
            raise Problem(400, "ArgumentInvalid", "The three addresses must be web addresses.")
        metadata = wish.get("metadata") or {}
        key = next((str(value) for name, value in metadata.items() if name.endswith("payment")), "")
        payment = self.bank.open_payment(
            face=self.name,
            key=key,
            amount=amount,
            title=wish["itemName"],
            return_url=wish["returnUrl"],
            cancel_url=wish["backUrl"],
            metadata=metadata,
            minutes=PAGE_MINUTES,
            reference=str(metadata.get("reference", "")),
            email=(wish.get("payer") or {}).get("email", ""),
        )
        return Reply.of({"id": INTENTS + payment["id"], "redirectUrl": self.page_of(payment)})

    def intent(self, request: Request) -> Reply:
        self._organization(request)
        payment = self.bank.by_id(self.name, int(request.args["intent"]) - INTENTS)
        if payment is None:
            raise Problem(404, "NotFound", "No such checkout intent.")
        answer = {
            "id": INTENTS + payment["id"],
            "redirectUrl": self.page_of(payment),
            "metadata": json.loads(payment["metadata"]) or None,
        }
        if payment["state"] == "paid":
            answer["order"] = self._order(payment)
        return Reply.of(answer)

    def payment(self, request: Request) -> Reply:
        payment = self._paid(request)
        return Reply.of(self._detail(payment))

    def payments(self, request: Request) -> Reply:
        self._organization(request)
        size = min(int(request.query.get("pageSize", 20)), 100)
        start, _, ident = request.query.get("continuationToken", "").partition("|")
        rows = self.store.rows(
            "SELECT * FROM payment WHERE face = ? AND paid_at >= ? AND paid_at < ? AND (paid_at, id) > (?, ?)"
            " ORDER BY paid_at, id LIMIT ?",
            self.name,
            iso(moment(request.query["from"])),
            iso(moment(request.query["to"])),
            start,
            int(ident or 0),
            size,
        )
        token = f"{rows[-1]['paid_at']}|{rows[-1]['id']}" if rows else None
        data = [self._detail(row) for row in rows]
        return Reply.of({"data": data, "pagination": {"pageSize": size, "continuationToken": token}})

    # --- Refunds ------------------------------------------------------------------------------------
    def refund(self, request: Request) -> Reply:
        payment = self._paid(request)
        if request.fault and request.fault.kind == "mfa":
            raise Problem(409, "MfaRequired", "A second factor is needed: confirm by the code sent by SMS.")
        whole = payment["captured"]
        amount = int(request.query.get("amount") or 0) or whole
        if request.query.get("cancelOrder") == "true" and amount != whole:
            raise Problem(400, "ArgumentInvalid", "cancelOrder needs a full refund.")
        try:
            refund = self.bank.refund(
                payment,
                amount,
                comment=request.query.get("comment", ""),
                slow_seconds=REFUND_SECONDS,
                fault=request.fault,
            )
        except Refusal as refusal:
            raise Problem(400, f"Refund_{refusal.code}", refusal.sentence) from None
        return Reply.of(self._operation(refund))

    # --- Shapes -------------------------------------------------------------------------------------
    def _organization(self, request: Request) -> None:
        if request.args["slug"] != ORGANIZATION:
            raise Problem(403, "Forbidden", "This key has no right on this organization.")

    def _paid(self, request: Request) -> dict[str, Any]:
        payment = self.bank.by_id(self.name, int(request.args["payment"]) - PAYMENTS)
        if payment is None or payment["state"] != "paid":
            raise Problem(404, "NotFound", "No such payment.")
        return payment

    def _operation(self, refund: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": refund["id"],
            "amount": refund["amount"],
            "amountTip": 0,
            "status": STATUS[refund["state"]],
            "meta": {
                "createdAt": refund["created_at"],
                "updatedAt": refund["done_at"] or refund["created_at"],
            },
        }

    def _state(self, payment: dict[str, Any], refunds: list[dict[str, Any]]) -> str:
        if payment["raw_state"]:
            return str(payment["raw_state"])
        if payment["disputed"] in ("open", "lost"):
            return "Contested"
        live = [refund for refund in refunds if refund["state"] != "failed"]
        if sum(refund["amount"] for refund in live) == payment["captured"]:
            return "Refunded" if all(refund["state"] == "done" for refund in live) else "Refunding"
        return "Authorized"  # a partial refund leaves it so

    def _light(self, payment: dict[str, Any]) -> dict[str, Any]:
        refunds = self.bank.refunds_of(payment)
        return {
            "id": PAYMENTS + payment["id"],
            "amount": payment["captured"],
            "amountTip": 0,
            "date": payment["paid_at"],
            "paymentMeans": "Card",
            "installmentNumber": 1,
            "type": "Credit",
            "state": self._state(payment, refunds),
            "cashOutState": payment["cash_out"],
            "items": [{"id": ORDERS + payment["id"], "shareAmount": payment["captured"]}],
            "meta": {"createdAt": payment["created_at"], "updatedAt": payment["paid_at"]},
            "refundOperations": [self._operation(refund) for refund in refunds],
        }

    def _detail(self, payment: dict[str, Any]) -> dict[str, Any]:
        order = {
            "id": ORDERS + payment["id"],
            "date": payment["paid_at"],
            "formType": "Checkout",
            "organizationSlug": ORGANIZATION,
            "checkoutIntentId": INTENTS + payment["id"],
        }
        return {**self._light(payment), "order": order, "payer": {"email": payment["email"]}}

    def _order(self, payment: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": ORDERS + payment["id"],
            "date": payment["paid_at"],
            "formType": "Checkout",
            "organizationSlug": ORGANIZATION,
            "checkoutIntentId": INTENTS + payment["id"],
            "amount": {"total": payment["captured"], "vat": 0, "discount": 0},
            "payments": [self._light(payment)],
        }

    # --- Notifications ------------------------------------------------------------------------------
    def tell(
        self, what: str, payment: dict[str, Any], refund: dict[str, Any] | None
    ) -> list[tuple[str, dict[str, Any]]]:
        """Orders and payments only, never an event number; nothing at all for a page that was left."""
        if payment["state"] != "paid":
            return []
        metadata = json.loads(payment["metadata"])
        told = [("Payment", {"eventType": "Payment", "data": self._detail(payment), "metadata": metadata})]
        if what == "payment.paid":
            told.insert(
                0, ("Order", {"eventType": "Order", "data": self._order(payment), "metadata": metadata})
            )
        return told
