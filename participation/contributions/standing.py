"""The facts behind a call to action: where a project and a person stand, in few queries."""

from datetime import datetime

from django.db.models import Prefetch
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language

from defis.clock import DatabaseNow
from defis.funding import Funding
from defis.models import Campaign, Project, ProjectIndexPage, ProjectPage
from defis.selectors import public_state_case, threshold_cents
from participation.contributions.call_to_action import Addresses, Situation, Standing
from participation.contributions.models import Contribution
from participation.contributions.selectors import ceiling_of, left_for
from participation.identity.models import Person
from participation.identity.services import person_for_user
from participation.payments.models import Payment, Refund
from participation.residency.services import eligibility
from theme.visitor import signed_in_user

State = Contribution.State


def visitor_person(request: HttpRequest) -> Person | None:
    """The signed-in resident, asked for once per request; None without touching the session of nobody."""
    if not hasattr(request, "_abonde_person"):
        user = signed_in_user(request)
        request._abonde_person = person_for_user(user) if user else None  # type: ignore[attr-defined]
    return request._abonde_person  # type: ignore[attr-defined]


def state_now(project: Project) -> tuple[str, datetime]:
    """Public state of a project and the instant at which it holds, both from the database (one query at most)."""
    known = getattr(project, "state_now", None)  # the page that shows this project has just asked
    if known is None:
        row = Project.objects.annotate(state_code=public_state_case(), db_now=DatabaseNow())
        known = row.values_list("state_code", "db_now").get(pk=project.pk)
    state, now = known
    if state == "open" and project.campaign.announced_at is None:
        return "coming", now
    return state, now


def situation_of(project: Project, funding: Funding, person: Person | None) -> Situation:
    """Everything a call to action depends on. One query for nobody, up to ten for somebody."""
    campaign = project.campaign
    state, _now = state_now(project)
    threshold = threshold_cents(project)
    on_citizens = campaign.threshold_base == Campaign.ThresholdBase.CITIZENS
    counted = funding.citizens_cents if on_citizens else funding.received_cents
    return Situation(
        state=state,
        opens_at=project.collection_opens_at,
        closes_at=min(project.collection_closes_at, campaign.closes_at),
        results_at=campaign.results_at,
        territory=campaign.fund.territory.name,
        received_cents=funding.received_cents,
        threshold_cents=threshold,
        threshold_reached=threshold is not None and counted >= threshold,
        goal_reached=funding.received_cents >= project.goal_cents,
        closed_by_goal=project.stops_at_goal and funding.citizens_cents >= project.goal_cents,
        standing=standing_of(project, person, state) if person else Standing(),
    )


def standing_of(project: Project, person: Person, state: str) -> Standing:
    """One person before one project; what only an open collection needs is not asked for otherwise."""
    gifts = list(
        Contribution.objects.filter(person=person, project=project).prefetch_related(
            Prefetch("payments", Payment.objects.order_by("-pk").prefetch_related("refunds"))
        )
    )
    counted = [gift for gift in gifts if gift.state == State.COUNTED]
    waiting = {gift.reference: gift.payments.all()[0] for gift in gifts if gift.state == State.STARTED}
    pending = [
        reference
        for reference, payment in waiting.items()
        if payment.state in {Payment.State.PENDING, Payment.State.REVIEW}
    ]
    unfinished = [reference for reference in waiting if reference not in pending]
    refunded = [
        (gift, refund)
        for gift in gifts
        if gift.state == State.REFUNDED
        for payment in gift.payments.all()
        for refund in payment.refunds.all()
        if refund.state != Refund.State.FAILED
    ]
    known = eligibility(person=person, campaign=project.campaign) if state == "open" else None
    last = max((gift.counted_at for gift in counted if gift.counted_at), default=None)
    return Standing(
        known=True,
        eligibility=known.code if known else "ok",
        eligibility_sentence=known.sentence if known else "",
        given_cents=sum(gift.amount_cents for gift in counted),
        given_at=last,
        left_cents=left_for(person, project.campaign) if state == "open" else 0,
        ceiling_cents=ceiling_of(project.campaign),
        pending=pending[0] if pending else "",
        unfinished=unfinished[0] if unfinished else "",
        unfinished_cents=next((g.amount_cents for g in gifts if g.reference in unfinished), 0),
        failed=gifts[0].reference if gifts and gifts[0].state == State.FAILED else "",
        refund=refunded[0][0].reference if refunded else "",
        refund_cents=refunded[0][1].amount_cents if refunded else 0,
        refunded_at=refunded[0][1].done_at if refunded else None,
    )


def addresses_of(project: Project, request: HttpRequest, *, situation: Situation) -> Addresses:
    """Where the buttons of this project lead."""
    elsewhere = situation.state in {"not_funded", "cancelled"} or situation.closed_by_goal
    return Addresses(
        contribute=reverse("abonde_participation:contribute", args=[project.slug]),
        residence=reverse("abonde_participation:contribute_residence", args=[project.slug]),
        mine=reverse("abonde_participation:my_contributions"),
        projects=projects_address(request) if elsewhere else "",
        contribution=reverse("abonde_participation:contribution", args=["REFERENCE"]).replace(
            "REFERENCE", "{reference}"
        ),
    )


def project_address(project: Project, request: HttpRequest) -> str:
    """The project's page in the active language, else in another; the home page when it has none."""
    pages = {
        page.locale.language_code: page
        for page in ProjectPage.objects.live().filter(project=project).select_related("locale")
    }
    page = pages.get(get_language() or "") or next(iter(pages.values()), None)
    return (page.get_url(request) if page else None) or "/"


def projects_address(request: HttpRequest) -> str:
    """The list of projects in the active language; empty when the site has none."""
    pages = ProjectIndexPage.objects.live().filter(locale__language_code=get_language())
    page = pages.first() or ProjectIndexPage.objects.live().first()
    return (page.get_url(request) if page else None) or ""
