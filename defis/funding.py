"""Port: what higher rooms know about the money of projects, so that pages can show it.

The room of contributions registers what is received, the room of the calculation what the fund may
add. Both are asked once for all the projects of a page, and answer in a constant number of queries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from defis.models.projects import Project


@dataclass(frozen=True)
class MatchLine:
    """Complementary money of one source: what it is called and how much (cents)."""

    kind: str  # company, authority or foundation: which colour (theme.components.SOURCE_ORDER)
    label: str
    cents: int


@dataclass(frozen=True)
class Funding:
    """Money of one project, in cents, as of `as_of` (UTC; None when nobody counts it).

    `matches` is what was really granted (empty before publication, unless the rule makes it certain);
    `aid_low_cents`..`aid_high_cents` is the estimate of what will be: None when unknown.
    """

    citizens_cents: int = 0
    donors: int = 0
    as_of: datetime | None = None
    matches: list[MatchLine] = field(default_factory=list)
    aid_low_cents: int | None = None
    aid_high_cents: int | None = None
    final: bool = False
    # Estimate per source (same kinds as `matches`), where the rule tells them apart.
    aid_lines: list[MatchLine] = field(default_factory=list)

    @property
    def matched_cents(self) -> int:
        return sum(line.cents for line in self.matches)

    @property
    def received_cents(self) -> int:
        """What residents gave and what was granted: never an estimate."""
        return self.citizens_cents + self.matched_cents


class Aid(NamedTuple):
    """Estimated complementary money of one project (cents); equal bounds when the rule is exact."""

    low_cents: int
    high_cents: int
    lines: Sequence[MatchLine] = ()


@dataclass(frozen=True)
class Simulation:
    """What one more gift would do for a project (cents): estimate, dated, never a promise."""

    amount_cents: int
    low_cents: int
    high_cents: int
    note: str = ""


FundingSource = Callable[[Sequence[Project]], Mapping[int, Funding]]
AidEstimator = Callable[[Sequence[Project], Mapping[int, Funding]], Mapping[int, Aid]]
Simulator = Callable[[Project, Funding, Sequence[int]], Sequence[Simulation]]

_sources: list[FundingSource] = []
_estimators: list[AidEstimator] = []
_simulators: list[Simulator] = []


def register_funding_source(source: FundingSource) -> FundingSource:
    """Say what projects received: `source(projects) -> {project pk: Funding}`."""
    _sources.append(source)
    return source


def register_aid_estimator(estimator: AidEstimator) -> AidEstimator:
    """Say what the fund may add: `estimator(projects, fundings) -> {project pk: Aid}`."""
    _estimators.append(estimator)
    return estimator


def register_simulator(simulator: Simulator) -> Simulator:
    """Say what gifts of these cents would do: `simulator(project, funding, amounts) -> [Simulation]`."""
    _simulators.append(simulator)
    return simulator


def funding_of(projects: Sequence[Project]) -> dict[int, Funding]:
    """Project pk -> Funding; zeros for a project nobody counts. Constant number of queries."""
    fundings = {project.pk: Funding() for project in projects}
    if not projects:
        return fundings
    for source in _sources:
        for pk, funding in source(projects).items():
            # What is published stays, whichever room spoke first.
            if pk in fundings and not fundings[pk].final:
                fundings[pk] = funding
    for estimator in _estimators:
        for pk, (low, high, lines) in estimator(projects, fundings).items():
            if pk in fundings and not fundings[pk].final:
                fundings[pk] = replace(
                    fundings[pk], aid_low_cents=low, aid_high_cents=high, aid_lines=list(lines)
                )
    return fundings


def simulate(project: Project, funding: Funding, amounts: Sequence[int]) -> list[Simulation]:
    """What each of these gifts (cents) would bring to the project, itself included."""
    for simulator in _simulators:
        return list(simulator(project, funding, amounts))
    return [Simulation(cents, cents, cents) for cents in amounts]
