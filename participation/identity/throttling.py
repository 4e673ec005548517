"""Limits on guessing: counted in the database, so that all web processes count together.

The key is a keyed hash: no address of anybody is written down.
"""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from defis.clock import database_now
from participation.identity.digests import keyed_digest


def count_attempt(*, bucket: str, who: str, per: timedelta) -> int:
    """One more attempt of `who` at `bucket`; how many there were in this window of time, this one included."""
    now = database_now()
    seconds = int(per.total_seconds())
    window = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, tz=UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO abonde_participation_attemptcount AS a (key, "window", count) VALUES (%s, %s, 1) '
            'ON CONFLICT (key, "window") DO UPDATE SET count = a.count + 1 RETURNING count',
            [keyed_digest("attempt/1", bucket, who), window],
        )
        return cursor.fetchone()[0]


def too_many(*, bucket: str, who: str, limit: int, per: timedelta) -> bool:
    """Count this attempt, and say whether it is over `limit` for this window of time."""
    return count_attempt(bucket=bucket, who=who, per=per) > limit


def address_of(request: HttpRequest) -> str:
    """Address of the client, as the server in front of us wrote it."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.SECURE_PROXY_SSL_HEADER and forwarded:
        # The last one is our proxy's word; those before it are the client's.
        return forwarded.rpartition(",")[2].strip()
    return request.META.get("REMOTE_ADDR", "")
