"""Live estimates for the site: what the fund may add, what one more gift would do. Shown, never paid.

A question costs the same whatever the number of gifts: three queries when nothing is known, one every few
seconds, none in between. Thresholds are left out: a project that leaves frees money, so the estimate is low
rather than high.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import OuterRef
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _

from defis.funding import Aid, Funding, MatchLine, Simulation
from defis.models import Organisation, Pledge, Pot, Project
from fundmatch.engine.estimate import Estimator, Sums
from fundmatch.engine.roots import SCALE
from fundmatch.inputs import SPEC, rule_of
from participation.contributions.statistics import Figures, figures_of
from theme.money import format_euros

#: rules are frozen while a campaign runs: its frame ages slowly, its figures fast
_FRAME_SECONDS = 60

_SOURCES = {
    Organisation.Kind.AUTHORITY: "authority",
    Organisation.Kind.COMPANY: "company",
    Organisation.Kind.BANK: "company",
}


def source_of(kind: str) -> str:
    """Return the legend entry of a funder: authority, company or foundation."""
    return _SOURCES.get(Organisation.Kind(kind), "foundation")


def source_label(source: str) -> str:
    """Return what a source of money is called on screen."""
    return {"authority": _("Collectivité"), "company": _("Companies"), "foundation": _("Foundation")}[source]


@dataclass(frozen=True, slots=True)
class _PotFrame:
    value: dict[str, Any]
    #: part of the budget promised by each source, in cents
    sources: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What does not move while a campaign runs."""

    pots: dict[str, _PotFrame]
    projects: list[int]

    def estimator(self, sums: Mapping[str, Mapping[str, Sums]], *, linear: bool) -> Estimator:
        pots = [pot.value for pot in self.pots.values() if (pot.value["rule"] == Pot.Rule.LINEAR) == linear]
        projects = [{"id": str(pk)} for pk in self.projects]
        return Estimator({"spec": SPEC, "projects": projects, "pots": pots, "threshold": None}, sums)


