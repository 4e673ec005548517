"""The stand-in's own API: plain JSON, bearer key, idempotency keys, signed notifications."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from standins.payments.bank import Bank, Refusal
from standins.payments.exchange import Face, Problem, Reply, Request, Route
from standins.payments.store import iso, moment

API_KEY = "simulated-key"
MINIMUM, MAXIMUM = 50, 10_000_000
PAGE = 1000


def is_loopback(url: str) -> bool:
    return urlsplit(url).scheme == "http" and urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


class SimulatedFace(Face):
    name = "simulated"
    prefix = "/v1"

    def __init__(self, bank: Bank, origin: str) -> None:
        super().__init__(bank, origin)
        one = r"/v1/payments/(?P<ref>pay_[0-9a-f]+)"
        self.routes = [
            Route("POST", re.compile(r"/v1/payments"), "start", self.create, keyed=True),
            Route("GET", re.compile(one), "fetch", self.read),
            Route("POST", re.compile(one + "/refunds"), "refund", self.refund, keyed=True),
            Route("GET", re.compile(one + "/refunds"), "find_refunds", self.refunds),
            Route("GET", re.compile(r"/v1/movements"), "settlements", self.movements),
            Route("GET", re.compile(r"/v1/balance"), "balance", self.balance),
        ]

    def check_access(self, request: Request, route: Route) -> None:
        if request.bearer != API_KEY:
            raise Problem(401, "bad_key", "Clé d'accès inconnue.")

    # --- Payments -----------------------------------------------------------------------------------
    def create(self, request: Request) -> Reply:
        wish = request.json()
        amount = wish.get("amount_cents")
        if not isinstance(amount, int) or isinstance(amount, bool) or not MINIMUM <= amount <= MAXIMUM:
            raise Problem(422, "bad_amount", f"Le montant doit être entre {MINIMUM} et {MAXIMUM} centimes.")
        if wish.get("currency") != "EUR":
            raise Problem(422, "bad_currency", "Seul l'euro est accepté.")
        if not wish.get("key"):
            raise Problem(422, "no_key", "Il manque la clé du paiement.")
        if urlsplit(wish.get("return_url", "")).scheme not in ("http", "https"):
            raise Problem(422, "bad_return_url", "L'adresse de retour n'est pas une adresse web.")
        expires = moment(wish["expires_at"]) if wish.get("expires_at") else None
        names = ("title", "reference", "email", "return_url", "cancel_url", "notify_url")
        texts: dict[str, Any] = {name: str(wish.get(name) or "") for name in names}
        if not is_loopback(texts["notify_url"]):
            # It writes to this machine only; a demonstration seen from elsewhere learns by asking.
            texts["notify_url"] = ""
        payment = self.bank.open_payment(
            face=self.name, key=str(wish["key"]), amount=amount, currency="EUR", expires_at=expires, **texts
        )
        return Reply.of(self.show(payment), 201)

    def read(self, request: Request) -> Reply:
        return Reply.of(self.show(self._payment(request)))

    def show(self, payment: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"pay_{payment['token']}",
            "key": payment["key"],
            "amount_cents": payment["captured"] if payment["state"] == "paid" else payment["amount"],
            "currency": payment["currency"],
            "state": payment["raw_state"] or payment["state"],
            "reference": payment["reference"],
            "created_at": payment["created_at"],
            "expires_at": payment["expires_at"],
            "paid_at": payment["paid_at"],
            "fee_cents": payment["fee"],
            "refunded_cents": self.bank.refunded(payment),
            "dispute": payment["disputed"],
            "paid_out": payment["cash_out"] == "CashedOut",
            "page": self.page_of(payment),
        }

    # --- Refunds ------------------------------------------------------------------------------------
    def refund(self, request: Request) -> Reply:
        wish = request.json()
        amount = wish.get("amount_cents")
        if not isinstance(amount, int) or isinstance(amount, bool):
            raise Problem(422, "bad_amount", "Le montant doit être un nombre entier de centimes.")
        try:
            refund = self.bank.refund(
                self._payment(request),
                amount,
                key=str(wish.get("key") or ""),
                comment=str(wish.get("comment") or ""),
                fault=request.fault,
            )
        except Refusal as refusal:
            raise Problem(422, refusal.code, refusal.sentence) from None
        return Reply.of(self.show_refund(refund), 201)

    def refunds(self, request: Request) -> Reply:
        payment = self._payment(request)
        return Reply.of({"refunds": [self.show_refund(refund) for refund in self.bank.refunds_of(payment)]})

    def show_refund(self, refund: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"ref_{refund['token']}",
            "key": refund["key"],
            "amount_cents": refund["amount"],
            "currency": "EUR",
            "state": refund["state"],
            "failure": refund["failure"],
            "created_at": refund["created_at"],
            "done_at": refund["done_at"],
        }

    def _payment(self, request: Request) -> dict[str, Any]:
        payment = self.bank.by_token(self.name, request.args["ref"].removeprefix("pay_"))
        if payment is None:
            raise Problem(404, "unknown", "Ce paiement n'existe pas.")
        return payment

    # --- Books --------------------------------------------------------------------------------------
    def movements(self, request: Request) -> Reply:
        try:
            since, until = (iso(datetime.fromisoformat(request.query[name])) for name in ("since", "until"))
        except (KeyError, ValueError):
            raise Problem(
                422, "bad_period", "Il faut since et until, en ISO 8601 avec le décalage."
            ) from None
        rows = self.store.rows(
            "SELECT m.*, p.token AS payment_token, p.key, r.token AS refund_token, r.key AS refund_key"
            " FROM movement m LEFT JOIN payment p ON p.id = m.payment LEFT JOIN refund r ON r.id = m.refund"
            " WHERE m.face = ? AND m.at >= ? AND m.at < ? AND (m.at, m.id) > (?, ?)"
            " ORDER BY m.at, m.id LIMIT ?",
            self.name,
            since,
            until,
            *self._cursor(request),
            PAGE,
        )
        return Reply.of(
            {
                "movements": [self._movement(row) for row in rows],
                "next": f"{rows[-1]['at']}|{rows[-1]['id']}" if len(rows) == PAGE else None,
            }
        )

    def _cursor(self, request: Request) -> tuple[str, int]:
        at, _, ident = request.query.get("after", "").partition("|")
        return at, int(ident or 0)

    def _movement(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"mov_{row['token']}",
            "kind": row["kind"],
            "gross_cents": row["gross"],
            "fee_cents": row["fee"],
            "net_cents": row["gross"] - row["fee"],
            "at": row["at"],
            "available_at": row["available_at"],
            "payment": f"pay_{row['payment_token']}" if row["payment_token"] else "",
            "key": row["key"] or "",
            "refund": f"ref_{row['refund_token']}" if row["refund_token"] else "",
            "refund_key": row["refund_key"] or "",
        }

    def balance(self, request: Request) -> Reply:
        return Reply.of({"cents": self.bank.balance(self.name), "currency": "EUR"})

    # --- Notifications ------------------------------------------------------------------------------
    def tell(
        self, what: str, payment: dict[str, Any], refund: dict[str, Any] | None
    ) -> list[tuple[str, dict[str, Any]]]:
        number = self.store.recall("simulated_events", 0) + 1
        self.store.remember("simulated_events", number)
        body = {
            "id": f"evt_{payment['token'][:8]}_{number}",
            "type": what,
            "payment": f"pay_{payment['token']}",
            "key": payment["key"],
            "refund": f"ref_{refund['token']}" if refund else "",
        }
        return [(what, body)]
