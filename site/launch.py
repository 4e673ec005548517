"""`make run`: the whole demonstration in the foreground, and nothing left behind by Ctrl-C.

Starts PostgreSQL (unless DATABASE_URL is set), prepares the database, then keeps four processes:
the two stand-ins, the web server and the worker. A second start finds everything as it was.
"""

import argparse
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
RUN = Path(os.environ.get("ABONDE_RUN_DIR", ROOT / ".run"))
sys.path[:0] = [str(SITE), str(ROOT)]

from fixtures.screen import closing_screen  # noqa: E402 - after the path

HOST = "127.0.0.1"
WEB = int(os.environ.get("PORT", "8000"))
IDENTITY = int(os.environ.get("IDENTITY_PORT", WEB + 10))
PAYMENT = int(os.environ.get("PAYMENT_PORT", WEB + 20))
SECONDS_TO_START = 60
SECONDS_TO_STOP = 15


class Trouble(Exception):
    """Something the person at the keyboard can mend; the message says how."""


def say(text: str) -> None:
    print(f"  · {text}", flush=True)


def free_or_trouble(port: int, what: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise Trouble(
                f"Port {port} ({what}) is in use, perhaps by an earlier `make run` in another window.\n"
                f"    Stop that one with Ctrl-C, or choose other ports: make run PORT={WEB + 100}"
            ) from None


def die_with_parent() -> None:
    """Linux: if this launcher is killed outright, its children get SIGTERM too."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Processes:
    """The children, started in order, stopped in the opposite order."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.running: list[tuple[str, subprocess.Popen]] = []

    def start(self, name: str, *command: str) -> None:
        log = (RUN / "log" / f"{name}.log").open("ab")
        child = subprocess.Popen(
            [sys.executable, *command],
            cwd=SITE,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self.running.append((name, child))

    def wait_for(self, name: str, url: str) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=5)  # noqa: S310
                return
            time.sleep(0.1)
        raise Trouble(f"{name} does not answer at {url} after {SECONDS_TO_START} s. See .run/log/{name}.log")

    def check(self) -> None:
        for name, child in self.running:
            if child.poll() is not None:
                lines = (RUN / "log" / f"{name}.log").read_text(errors="replace").strip().splitlines()[-6:]
                raise Trouble(
                    f"{name} stopped by itself. The end of .run/log/{name}.log says:\n    "
                    + "\n    ".join(lines)
                )

    def stop(self) -> None:
        # SIGTERM to each main process alone: django-q2 hangs when its whole group gets it.
        for _name, child in reversed(self.running):
            if child.poll() is None:
                child.terminate()
        deadline = time.monotonic() + SECONDS_TO_STOP
        for _name, child in reversed(self.running):
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            # Whatever is left of its session (a stuck worker's own children).
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self.running.clear()


def prepare(environment: dict[str, str]) -> None:
    """Tables, static files, demonstration, jobs: one process, whose progress is shown as it goes."""
    with (RUN / "log" / "setup.log").open("w") as log:
        done = subprocess.Popen(
            [sys.executable, str(SITE / "manage.py"), "load_demonstration", "--prepare"],
            env={**environment, "LOG_LEVEL": "WARNING"},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert done.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in done.stdout:
            print(line, end="", flush=True)
    if done.wait():
        tail = "\n    ".join(
            (RUN / "log" / "setup.log").read_text(errors="replace").strip().splitlines()[-6:]
        )
        raise Trouble(
            f"The demonstration could not be prepared. Everything is in {RUN}/log/setup.log; its end says:\n"
            f"    {tail}\n\n"
            "    Run `make run` again to go on from here, or `make reset` to begin afresh."
        )


def environment_for(url: str) -> dict[str, str]:
    origin = f"http://{HOST}:{WEB}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "ABONDE_RUN_DIR": str(RUN),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ABONDE_SIMULATION": "1",
        "PUBLIC_ORIGIN": origin,
        "CSRF_TRUSTED_ORIGINS": origin,
        "ABONDE_STANDIN_ISSUER": f"http://{HOST}:{IDENTITY}",
        "ABONDE_STANDIN_PSP": f"http://{HOST}:{PAYMENT}",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
    }


def reset() -> None:
    """Forget the demonstration: its database, media, private files, mail, stand-ins' memory."""
    if not RUN.exists():
        return
    for port, what in ((WEB, "web"), (IDENTITY, "identity"), (PAYMENT, "payment")):
        free_or_trouble(port, what)
    if not os.environ.get("DATABASE_URL"):
        from config.database import NAME, start_embedded

        if (RUN / "postgres" / "PG_VERSION").exists():  # the server itself may serve tests too: it stays
            import psycopg

            server = start_embedded(ROOT)
            with psycopg.connect(server.get_uri(), autocommit=True) as db:
                db.execute(f'DROP DATABASE IF EXISTS "{NAME}" WITH (FORCE)')
    for child in RUN.iterdir():
        if child.name != "postgres":
            shutil.rmtree(child) if child.is_dir() else child.unlink()


def start_standins(children: Processes) -> None:
    say("starting the stand-ins for FranceConnect and the payment provider")
    children.start("identity", "-m", "standins.franceconnect", "--port", str(IDENTITY))
    children.start(
        "payment", "-m", "standins.payments", "--port", str(PAYMENT), "--state", str(RUN / "payment.sqlite3")
    )
    children.wait_for("identity", f"http://{HOST}:{IDENTITY}/api/v2/.well-known/openid-configuration")
    children.wait_for("payment", f"http://{HOST}:{PAYMENT}/")


def run() -> None:
    for port, what in ((WEB, "web"), (IDENTITY, "identity stand-in"), (PAYMENT, "payment stand-in")):
        free_or_trouble(port, what)
    (RUN / "log").mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    say("starting PostgreSQL" if not os.environ.get("DATABASE_URL") else "using the database of DATABASE_URL")
    from config.database import database_url

    environment = environment_for(database_url(ROOT))
    subprocess.run([sys.executable, str(SITE / "catalogues.py"), "compile"], check=True, cwd=ROOT)
    children = Processes(environment)
    try:
        start_standins(children)
        say("preparing the demonstration (the first time, a campaign is really played: a minute or two)")
        prepare(environment)
        say("starting the web server and the worker")
        children.start(
            "web",
            "-m",
            "gunicorn",
            "config.wsgi",
            "--bind",
            f"{HOST}:{WEB}",
            "--worker-class",
            "gthread",
            "--workers",
            "2",
            "--threads",
            "4",
            "--access-logfile",
            "-",
        )
        children.start("worker", "manage.py", "qcluster")
        children.wait_for("web", f"http://{HOST}:{WEB}/healthz")
        say(f"ready in {time.monotonic() - started:.0f} s")
        print(
            closing_screen(
                origin=environment["PUBLIC_ORIGIN"],
                issuer=environment["ABONDE_STANDIN_ISSUER"],
                psp=environment["ABONDE_STANDIN_PSP"],
                run=os.path.relpath(RUN, ROOT) if RUN.is_relative_to(ROOT) else str(RUN),
            ),
            flush=True,
        )
        while True:
            children.check()
            time.sleep(0.5)
    finally:
        # A second Ctrl-C must not interrupt the tidying.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("stopping")
        children.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reset", action="store_true", help="forget the demonstration's data")
    arguments = parser.parse_args()
    # Said again: a shell that starts us in the background has SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda *_: sys.exit(0))
    try:
        reset() if arguments.reset else run()
    except Trouble as trouble:
        print(f"\n  ✗ {trouble}\n", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
