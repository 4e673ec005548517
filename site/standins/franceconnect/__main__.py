"""`python -m standins.franceconnect --port 8010`, from site/."""

import argparse
import os
import sys

from standins.franceconnect.provider import make


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="standins.franceconnect", description="Simulation of FranceConnect."
    )
    parser.add_argument("--port", type=int, default=8010)
    parser.add_argument(
        "--service",
        action="append",
        help="origin of the site that may use it (repeatable); default: PUBLIC_ORIGIN and its usual loopback names",
    )
    options = parser.parse_args()
    if not any(
        os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}
        for name in ("DEBUG", "ABONDE_SIMULATION")
    ):
        print(
            "This simulates FranceConnect: it starts only with DEBUG=1 or ABONDE_SIMULATION=1.",
            file=sys.stderr,
        )
        return 2
    public = os.environ.get("PUBLIC_ORIGIN", "http://127.0.0.1:8000").rstrip("/")
    origins = options.service or [public, public.replace("127.0.0.1", "localhost")]
    try:
        server, standin = make(options.port, origins=origins)
    except OSError as error:
        print(
            f"Port {options.port} cannot be used: {error.strerror}. Try --port with another number.",
            file=sys.stderr,
        )
        return 1
    print(f"FranceConnect (simulation): {standin.issuer}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
