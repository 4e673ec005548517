"""What the stand-in remembers, in one SQLite file."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS payment (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, face TEXT NOT NULL, key TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, title TEXT NOT NULL, reference TEXT NOT NULL,
    email TEXT NOT NULL, return_url TEXT NOT NULL, cancel_url TEXT NOT NULL, notify_url TEXT NOT NULL,
    metadata TEXT NOT NULL, state TEXT NOT NULL, refusals INTEGER NOT NULL DEFAULT 0,
    captured INTEGER NOT NULL DEFAULT 0, fee INTEGER NOT NULL DEFAULT 0, disputed TEXT NOT NULL DEFAULT '',
    raw_state TEXT NOT NULL DEFAULT '', cash_out TEXT NOT NULL DEFAULT 'MoneyIn',
    created_at TEXT NOT NULL, expires_at TEXT NOT NULL, due_at TEXT, due_state TEXT, paid_at TEXT
);
CREATE INDEX IF NOT EXISTS payment_key ON payment (key);
CREATE INDEX IF NOT EXISTS payment_reference ON payment (reference);
CREATE INDEX IF NOT EXISTS payment_paid ON payment (face, paid_at);
CREATE TABLE IF NOT EXISTS refund (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, payment INTEGER NOT NULL REFERENCES payment (id),
    key TEXT NOT NULL, amount INTEGER NOT NULL, state TEXT NOT NULL, failure TEXT NOT NULL DEFAULT '',
    comment TEXT NOT NULL DEFAULT '', metadata TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL, due_at TEXT, due_state TEXT, done_at TEXT
);
CREATE INDEX IF NOT EXISTS refund_payment ON refund (payment);
CREATE TABLE IF NOT EXISTS movement (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, face TEXT NOT NULL, kind TEXT NOT NULL,
    payment INTEGER, refund INTEGER, gross INTEGER NOT NULL, fee INTEGER NOT NULL,
    at TEXT NOT NULL, available_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS movement_at ON movement (face, at);
CREATE TABLE IF NOT EXISTS event (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, face TEXT NOT NULL, kind TEXT NOT NULL,
    payment INTEGER, body TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    id INTEGER PRIMARY KEY, event INTEGER NOT NULL REFERENCES event (id), url TEXT NOT NULL,
    fault TEXT NOT NULL DEFAULT '', due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting', status INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due) WHERE state = 'waiting';
CREATE TABLE IF NOT EXISTS idempotency (
    face TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (face, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payment_due ON payment (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS refund_due ON refund (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS payment_open ON payment (expires_at) WHERE state = 'created';
"""
TABLES = ("delivery", "event", "movement", "refund", "payment", "idempotency", "memory")


def iso(moment: datetime) -> str:
    """Fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Reverse of `iso`, and any other ISO 8601 with an offset."""
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


class Store:
    """One connection, one lock: a provider this small needs no more, and a restart finds everything."""

    def __init__(self, path: Path | str) -> None:
        self.lock = threading.RLock()
        self.depth = 0
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        # A killed process loses nothing; a power cut may lose the last instants of a simulation.
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + SCHEMA)
        self.offset = timedelta(seconds=self.recall("clock_offset_seconds", 0.0))

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested, the outermost decides."""
        with self.lock:
            if self.depth == 0:
                self.db.execute("BEGIN")
            self.depth += 1
            try:
                yield
            except BaseException:
                self.depth -= 1
                if self.depth == 0:
                    self.db.execute("ROLLBACK")
                raise
            self.depth -= 1
            if self.depth == 0:
                self.db.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with self.lock:
            return [dict(row) for row in self.db.execute(sql, values)]

    def row(self, sql: str, *values: Any) -> dict[str, Any] | None:
        found = self.rows(sql, *values)
        return found[0] if found else None

    def run(self, sql: str, *values: Any) -> int:
        """Returns the number of rows touched."""
        with self.lock:
            return self.db.execute(sql, values).rowcount

    def insert(self, table: str, **values: Any) -> int:
        marks = ", ".join("?" for _ in values)
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 - our own names
        with self.lock:
            return self.db.execute(sql, tuple(values.values())).lastrowid or 0

    def update(self, table: str, ident: int, **values: Any) -> None:
        changes = ", ".join(f"{name} = ?" for name in values)
        self.run(f"UPDATE {table} SET {changes} WHERE id = ?", *values.values(), ident)  # noqa: S608

    def recall(self, name: str, default: Any = None) -> Any:
        found = self.row("SELECT value FROM memory WHERE name = ?", name)
        return json.loads(found["value"]) if found else default

    def remember(self, name: str, value: Any) -> None:
        self.run("INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)", name, json.dumps(value))

    def set_offset(self, offset: timedelta) -> None:
        self.offset = offset
        self.remember("clock_offset_seconds", offset.total_seconds())

    def forget_everything(self) -> None:
        with self.transaction():
            for table in TABLES:
                self.run(f"DELETE FROM {table}")  # noqa: S608
        self.offset = timedelta(0)

    def close(self) -> None:
        with self.lock:
            self.db.close()
