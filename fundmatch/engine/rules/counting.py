"""Two plain baselines: in proportion to the euros, in proportion to the people."""

from __future__ import annotations

from collections.abc import Iterable

from ..gifts import Power


def proportional_raw(power: Power, ranks: Iterable[int]) -> dict[int, int]:
    """Return C, in cents."""
    return {rank: power.cents[rank] for rank in ranks}


def per_donor_raw(power: Power, ranks: Iterable[int]) -> dict[int, int]:
    """Return n: one person, one voice."""
    return {rank: power.donors[rank] for rank in ranks}
