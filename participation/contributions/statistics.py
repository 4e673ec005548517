"""What the counted contributions of a project add up to: a roll-up and the rows above its horizon.

A worker moves the horizon; readers add the tail. Both see one snapshot, so the sum equals a GROUP BY over all
contributions at every instant (migration 0004 has the function that both call).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isqrt

from django.db import connection, transaction

from defis.clock import clock_shift
from participation.ledger import locks

# S_p is in units of 10⁻²⁴ √cent (spec fundmatch/1, section 3).
_SCALE = 10**48


def root(cents: int) -> int:
    """Integer nearest to √(cents · 10⁴⁸); a tie cannot occur."""
    scaled = cents * _SCALE
    low = isqrt(scaled)
    # Nearest: above low + 1/2 exactly when scaled > low² + low.
    return low + 1 if scaled > low * low + low else low


@dataclass(frozen=True)
class Figures:
    """Totals of one project (cents, people, S_p); `matchable_*` leave out what attracts no aid."""

    project_id: int
    citizens_cents: int
    donors: int
    matchable_cents: int
    matchable_donors: int
    sum_of_roots: int
    as_of: datetime


def figures_of(project_ids: Sequence[int]) -> dict[int, Figures]:
    """Project pk -> Figures, exact at this instant, one query whatever the number of projects or gifts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT project_id, citizens_cents, donors, matchable_cents, matchable_donors, sum_of_roots,
                      old_roots, new_roots, statement_timestamp() + %s
               FROM abonde_project_figures(%s)""",
            [clock_shift(), list(project_ids)],
        )
        return {
            row[0]: Figures(
                project_id=row[0],
                citizens_cents=row[1],
                donors=row[2],
                matchable_cents=row[3],
                matchable_donors=row[4],
                sum_of_roots=_roots(row[5], row[6], row[7]),
                as_of=row[8],
            )
            for row in cursor.fetchall()
        }


def refresh_statistics(project_ids: Iterable[int] | None = None) -> int:
    """Move the horizon of the roll-up; returns how many projects changed. One worker at a time.

    `project_ids`: these only, else every project that has contributions. Those without news only get the new
    horizon, so that no reader ever has a long tail to add.
    """
    with transaction.atomic():
        if not locks.try_statistics():
            return 0
        ids = list(project_ids) if project_ids is not None else _with_contributions()
        if not ids:
            return 0
        with connection.cursor() as cursor:
            # One statement, one snapshot: everything below its oldest running transaction is final.
            cursor.execute(
                """SELECT f.project_id, f.citizens_cents, f.donors, f.matchable_cents, f.matchable_donors,
                          f.sum_of_roots, f.old_roots, f.new_roots, f.horizon::text, now.horizon::text,
                          s.citizens_cents, s.donors, s.matchable_cents, s.matchable_donors
                   FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon) now,
                        LATERAL abonde_project_figures(%s, now.horizon) f
                   LEFT JOIN abonde_participation_projectstatistics s ON s.project_id = f.project_id""",
                [ids],
            )
            rows = cursor.fetchall()
            news = [row for row in rows if row[8] == "0" or row[6] or row[7] or row[1:5] != row[10:14]]
            cursor.executemany(
                """INSERT INTO abonde_participation_projectstatistics
                     (project_id, citizens_cents, donors, matchable_cents, matchable_donors, sum_of_roots,
                      refreshed_at, cluster, horizon)
                   VALUES (%s, %s, %s, %s, %s, %s, statement_timestamp() + %s, abonde_cluster(), %s::xid8)
                   ON CONFLICT (project_id) DO UPDATE SET
                     citizens_cents = excluded.citizens_cents, donors = excluded.donors,
                     matchable_cents = excluded.matchable_cents, matchable_donors = excluded.matchable_donors,
                     sum_of_roots = excluded.sum_of_roots, refreshed_at = excluded.refreshed_at,
                     cluster = excluded.cluster, horizon = excluded.horizon""",
                [(*row[:5], _roots(row[5], row[6], row[7]), clock_shift(), row[9]) for row in news],
            )
            changed = {row[0] for row in news}
            if idle := [row[0] for row in rows if row[0] not in changed]:
                cursor.execute(
                    """UPDATE abonde_participation_projectstatistics SET horizon = %s::xid8
                       WHERE project_id = ANY (%s)""",
                    [rows[0][9], idle],
                )
        return len(news)


def _roots(known: int, old: Sequence[int] | None, new: Sequence[int] | None) -> int:
    """S_p after some givers went from old to new amounts: one integer root per distinct amount."""
    count: dict[int, int] = {}
    for cents in new or ():
        count[cents] = count.get(cents, 0) + 1
    for cents in old or ():
        count[cents] = count.get(cents, 0) - 1
    return int(known) + sum(n * root(cents) for cents, n in count.items() if n)


def _with_contributions() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT p.id FROM abonde_defis_project p
               WHERE EXISTS (SELECT 1 FROM abonde_participation_contribution c
                             WHERE c.project_id = p.id AND c.counted_xid IS NOT NULL)
               ORDER BY p.id"""
        )
        return [row[0] for row in cursor.fetchall()]
