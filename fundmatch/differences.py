"""What a calculation changes against what is published, or against the calculation before it."""

from __future__ import annotations

from dataclasses import dataclass, field

from defis.models import Project
from fundmatch.models import MatchRun, Override
from fundmatch.selectors import final_runs, latest_publication
from fundmatch.shares import ProjectShare, Shares, outcomes_of, shares_of


@dataclass(frozen=True, slots=True)
class Line:
    """One project: before, now. Amounts in cents; None before where it had no figure."""

    project: Project
    share: ProjectShare
    funded_before: bool | None
    match_before: int | None
    total_before: int | None
    #: one per pot: (pot, cents, calculated cents, address of its correction); None where it does not pay
    cells: list[tuple[str, int | None, int | None, str]] = field(default_factory=list)

    @property
    def delta_cents(self) -> int | None:
        return None if self.total_before is None else self.share.total_cents - self.total_before

    @property
    def is_changed(self) -> bool:
        return (
            self.funded_before != self.share.funded
            or self.total_before != self.share.total_cents
            or bool(self.share.corrections)
        )

    @property
    def corrections(self) -> list[Override]:
        return list(self.share.corrections.values())


@dataclass(frozen=True, slots=True)
class Differences:
    """The comparison; `against` says with what: "published", "previous" or "" (nothing before)."""

    against: str
    version: int | None
    lines: list[Line]

    @property
    def changed(self) -> list[Line]:
        return [line for line in self.lines if line.is_changed]


def differences(run: MatchRun, shares: Shares) -> Differences:
    """Compare a run with the version in force (for that very run, the one before), else with an older run."""
    against, version, before = _before(run)
    projects = Project.objects.filter(campaign=run.campaign, reference__in=shares.projects)
    lines = []
    for project in projects.select_related("holder").order_by("title"):
        old = before.get(project.reference)
        lines.append(
            Line(
                project=project,
                share=shares.projects[project.reference],
                funded_before=old["funded"] if old else None,
                match_before=old["match_cents"] if old else None,
                total_before=old["total_cents"] if old else None,
            )
        )
    return Differences(against, version, lines)


def _before(run: MatchRun) -> tuple[str, int | None, dict]:
    publication = latest_publication(run.campaign)
    if publication is not None and publication.run_id == run.pk:
        publication = (
            run.campaign.publications.filter(version__lt=publication.version).order_by("-version").first()
        )
    if publication is not None:
        return "published", publication.version, publication.outcomes
    older = final_runs(run.campaign) if run.is_final else run.campaign.match_runs.filter(kind=run.kind)
    previous = older.filter(number__lt=run.number).order_by("-number").first()
    if previous is None and run.is_final:
        previous = run.campaign.match_runs.filter(kind=MatchRun.Kind.REHEARSAL).order_by("-number").first()
    if previous is None:
        return "", None, {}
    previous.campaign = run.campaign
    return "previous", previous.number, outcomes_of(shares_of(previous))
