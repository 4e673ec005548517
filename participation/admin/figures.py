"""What the money screens tell about a campaign. Amounts in cents, times in UTC."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_q.models import Task
from wagtail.models import ModelLogEntry

from defis.clock import database_now
from defis.models import Campaign, Organisation, Project
from participation.contributions.models import OfflineBatch
from participation.ledger import accounts
from participation.ledger.selectors import balances
from participation.payments.decisions import waiting_payments
from participation.payments.models import Payment, ProviderEvent, Refund, StatementLine
from participation.payments.port import ProviderError, provider_for
from participation.payments.refunds import Coverage, coverage
from theme.money import percent

# A payment that the bank has not decided for so long deserves a look.
LONG = timedelta(days=2)
# A provider's message that no worker has looked into for so long: the worker is down.
UNHANDLED = timedelta(minutes=15)
COVERAGE_SECONDS = 60


@dataclass(frozen=True)
class StateLine:
    """Payments of one state."""

    state: str
    label: str
    payments: int
    cents: int
    width: str
    url: str


@dataclass(frozen=True)
class HeldLine:
    """What is kept for one project."""

    project: Project
    cents: int
    width: str


@dataclass(frozen=True)
class Anomaly:
    """Something that a human must look at, and where."""

    sentence: str
    url: str = ""


@dataclass(frozen=True)
class ProviderState:
    """Whether a provider answers, and holds enough to give everything back."""

    coverage: Coverage
    answers: bool


@dataclass(frozen=True)
class LastProof:
    """The last time that somebody, or the night, proved the ledger."""

    at: datetime
    ok: bool
    by: str


@dataclass
class Held:
    """Money of a campaign that is in nobody's hands yet."""

    lines: list[HeldLine] = field(default_factory=list)
    total_cents: int = 0
    refund_due_cents: int = 0
    payable_cents: int = 0


def payments_by_state(campaign: Campaign) -> list[StateLine]:
    """Every state that has payments, in the order of their life. One query."""
    rows = {
        row["state"]: row
        for row in Payment.objects.filter(contribution__campaign=campaign)
        .order_by()
        .values("state")
        .annotate(payments=Count("pk"), cents=Sum(Coalesce("captured_cents", "amount_cents")))
    }
    most = max((row["cents"] for row in rows.values()), default=0)
    list_url = reverse("abonde_payments:index")
    return [
        StateLine(
            state=state,
            label=str(state.label),
            payments=rows[state]["payments"],
            cents=rows[state]["cents"],
            width=_width(rows[state]["cents"], most),
            url=f"{list_url}?campaign={campaign.pk}&state={state}",
        )
        for state in Payment.State
        if state in rows
    ]


def held_money(campaign: Campaign) -> Held:
    """What the ledger holds for each project, owes to contributors and to holders. Two queries."""
    figures = balances(campaign.fund.legal_holder, campaign=campaign)
    projects = Project.objects.filter(campaign=campaign).select_related("holder")
    kept = [
        (project, figures.get(accounts.escrow(campaign.pk, project.pk).code, 0))
        for project in projects
        if figures.get(accounts.escrow(campaign.pk, project.pk).code, 0)
    ]
    kept.sort(key=lambda item: (-item[1], item[0].title))
    most = kept[0][1] if kept else 0
    return Held(
        lines=[HeldLine(project, cents, _width(cents, most)) for project, cents in kept],
        total_cents=sum(cents for _project, cents in kept),
        refund_due_cents=figures.get(accounts.refund_due(campaign.pk).code, 0),
        payable_cents=sum(cents for code, cents in figures.items() if code.startswith("payable:")),
    )


def provider_states(holder: Organisation) -> list[ProviderState]:
    """Refund coverage of each provider, and whether it answers; asked at most once a minute."""
    key = f"abonde-coverage-{holder.pk}"
    known = cache.get(key)
    if known is None:
        known = [ProviderState(line, _answers(line)) for line in coverage(holder)]
        cache.set(key, known, COVERAGE_SECONDS)
    return known


def last_proof(holder: Organisation) -> LastProof | None:
    """The nightly proof of everything, or a later one of this holder made by hand; None before the first."""
    found = []
    night = Task.objects.filter(func="participation.payments.tasks.prove_ledger").order_by("-stopped").first()
    if night is not None:
        found.append(LastProof(night.stopped, night.success, _("every night")))
    entry = (
        ModelLogEntry.objects.for_instance(holder)
        .filter(action="abonde.money.prove")
        .select_related("user")
        .order_by("-timestamp")
        .first()
    )
    if entry is not None:
        found.append(LastProof(entry.timestamp, not entry.data.get("wrong"), str(entry.user or "")))
    return max(found, key=lambda proof: proof.at, default=None)


def slips_to_confirm() -> QuerySet[OfflineBatch]:
    """Counter slips that somebody entered and nobody has confirmed or refused."""
    pending = Payment.objects.filter(
        contribution__offline_donor__batch=OuterRef("pk"), state=Payment.State.PENDING
    )
    return OfflineBatch.objects.filter(Exists(pending), confirmed_at__isnull=True)


