"""Pairwise-bounded quadratic amounts (Buterin 2019, ethresear.ch/t/5553), fast enough for a whole campaign.

raw_p = sum over ordered pairs i != j of s_ip s_jp * M / (M + T_ij), with s = sqrt(cents) and
T_ij = sum over p of s_ip s_jp.

Two people who only ever give together get a smaller and smaller pull: whatever they give, one pair
extracts at most 2M over all projects. The pairs are too many to list (10^5 gifts make 10^8), so:

1. Someone who gives to one project only shares at most that project with anybody: T is the product
   of two roots, and only the amounts matter. Those pairs are summed over *distinct amounts*.
2. People with the same gifts to the same projects are one row with a count.
3. Every other row is paired with itself and the later rows, through the donors of each project.

The standard library alone does the same, for small campaigns. The result does not depend on the order
of the rows nor on how donors are numbered: rows are put in an order of their own before anything is
added up, and the sums over rows are exact (`math.fsum`).
"""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..arrays import np

Row = tuple[tuple[int, int], ...]  # the gifts of one person: ((project index, cents), …) in project order

_COLUMN_SHARE = 0.25  # of the rows: above it a project is a column
_THREADS_FROM = 10_000  # rows


def pairwise_raw(
    donor_idx: Sequence[int],
    project_idx: Sequence[int],
    cents: Sequence[int],
    n_projects: int,
    m_cents: int,
) -> list[float]:
    """Raw pairwise amounts in cents, one per project index.

    The three sequences are parallel, one entry per gift (lists or integer arrays); several gifts of one
    donor to one project are added up first and gifts of 0 ignored. `m_cents` is M, in cents like the
    gifts. A project with fewer than two donors gets exactly 0.0.
    Raises ValueError when M is not positive or a gift is negative.
    """
    if m_cents <= 0:
        raise ValueError("m_cents must be a positive number of cents")
    rows = _rows(donor_idx, project_idx, cents)
    parts: list[list[float]] = [[] for _ in range(n_projects)]
    _add_single_project_donors(rows, float(m_cents), parts)
    several = sorted((row, count) for row, count in rows.items() if len(row) > 1)
    if several:
        if np is None:
            _add_rows_plain(several, float(m_cents), parts)
        else:
            _add_rows_fast(several, n_projects, float(m_cents), parts)
    return [math.fsum(part) for part in parts]


def _rows(donor_idx: Sequence[int], project_idx: Sequence[int], cents: Sequence[int]) -> dict[Row, int]:
    """How many people made exactly these gifts, for every distinct list of gifts."""
    if np is not None and len(cents) > 1000:
        donors = np.asarray(donor_idx, dtype=np.int64)
        projects = np.asarray(project_idx, dtype=np.int64)
        amounts = np.asarray(cents, dtype=np.int64)
        order = np.lexsort((projects, donors))
        donor_idx, project_idx, cents = (a[order].tolist() for a in (donors, projects, amounts))
    gifts: dict[int, dict[int, int]] = defaultdict(dict)
    for donor, project, amount in zip(donor_idx, project_idx, cents, strict=True):
        if amount < 0:
            raise ValueError("a gift cannot be negative")
        if amount:
            given = gifts[donor]
            given[project] = given.get(project, 0) + amount
    return Counter(tuple(sorted(given.items())) for given in gifts.values())


def _add_single_project_donors(rows: dict[Row, int], m: float, parts: list[list[float]]) -> None:
    """Pairs in which at least one of the two gives to this project only."""
    single: dict[int, Counter[int]] = defaultdict(Counter)
    other: dict[int, Counter[int]] = defaultdict(Counter)
    for row, count in rows.items():
        side = single if len(row) == 1 else other
        for project, amount in row:
            side[project][amount] += count
    for project, alone in single.items():
        amounts = sorted(alone.keys() | other[project].keys())
        # Both orders of a (single, single) pair are met here, but only one of a (single, other) pair.
        weights = [alone[a] + 2 * other[project][a] for a in amounts]
        place = {a: k for k, a in enumerate(amounts)}
        fast = np is not None and len(amounts) > 64
        amount_roots: Any = [math.sqrt(a) for a in amounts]
        if fast:
            amount_roots, weights = np.array(amount_roots), np.array(weights, dtype=np.float64)
        for a in sorted(alone):
            weights[place[a]] -= 1  # nobody is a pair with himself
            if fast:
                t = math.sqrt(a) * amount_roots
                pull = float(np.sum(weights * (t * m / (m + t))))
            else:
                products = [math.sqrt(a) * root for root in amount_roots]
                pull = math.fsum(w * (t * m / (m + t)) for w, t in zip(weights, products, strict=True))
            weights[place[a]] += 1
            parts[project].append(alone[a] * pull)


