"""The input once it is validated: plain values, nothing left to check."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from .gifts import Money

SPEC = "fundmatch/1"

LINEAR = "linear"
QUADRATIC = "quadratic"
SQUARE = "quadratic-square"
PAIRWISE = "pairwise"
PROPORTIONAL = "proportional"
PER_DONOR = "per-donor"
RULES = (LINEAR, QUADRATIC, SQUARE, PAIRWISE, PROPORTIONAL, PER_DONOR)

SATURATE = "saturate"
NORMALISE = "normalise"
PRORATA = "prorata"
FCFS = "fcfs"

TOTAL = "total"
CITIZENS = "citizens"


class Project(NamedTuple):
    """`goal_cents` is None where the campaign keeps what it gets (no threshold)."""

    id: str
    goal_cents: int | None


@dataclass(frozen=True, slots=True)
class Funder:
    """One promise inside a pot."""

    id: str
    pledge_cents: int


@dataclass(frozen=True, slots=True)
class Pot:
    """Match money and its rule. Fields that a rule does not have keep their neutral default."""

    id: str
    rule: str
    budget_cents: int
    ratio: Fraction = Fraction(1)
    order: str = PRORATA
    mode: str = SATURATE
    cap_per_donor_cents: int | None = None
    cap_per_project_cents: int | None = None
    min_donor_cents: int = 0
    min_donors: int = 0
    m_cents: int = 0
    projects: frozenset[str] | None = None
    funders: tuple[Funder, ...] | None = None
    #: the pot as it enters the digest: every optional key of its rule written out
    canonical: dict[str, Any] = field(default_factory=dict)

    @property
    def scale(self) -> int:
        """Units of raw in one cent: raws of the root rules are counted in millionths of a cent."""
        return 10**6 if self.rule in (QUADRATIC, SQUARE, PAIRWISE) else 1

    def covers(self, project_id: str) -> bool:
        """Return whether the pot may pay this project."""
        return self.projects is None or project_id in self.projects


@dataclass(frozen=True, slots=True)
class Threshold:
    """`ratio` of the goal that a project must reach, measured on `base`."""

    ratio: Fraction
    base: str
    canonical: dict[str, Any]


@dataclass(slots=True)
class Problem:
    """Everything a calculation needs. `projects` are sorted by id: an index is also a rank."""

    projects: list[Project]
    pots: list[Pot]
    threshold: Threshold | None
    money: Money
