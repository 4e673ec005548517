"""`python -m standins.payments --port 8020 --state FILE` (from site/), or this file by its path."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

if not __package__:
    # Run by its path: this folder would otherwise come first and hide other modules.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from standins.payments.server import Server

ROOT = Path(__file__).resolve().parents[3]
TRUE = {"1", "true", "yes", "on"}


def simulation() -> bool:
    """Same words as the site's settings: ABONDE_SIMULATION, or DEBUG when that is not set."""
    told = os.environ.get("ABONDE_SIMULATION", os.environ.get("DEBUG", ""))
    return told.strip().lower() in TRUE


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="standins.payments", description="Simulated payment provider (no real money)."
    )
    parser.add_argument("--host", default="127.0.0.1", choices=["127.0.0.1", "localhost"])
    parser.add_argument("--port", type=int, default=8020, help="0 takes a free one")
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".run" / "payment.sqlite3", help="what it remembers"
    )
    options = parser.parse_args()
    if not simulation():
        print(
            "The simulated payment provider only runs in a simulation:\n"
            "set ABONDE_SIMULATION=1 (or DEBUG=1).\n"
            "On a real site, configure a real provider instead: docs/payments.md.",
            file=sys.stderr,
        )
        return 2
    options.state.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = Server("127.0.0.1", options.port, options.state)
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    for name in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for the loop that this very handler interrupts: another thread calls it.
        signal.signal(name, lambda *_: threading.Thread(target=server.stop, daemon=True).start())
    print(f"Simulated payment provider on {server.origin}, memory in {options.state}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    server.provider.store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
