"""Requests, answers, and the door each face opens."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from re import Pattern
from typing import Any
from urllib.parse import parse_qsl

from standins.payments.bank import Bank
from standins.payments.faults import Fault


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    args: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None

    def json(self) -> dict[str, Any]:
        """Raises Problem when the body is not a JSON object."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            raise Problem(400, "bad_json", "Le corps de la requête n'est pas du JSON.") from None
        if not isinstance(value, dict):
            raise Problem(400, "bad_json", "Le corps de la requête doit être un objet JSON.")
        return value

    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)

    @property
    def bearer(self) -> str:
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        return value.strip() if kind.lower() == "bearer" else ""

    @property
    def fingerprint(self) -> str:
        """What must not change under one idempotency key."""
        return hashlib.sha256(f"{self.method} {self.path}\n".encode() + self.body).hexdigest()


@dataclass
class Reply:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> "Reply":
        body = json.dumps(value, ensure_ascii=False).encode()
        return cls(status, body, headers={name.replace("_", "-"): text for name, text in headers.items()})


class Problem(Exception):
    """An error answer; each face dresses it in its own JSON."""

    def __init__(self, status: int, code: str, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.more = more


Handler = Callable[[Request], Reply]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: Pattern[str]
    operation: str  # what a fault script calls it
    handler: Handler
    keyed: bool = False  # honours Idempotency-Key


class Face:
    """One provider's manner of speaking. Subclasses list their routes and dress their errors."""

    name = ""
    prefix = ""
    routes: list[Route]
    # Whether a 500 is kept and replayed under its idempotency key.
    replays_errors = False

    def __init__(self, bank: Bank, origin: str) -> None:
        self.bank = bank
        self.store = bank.store
        self.origin = origin
        bank.tellers[self.name] = self.tell
        self.routes = []

    def tell(
        self, what: str, payment: dict[str, Any], refund: dict[str, Any] | None
    ) -> list[tuple[str, dict[str, Any]]]:
        raise NotImplementedError

    def check_access(self, request: Request, route: Route) -> None:
        """Raises Problem(401)."""

    def problem(self, problem: Problem) -> Reply:
        return Reply.of(
            {"error": {"code": problem.code, "message": problem.sentence, **problem.more}}, problem.status
        )

    def page_of(self, payment: dict[str, Any]) -> str:
        return f"{self.origin}/payer/{payment['token']}"
