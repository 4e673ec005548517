"""Two plain baselines: in proportion to the euros, in proportion to the people."""

from __future__ import annotations


def proportional_raw(cents: int) -> int:
    """Return C, in cents."""
    return cents


def per_donor_raw(donors: int) -> int:
    """Return n: one person, one voice."""
    return donors
