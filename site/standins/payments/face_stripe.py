"""A subset of Stripe's API: Checkout Sessions, PaymentIntents, refunds, disputes, balance, events.

Strict like the original: an unknown parameter is refused, an idempotency key keeps its answer (a 500 too)
and its parameters, and a session has no PaymentIntent until somebody tried to pay.
"""

import json
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from standins.payments.bank import Bank, Refusal
from standins.payments.exchange import Face, Problem, Reply, Request, Route
from standins.payments.store import iso, moment

Row = dict[str, Any]
SECRET_KEY = "sk_test_simulated"  # noqa: S105 - opens nothing but this simulation
API_VERSION = "2026-10-28.endive"
SESSION_PARAMETERS = {
    "mode",
    "success_url",
    "cancel_url",
    "client_reference_id",
    "customer_email",
    "locale",
    "expires_at",
    "metadata",
    "payment_intent_data",
    "payment_method_types",
    "line_items",
    "submit_type",
    "expand",
}
REFUND_PARAMETERS = {"payment_intent", "charge", "amount", "reason", "metadata", "expand"}
REASONS = {"duplicate", "fraudulent", "requested_by_customer"}
INTENT_STATUS = {
    "created": "requires_payment_method",
    "pending": "processing",
    "paid": "succeeded",
    "failed": "requires_payment_method",
    "abandoned": "canceled",
    "expired": "canceled",
}
REFUND_STATUS = {"pending": "pending", "in_transit": "pending", "done": "succeeded", "failed": "failed"}
MOVEMENT_TYPES = {
    "payment": ("charge", "charge"),
    "refund": ("refund", "refund"),
    "payout": ("payout", "payout"),
    "refund_failure": ("refund_failure", "refund_failure"),
    "dispute": ("adjustment", "dispute"),
    "dispute_reversal": ("adjustment", "dispute_reversal"),
}


def seconds(text: str | None) -> int | None:
    return int(moment(text).timestamp()) if text else None


def nested(pairs: list[tuple[str, str]]) -> Row:
    """a[b][0][c]=1 → {"a": {"b": {"0": {"c": "1"}}}}; `a[]` numbers itself."""
    tree: Row = {}
    for name, value in pairs:
        parts = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        here = tree
        for part in parts[:-1]:
            here = here.setdefault(part, {})
        here[parts[-1] or str(len(here))] = value
    return tree


