"""HTTP: routes, faults, idempotency keys, one answer in one write."""

import json
import re
import threading
import time
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from standins.payments.bank import Bank
from standins.payments.control import Control
from standins.payments.deliveries import Deliveries
from standins.payments.exchange import Face, Problem, Reply, Request, Route
from standins.payments.face_helloasso import HelloAssoFace
from standins.payments.face_simulated import SimulatedFace
from standins.payments.face_stripe import StripeFace
from standins.payments.faults import Fault, Faults
from standins.payments.page import PaymentPage
from standins.payments.store import Store, iso, moment

BEFORE = {"error_before", "timeout_before"}
AFTER = {"error_after", "timeout_after", "close_after", "garbage"}
MAXIMUM_BODY = 1_000_000
KEYS_LIVE = timedelta(hours=24)  # Stripe promises no more
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "[::1]"}


class HangUp(Exception):
    """Close the connection without a word, after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Provider:
    """The whole stand-in behind one `answer(request)`."""

    def __init__(self, state: Path | str, origin: str) -> None:
        self.store = Store(state)
        self.bank = Bank(self.store, Faults())
        self.faces: list[Face] = [
            SimulatedFace(self.bank, origin),
            StripeFace(self.bank, origin),
            HelloAssoFace(self.bank, origin),
        ]
        self.deliveries = Deliveries(self.bank)
        self.control = Control(self.bank, self.deliveries)
        page = PaymentPage(self.bank)
        token = re.compile(r"/payer/(?P<token>[0-9a-f]+)")
        self.pages = [
            Route("GET", re.compile("/"), "page", page.home),
            Route("GET", re.compile(r"/style\.css"), "page", page.style),
            Route("GET", token, "page", page.show),
            Route("POST", token, "page", page.submit),
        ]

    def answer(self, request: Request) -> Reply:
        """Raises HangUp."""
        if request.path.startswith("/_control/"):
            try:
                return self.control.answer(request)
            except Problem as problem:
                return Reply.of(
                    {"error": {"code": problem.code, "message": problem.sentence}}, problem.status
                )
        if route := self._route(self.pages, request):
            return route.handler(request)
        for face in self.faces:
            if request.path.startswith(face.prefix + "/"):
                return self._api(face, request)
        return Reply.of({"error": {"code": "unknown", "message": "Adresse inconnue."}}, 404)

    def _route(self, routes: list[Route], request: Request) -> Route | None:
        for route in routes:
            if route.method == request.method and (found := route.pattern.fullmatch(request.path)):
                request.args = found.groupdict()
                return route
        return None

    def _api(self, face: Face, request: Request) -> Reply:
        route = self._route(face.routes, request)
        if route is None:
            return face.problem(Problem(404, "resource_missing", f"Unrecognized request URL: {request.path}"))
        try:
            face.check_access(request, route)
            self.bank.tick()
            text = f"{request.path} {json.dumps(request.query)} {request.body.decode(errors='replace')}"
            if fault := self.bank.faults.take(face.name, route.operation, text, {"rate_limited"}):
                again = str(fault.details.get("retry_after", 1))
                refused = face.problem(Problem(429, "rate_limit", "Trop de requêtes, réessayez plus tard."))
                refused.headers["Retry-After"] = again
                return refused
            reply, fault = self._once(face, route, request, text)
        except Problem as problem:
            return face.problem(problem)
        return self._after(reply, fault)

    def _once(self, face: Face, route: Route, request: Request, text: str) -> tuple[Reply, Fault | None]:
        """The effect and what is kept of it under its key: together or not at all."""
        key = request.headers.get("idempotency-key", "") if route.keyed else ""
        with self.store.transaction():
            if key and (saved := self._saved(face, key, request)):
                return saved, None
            fault = self.bank.faults.take(face.name, route.operation, text)
            request.fault = fault
            kind = fault.kind if fault else ""
            broken = face.problem(Problem(500, "internal", "Erreur interne du prestataire (simulée)."))
            if kind in BEFORE:
                reply = kept = broken
            else:
                try:
                    reply = kept = route.handler(request)
                except Problem as problem:
                    reply = kept = face.problem(problem)
                except (KeyError, TypeError, ValueError) as error:
                    reply = kept = face.problem(
                        Problem(400, "bad_request", f"Requête mal formée : {error!r}")
                    )
                if kind == "error_after":
                    reply = broken
                    # Stripe replays the 500 that it answered; the others, what they really did.
                    kept = broken if face.replays_errors else kept
            if key and (kept.status < 500 or face.replays_errors) and kind != "timeout_before":
                self.store.insert(
                    "idempotency",
                    face=face.name,
                    key=key,
                    fingerprint=request.fingerprint,
                    status=kept.status,
                    body=kept.body.decode(),
                    at=iso(self.store.now()),
                )
        return reply, fault

    def _saved(self, face: Face, key: str, request: Request) -> Reply | None:
        saved = self.store.row("SELECT * FROM idempotency WHERE face = ? AND key = ?", face.name, key)
        if saved is None:
            return None
        if moment(saved["at"]) < self.store.now() - KEYS_LIVE:
            self.store.run("DELETE FROM idempotency WHERE face = ? AND key = ?", face.name, key)
            return None
        if saved["fingerprint"] != request.fingerprint:
            raise Problem(
                400 if face.name == "stripe" else 409,
                "idempotency_mismatch",
                "Keys for idempotent requests can only be used with the same parameters.",
                type="idempotency_error",
            )
        return Reply(saved["status"], saved["body"].encode(), headers={"Idempotent-Replayed": "true"})

    def _after(self, reply: Reply, fault: Fault | None) -> Reply:
        kind = fault.kind if fault else ""
        if fault and kind in ("timeout_before", "timeout_after"):
            raise HangUp(float(fault.details.get("seconds", 60)))
        if kind == "close_after":
            raise HangUp(0)
        if kind == "garbage":
            return Reply(200, b"<html>Bad gateway", "text/html")
        return reply


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "AbondeStandin"
    sys_version = ""
    disable_nagle_algorithm = True
    provider: Provider

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = MAXIMUM_BODY + 1
        if length > MAXIMUM_BODY:
            self.close_connection = True
            return self.send(
                Reply.of({"error": {"code": "too_large", "message": "Requête trop longue."}}, 413)
            )
        body = self.rfile.read(length)
        # A web page that gives its own name to this address must not be able to talk to it.
        if re.sub(r":\d+$", "", self.headers.get("Host", "")) not in LOOPBACK_HOSTS:
            return self.send(
                Reply.of({"error": {"code": "loopback_only", "message": "Boucle locale seulement."}}, 421)
            )
        request = Request(
            self.command,
            unquote(parts.path),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
        )
        try:
            self.send(self.provider.answer(request))
        except HangUp as hang:
            self._hang(hang.seconds)

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the names http.server looks for

    def do_HEAD(self) -> None:
        self.command = "GET"
        self.handle_any()

    def _hang(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.provider.deliveries.stopping:
            time.sleep(0.05)
        self.close_connection = True

    def send(self, reply: Reply) -> None:
        phrase = HTTPStatus(reply.status).phrase
        lines = [f"HTTP/1.1 {reply.status} {phrase}", f"Content-Type: {reply.content_type}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        lines += [
            f"Content-Length: {len(reply.body)}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
        ]
        self.wfile.write("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + reply.body)

    def log_message(self, *args: Any) -> None:
        """Quiet: thousands of refunds are not news."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, state: Path | str) -> None:
        super().__init__((host, port), Handler)
        self.origin = f"http://{host}:{self.server_address[1]}"
        self.provider = Provider(state, self.origin)
        self.RequestHandlerClass = type("BoundHandler", (Handler,), {"provider": self.provider})
        self.provider.deliveries.start()
        threading.Thread(target=self._keep_time, name="clock", daemon=True).start()

    def _keep_time(self) -> None:
        while not self.provider.deliveries.stopping:
            self.provider.bank.tick()
            time.sleep(0.2)

    def stop(self) -> None:
        self.provider.deliveries.stopping = True
        self.shutdown()