def refund_counts(campaign: Campaign) -> dict[str, int]:
    """Number of refunds of a campaign in each state that has some."""
    refunds = Refund.objects.filter(payment__contribution__campaign=campaign)
    return dict(refunds.order_by().values_list("state").annotate(Count("pk")))


def anomalies(campaign: Campaign, *, whole_books: bool, providers: list[ProviderState]) -> list[Anomaly]:
    """What does not go by itself in one campaign; with `whole_books`, also in its holder's accounts."""
    now = database_now()
    found: list[Anomaly] = []
    review = waiting_payments().filter(contribution__campaign=campaign).count()
    _add(found, review, _say_review, reverse("abonde_money:review"))
    refunds = refund_counts(campaign)
    manual_url = f"{reverse('abonde_refunds:index')}?campaign={campaign.pk}&state=manual"
    _add(found, refunds.get(Refund.State.MANUAL, 0), _say_manual, manual_url)
    slow = Payment.objects.filter(contribution__campaign=campaign, state__in=Payment.OPEN)
    slow_number = slow.filter(created_at__lt=now - LONG).exclude(provider="offline").count()
    pending_url = f"{reverse('abonde_payments:index')}?campaign={campaign.pk}&state=pending&state=created"
    _add(found, slow_number, _say_slow, pending_url)
    disputed = Payment.objects.filter(contribution__campaign=campaign, state=Payment.State.DISPUTED).count()
    disputed_url = f"{reverse('abonde_payments:index')}?campaign={campaign.pk}&state=disputed"
    _add(found, disputed, _say_disputed, disputed_url)
    slips = slips_to_confirm().filter(campaign=campaign).count()
    _add(found, slips, _say_slips, reverse("abonde_money:slips", args=[campaign.slug]))
    for state in providers:
        if not state.answers:
            sentence = _("The payment provider “%(name)s” does not answer.")
            found.append(Anomaly(sentence % {"name": state.coverage.provider}))
        elif state.coverage.is_short:
            sentence = _("“%(name)s” does not hold enough to refund everybody.")
            found.append(Anomaly(sentence % {"name": state.coverage.provider}))
    if whole_books:
        found += _books_anomalies(campaign.fund.legal_holder, now)
    return found


def _books_anomalies(holder: Organisation, now: datetime) -> list[Anomaly]:
    found: list[Anomaly] = []
    lines = StatementLine.objects.filter(holder=holder, state__in=StatementLine.OPEN)
    figures = lines.aggregate(
        number=Count("pk"), since=Min("noticed_at"), unowned=Count("pk", filter=Q(owner__isnull=True))
    )
    if figures["number"]:
        sentence = ngettext(
            "%(number)d line of a statement in suspense, %(unowned)d without an owner.",
            "%(number)d lines of statements in suspense, %(unowned)d without an owner.",
            figures["number"],
        )
        url = reverse("abonde_money:reconciliation", args=[holder.pk])
        found.append(Anomaly(sentence % {**figures}, url))
    deaf = ProviderEvent.objects.filter(handled_at__isnull=True, received_at__lt=now - UNHANDLED).count()
    _add(found, deaf, _say_deaf, "")
    proof = last_proof(holder)
    if proof is not None and not proof.ok:
        url = reverse("abonde_money:proof", args=[holder.pk])
        found.append(Anomaly(_("The last proof of the ledger found something wrong."), url))
    return found


def _add(found: list[Anomaly], number: int, say: Callable[[int], str], url: str) -> None:
    if number:
        found.append(Anomaly(say(number) % {"number": number}, url))


def _say_review(number: int) -> str:
    return ngettext(
        "%(number)d payment waits for your decision.", "%(number)d payments wait for your decision.", number
    )


def _say_manual(number: int) -> str:
    return ngettext("%(number)d refund to make by hand.", "%(number)d refunds to make by hand.", number)


def _say_slow(number: int) -> str:
    return ngettext(
        "%(number)d payment undecided for more than two days.",
        "%(number)d payments undecided for more than two days.",
        number,
    )


def _say_disputed(number: int) -> str:
    return ngettext("%(number)d disputed payment.", "%(number)d disputed payments.", number)


def _say_slips(number: int) -> str:
    return ngettext("%(number)d counter slip to confirm.", "%(number)d counter slips to confirm.", number)


def _say_deaf(number: int) -> str:
    return ngettext(
        "%(number)d message of a provider not looked into: is the worker running?",
        "%(number)d messages of providers not looked into: is the worker running?",
        number,
    )


def _answers(line: Coverage) -> bool:
    if line.held_cents is not None:
        return True
    try:
        provider_for(line.provider).balance()
    except ProviderError:
        return False
    return True


def _width(cents: int, most: int) -> str:
    return f"{percent(cents, most)}%"
