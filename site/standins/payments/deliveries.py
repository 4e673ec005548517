"""Sends the webhooks: signed, retried, in order unless the script says otherwise."""

import contextlib
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from standins.payments.bank import Bank

# Seconds before each further try; after the last one the message is lost, as at a real provider.
RETRIES = (0.3, 1, 5, 15, 60, 300)
SECRETS = {
    "simulated": "simulated-webhook-secret",
    "stripe": "whsec_simulated",
    "helloasso": "simulated-signature-key",
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def signed_headers(face: str, body: bytes, secret: str, fault: str = "") -> dict[str, str]:
    """The three ways of signing; real time even when the stand-in's clock is shifted."""
    if fault == "bad_signature":
        secret += "-forged"
    at = int(time.time()) - (3600 if fault == "stale" else 0)
    if face == "helloasso":
        return {"x-ha-signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    name = "Stripe-Signature" if face == "stripe" else "X-Simulated-Signature"
    return {name: f"t={at},v1={digest}"}


class Deliveries(threading.Thread):
    def __init__(self, bank: Bank) -> None:
        super().__init__(name="deliveries", daemon=True)
        self.bank = bank
        self.store = bank.store
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            waiting = self.store.rows(
                "SELECT d.*, e.face, e.body FROM delivery d JOIN event e ON e.id = d.event"
                " WHERE d.state = 'waiting' AND d.due <= ? ORDER BY d.due, d.id LIMIT 20",
                time.time(),
            )
            for delivery in waiting:
                if self.stopping:
                    return
                self._send(delivery)
            if not waiting:
                with self.bank.news:
                    self.bank.news.wait(0.1)

    def _send(self, delivery: dict[str, Any]) -> None:
        body = delivery["body"].encode()
        face = delivery["face"]
        secret = self.store.recall(f"webhook:{face}", {}).get("secret") or SECRETS[face]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "abonde-standin",
            **signed_headers(face, body, secret, delivery["fault"]),
        }
        status = 0
        request = urllib.request.Request(delivery["url"], data=body, headers=headers)  # noqa: S310 - loopback only
        try:
            with _opener.open(request, timeout=10) as answer:
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            status = 0
        attempts = delivery["attempts"] + 1
        if 200 <= status < 300:
            changes: dict[str, Any] = {"state": "delivered"}
        elif attempts > len(RETRIES):
            changes = {"state": "lost"}
        else:
            changes = {"due": time.time() + RETRIES[attempts - 1]}
        # A reset may have emptied the table meanwhile.
        with contextlib.suppress(LookupError):
            self.store.update("delivery", delivery["id"], attempts=attempts, status=status, **changes)
        with self.bank.news:
            self.bank.news.notify_all()

    def flush(self, seconds: float) -> dict[str, int]:
        """Waits until nothing is left to send, or until `seconds` are over; returns the counts."""
        deadline = time.monotonic() + seconds
        while True:
            counts = {"waiting": 0, "delivered": 0, "lost": 0}
            for row in self.store.rows("SELECT state, COUNT(*) AS n FROM delivery GROUP BY state"):
                counts[row["state"]] = row["n"]
            left = deadline - time.monotonic()
            if not counts["waiting"] or left <= 0:
                return counts
            with self.bank.news:
                self.bank.news.wait(min(left, 0.1))

    def redeliver(self, payment: dict[str, Any], times: int) -> int:
        """Every event of a payment once more, `times` times; returns how many were queued."""
        events = self.store.rows("SELECT * FROM event WHERE payment = ? ORDER BY id", payment["id"])
        target = payment["notify_url"] or self.store.recall(f"webhook:{payment['face']}", {}).get("url", "")
        if not target:
            return 0
        for _again in range(times):
            for event in events:
                self.bank.post(event["id"], target, f"{event['kind']} {event['body']}", event["face"])
        return len(events) * times


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
