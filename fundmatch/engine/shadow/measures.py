"""How concentrated a distribution is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..tables import gini, top_share

__all__ = ["concentration", "gini", "lorenz", "top_share"]


def concentration(cents: Mapping[str, int]) -> dict[str, Any]:
    """Return the largest share, who has it, the Gini coefficient, and how many receive anything."""
    top = max(cents, key=lambda project: (cents[project], project), default=None)
    return {
        "top_share": top_share(cents.values()),
        "top_project": top if top is not None and cents[top] else None,
        "gini": gini(cents.values()) if cents else 0.0,
        "receivers": sum(1 for amount in cents.values() if amount),
    }


def lorenz(amounts: Iterable[int]) -> list[tuple[float, float]]:
    """Return the Lorenz curve: (part of the projects, part of the money they have), poorest first."""
    values = sorted(amounts)
    total = sum(values)
    points, running = [(0.0, 0.0)], 0
    for place, value in enumerate(values, 1):
        running += value
        points.append((place / len(values), running / total if total else place / len(values)))
    return points
