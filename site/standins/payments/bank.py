"""What really happens to the money, whatever door it was asked through."""

import json
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from standins.payments.faults import Fault, Faults
from standins.payments.store import Store, iso

Row = dict[str, Any]
# How a face tells its events: (what happened, payment, refund or nothing) → (type, body) pairs.
Teller = Callable[[str, Row, Row | None], list[tuple[str, dict[str, Any]]]]

# Test cards of the payment page: what becomes of the payment.
CARDS = ("accepted", "refused", "pending", "pending_refused")
REFUSALS_ALLOWED = 3
PENDING_SECONDS = 5.0
PAGE_MINUTES = 30
# Per thousand and fixed cents; the bank keeps them when it refunds, as real ones do.
FEES = {"simulated": (14, 25), "stripe": (15, 25), "helloasso": (0, 0)}
DISPUTE_FEE = 1500


class Refusal(Exception):
    """A definite no. `code` is the bank's word; each face says it its own way."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Bank:
    def __init__(self, store: Store, faults: Faults) -> None:
        self.store = store
        self.faults = faults
        self.tellers: dict[str, Teller] = {}
        self.news = threading.Condition()  # woken when there is something to deliver

    # --- Reading ------------------------------------------------------------------------------------
    def by_token(self, face: str, token: str) -> Row | None:
        return self.store.row("SELECT * FROM payment WHERE face = ? AND token = ?", face, token)

    def by_id(self, face: str, ident: int) -> Row | None:
        return self.store.row("SELECT * FROM payment WHERE face = ? AND id = ?", face, ident)

    def by_anything(self, text: str) -> Row | None:
        """By key, token, public reference or a face's own reference: what a tester has in hand."""
        token = text.rsplit("_", 1)[-1]
        for column, value in (("key", text), ("token", token), ("reference", text)):
            if found := self.store.row(
                f"SELECT * FROM payment WHERE {column} = ? ORDER BY id DESC LIMIT 1",  # noqa: S608
                value,
            ):
                return found
        return self.by_id("helloasso", int(text) - 10_000) if text.isdigit() else None

    def again(self, payment: Row) -> Row:
        found = self.store.row("SELECT * FROM payment WHERE id = ?", payment["id"])
        if found is None:
            raise LookupError(payment["id"])
        return found

    def refunds_of(self, payment: Row) -> list[Row]:
        return self.store.rows("SELECT * FROM refund WHERE payment = ? ORDER BY id", payment["id"])

    def refunded(self, payment: Row) -> int:
        """Cents on their way back or arrived, failed ones left out."""
        found = self.store.row(
            "SELECT COALESCE(SUM(amount), 0) AS cents FROM refund WHERE payment = ? AND state <> 'failed'",
            payment["id"],
        )
        return found["cents"] if found else 0

    def balance(self, face: str) -> int:
        found = self.store.row("SELECT COALESCE(SUM(gross - fee), 0) AS c FROM movement WHERE face = ?", face)
        return found["c"] if found else 0

    # --- Collecting ---------------------------------------------------------------------------------
    def open_payment(
        self,
        *,
        face: str,
        amount: int,
        currency: str = "EUR",
        minutes: float = PAGE_MINUTES,
        metadata: dict[str, Any] | None = None,
        expires_at: datetime | None = None,
        key: str = "",
        title: str = "",
        reference: str = "",
        email: str = "",
        return_url: str = "",
        cancel_url: str = "",
        notify_url: str = "",
    ) -> Row:
        now = self.store.now()
        with self.store.transaction():
            ident = self.store.insert(
                "payment",
                token=secrets.token_hex(12),
                face=face,
                key=key,
                amount=amount,
                currency=currency,
                title=title,
                reference=reference,
                email=email,
                return_url=return_url,
                cancel_url=cancel_url,
                notify_url=notify_url,
                metadata=json.dumps(metadata or {}),
                state="created",
                created_at=iso(now),
                expires_at=iso(expires_at or now + timedelta(minutes=minutes)),
            )
            found = self.by_id(face, ident)
            if found is None:
                raise LookupError(ident)
            return found

    def play(self, payment: Row, card: str, at: datetime | None = None) -> Row:
        """The payer types a test card. `at` stamps the capture in a played past."""
        with self.store.transaction():
            self.tick()
            payment = self.again(payment)
            if payment["state"] != "created":
                raise Refusal("not_open", "Ce paiement n'attend plus de carte.")
            if card == "accepted":
                self._capture(payment, at)
            elif card == "refused":
                refusals = payment["refusals"] + 1
                state = "failed" if refusals >= REFUSALS_ALLOWED else "created"
                self.store.update("payment", payment["id"], refusals=refusals, state=state)
                if state == "failed":
                    self._tell("payment.failed", payment)
            elif card in ("pending", "pending_refused"):
                due = self.store.now() + timedelta(seconds=PENDING_SECONDS)
                outcome = "paid" if card == "pending" else "failed"
                self.store.update(
                    "payment", payment["id"], state="pending", due_at=iso(due), due_state=outcome
                )
                self._tell("payment.pending", payment)
            else:
                raise Refusal("unknown_card", "Cette carte d'essai n'existe pas.")
            return self.again(payment)

    def abandon(self, payment: Row) -> Row:
        with self.store.transaction():
            if self.again(payment)["state"] == "created":
                self.store.update("payment", payment["id"], state="abandoned")
                self._tell("payment.expired", payment)
            return self.again(payment)

    def _capture(self, payment: Row, at: datetime | None = None) -> None:
        per_mille, fixed = FEES[payment["face"]]
        changes: Row = {"captured": payment["amount"]}
        fault = self.faults.take(payment["face"], "capture", f"{payment['key']} {payment['reference']}")
        if fault:
            changes |= self._wrong(fault, payment)
        fee = (changes["captured"] * per_mille + 500) // 1000 + fixed
        now = at or self.store.now()
        self.store.update(
            "payment",
            payment["id"],
            state="paid",
            paid_at=iso(now),
            fee=fee,
            due_at=None,
            due_state=None,
            **changes,
        )
        self._move(payment, "payment", changes["captured"], fee, at=now)
        self._tell("payment.paid", payment)

    def _wrong(self, fault: Fault, payment: Row) -> Row:
        if fault.kind == "wrong_amount":
            return {"captured": int(fault.details.get("cents", payment["amount"] - 1))}
        if fault.kind == "wrong_currency":
            return {"captured": payment["amount"], "currency": fault.details.get("currency", "USD")}
        if fault.kind == "wrong_reference":
            other = str(fault.details.get("key") or uuid4())
            metadata = payment["metadata"].replace(payment["key"], other)
            return {"captured": payment["amount"], "key": other, "metadata": metadata}
        if fault.kind == "raw_state":
            return {
                "captured": payment["amount"],
                "raw_state": fault.details.get("raw_state", "Inconsistent"),
            }
        return {"captured": payment["amount"]}

    # --- Giving back --------------------------------------------------------------------------------
    def refund(
        self,
        payment: Row,
        amount: int,
        *,
        key: str = "",
        comment: str = "",
        slow_seconds: float = 0.0,
        metadata: dict[str, Any] | None = None,
        fault: Fault | None = None,
    ) -> Row:
        """Raises Refusal: not paid, disputed, more than what is left."""
        with self.store.transaction():
            payment = self.again(payment)
            left = payment["captured"] - self.refunded(payment)
            if payment["state"] != "paid":
                raise Refusal("not_paid", "Ce paiement n'a pas été encaissé.")
            if payment["disputed"] == "open":
                raise Refusal("disputed", "Ce paiement est contesté auprès de la banque.")
            if amount < 1:
                raise Refusal("bad_amount", "Le montant doit être positif.")
            if amount > left:
                raise Refusal("too_much", f"Il reste {left} centimes à rembourser, pas {amount}.")
            now = self.store.now()
            state, due_at, due_state = "done", None, None
            if slow_seconds:
                state, due_at, due_state = "in_transit", iso(now + timedelta(seconds=slow_seconds)), "done"
            kind = fault.kind if fault else ""
            if kind == "pending_then_failed":
                wait = timedelta(seconds=float(fault.details.get("seconds", 1))) if fault else timedelta(0)
                state, due_at, due_state = "in_transit", iso(now + wait), "failed"
            elif kind in ("stay_pending", "low_balance"):
                state, due_at, due_state = "pending", None, "done"
            elif kind == "fails":
                state, due_at, due_state = "failed", None, None
            ident = self.store.insert(
                "refund",
                token=secrets.token_hex(12),
                payment=payment["id"],
                key=key,
                amount=amount,
                state=state,
                comment=comment,
                metadata=json.dumps(metadata or {}),
                created_at=iso(now),
                due_at=due_at,
                due_state=due_state,
                done_at=iso(now) if state == "done" else None,
                failure="expired_or_canceled_card" if state == "failed" else "",
            )
            refund = self._refund_row(ident)
            if state in ("done", "in_transit"):
                self._move(payment, "refund", -amount, 0, refund=refund)
            self._tell("refund.failed" if state == "failed" else f"refund.{state}", payment, refund)
            return refund

    def dispute(self, payment: Row) -> Row:
        """The payer's bank takes the money back, with a fee."""
        with self.store.transaction():
            payment = self.again(payment)
            if payment["state"] != "paid" or payment["disputed"] == "open":
                raise Refusal("not_disputable", "Seul un paiement encaissé, non contesté, peut l'être.")
            self.store.update("payment", payment["id"], disputed="open")
            self._move(payment, "dispute", -(payment["captured"] - self.refunded(payment)), DISPUTE_FEE)
            self._tell("dispute.opened", payment)
            return self.again(payment)

    def close_dispute(self, payment: Row, outcome: str) -> Row:
        """`won`: the money comes back to the holder; `lost`: it does not."""
        with self.store.transaction():
            payment = self.again(payment)
            if payment["disputed"] != "open" or outcome not in ("won", "lost"):
                raise Refusal("not_disputed", "Aucune contestation ouverte, ou issue inconnue (won, lost).")
            self.store.update("payment", payment["id"], disputed=outcome)
            if outcome == "won":
                back = payment["captured"] - self.refunded(payment)
                self._move(payment, "dispute_reversal", back, -DISPUTE_FEE)
            self._tell("dispute.closed", payment)
            return self.again(payment)

    def pay_out(self, face: str, amount: int | None) -> int:
        """Sends the balance, or part of it, to the holder's bank."""
        with self.store.transaction():
            cents = self.balance(face) if amount is None else amount
            if cents > 0:
                self._book(face, "payout", -cents, 0)
                self.store.run(
                    "UPDATE payment SET cash_out = 'CashedOut' WHERE face = ? AND state = 'paid'", face
                )
            return cents

    # --- Time ---------------------------------------------------------------------------------------
    def tick(self) -> None:
        """Whatever is due by the stand-in's clock happens now."""
        with self.store.transaction():
            now = iso(self.store.now())
            for payment in self.store.rows("SELECT * FROM payment WHERE due_at <= ?", now):
                if payment["due_state"] == "paid":
                    self._capture(payment)
                else:
                    self.store.update("payment", payment["id"], state="failed", due_at=None, due_state=None)
                    self._tell("payment.failed", payment)
            for payment in self.store.rows(
                "SELECT * FROM payment WHERE state = 'created' AND expires_at <= ?", now
            ):
                self.store.update("payment", payment["id"], state="expired")
                self._tell("payment.expired", payment)
            for refund in self.store.rows("SELECT * FROM refund WHERE due_at <= ?", now):
                self._settle_refund(refund)

    def advance(self) -> None:
        """No more waiting: every pending payment and refund meets its end."""
        with self.store.transaction():
            now = iso(self.store.now())
            self.store.run("UPDATE payment SET due_at = ? WHERE state = 'pending'", now)
            self.store.run("UPDATE refund SET due_at = ? WHERE state IN ('pending', 'in_transit')", now)
            self.tick()

    def _settle_refund(self, refund: Row) -> None:
        payment = self.again({"id": refund["payment"]})
        failed = refund["due_state"] == "failed"
        self.store.update(
            "refund",
            refund["id"],
            due_at=None,
            due_state=None,
            state="failed" if failed else "done",
            failure="expired_or_canceled_card" if failed else "",
            done_at=None if failed else iso(self.store.now()),
        )
        if failed and refund["state"] == "in_transit":
            self._move(payment, "refund_failure", refund["amount"], 0, refund=refund)
        if not failed and refund["state"] == "pending":
            self._move(payment, "refund", -refund["amount"], 0, refund=refund)
        self._tell("refund.failed" if failed else "refund.done", payment, self._refund_row(refund["id"]))

    # --- Books and news -----------------------------------------------------------------------------
    def _refund_row(self, ident: int) -> Row:
        found = self.store.row("SELECT * FROM refund WHERE id = ?", ident)
        if found is None:
            raise LookupError(ident)
        return found

    def _move(
        self,
        payment: Row,
        kind: str,
        gross: int,
        fee: int,
        *,
        refund: Row | None = None,
        at: datetime | None = None,
    ) -> None:
        self._book(
            payment["face"],
            kind,
            gross,
            fee,
            payment=payment["id"],
            refund=refund["id"] if refund else None,
            at=at,
        )

    def _book(
        self,
        face: str,
        kind: str,
        gross: int,
        fee: int,
        *,
        payment: int | None = None,
        refund: int | None = None,
        at: datetime | None = None,
    ) -> None:
        now = at or self.store.now()
        self.store.insert(
            "movement",
            token=secrets.token_hex(12),
            face=face,
            kind=kind,
            payment=payment,
            refund=refund,
            gross=gross,
            fee=fee,
            at=iso(now),
            available_at=iso(now + timedelta(days=2)),
        )

    def _tell(self, what: str, payment: Row, refund: Row | None = None) -> None:
        """Writes the event in the same transaction as what it tells; delivery comes after."""
        payment = self.again(payment)
        target = self.store.recall(f"webhook:{payment['face']}", {})
        url = payment["notify_url"] or target.get("url", "")
        enabled = self.store.recall("webhooks_enabled", True)
        for kind, body in self.tellers[payment["face"]](what, payment, refund):
            event = self.store.insert(
                "event",
                token=secrets.token_hex(12),
                face=payment["face"],
                kind=kind,
                payment=payment["id"],
                body=json.dumps(body),
                at=iso(self.store.now()),
            )
            if url and enabled:
                self.post(event, url, f"{kind} {json.dumps(body)}", payment["face"])

    def post(self, event: int, url: str, text: str, face: str) -> None:
        """Queue the deliveries of one event, as the script wants them."""
        fault = self.faults.take(face, "webhook", text)
        kind = fault.kind if fault else ""
        if kind == "drop":
            return
        copies = int(fault.details.get("count", 3)) if fault and kind == "duplicate" else 1
        wait = 0.0
        if fault and kind in ("delay", "reorder"):
            wait = float(fault.details.get("seconds", 2 if kind == "delay" else 0.5))
        real_now = datetime.now().timestamp()
        for _copy in range(copies):
            self.store.insert(
                "delivery",
                event=event,
                url=url,
                due=real_now + wait,
                fault=kind if kind in ("bad_signature", "stale") else "",
            )
        with self.news:
            self.news.notify_all()
