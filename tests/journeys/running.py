"""The site as residents meet it: gunicorn and the two stand-ins, each in its own process, on the test's database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import environ
import requests
from django.core.cache import cache
from django.db import connection

from config.identity import identity_providers
from config.payments import payment_providers

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "site"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class RunningSite:
    """Addresses of what runs, and a way to ask the payment stand-in what really happened."""

    url: str
    identity: str
    payment: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    def bank(self, verb: str, **query: str) -> dict:
        answer = requests.get(f"{self.payment}/_control/{verb}", params=query, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def manage(self, *arguments: str) -> str:
        """A command of the site, as its operator would give it."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=SITE, env=self.environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _database_url() -> str:
    """The test's own database, as DATABASE_URL says it."""
    parameters = connection.get_connection_params()
    user, host = parameters.get("user") or "", str(parameters.get("host") or "")
    password, port = parameters.get("password") or "", parameters.get("port")
    name = connection.settings_dict["NAME"]
    if host.startswith("/"):  # a Unix socket
        return f"postgres://{user}:{password}@/{name}?host={host}"
    return f"postgres://{user}:{password}@{host}{f':{port}' if port else ''}/{name}"


@contextmanager
def running_site(tmp_path: Path, settings) -> Iterator[RunningSite]:
    web, identity, payment = free_port(), free_port(), free_port()
    site = RunningSite(
        url=f"http://127.0.0.1:{web}",
        identity=f"http://127.0.0.1:{identity}",
        payment=f"http://127.0.0.1:{payment}",
        log=tmp_path / "site.log",
    )
    site.environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": _database_url(),
        "ABONDE_SIMULATION": "1",
        "ABONDE_RUN_DIR": str(tmp_path),
        "PRIVATE_ROOT": str(tmp_path / "private"),
        "MEDIA_ROOT": str(tmp_path / "media"),
        "PUBLIC_ORIGIN": site.url,
        "CSRF_TRUSTED_ORIGINS": site.url,
        "ABONDE_STANDIN_ISSUER": site.identity,
        "ABONDE_STANDIN_PSP": site.payment,
        "CACHE_URL": "dummycache://",
        "ABONDE_STATIC_PLAIN": "1",
        "DEBUG": "0",
        "LOG_LEVEL": "INFO",
        "PYTHONWARNINGS": "ignore",
        "EMAIL_URL": f"filemail:///{tmp_path / 'mail'}",
    }
    env = environ.Env()
    settings.PUBLIC_ORIGIN = site.url
    settings.ABONDE_STANDIN_PSP = site.payment
    settings.ABONDE_IDENTITY_PROVIDERS = identity_providers(
        env, simulation=True, standin_issuer=site.identity
    )
    settings.ABONDE_PAYMENT_PROVIDERS = payment_providers(
        env, simulation=True, standin=site.payment, origin=site.url
    )
    cache.clear()
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"],
        cwd=SITE,
        env=site.environment,
        check=True,
    )
    commands = {
        site.identity: ["-m", "standins.franceconnect", "--port", str(identity)],
        site.payment: ["-m", "standins.payments", "--port", str(payment), "--state", str(tmp_path / "bank.sqlite3")],
        f"{site.url}/healthz": [
            "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{web}", "--workers", "1",
            "--worker-class", "gthread", "--threads", "6",
        ],
    }  # fmt: skip
    with site.log.open("ab") as log:
        children = [
            subprocess.Popen(
                [sys.executable, *command], cwd=SITE, env=site.environment, stdout=log, stderr=log
            )
            for command in commands.values()
        ]
    try:
        for address in commands:
            _wait_for(address, site.log)
        yield site
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            child.wait(15)


def _wait_for(address: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            requests.get(address, timeout=30)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer:\n{log.read_text()[-3000:]}")
