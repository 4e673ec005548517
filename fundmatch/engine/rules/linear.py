"""One euro for one euro, within caps (Okoté; Goteo's matcher)."""

from __future__ import annotations

from fractions import Fraction


def linear_raw(capped_cents: int, ratio: Fraction, cap_per_project_cents: int | None) -> int:
    """Return floor(ratio × Σ min(c, cap per donor)), at most the cap per project, in cents."""
    raw = capped_cents * ratio.numerator // ratio.denominator
    return raw if cap_per_project_cents is None else min(raw, cap_per_project_cents)