class StripeFace(Face):
    name = "stripe"
    prefix = "/stripe"
    replays_errors = True

    def __init__(self, bank: Bank, origin: str) -> None:
        super().__init__(bank, origin)
        session = r"/stripe/v1/checkout/sessions/(?P<ref>cs_test_[0-9a-f]+)"
        self.routes = [
            Route("POST", re.compile(r"/stripe/v1/checkout/sessions"), "start", self.create, keyed=True),
            Route("GET", re.compile(session), "fetch", self.session),
            Route("POST", re.compile(session + "/expire"), "expire", self.expire, keyed=True),
            Route(
                "GET", re.compile(r"/stripe/v1/payment_intents/(?P<ref>pi_[0-9a-f]+)"), "fetch", self.intent
            ),
            Route("POST", re.compile(r"/stripe/v1/refunds"), "refund", self.refund, keyed=True),
            Route("GET", re.compile(r"/stripe/v1/refunds"), "find_refunds", self.refunds),
            Route("GET", re.compile(r"/stripe/v1/disputes"), "fetch", self.disputes),
            Route("GET", re.compile(r"/stripe/v1/balance"), "balance", self.balance),
            Route("GET", re.compile(r"/stripe/v1/balance_transactions"), "settlements", self.movements),
            Route("GET", re.compile(r"/stripe/v1/events"), "fetch", self.events),
        ]

    def check_access(self, request: Request, route: Route) -> None:
        if request.bearer != SECRET_KEY:
            raise Problem(401, "", "Invalid API Key provided.", type="invalid_request_error")

    def problem(self, problem: Problem) -> Reply:
        more = {"type": "api_error" if problem.status >= 500 else "invalid_request_error", **problem.more}
        code = {"code": problem.code} if problem.code else {}
        return Reply.of({"error": {"message": problem.sentence, **code, **more}}, problem.status)

    # --- Sessions and intents -------------------------------------------------------------------------
    def create(self, request: Request) -> Reply:
        wish = self._parameters(request, SESSION_PARAMETERS)
        lines = wish.get("line_items", {})
        line = lines.get("0", {})
        price = line.get("price_data", {})
        if wish.get("mode") != "payment" or len(lines) != 1 or line.get("quantity") != "1":
            raise Problem(
                400, "parameter_missing", "This simulation knows mode=payment with one line of one unit."
            )
        if price.get("currency") != "eur" or not price.get("product_data", {}).get("name"):
            raise Problem(400, "parameter_missing", "The line needs a name and the currency eur.")
        if not re.fullmatch(r"\d{1,8}", price.get("unit_amount", "")):
            raise Problem(400, "parameter_invalid_integer", "Invalid integer: unit_amount")
        if int(price["unit_amount"]) < 50:
            raise Problem(400, "amount_too_small", "The amount must convert to at least 50 cents.")
        expires = None
        if "expires_at" in wish:
            expires = datetime.fromtimestamp(int(wish["expires_at"]), UTC)
            ahead = (expires - self.store.now()).total_seconds()
            if not 30 * 60 - 60 <= ahead <= 24 * 3600 + 60:
                raise Problem(
                    400,
                    "",
                    "expires_at must be between 30 minutes and 24 hours from now.",
                    param="expires_at",
                )
        metadata = wish.get("metadata", {})
        payment = self.bank.open_payment(
            face=self.name,
            amount=int(price["unit_amount"]),
            title=price["product_data"]["name"],
            key=next((value for name, value in metadata.items() if name.endswith("payment")), ""),
            reference=wish.get("client_reference_id", ""),
            email=wish.get("customer_email", ""),
            return_url=wish.get("success_url", ""),
            cancel_url=wish.get("cancel_url", ""),
            expires_at=expires,
            minutes=24 * 60,
            metadata={"session": metadata, "intent": wish.get("payment_intent_data", {}).get("metadata", {})},
        )
        return Reply.of(self._session(payment, set()))

    def session(self, request: Request) -> Reply:
        return Reply.of(self._session(self._payment(request.args["ref"]), self._expand(request)))

    def expire(self, request: Request) -> Reply:
        payment = self._payment(request.args["ref"])
        if payment["state"] != "created":
            raise Problem(400, "", "Only a session with status open can be expired.")
        return Reply.of(self._session(self.bank.abandon(payment), set()))

    def intent(self, request: Request) -> Reply:
        return Reply.of(self._intent(self._payment(request.args["ref"]), self._expand(request)))

    def _session(self, payment: Row, expand: set[str]) -> Row:
        state = payment["state"]
        status = {"created": "open", "abandoned": "expired", "expired": "expired"}.get(state, "complete")
        tried = state in ("pending", "paid", "failed")
        intent: Any = None
        if tried:
            under = {
                path.removeprefix("payment_intent.") for path in expand if path.startswith("payment_intent.")
            }
            intent = (
                self._intent(payment, under)
                if "payment_intent" in expand or under
                else f"pi_{payment['token']}"
            )
        return {
            "id": f"cs_test_{payment['token']}",
            "object": "checkout.session",
            "mode": "payment",
            "livemode": False,
            "amount_total": payment["amount"],
            "currency": payment["currency"].lower(),
            "status": status,
            "payment_status": "paid" if state == "paid" else "unpaid",
            "payment_intent": intent,
            "url": self.page_of(payment) if status == "open" else None,
            "created": seconds(payment["created_at"]),
            "expires_at": seconds(payment["expires_at"]),
            "client_reference_id": payment["reference"] or None,
            "metadata": json.loads(payment["metadata"]).get("session", {}),
        }

    def _intent(self, payment: Row, expand: set[str]) -> Row:
        paid = payment["state"] == "paid"
        charge: Any = f"ch_{payment['token']}" if paid else None
        if paid and any(path.startswith("latest_charge") for path in expand):
            charge = self._charge(payment, with_movement="latest_charge.balance_transaction" in expand)
        return {
            "id": f"pi_{payment['token']}",
            "object": "payment_intent",
            "amount": payment["amount"],
            "amount_received": payment["captured"],
            "currency": payment["currency"].lower(),
            "status": payment["raw_state"] or INTENT_STATUS[payment["state"]],
            "latest_charge": charge,
            "created": seconds(payment["created_at"]),
            "livemode": False,
            "metadata": json.loads(payment["metadata"]).get("intent", {}),
        }

    def _charge(self, payment: Row, *, with_movement: bool = False) -> Row:
        row = self.store.row("SELECT * FROM movement WHERE payment = ? AND kind = 'payment'", payment["id"])
        movement: Any = f"txn_{row['token']}" if row else None
        if row and with_movement:
            movement = self._movement(row, False)
        refunded = self.bank.refunded(payment)
        return {
            "id": f"ch_{payment['token']}",
            "object": "charge",
            "amount": payment["captured"],
            "amount_captured": payment["captured"],
            "amount_refunded": refunded,
            "refunded": refunded == payment["captured"],
            "disputed": bool(payment["disputed"]),
            "currency": payment["currency"].lower(),
            "created": seconds(payment["paid_at"]),
            "paid": True,
            "status": "succeeded",
            "payment_intent": f"pi_{payment['token']}",
            "balance_transaction": movement,
            "metadata": json.loads(payment["metadata"]).get("intent", {}),
        }

    # --- Refunds and disputes -------------------------------------------------------------------------
    def refund(self, request: Request) -> Reply:
        wish = self._parameters(request, REFUND_PARAMETERS)
        payment = self._payment(wish.get("payment_intent") or wish.get("charge", ""))
        if wish.get("reason", "requested_by_customer") not in REASONS:
            raise Problem(400, "", "Invalid reason.", param="reason")
        amount = int(wish.get("amount") or payment["captured"] - self.bank.refunded(payment))
        metadata = wish.get("metadata", {})
        key = next((value for name, value in metadata.items() if name.endswith("refund")), "")
        try:
            if payment["state"] == "paid" and self.bank.refunded(payment) == payment["captured"]:
                raise Refusal("charge_already_refunded", "Charge has already been refunded.")
            refund = self.bank.refund(payment, amount, key=key, metadata=metadata, fault=request.fault)
        except Refusal as refusal:
            code = {"disputed": "charge_disputed", "too_much": ""}.get(refusal.code, refusal.code)
            raise Problem(400, code, refusal.sentence) from None
        return Reply.of(self._refund(payment, refund))

    def refunds(self, request: Request) -> Reply:
        payment = self._payment(request.query.get("payment_intent") or request.query.get("charge", ""))
        found = [self._refund(payment, refund) for refund in reversed(self.bank.refunds_of(payment))]
        return self._list(request, found, "/v1/refunds")

    def _refund(self, payment: Row, refund: Row) -> Row:
        return {
            "id": f"re_{refund['token']}",
            "object": "refund",
            "amount": refund["amount"],
            "currency": payment["currency"].lower(),
            "charge": f"ch_{payment['token']}",
            "payment_intent": f"pi_{payment['token']}",
            "created": seconds(refund["created_at"]),
            "status": REFUND_STATUS[refund["state"]],
            "failure_reason": refund["failure"] or None,
            "metadata": json.loads(refund["metadata"]),
        }

    def disputes(self, request: Request) -> Reply:
        payment = self._payment(request.query.get("payment_intent", ""))
        return self._list(request, [self._dispute(payment)] if payment["disputed"] else [], "/v1/disputes")

    def _dispute(self, payment: Row) -> Row:
        return {
            "id": f"dp_{payment['token']}",
            "object": "dispute",
            "amount": payment["captured"],
            "currency": payment["currency"].lower(),
            "charge": f"ch_{payment['token']}",
            "payment_intent": f"pi_{payment['token']}",
            "status": "needs_response" if payment["disputed"] == "open" else payment["disputed"],
            "metadata": {},
        }

    # --- Books --------------------------------------------------------------------------------------
    def balance(self, request: Request) -> Reply:
        cents = self.bank.balance(self.name)
        return Reply.of(
            {
                "object": "balance",
                "livemode": False,
                "available": [{"amount": cents, "currency": "eur"}],
                "pending": [{"amount": 0, "currency": "eur"}],
            }
        )

    def movements(self, request: Request) -> Reply:
        bounds = {"gte": "1970-01-01T00:00:00.000000Z", "lt": "9999-01-01T00:00:00.000000Z"}
        for name in bounds:
            if f"created[{name}]" in request.query:
                bounds[name] = iso(datetime.fromtimestamp(int(request.query[f"created[{name}]"]), UTC))
        rows = self.store.rows(
            "SELECT * FROM movement WHERE face = ? AND at >= ? AND at < ? ORDER BY at DESC, id DESC",
            self.name,
            bounds["gte"],
            bounds["lt"],
        )
        found = [self._movement(row, "data.source" in self._expand(request)) for row in rows]
        return self._list(request, found, "/v1/balance_transactions")

    def _movement(self, row: Row, with_source: bool) -> Row:
        kind, category = MOVEMENT_TYPES[row["kind"]]
        payment = self.bank.by_id(self.name, row["payment"]) if row["payment"] else None
        refund = self.store.row("SELECT * FROM refund WHERE id = ?", row["refund"]) if row["refund"] else None
        source: Row | None = None
        if payment and refund:
            source = self._refund(payment, refund)
        elif payment:
            source = self._dispute(payment) if "dispute" in row["kind"] else self._charge(payment)
        elif kind == "payout":
            source = {"id": f"po_{row['token']}", "object": "payout"}
        return {
            "id": f"txn_{row['token']}",
            "object": "balance_transaction",
            "amount": row["gross"],
            "fee": row["fee"],
            "net": row["gross"] - row["fee"],
            "currency": "eur",
            "type": kind,
            "reporting_category": category,
            "created": seconds(row["at"]),
            "available_on": seconds(row["available_at"]),
            "source": source if with_source or source is None else source["id"],
        }

    def events(self, request: Request) -> Reply:
        rows = self.store.rows("SELECT body FROM event WHERE face = ? ORDER BY id DESC", self.name)
        return self._list(request, [json.loads(row["body"]) for row in rows], "/v1/events")

    # --- Manner of speaking ---------------------------------------------------------------------------
    def _parameters(self, request: Request, allowed: set[str]) -> Row:
        wish = nested(request.form())
        if unknown := wish.keys() - allowed:
            name = sorted(unknown)[0]
            raise Problem(400, "parameter_unknown", f"Received unknown parameter: {name}", param=name)
        return wish

    def _expand(self, request: Request) -> set[str]:
        return {value for name, value in request.query.items() if name.startswith("expand[")}

    def _payment(self, reference: str) -> Row:
        payment = self.bank.by_token(self.name, reference.rsplit("_", 1)[-1])
        if payment is None:
            raise Problem(404, "resource_missing", f"No such object: '{reference}'")
        return payment

    def _list(self, request: Request, found: list[Row], url: str) -> Reply:
        """Newest first, by pages of `limit` after `starting_after`."""
        start = 0
        if after := request.query.get("starting_after"):
            start = next((at + 1 for at, one in enumerate(found) if one["id"] == after), len(found))
        limit = int(request.query.get("limit", 10))
        page = found[start : start + limit]
        return Reply.of({"object": "list", "url": url, "data": page, "has_more": start + limit < len(found)})

    # --- Notifications ------------------------------------------------------------------------------
    def tell(self, what: str, payment: Row, refund: Row | None) -> list[tuple[str, Row]]:
        session, intent, charge = self._session(payment, set()), self._intent(payment, set()), None
        if payment["state"] == "paid":
            charge = self._charge(payment)
        told: list[tuple[str, Row]]
        if refund:
            happened = "refund.failed" if what == "refund.failed" else "refund.updated"
            told = [(happened, self._refund(payment, refund))]
            if charge and what != "refund.failed":
                told.append(("charge.refunded", charge))
        elif what.startswith("dispute."):
            happened = "created" if what == "dispute.opened" else "closed"
            told = [(f"charge.dispute.{happened}", self._dispute(payment))]
        else:
            told = {
                "payment.pending": [
                    ("checkout.session.completed", session),
                    ("payment_intent.processing", intent),
                ],
                "payment.paid": [
                    ("checkout.session.completed", session),
                    ("payment_intent.succeeded", intent),
                ],
                "payment.failed": [
                    ("checkout.session.async_payment_failed", session),
                    ("payment_intent.payment_failed", intent),
                ],
                "payment.expired": [("checkout.session.expired", session)],
            }[what]
        return [(kind, self._event(kind, thing)) for kind, thing in told]

    def _event(self, kind: str, thing: Row) -> Row:
        return {
            "id": f"evt_{secrets.token_hex(12)}",
            "object": "event",
            "api_version": API_VERSION,
            "created": int(datetime.now(UTC).timestamp()),
            "type": kind,
            "livemode": False,
            "data": {"object": thing},
        }
