"""What a page says with figures: a project's block, the simulator's sentence, a fund's example."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from defis.clock import DatabaseNow
from defis.forms.fields import parse_euros
from defis.funding import Funding, MatchLine, Simulation, funding_of, simulate
from defis.models import Campaign, Decision, Pot, Project, ProjectPage
from defis.selectors import public_state_case, state_labels, threshold_cents
from defis.services import Refused, ensure_rules_frozen
from theme.components import Row
from theme.money import format_euros
from theme.panels import panels

if TYPE_CHECKING:
    from collections.abc import Sequence

# Amounts offered by the simulator, and the points of its table (cents).
CHOICES = (500, 1000, 2000, 5000)


def clock_and_state(page: ProjectPage) -> tuple[datetime, str]:
    """The database's instant and the project's public state, both from one statement."""
    now, code = getattr(page, "db_now", None), getattr(page, "state_code", None)
    if now is not None and code is not None:
        return now, code
    row = Project.objects.annotate(db_now=DatabaseNow(), state_code=public_state_case()).values_list(
        "db_now", "state_code"
    )
    return row.get(pk=page.project_id)


def project_context(page: ProjectPage, request: HttpRequest, preview: str = "") -> dict[str, Any]:
    """Everything a project's template needs; `preview` shows the page as in another state."""
    project = page.project
    now, code = clock_and_state(page)
    # The rooms that show a panel on this page need not ask the clock again.
    project.state_now = (code, now)
    if code == "open" and not preview and project.campaign.rules_frozen_at is None:
        # The first look after the hour freezes the rules, if no worker and no contribution did.
        try:
            project.campaign = ensure_rules_frozen(campaign=project.campaign)
        except Refused:
            code = "coming"
    funding = funding_of([project])[project.pk]
    threshold = threshold_cents(project)
    if preview:
        code, funding = _pretend(preview, project, funding, threshold)
    budget = page.budget()
    is_open = code == "open"
    typed = request.GET.get("montant", "")
    remaining = project.collection_closes_at - now
    return {
        "project": project,
        "campaign": project.campaign,
        "funding": funding,
        "state": state_labels()[code],
        "reached": threshold is not None and _counted(project, funding) >= threshold,
        "goal_reached": funding.received_cents >= project.goal_cents,
        "threshold_cents": threshold,
        "threshold_on_citizens": project.campaign.threshold_base == Campaign.ThresholdBase.CITIZENS,
        "days_left": max(remaining.days, 0),
        "hours_left": max(int(remaining.total_seconds() // 3600), 0),
        "budget": budget,
        "budget_cents": sum(row["cents"] for row in budget),
        "defi_url": page.defi_url(request),
        "decisions": _decisions(project),
        "simulator": simulator_of(project, funding, typed, f"{page.address(request)}simuler/")
        if is_open
        else None,
        "panels": panels("abonde_project_panels", request, project, funding),
        "fee_percent": _percent_of_bps(project.campaign.fee_bps),
        "db_now": now,
    }


def _counted(project: Project, funding: Funding) -> int:
    on_citizens = project.campaign.threshold_base == Campaign.ThresholdBase.CITIZENS
    return funding.citizens_cents if on_citizens else funding.received_cents


def _decisions(project: Project) -> list[Decision]:
    """Decisions the public may read: a pre-selection still inside the jury is not one of them."""
    decisions = list(project.decisions.all())
    if project.status in {Project.Status.SUBMITTED, Project.Status.CORRECTION, Project.Status.DRAFT}:
        decisions = [d for d in decisions if d.kind != Decision.Kind.PRESELECTION]
    return [d for d in decisions if d.outcome != Decision.Outcome.CORRECTION]


def _percent_of_bps(bps: int) -> str:
    whole, rest = divmod(bps, 100)
    return f"{whole},{rest:02d}".rstrip("0") if rest else str(whole)


def _pretend(mode: str, project: Project, funding: Funding, threshold: int | None) -> tuple[str, Funding]:
    """State and plausible figures for an editor's preview; never stored, never public."""
    goal = project.goal_cents
    if mode == "coming":
        return "coming", Funding()
    if mode == "reached":
        return "open", Funding(citizens_cents=threshold or goal, donors=143, as_of=funding.as_of)
    if mode == "funded":
        half = goal // 2
        lines = [MatchLine("authority", _("Authority"), goal - half)]
        return "funded", Funding(
            citizens_cents=half, donors=143, as_of=funding.as_of, matches=lines, final=True
        )
    if mode == "not_funded":
        return "not_funded", Funding(citizens_cents=goal // 5, donors=31, as_of=funding.as_of, final=True)
    return mode, funding


# --- Simulator ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Simulator:
    """The simulator's form as the server draws it; `sentence` answers `typed`, right or wrong."""

    url: str
    typed: str
    choices: list[tuple[str, str]]
    sentence: str
    is_error: bool
    points: "Sequence[Simulation]"
    is_estimate: bool


def simulator_of(project: Project, funding: Funding, typed: str, url: str) -> Simulator:
    """The block of the project page, already answered when the address has `?montant=`."""
    campaign = project.campaign
    amounts = [c for c in CHOICES if campaign.min_contribution_cents <= c <= campaign.max_contribution_cents]
    wanted, error = (None, "")
    if typed:
        wanted, error = _wanted(campaign, typed)
    points = simulate(project, funding, [*amounts, *([wanted] if wanted else [])])
    sentence = error or (
        _sentence(points[-1]) if wanted else _("Choose an amount to see its effect on the project.")
    )
    shown = points[: len(amounts)]
    return Simulator(
        url=url,
        typed=typed,
        choices=[(str(cents // 100), format_euros(cents)) for cents in amounts],
        sentence=sentence,
        is_error=bool(error),
        points=shown,
        is_estimate=any(point.high_cents != point.amount_cents for point in points),
    )


def simulation_answer(project: Project, typed: str) -> dict[str, Any]:
    """The simulator's answer to the page's script: cents, and the sentence to show."""
    wanted, error = _wanted(project.campaign, typed)
    if wanted is None:
        return {"ok": False, "sentence": error}
    point = simulate(project, funding_of([project])[project.pk], [wanted])[0]
    return {
        "ok": True,
        "amount_cents": point.amount_cents,
        "low_cents": point.low_cents,
        "high_cents": point.high_cents,
        "sentence": _sentence(point),
    }


def _wanted(campaign: Campaign, typed: str) -> tuple[int | None, str]:
    try:
        cents = parse_euros(typed)
    except ValidationError as error:
        return None, error.messages[0]
    least, most = campaign.min_contribution_cents, campaign.max_contribution_cents
    if not least <= cents <= most:
        return None, _("The amount must be between %(least)s and %(most)s.") % {
            "least": format_euros(least),
            "most": format_euros(most),
        }
    return cents, ""


def _sentence(point: Simulation) -> str:
    amount, low, high = (format_euros(c) for c in (point.amount_cents, point.low_cents, point.high_cents))
    if point.low_cents == point.high_cents:
        said = _("With %(amount)s from you, the project moves forward by %(total)s.") % {
            "amount": amount,
            "total": low,
        }
        if point.low_cents == point.amount_cents:
            return f"{said} {point.note}".strip()
    else:
        said = _("With %(amount)s from you, the project moves forward by about %(low)s to %(high)s.") % {
            "amount": amount,
            "low": low,
            "high": high,
        }
    return " ".join(part for part in (said, _("This is an estimate."), point.note) if part)


# --- Fund ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PotTelling:
    """One pot in words: who pays, how much, by which rule, with an example."""

    pot: Pot
    budget_cents: int
    pledges: list[Any]
    rule: str
    limits: list[str]
    example: list[Row]
    conclusion: str


@dataclass(frozen=True)
class CampaignMoney:
    """What a fund promised to one campaign, what was granted, what is estimated (cents)."""

    campaign: Campaign
    pots: list[PotTelling]
    promised_cents: int
    granted_cents: int
    estimated_low_cents: int | None
    estimated_high_cents: int | None
    projects_helped: int

    @property
    def left_cents(self) -> int:
        return max(self.promised_cents - self.granted_cents, 0)

    @property
    def is_used_up(self) -> bool:
        return self.promised_cents > 0 and self.granted_cents >= self.promised_cents


def money_of_campaign(campaign: Campaign) -> CampaignMoney:
    """Figures of a fund for one campaign, in a constant number of queries."""
    pots = list(Pot.objects.filter(campaign=campaign).prefetch_related("pledges__funder"))
    projects = list(
        Project.objects.filter(
            campaign=campaign, status__in=["preselected", "funded", "not_funded"]
        ).select_related("campaign")
    )
    fundings = list(funding_of(projects).values())
    estimates = [
        (f.aid_low_cents, f.aid_high_cents) for f in fundings if f.aid_low_cents is not None and not f.final
    ]
    tellings = [tell_pot(pot) for pot in pots]
    return CampaignMoney(
        campaign=campaign,
        pots=tellings,
        promised_cents=sum(pot.budget_cents for pot in tellings),
        granted_cents=sum(f.matched_cents for f in fundings if f.final),
        estimated_low_cents=sum(low or 0 for low, _high in estimates) if estimates else None,
        estimated_high_cents=sum(high or 0 for _low, high in estimates) if estimates else None,
        projects_helped=sum(1 for f in fundings if f.final and f.matched_cents),
    )


def tell_pot(pot: Pot) -> PotTelling:
    """A pot's rule in plain words, with a worked example whose figures anybody can redo."""
    pledges = list(pot.pledges.all())
    rule, example, conclusion = _example(pot)
    return PotTelling(
        pot, sum(p.amount_cents for p in pledges), pledges, rule, _limits(pot), example, conclusion
    )


def _limits(pot: Pot) -> list[str]:
    said = []
    if pot.cap_per_project_cents:
        said.append(_("At most %(cap)s per project.") % {"cap": format_euros(pot.cap_per_project_cents)})
    if pot.cap_per_donor_cents:
        said.append(
            _("Only the first %(cap)s of each person count for this aid.")
            % {"cap": format_euros(pot.cap_per_donor_cents)}
        )
    if pot.min_donors:
        said.append(_("The aid starts at %(number)d people.") % {"number": pot.min_donors})
    if pot.min_donor_cents:
        said.append(
            _("The aid counts contributions from %(least)s.") % {"least": format_euros(pot.min_donor_cents)}
        )
    return said


EXAMPLE_CENTS = 2000


def _example(pot: Pot) -> tuple[str, list[Row], str]:
    if pot.rule == Pot.Rule.LINEAR:
        return _linear_example(pot)
    if pot.rule in {Pot.Rule.QUADRATIC, Pot.Rule.QUADRATIC_SQUARE}:
        return _quadratic_example(pot)
    if pot.rule == Pot.Rule.PER_DONOR:
        return (
            _("The aid is shared by the number of people who contribute: each person counts once."),
            [
                Row(_("Project A: 30 people"), _("3 parts out of 4")),
                Row(_("Project B: 10 people"), _("1 part out of 4")),
            ],
            _("The amounts do not count for this aid."),
        )
    return (
        _("The aid is shared in proportion to what people give."),
        [
            Row(_("Project A receives %(sum)s") % {"sum": format_euros(300_000)}, _("3 parts out of 4")),
            Row(_("Project B receives %(sum)s") % {"sum": format_euros(100_000)}, _("1 part out of 4")),
        ],
        "",
    )


def _linear_example(pot: Pot) -> tuple[str, list[Row], str]:
    per_euro = pot.ratio_numerator * 100 // pot.ratio_denominator
    counted = min(EXAMPLE_CENTS, pot.cap_per_donor_cents or EXAMPLE_CENTS)
    added = counted * pot.ratio_numerator // pot.ratio_denominator
    rows = [
        Row(_("You give"), format_euros(EXAMPLE_CENTS)),
        Row(pot.name, format_euros(added)),
        Row(_("The project receives"), format_euros(EXAMPLE_CENTS + added)),
    ]
    return (
        _("For 1 € that you give, the fund adds %(amount)s.") % {"amount": format_euros(per_euro)},
        rows,
        _("If the pot is too small for everybody, it is shared in the same proportion.")
        if pot.order == Pot.Order.PRORATA
        else _("When the pot is empty, the aid stops: the first contributions are served first."),
    )


def _quadratic_example(pot: Pot) -> tuple[str, list[Row], str]:
    """n people who give c each call n²·c − n·c (spec fundmatch/1, section 3): no root to take."""

    def called(people: int, cents: int) -> int:
        raw = people * people * cents - (people * cents if pot.rule == Pot.Rule.QUADRATIC else 0)
        return min(raw, pot.cap_per_project_cents or raw)

    cases = [(1, 5000), (10, 500), (50, 100)]
    rows = [
        Row(
            _("1 person gives %(amount)s") % {"amount": format_euros(cents)}
            if people == 1
            else _("%(people)d people give %(amount)s each")
            % {"people": people, "amount": format_euros(cents)},
            _("%(given)s given, aid called: %(aid)s")
            % {"given": format_euros(people * cents), "aid": format_euros(called(people, cents))},
        )
        for people, cents in cases
    ]
    return (
        _(
            "The more people give, the more the fund helps the project. "
            "The number of people counts more than the amounts."
        ),
        rows,
        _(
            "What the projects call together can exceed the pot: "
            "each then receives the same part of what it calls."
        ),
    )
