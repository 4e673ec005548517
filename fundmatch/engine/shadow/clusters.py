"""Connection-oriented cluster match: groups count rather than people (a shadow rule, never paid).

Miller, Weyl, Erichsen, "Beyond Collusion Resistance" (SSRN 4311507). Where quadratic funding multiplies
the roots of two people's gifts, this multiplies the roots of what two *groups* gave, and counts less the
gifts of people who belong to both sides:

    2 · Σ over pairs of groups g < h of √(Σ_{i in g} K(i,h)/T_i) · √(Σ_{j in h} K(j,g)/T_j)

T_i is the number of groups of i; K(i,h) is √c_i when i shares a group with somebody in h, else c_i.
K mixes c and √c, so the formula depends on the unit (below one euro the root is *larger*): amounts here
are euros, as in the paper's examples. With one group per person it is quadratic funding over groups.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..arrays import np

#: cells of donors × projects × projects above which the Markov form is not attempted
MAX_MARKOV_WORK = 4 * 10**10
_MAX_MARKOV_PLAIN = 2 * 10**7


def subsidy_euros(groups: Sequence[Iterable[int]], contributions_euros: Sequence[float]) -> float:
    """Return the subsidy of one project, in euros: `groups` holds, per group, the indices of its members."""
    members = [sorted(set(group)) for group in groups]
    belongs: dict[int, set[int]] = defaultdict(set)
    for g, group in enumerate(members):
        for i in group:
            belongs[i].add(g)
    givers = [[i for i in group if contributions_euros[i] > 0] for group in members]
    near = _neighbourhoods(members, belongs)
    #: per group, what its members bring to a group to which none of them is close
    plain = [math.fsum(contributions_euros[i] / len(belongs[i]) for i in group) for group in givers]
    close: dict[tuple[int, int], list[int]] = defaultdict(list)
    for g, group in enumerate(givers):
        for i in group:
            for h in near[i]:
                if h != g:
                    close[g, h].append(i)

    def brings(g: int, h: int) -> float:
        less = close.get((g, h))
        if not less:
            return plain[g]
        near_h = set(less)
        return math.fsum(
            (math.sqrt(contributions_euros[i]) if i in near_h else contributions_euros[i]) / len(belongs[i])
            for i in givers[g]
        )

    active = [g for g in range(len(members)) if givers[g]]
    return 2 * math.fsum(
        math.sqrt(brings(g, h) * brings(h, g)) for k, g in enumerate(active) for h in active[k + 1 :]
    )


def _neighbourhoods(members: list[list[int]], belongs: Mapping[int, set[int]]) -> dict[int, set[int]]:
    """Return, for each person, the groups that have a member with whom the person shares a group."""
    touching = [set().union(*(belongs[j] for j in group)) if group else set() for group in members]
    return {i: set().union(*(touching[g] for g in mine)) for i, mine in belongs.items()}


def by_group(
    gifts: Iterable[tuple[str, str, int]], groups_of: Mapping[str, str | Iterable[str]]
) -> dict[str, float]:
    """Return the cluster match of each project in cents, people grouped by commune (or several groups each).

    `gifts` are (donor, project, cents), added up. A donor whose groups are not known is a group alone.
    """
    per_project: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for donor, project, cents in gifts:
        per_project[project].append((donor, cents))
    known = {
        donor: tuple(sorted({mine} if isinstance(mine, str) else set(mine)))
        for donor, mine in groups_of.items()
    }
    found = {}
    for project, rows in per_project.items():
        keys = [known.get(donor) or (("alone", donor),) for donor, _ in rows]
        if all(len(key) == 1 for key in keys):
            found[project] = _one_group_each(
                [(key[0], cents) for key, (_, cents) in zip(keys, rows, strict=True)]
            )
            continue
        groups: dict[Any, list[int]] = defaultdict(list)
        for i, key in enumerate(keys):
            for group in key:
                groups[group].append(i)
        ordered = [groups[group] for group in sorted(groups, key=str)]
        found[project] = 100 * subsidy_euros(ordered, [cents / 100 for _, cents in rows])
    return found


def _one_group_each(rows: Iterable[tuple[Any, int]]) -> float:
    """(Σ√C_g)² − ΣC_g, quadratic funding over groups, as a sum of products so that nothing cancels."""
    totals: dict[Any, int] = defaultdict(int)
    for group, cents in rows:
        totals[group] += cents
    roots = sorted(math.sqrt(cents) for cents in totals.values())
    before, pairs = 0.0, []
    for root in roots:
        pairs.append(2 * root * before)
        before += root
    return math.fsum(pairs)


def markov_harsh(
    donor: Sequence[int], project: Sequence[int], cents: Sequence[int], n_projects: int
) -> list[float] | None:
    """Return the "harsh" Markov form per project, in cents: groups are the projects themselves.

    The variant that a public calculator used in production: a person belongs to each project in the
    proportion of her gifts; k(i,h) is the chance that "a project of i, one of its euros, a project of the
    person who gave it" ends in h (1 if i gave to h), and only (1 − k)·c_i counts. It gives 0 to a
    project whose donors give to nothing else, as most residents do: a diagnostic of who is connected, not a
    rule to pay by.
    None when the campaign is too large for it (the work grows with gifts × projects²).
    """
    work = len(cents) * n_projects**2
    if work > (MAX_MARKOV_WORK if np is not None else _MAX_MARKOV_PLAIN):
        return None
    rows: dict[int, dict[int, int]] = defaultdict(dict)
    for who, where, amount in zip(donor, project, cents, strict=True):
        if amount:
            rows[int(who)][int(where)] = rows[int(who)].get(int(where), 0) + int(amount)
    given = list(rows.values())
    return (_markov_fast if np is not None else _markov_plain)(given, n_projects)


def _markov_fast(given: list[dict[int, int]], n: int) -> list[float]:
    weights = np.zeros((len(given), n))
    for i, row in enumerate(given):
        total = sum(row.values())
        for p, amount in row.items():
            weights[i, p] = amount / total
    euros = np.zeros((len(given), n))
    for i, row in enumerate(given):
        for p, amount in row.items():
            euros[i, p] = amount
    totals = euros.sum(axis=0)
    step = (euros / np.where(totals > 0, totals, 1.0)).T @ weights  # project → one of its euros → a project
    found = []
    for p in range(n):
        who = np.flatnonzero(euros[:, p])
        mine = weights[who]
        far = 1 - mine @ step
        far[mine > 0] = 0.0
        brings = (far * euros[who, p][:, None]).T @ mine
        pairs = np.sqrt(np.maximum(brings * brings.T, 0.0))
        np.fill_diagonal(pairs, 0.0)
        found.append(float(pairs.sum()))
    return found


def _markov_plain(given: list[dict[int, int]], n: int) -> list[float]:
    weights = [{p: amount / sum(row.values()) for p, amount in row.items()} for row in given]
    totals = [sum(row.get(p, 0) for row in given) for p in range(n)]
    step = [[0.0] * n for _ in range(n)]
    for row, mine in zip(given, weights, strict=True):
        for p, amount in row.items():
            for q, weight in mine.items():
                step[p][q] += amount / totals[p] * weight
    found = []
    for p in range(n):
        brings = [[0.0] * n for _ in range(n)]
        for row, mine in zip(given, weights, strict=True):
            if p not in row:
                continue
            for h in range(n):
                if h not in mine:
                    far = (1 - math.fsum(weight * step[q][h] for q, weight in mine.items())) * row[p]
                    for g, weight in mine.items():
                        brings[h][g] += far * weight
        found.append(
            math.fsum(
                math.sqrt(max(0.0, brings[g][h] * brings[h][g])) for g in range(n) for h in range(n) if g != h
            )
        )
    return found
