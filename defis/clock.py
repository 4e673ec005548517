"""The only clock: the database's, read inside the transaction that depends on it.

A demonstration or a test may live a past campaign by shifting it; a real site cannot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import DateTimeField, Func

_shift: ContextVar[timedelta] = ContextVar("abonde_clock_shift", default=timedelta(0))


def clock_shift() -> Any:
    """What raw SQL adds to statement_timestamp(): a timedelta, zero on a real site.

    Typed Any because Django's stubs do not know that psycopg takes a timedelta.
    """
    return _shift.get()


class DatabaseNow(Func):
    """Expression: the instant of the statement by the database's clock (UTC, aware)."""

    output_field = DateTimeField()

    def as_sql(self, compiler: Any, connection: Any, **extra_context: Any) -> Any:  # type: ignore[override]
        return "(statement_timestamp() + %s)", [_shift.get()]


def database_now() -> datetime:
    """Instant by the database's clock, one query (UTC, aware)."""
    with connection.cursor() as cursor:
        shift: Any = _shift.get()
        cursor.execute("SELECT statement_timestamp() + %s", [shift])
        return cursor.fetchone()[0]


@contextmanager
def shifted_clock(shift: timedelta) -> Iterator[None]:
    """Live at another moment, in this thread only. Refused where ABONDE_SIMULATION is off."""
    if not settings.ABONDE_SIMULATION:
        raise ImproperlyConfigured("A shifted clock is for demonstrations and tests only.")
    token = _shift.set(shift)
    try:
        yield
    finally:
        _shift.reset(token)