def _add_rows_plain(rows: list[tuple[Row, int]], m: float, parts: list[list[float]]) -> None:
    """Rows against rows on the standard library: the lists of donors per project, one row at a time."""
    members: dict[int, list[tuple[int, float]]] = defaultdict(list)
    counts = [count for _, count in rows]
    for i, (row, count) in enumerate(rows):
        together: dict[int, float] = defaultdict(float)
        for project, amount in row:
            root = math.sqrt(amount)
            members[project].append((i, root))
            for j, other in members[project]:  # rows up to this one
                together[j] += root * other
        for project, amount in row:
            root = math.sqrt(amount)
            terms = [
                (count - 1 if i == j else 2 * counts[j]) * root * other * (m / (m + together[j]))
                for j, other in members[project]
            ]
            parts[project].append(count * math.fsum(terms))


class _Table:
    """Rows as arrays: the gifts row after row, and for each project its members in row order.

    A project that very many rows share is held as a whole column instead of a list: going through
    contiguous memory costs less than picking from it.
    """

    def __init__(self, rows: list[tuple[Row, int]], n_projects: int) -> None:
        self.counts = np.array([count for _, count in rows], dtype=np.float64)
        self.starts: list[int] = np.concatenate(([0], np.cumsum([len(row) for row, _ in rows]))).tolist()
        flat = np.array([gift for row, _ in rows for gift in row], dtype=np.int64)
        roots = np.sqrt(flat[:, 1].astype(np.float64))
        owners = np.repeat(np.arange(len(rows)), np.diff(self.starts))
        by_project = np.argsort(flat[:, 0], kind="stable")
        bounds = np.searchsorted(flat[by_project, 0], np.arange(n_projects + 1))
        position = np.empty(len(flat), dtype=np.int64)  # of each gift in its project's list
        position[by_project] = np.arange(len(flat)) - np.repeat(bounds[:-1], np.diff(bounds))
        self.members: list[Any] = []
        self.roots: list[Any] = []
        for p in range(n_projects):
            who = by_project[bounds[p] : bounds[p + 1]]
            if len(who) > _COLUMN_SHARE * len(rows):
                column = np.zeros(len(rows))
                column[owners[who]] = roots[who]
                self.members.append(None)
                self.roots.append(column)
                position[who] = owners[who]
            else:
                self.members.append(owners[who])
                self.roots.append(roots[who])
        self.weighted = [
            2 * root * (self.counts if who is None else self.counts[who])
            for who, root in zip(self.members, self.roots, strict=True)
        ]
        self.gifts: list[tuple[int, float, int]] = list(
            zip(flat[:, 0].tolist(), roots.tolist(), position.tolist(), strict=True)
        )

    def pull(self, first: int, step: int, m: float) -> list[tuple[int, float]]:
        """(project, amount) for rows first, first + step, … paired with themselves and every later row."""
        found = []
        together = np.full(len(self.counts), m)  # M + T for the row at hand, M again once it is done
        for i in range(first, len(self.counts), step):
            count = float(self.counts[i])
            gifts = self.gifts[self.starts[i] : self.starts[i + 1]]
            later = [
                slice(at, None) if self.members[p] is None else self.members[p][at:] for p, _, at in gifts
            ]
            for (p, root, at), who in zip(gifts, later, strict=True):
                together[who] += root * self.roots[p][at:]
            for (p, root, at), who in zip(gifts, later, strict=True):
                terms = self.weighted[p][at:] / together[who]
                terms[0] *= (count - 1) / (2 * count)  # the pairs among the `count` people of this very row
                found.append((p, count * root * m * float(terms.sum())))
            for who in later:
                together[who] = m
        return found


def _add_rows_fast(rows: list[tuple[Row, int]], n_projects: int, m: float, parts: list[list[float]]) -> None:
    table = _Table(rows, n_projects)
    # numpy lets the interpreter go while it works on an array, so threads do help here
    workers = min(4, os.cpu_count() or 1) if len(rows) > _THREADS_FROM else 1
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(lambda first: table.pull(first, workers, m), range(workers)):
            for project, amount in found:
                parts[project].append(amount)
