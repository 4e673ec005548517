"""How a test or a demonstration drives the bank: `/_control/…`, JSON in, JSON out."""

from datetime import timedelta
from typing import Any

from standins.payments.bank import Bank, Refusal
from standins.payments.deliveries import Deliveries
from standins.payments.exchange import Problem, Reply, Request
from standins.payments.face_simulated import is_loopback
from standins.payments.faults import BadFault
from standins.payments.store import moment

FACES = ("simulated", "stripe", "helloasso")


class Control:
    def __init__(self, bank: Bank, deliveries: Deliveries) -> None:
        self.bank = bank
        self.store = bank.store
        self.deliveries = deliveries

    def answer(self, request: Request) -> Reply:
        """Raises Problem."""
        verb = request.path.removeprefix("/_control/")
        handler = getattr(self, f"{request.method.lower()}_{verb}", None)
        if handler is None:
            raise Problem(404, "unknown", f"Commande inconnue : {request.method} {request.path}")
        # A page of another site cannot send this content type without being asked first.
        if request.method == "POST" and not request.headers.get("content-type", "").startswith(
            "application/json"
        ):
            raise Problem(415, "json_only", "Les commandes se donnent en JSON.")
        try:
            return Reply.of(handler(request))
        except (BadFault, Refusal) as error:
            raise Problem(422, getattr(error, "code", "bad_fault"), str(error)) from None
        except (KeyError, TypeError, ValueError) as error:
            raise Problem(422, "bad_command", f"Commande mal formée : {error!r}") from None

    # --- Misbehaviour -------------------------------------------------------------------------------
    def post_faults(self, request: Request) -> Any:
        script = request.json()
        self.bank.faults.add(script["faults"] if "faults" in script else [script])
        return {"faults": self.bank.faults.to_json()}

    def get_faults(self, request: Request) -> Any:
        return {"faults": self.bank.faults.to_json()}

    def delete_faults(self, request: Request) -> Any:
        self.bank.faults.clear()
        return {"faults": []}

    # --- The payer, the bank, the treasurer ---------------------------------------------------------
    def post_pay(self, request: Request) -> Any:
        order = request.json()
        at = moment(order["at"]) if order.get("at") else None
        payment = self._payment(order)
        if order.get("card") == "abandoned":
            return self._show(self.bank.abandon(payment))
        return self._show(self.bank.play(payment, order.get("card", "accepted"), at))

    def post_refund(self, request: Request) -> Any:
        """A refund made by hand on the provider's own console."""
        order = request.json()
        payment = self._payment(order)
        amount = order.get("cents") or payment["captured"] - self.bank.refunded(payment)
        self.bank.refund(payment, int(amount), comment="console")
        return self._show(self.bank.again(payment))

    def post_dispute(self, request: Request) -> Any:
        order = request.json()
        payment = self._payment(order)
        if outcome := order.get("outcome"):
            return self._show(self.bank.close_dispute(payment, outcome))
        return self._show(self.bank.dispute(payment))

    def post_payout(self, request: Request) -> Any:
        order = request.json()
        face = self._face(order)
        return {
            "sent_cents": self.bank.pay_out(face, order.get("cents")),
            "balance_cents": self.bank.balance(face),
        }

    # --- Time ---------------------------------------------------------------------------------------
    def post_advance(self, request: Request) -> Any:
        self.bank.advance()
        return self.get_totals(request)

    def post_clock(self, request: Request) -> Any:
        order = request.json()
        offset = timedelta(seconds=float(order.get("offset_seconds", 0)))
        if order.get("at"):
            offset = moment(order["at"]) - (self.store.now() - self.store.offset)
        with self.store.lock:
            self.store.set_offset(offset)
        return self.get_clock(request)

    def get_clock(self, request: Request) -> Any:
        return {"now": self.store.now().isoformat(), "offset_seconds": self.store.offset.total_seconds()}

    # --- Messages -----------------------------------------------------------------------------------
    def post_webhooks(self, request: Request) -> Any:
        order = request.json()
        if "enabled" in order:
            self.store.remember("webhooks_enabled", bool(order["enabled"]))
        if "url" in order or "secret" in order:
            face = self._face(order)
            if order.get("url") and not is_loopback(order["url"]):
                raise Problem(422, "bad_notify_url", "Ce simulateur n'envoie de messages qu'à cette machine.")
            target = self.store.recall(f"webhook:{face}", {})
            target |= {name: order[name] for name in ("url", "secret") if name in order}
            self.store.remember(f"webhook:{face}", target)
        return {face: self.store.recall(f"webhook:{face}", {}) for face in FACES} | {
            "enabled": self.store.recall("webhooks_enabled", True)
        }

    def post_redeliver(self, request: Request) -> Any:
        order = request.json()
        return {"queued": self.deliveries.redeliver(self._payment(order), int(order.get("times", 1)))}

    def post_flush(self, request: Request) -> Any:
        return self.deliveries.flush(float(request.json().get("seconds", 10)))

    def get_deliveries(self, request: Request) -> Any:
        rows = self.store.rows(
            "SELECT e.kind, d.url, d.state, d.status, d.attempts, d.fault FROM delivery d"
            " JOIN event e ON e.id = d.event ORDER BY d.id DESC LIMIT 500"
        )
        return {"deliveries": rows}

    # --- What really happened -----------------------------------------------------------------------
    def get_payment(self, request: Request) -> Any:
        payment = self._payment(request.query)
        return self._show(payment) | {"refunds": self.bank.refunds_of(payment)}

    def get_totals(self, request: Request) -> Any:
        """The bank's own sums per face, to judge another ledger by."""
        totals: dict[str, Any] = {}
        for face in FACES:
            paid = self.store.row(
                "SELECT COUNT(*) AS paid, COALESCE(SUM(captured), 0) AS captured_cents, COALESCE(SUM(fee), 0)"
                " AS fee_cents FROM payment WHERE face = ? AND state = 'paid'",
                face,
            )
            back = self.store.row(
                "SELECT COUNT(*) AS refunds, COALESCE(SUM(r.amount), 0) AS refunded_cents FROM refund r"
                " JOIN payment p ON p.id = r.payment WHERE p.face = ? AND r.state <> 'failed'",
                face,
            )
            totals[face] = {**(paid or {}), **(back or {}), "balance_cents": self.bank.balance(face)}
        return totals

    def post_expire_tokens(self, request: Request) -> Any:
        self.store.remember("helloasso_tokens", {})
        return {}

    def post_reset(self, request: Request) -> Any:
        self.bank.faults.clear()
        self.store.forget_everything()
        return {}

    def _face(self, order: dict[str, Any]) -> str:
        face = order.get("face", "simulated")
        if face not in FACES:
            raise ValueError(f"face: {', '.join(FACES)}")
        return str(face)

    def _payment(self, order: dict[str, Any]) -> dict[str, Any]:
        self.bank.tick()
        payment = self.bank.by_anything(str(order["payment"]))
        if payment is None:
            raise Problem(404, "unknown", "Ce paiement n'existe pas.")
        return payment

    def _show(self, payment: dict[str, Any]) -> dict[str, Any]:
        names = (
            "face",
            "token",
            "key",
            "reference",
            "amount",
            "captured",
            "currency",
            "state",
            "fee",
            "disputed",
            "cash_out",
            "paid_at",
        )
        return {name: payment[name] for name in names} | {
            "refunded_cents": self.bank.refunded(payment),
            "page": f"/payer/{payment['token']}",
        }
