"""Reads used twice: the jury's lists, a project's public state, a campaign's calendar."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean, pstdev
from typing import Any

from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThanOrEqual
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from defis.clock import DatabaseNow
from defis.models import Campaign, Decision, Evaluation, Fund, Phase, Project
from defis.permissions import Role, funds_for

DEFAULT_CRITERIA = (
    gettext_lazy("The project answers the challenge."),
    gettext_lazy("Residents take part in it."),
    gettext_lazy("The budget is clear and sufficient."),
    gettext_lazy("The team can do it."),
)

# What the public may read about; the others exist only for their holder and the jury.
PUBLIC_STATUSES = (
    Project.Status.PRESELECTED,
    Project.Status.FUNDED,
    Project.Status.NOT_FUNDED,
    Project.Status.CANCELLED,
)


# --- Jury -------------------------------------------------------------------------------------------


def criteria_of(project: Project) -> list[str]:
    """What the jury marks: the challenge's own criteria, or four usual ones."""
    return list(project.defi.criteria) or [str(criterion) for criterion in DEFAULT_CRITERIA]


def latest_decision(kind: str) -> Subquery:
    """Primary key of a project's last decision of a kind, for an annotation."""
    decisions = Decision.objects.filter(project=OuterRef("pk"), kind=kind).order_by("-decided_at", "-pk")
    return Subquery(decisions.values("pk")[:1])


def pending_decisions(campaign: Campaign) -> list[Decision]:
    """Last yes or no of each submitted project of a campaign: decided, not yet public."""
    projects = Project.objects.filter(campaign=campaign, status=Project.Status.SUBMITTED)
    decisions = Decision.objects.filter(
        pk__in=projects.annotate(last=latest_decision(Decision.Kind.PRESELECTION)).values("last")
    ).exclude(outcome=Decision.Outcome.CORRECTION)
    # Decided before a correction came back: the jury has to look again.
    decisions = decisions.filter(
        Q(project__submitted_at__isnull=True) | Q(decided_at__gte=F("project__submitted_at"))
    )
    return list(
        decisions.select_related("project__campaign__fund", "project__holder").order_by("project__title")
    )


def projects_for_jury(user: Any) -> QuerySet[Project]:
    """Submitted projects of the user's funds, without those that a conflict of interest hides."""
    conflicts = Evaluation.objects.filter(juror=user, conflict_of_interest=True).values("project")
    return (
        Project.objects.filter(
            campaign__fund__in=funds_for(user, Role.FOUNDATION),
            status__in=[Project.Status.SUBMITTED, Project.Status.CORRECTION],
        )
        .exclude(pk__in=conflicts)
        .select_related("campaign", "defi", "holder", "commune")
        .order_by("submitted_at", "pk")
    )


def projects_to_evaluate(user: Any) -> QuerySet[Project]:
    """Those that still wait for a decision."""
    return projects_for_jury(user).filter(status=Project.Status.SUBMITTED)


@dataclass(frozen=True)
class Ranked:
    """One line of the jury's table: mean out of 4, standard deviation of the jurors' means."""

    project: Project
    jurors: int
    mean: float | None
    spread: float | None
    decision: Decision | None
    marks: list[float]


def ranking(projects: Sequence[Project]) -> list[Ranked]:
    """Projects from the best marked to the least, those without marks last. Two queries."""
    by_project: dict[int, list[float]] = {}
    evaluations = Evaluation.objects.filter(
        project__in=projects, conflict_of_interest=False
    ).prefetch_related("marks")
    for evaluation in evaluations:
        values = [mark.value for mark in evaluation.marks.all()]
        if values:
            by_project.setdefault(evaluation.project_id, []).append(fmean(values))
    last: dict[int, Decision] = {}
    decisions = Decision.objects.filter(project__in=projects, kind=Decision.Kind.PRESELECTION)
    for decision in decisions.select_related("decided_by").order_by("decided_at", "pk"):
        last[decision.project_id] = decision
    lines = [
        Ranked(
            project,
            len(marks := sorted(by_project.get(project.pk, []))),
            fmean(marks) if marks else None,
            pstdev(marks) if len(marks) > 1 else None,
            last.get(project.pk),
            marks,
        )
        for project in projects
    ]
    return sorted(lines, key=lambda line: (line.mean is None, -(line.mean or 0), line.project.title))


def ranking_of(project: Project) -> dict[str, Any]:
    """Marks of a project as they are when it is decided: kept with the decision."""
    evaluations = Evaluation.objects.filter(project=project, conflict_of_interest=False).prefetch_related(
        "marks"
    )
    per_criterion: dict[str, list[int]] = {}
    for evaluation in evaluations:
        for mark in evaluation.marks.all():
            per_criterion.setdefault(mark.criterion, []).append(mark.value)
    return {
        "jurors": len(evaluations),
        "marks": {name: sorted(values) for name, values in per_criterion.items()},
    }


# --- Public state -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PublicState:
    """Where a project stands for the public; `kind` is the colour of its label."""

    code: str
    label: str
    kind: str = ""