@dataclass(slots=True)
class LiveCampaign:
    """One running campaign, ready to answer. Amounts in cents, projects by primary key."""

    frame: _Frame
    figures: Mapping[int, Figures]
    linear: Estimator
    other: Estimator
    #: what is left of each linear pot
    left: dict[str, int] = field(default_factory=dict)

    def aid(self, pk: int) -> Aid | None:
        """Return the aid of a project if the campaign closed now; a range where the rule is not linear."""
        if pk not in self.frame.projects:
            return None
        project = str(pk)
        exact, called = self.linear.match_cents(project), self.other.match_cents(project)
        # A linear pot that is not empty pays what it shows. Elsewhere others may still take part of it away.
        low = sum(cents for pot, cents in exact.items() if self.left[pot] > 0)
        if any(self.left[pot] <= 0 for pot in exact):
            low += min(self.linear.match_range(project)[0], sum(exact.values()) - low)
        high = sum(exact.values()) + sum(called.values())
        low += min(self.other.match_range(project)[0], sum(called.values()))
        return Aid(min(low, high), high, self._lines(exact | called))

    def simulation(self, pk: int, cents: int) -> Simulation:
        """Return what a gift of a new giver would bring, itself included."""
        if pk not in self.frame.projects:
            return Simulation(cents, cents, cents)
        project = str(pk)
        answers = [self.linear.gift(project, cents), self.other.gift(project, cents)]
        low = sum(answer.low for answer in answers)
        high = sum(answer.high for answer in answers)
        lost = -sum(sum(answer.others.values()) for answer in answers)
        return Simulation(cents, cents + low, cents + high, self._note(pk, high, lost))

    def _note(self, pk: int, gain: int, lost: int) -> str:
        figures = self.figures.get(pk)
        if gain == 0 and len(self.other_pots(pk)) > 0 and (figures is None or figures.matchable_donors == 0):
            return _("You are the first person. The aid starts when other residents give.")
        if gain == 0 and self.left and all(left <= 0 for left in self.left.values()):
            return _("The fund is entirely used. Your contribution still counts for the project.")
        if gain == 0 and self.frame.pots:
            return _("The project already receives all the aid it can. Your contribution still counts.")
        if lost >= 100:
            return _("The other projects together would lose about %(lost)s of aid.") % {
                "lost": format_euros(lost // 100 * 100)
            }
        small = [left for left in self.left.values() if 0 < left < 500_000]
        if small:
            return _("The fund has only %(left)s left.") % {"left": format_euros(min(small))}
        return ""

    def other_pots(self, pk: int) -> list[str]:
        """Return the pots of a project that answer to several people, not to one."""
        return [
            pot
            for pot, cents in self.other.match_cents(str(pk)).items()
            if self.frame.pots[pot].value["rule"] == Pot.Rule.QUADRATIC
        ]

    def _lines(self, paid: Mapping[str, int]) -> list[MatchLine]:
        by_source: dict[str, int] = {}
        for pot, cents in paid.items():
            sources = self.frame.pots[pot].sources
            promised, left = sum(sources.values()), cents
            for place, (source, part) in enumerate(sorted(sources.items())):
                mine = left if place == len(sources) - 1 else cents * part // promised if promised else 0
                by_source[source] = by_source.get(source, 0) + mine
                left -= mine
        return [MatchLine(s, source_label(s), cents) for s, cents in by_source.items() if cents]


def aid_of(projects: Sequence[Project], fundings: Mapping[int, Funding]) -> dict[int, Aid]:
    """Estimator of the port `defis.funding`: project pk → Aid, for projects that are not decided."""
    asked = [project for project in projects if not fundings[project.pk].final]
    lives = live_campaigns(
        {project.campaign_id for project in asked if project.status == Project.Status.PRESELECTED}
    )
    found = {}
    for project in asked:
        live = lives.get(project.campaign_id)
        aid = live.aid(project.pk) if live is not None else None
        if aid is not None:
            found[project.pk] = aid
    return found


def simulate_gifts(project: Project, funding: Funding, amounts: Sequence[int]) -> list[Simulation]:
    """Simulator of the port `defis.funding`: what gifts of these cents would bring, themselves included."""
    live = None if funding.final else live_campaigns({project.campaign_id}).get(project.campaign_id)
    if live is None:
        return [Simulation(cents, cents, cents) for cents in amounts]
    return [live.simulation(project.pk, cents) for cents in amounts]


# --- What is known for a few seconds, in this process -------------------------------------------------------

_frames: dict[int, tuple[float, _Frame]] = {}
_lives: dict[int, tuple[float, LiveCampaign]] = {}


def live_campaigns(campaign_ids: set[int]) -> dict[int, LiveCampaign]:
    """Return what can be estimated, by campaign pk; figures are at most ABONDE_ESTIMATE_SECONDS old."""
    kept = getattr(settings, "ABONDE_ESTIMATE_SECONDS", 5)
    now = time.monotonic()
    known = {pk: _lives[pk][1] for pk in campaign_ids if pk in _lives and now < _lives[pk][0]}
    missing = campaign_ids - known.keys()
    if missing:
        frames = _known_frames(missing, now, _FRAME_SECONDS if kept else 0)
        figures = figures_of([pk for frame in frames.values() for pk in frame.projects])
        for pk, frame in frames.items():
            known[pk] = _live(
                frame, {project: figures[project] for project in frame.projects if project in figures}
            )
            _lives[pk] = (now + kept, known[pk])
    return known


def forget() -> None:
    """Forget what this process knows: something was published, or a test begins with another database."""
    _frames.clear()
    _lives.clear()


def _known_frames(campaign_ids: set[int], now: float, kept: float) -> dict[int, _Frame]:
    found = {pk: _frames[pk][1] for pk in campaign_ids if pk in _frames and now < _frames[pk][0]}
    missing = campaign_ids - found.keys()
    if missing:
        for pk, frame in _read_frames(missing).items():
            found[pk] = frame
            _frames[pk] = (now + kept, frame)
    return found


def _read_frames(campaign_ids: set[int]) -> dict[int, _Frame]:
    pledges = Pledge.objects.filter(pot=OuterRef("pk")).values(
        value=JSONObject(kind="funder__kind", cents="amount_cents")
    )
    restricted = Pot.projects.through.objects.filter(pot=OuterRef("pk")).values("project_id")
    pots = Pot.objects.filter(campaign__in=campaign_ids).order_by("slug")
    pots = pots.annotate(promised=ArraySubquery(pledges), only=ArraySubquery(restricted))
    projects: dict[int, list[int]] = {pk: [] for pk in campaign_ids}
    taking_part = Project.objects.filter(campaign__in=campaign_ids, status=Project.Status.PRESELECTED)
    for pk, campaign_id in taking_part.order_by("pk").values_list("pk", "campaign_id"):
        projects[campaign_id].append(pk)
    frames = {pk: _Frame({}, known) for pk, known in projects.items()}
    for pot in pots:
        frame, sources = frames[pot.campaign_id], dict[str, int]()
        for pledge in pot.promised:
            source = source_of(pledge["kind"])
            sources[source] = sources.get(source, 0) + pledge["cents"]
        only = sorted(str(pk) for pk in pot.only if pk in frame.projects)
        value = rule_of(pot) | {
            "budget_cents": sum(sources.values()),
            "projects": only if pot.only else None,
            "funders": None,
        }
        frame.pots[pot.slug] = _PotFrame(value, sources)
    return frames


def _live(frame: _Frame, figures: Mapping[int, Figures]) -> LiveCampaign:
    sums = {slug: _sums(pot.value, frame, figures) for slug, pot in frame.pots.items()}
    linear, other = frame.estimator(sums, linear=True), frame.estimator(sums, linear=False)
    left = {
        slug: pot.value["budget_cents"]
        for slug, pot in frame.pots.items()
        if pot.value["rule"] == Pot.Rule.LINEAR
    }
    for pk in frame.projects:
        for slug, cents in linear.match_cents(str(pk)).items():
            left[slug] -= cents
    return LiveCampaign(frame, figures, linear, other, left)


def _sums(pot: dict[str, Any], frame: _Frame, figures: Mapping[int, Figures]) -> dict[str, Sums]:
    cap = pot.get("cap_per_donor_cents")
    capped = _capped(frame.projects, cap) if cap is not None else {}
    found = {}
    for pk in frame.projects:
        mine = figures.get(pk)
        if mine is None:
            found[str(pk)] = Sums(0.0, 0.0, 0, 0.0 if cap is not None else None)
        else:
            found[str(pk)] = Sums(
                mine.sum_of_roots / SCALE,
                float(mine.matchable_cents),
                mine.matchable_donors,
                float(capped.get(pk, 0)) if cap is not None else None,
            )
    return found


def _capped(project_ids: Sequence[int], cap: int) -> dict[int, int]:
    """Return Σ min(c, cap) per project: the one sum that the roll-up does not keep (index-only)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT project_id, sum(least(cents, %s))::bigint FROM (
                 SELECT project_id, voter_id, sum(amount_cents) AS cents
                 FROM abonde_participation_contribution
                 WHERE project_id = ANY (%s) AND state = 'counted' AND matchable
                 GROUP BY 1, 2) t GROUP BY 1""",
            [cap, list(project_ids)],
        )
        return dict(cursor.fetchall())
