"""The payment stand-in as a real process, and a door that collects what it sends. For any room's tests.

from tests.standin_payments import payment_standin, receiver  # noqa: F401 - fixtures
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

SITE = Path(__file__).resolve().parents[1] / "site"


class PaymentStandin:
    """Starts, kills and restarts the process on one port and one memory; speaks its control language."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.http = requests.Session()
        self.http.trust_env = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "standins.payments", "--port", str(self.port), "--state", str(self.state)],
            cwd=SITE,
            env={"PATH": os.environ.get("PATH", ""), "ABONDE_SIMULATION": "1", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "http://127.0.0.1:" in line, line + self.process.stdout.read()
        self.port = int(line.split("http://127.0.0.1:")[1].split(",")[0])

    def kill(self) -> None:
        """As a power cut would: no farewell."""
        if self.process:
            self.process.kill()
            self._reap()

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self._reap()

    def _reap(self) -> None:
        assert self.process is not None
        self.process.wait(10)
        if self.process.stdout:
            self.process.stdout.close()
        self.process = None
        self.http.close()

    def restart(self) -> None:
        self.kill()
        self.start()

    # --- Control ------------------------------------------------------------------------------------
    def tell(self, verb: str, **order: Any) -> dict[str, Any]:
        answer = self.http.post(f"{self.url}/_control/{verb}", json=order, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, verb: str, **query: str) -> dict[str, Any]:
        answer = self.http.get(f"{self.url}/_control/{verb}", params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def misbehave(self, on: str, kind: str, **details: Any) -> None:
        self.tell("faults", on=on, kind=kind, **details)

    def pay(self, payment: object, card: str = "accepted", **more: Any) -> dict[str, Any]:
        """What a payer does on the page. `payment` is our key, a public reference or the provider's own."""
        return self.tell("pay", payment=str(payment), card=card, **more)

    def totals(self, face: str = "simulated") -> dict[str, int]:
        """The bank's own sums: what really moved."""
        return self.ask("totals")[face]

    def flush(self, seconds: float = 5) -> dict[str, int]:
        return self.tell("flush", seconds=seconds)

    def advance(self) -> None:
        self.tell("advance")


@dataclass
class Message:
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Receiver:
    """A loopback address that keeps every POST; answers with the statuses of `answers`, then 200."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.answers: list[int] = []
        receiver = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.messages.append(Message(self.path, dict(self.headers.items()), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def wait_for(self, count: int, seconds: float = 5) -> list[Message]:
        deadline = time.monotonic() + seconds
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.messages) >= count, f"{len(self.messages)} messages, {count} expected"
        return self.messages

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session")
def _payment_standin_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaymentStandin]:
    standin = PaymentStandin(tmp_path_factory.mktemp("standin") / "payment.sqlite3")
    standin.start()
    yield standin
    standin.stop()


@pytest.fixture
def payment_standin(_payment_standin_process: PaymentStandin) -> PaymentStandin:
    """One process for the whole run, emptied before each test."""
    _payment_standin_process.tell("reset")
    return _payment_standin_process


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    door = Receiver()
    yield door
    door.close()