def state_labels() -> dict[str, PublicState]:
    """Every public state, in the order of a filter."""
    return {
        state.code: state
        for state in (
            PublicState("open", _("Collection open"), "success"),
            PublicState("coming", _("Collection to come"), "info"),
            PublicState("closed", _("Collection finished, results to come"), "info"),
            PublicState("funded", _("Funded"), "success"),
            PublicState("not_funded", _("Goal missed, everybody refunded"), ""),
            PublicState("cancelled", _("Cancelled"), "warning"),
            PublicState("proposed", _("Proposed"), ""),
        )
    }


def public_state_case(prefix: str = "") -> Case:
    """Code of `state_labels` by the database's clock; `prefix` leads to the project ("project__")."""

    def on(**conditions: Any) -> Q:
        return Q(**{f"{prefix}{name}": value for name, value in conditions.items()})

    now = DatabaseNow()
    opens = Coalesce(f"{prefix}opens_at", f"{prefix}campaign__opens_at")
    closes = Coalesce(f"{prefix}closes_at", f"{prefix}campaign__closes_at")
    return Case(
        When(on(status=Project.Status.FUNDED), then=Value("funded")),
        When(on(status=Project.Status.NOT_FUNDED), then=Value("not_funded")),
        When(on(status=Project.Status.CANCELLED), then=Value("cancelled")),
        When(~on(status=Project.Status.PRESELECTED), then=Value("proposed")),
        When(on(campaign__closes_at__lte=now), then=Value("closed")),
        When(condition=LessThanOrEqual(closes, now), then=Value("closed")),
        When(condition=LessThanOrEqual(opens, now), then=Value("open")),
        default=Value("coming"),
    )


# --- Campaigns ----------------------------------------------------------------------------------------


def announced_campaigns(**filters: Any) -> QuerySet[Any]:
    """Campaigns the public may see, with their phase, the one that matters now first."""
    order = Case(
        When(phase=Phase.OPEN, then=Value(0)),
        When(phase=Phase.CLOSED, then=Value(1)),
        When(phase=Phase.SUBMISSIONS, then=Value(2)),
        When(phase=Phase.SELECTION, then=Value(3)),
        When(phase=Phase.UPCOMING, then=Value(4)),
        default=Value(5),
    )
    return (
        Campaign.objects.with_phase()
        .filter(announced_at__isnull=False, **filters)
        .select_related("fund__territory", "fund__foundation", "fund__authority", "fund__legal_holder")
        .order_by(order, "-opens_at")
    )


def phase_of(campaign: Campaign) -> Phase:
    """Phase of a campaign by the database's clock; no query when it was annotated."""
    known = getattr(campaign, "phase", None)
    return Phase(known or Campaign.objects.with_phase().values_list("phase", flat=True).get(pk=campaign.pk))


def threshold_cents(project: Project) -> int | None:
    """What a project must reach (cents, rounded up), or None when it keeps what it gets."""
    campaign = project.campaign
    if campaign.threshold_numerator is None:
        return None
    return -(-project.goal_cents * campaign.threshold_numerator // campaign.threshold_denominator)


@dataclass(frozen=True)
class CalendarStep:
    """One step of a campaign's calendar; `until` is None for a date."""

    label: str
    start: datetime
    until: datetime | None
    state: str  # done, current or todo


PHASE_ORDER = (Phase.UPCOMING, Phase.SUBMISSIONS, Phase.SELECTION, Phase.OPEN, Phase.CLOSED, Phase.PUBLISHED)


def calendar_of(campaign: Campaign) -> list[CalendarStep]:
    """A campaign's steps in order, with the present one."""
    present = PHASE_ORDER.index(phase_of(campaign)) if phase_of(campaign) in PHASE_ORDER else -1
    rows: list[tuple[Phase, str, datetime | None, datetime | None]] = [
        (
            Phase.SUBMISSIONS,
            _("Holders submit their projects"),
            campaign.submissions_open_at,
            campaign.submissions_close_at,
        ),
        (
            Phase.SELECTION,
            _("The jury chooses the projects"),
            campaign.submissions_close_at,
            campaign.opens_at,
        ),
        (Phase.OPEN, _("Residents contribute"), campaign.opens_at, campaign.closes_at),
        (Phase.CLOSED, _("The accounts are checked"), campaign.closes_at, campaign.results_at),
        (Phase.PUBLISHED, _("The results are published"), campaign.published_at or campaign.results_at, None),
    ]
    steps = []
    for phase, label, start, until in rows:
        if start is None:
            continue
        rank = PHASE_ORDER.index(phase)
        state = "done" if rank < present else "current" if rank == present else "todo"
        steps.append(CalendarStep(label, start, until, state))
    return steps


def communes_by_epci(fund: Fund) -> list[tuple[str, list[str]]]:
    """Names of a fund's communes, grouped by their EPCI, both in French order. One query."""
    rows = fund.territory.communes.order_by("epci_name", "sort_name").values_list("epci_name", "name")
    groups: dict[str, list[str]] = {}
    for epci, name in rows:
        groups.setdefault(epci or _("Other communes"), []).append(name)
    return sorted(groups.items())
