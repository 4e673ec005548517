"""A legal holder's books: accounts, proof of the fifteen invariants, reconciliation with its providers."""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop, pgettext_lazy
from wagtail.admin import messages

from defis.permissions import funds_for
from participation.admin import figures
from participation.admin.audit import record
from participation.admin.base import ExportedScreen, MoneyScreen
from participation.admin.forms import ExplainForm, PeriodForm
from participation.admin.rights import holders_for
from participation.ledger.models import LedgerAccount, LedgerDay
from participation.ledger.proof import Proof, prove
from participation.ledger.selectors import balances
from participation.payments.decisions import DecisionRefused, take_line
from participation.payments.models import Reconciliation, StatementLine
from participation.payments.port import ProviderError
from participation.payments.reconciliation import explain_line, missing_lines, reconcile, statement_rows

# What the proof says, for the catalogues: its sentences, and the names of its figures.
SENTENCES = (
    gettext_noop("debits equal credits, nothing is overdrawn"),
    gettext_noop("what is held for a project is what was given and not given back"),
    gettext_noop("no payment gives back more than it took, one open refund at most"),
    gettext_noop("a failed project keeps nothing"),
    gettext_noop("a funded project is owed contributions and match, less the agreed fee"),
    gettext_noop("one decision per project, on frozen rules"),
    gettext_noop("funded projects reach their threshold, in integers"),
    gettext_noop("shares add up to what each pot spends"),
    gettext_noop("no funder gives more than it promised"),
    gettext_noop("each event is posted once"),
    gettext_noop("what counts is what was asked for; the rest waits for a human"),
    gettext_noop("every line of a provider is matched, or in suspense"),
    gettext_noop("receipts are numbered without gaps, for acquired money only"),
    gettext_noop("totals shown are totals counted"),
    gettext_noop("no row is ever rewritten"),
)
FIGURES = {
    "holders": pgettext_lazy("figure of a proof", "holders"),
    "accounts": pgettext_lazy("figure of a proof", "accounts"),
    "moved": pgettext_lazy("figure of a proof", "moved"),
    "sum": pgettext_lazy("figure of a proof", "sum"),
    "projects": pgettext_lazy("figure of a proof", "projects"),
    "held": pgettext_lazy("figure of a proof", "held"),
    "refunds": pgettext_lazy("figure of a proof", "refunds"),
    "done": pgettext_lazy("figure of a proof", "done"),
    "owed": pgettext_lazy("figure of a proof", "owed"),
    "decided": pgettext_lazy("figure of a proof", "decided"),
    "pots": pgettext_lazy("figure of a proof", "pots"),
    "spent": pgettext_lazy("figure of a proof", "spent"),
    "promised": pgettext_lazy("figure of a proof", "promised"),
    "given": pgettext_lazy("figure of a proof", "given"),
    "payments": pgettext_lazy("figure of a proof", "payments"),
    "captured": pgettext_lazy("figure of a proof", "captured"),
    "returned": pgettext_lazy("figure of a proof", "returned"),
    "waiting": pgettext_lazy("figure of a proof", "waiting"),
    "lines": pgettext_lazy("figure of a proof", "lines"),
    "open": pgettext_lazy("figure of a proof", "open"),
    "suspense": pgettext_lazy("figure of a proof", "suspense"),
    "issued": pgettext_lazy("figure of a proof", "issued"),
    "cancelled": pgettext_lazy("figure of a proof", "cancelled"),
    "shown": pgettext_lazy("figure of a proof", "shown"),
    "counted": pgettext_lazy("figure of a proof", "counted"),
    "tables": pgettext_lazy("figure of a proof", "tables"),
    "sealed": pgettext_lazy("figure of a proof", "sealed"),
}


class LedgerView(ExportedScreen):
    """Accounts and balances: those of the user's campaigns, and the common ones of the holders it may see whole."""

    template_name = "participation/admin/money/ledger.html"
    page_title = gettext_lazy("Ledger")
    header_icon = "list-ol"

    def accounts(self) -> list[tuple[LedgerAccount, int]]:
        """(account, cents on its own side). One query for the accounts, one per holder for the balances."""
        user = self.request.user
        funds = funds_for(user, *self.roles)
        mine = Q(campaign__fund__in=funds) | Q(
            campaign__isnull=True, holder__in=holders_for(user, *self.roles)
        )
        rows = (
            LedgerAccount.objects.filter(mine)
            .select_related("holder", "campaign", "project", "funder")
            .order_by("holder__name", "campaign__name", "kind", "code")
        )
        kind = self.request.GET.get("kind")
        if kind in LedgerAccount.Kind.values:
            rows = rows.filter(kind=kind)
        found = list(rows)
        known = {holder: balances(holder) for holder in {row.holder for row in found}}
        return [(row, known[row.holder].get(row.code, 0)) for row in found]

    def export(self) -> tuple[Any, str, Iterable[list[Any]]]:
        rows: list[list[Any]] = [
            [
                _("Holder"),
                _("Campaign"),
                _("Account"),
                _("Kind"),
                _("Project"),
                _("Funder"),
                _("Side"),
                _("Balance"),
            ]
        ]
        for account, cents in self.accounts():
            rows.append(
                [
                    account.holder.name,
                    account.campaign.name if account.campaign else "",
                    account.code,
                    str(account.get_kind_display()),
                    account.project.title if account.project else "",
                    account.funder.name if account.funder else "",
                    str(account.get_side_display()),
                    cents / 100,
                ]
            )
        owner = funds_for(self.request.user, *self.roles).first()
        return owner, "comptes", rows

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            accounts=self.accounts(),
            kinds=LedgerAccount.Kind.choices,
            kind=self.request.GET.get("kind", ""),
            holders=holders_for(self.request.user, *self.roles).order_by("name"),
            **kwargs,
        )


class ProofView(MoneyScreen):
    """« Prouver maintenant »: the fifteen invariants of one holder, with their figures."""

    template_name = "participation/admin/money/proof.html"
    page_title = gettext_lazy("Proof of the ledger")
    header_icon = "tick-inverse"

    def trail(self) -> list[tuple[str, str]]:
        return [(reverse("abonde_money:ledger"), _("Ledger"))]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            last=figures.last_proof(self.holder),
            seals=LedgerDay.objects.filter(holder=self.holder).order_by("-day")[:5],
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        proofs: list[Proof] = list(prove(holder=self.holder))
        wrong = [proof.number for proof in proofs if not proof.ok]
        record(self.holder, "prove", request.user, wrong=wrong)
        rows = [
            (
                proof,
                _(proof.title),
                [(FIGURES.get(name, name), value) for name, value in proof.figures.items()],
            )
            for proof in proofs
        ]
        return self.render_to_response(self.get_context_data(proofs=rows, wrong=wrong))


# --- Reconciliation -------------------------------------------------------------------------------------


class ReconciliationIndexView(MoneyScreen):
    """Straight to the only holder, or the choice of one."""

    template_name = "participation/admin/money/holders.html"
    page_title = gettext_lazy("Reconciliation")
    header_icon = "resubmit"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        holders = list(holders_for(request.user, *self.roles).order_by("name"))
        if len(holders) == 1:
            return redirect("abonde_money:reconciliation", holders[0].pk)
        return self.render_to_response(self.get_context_data(holders=holders))


class ReconciliationView(MoneyScreen):
    """Compare a provider's statement with our books, for a period; what is open stays until explained."""

    template_name = "participation/admin/money/reconciliation.html"
    page_title = gettext_lazy("Reconciliation")
    header_icon = "resubmit"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        lines = StatementLine.objects.filter(holder=self.holder, state__in=StatementLine.OPEN)
        return super().get_context_data(
            runs=Reconciliation.objects.filter(holder=self.holder).select_related("made_by")[:20],
            open_lines=lines.select_related("owner", "payment__contribution").order_by("noticed_at")[:200],
            form=kwargs.pop("form", None) or PeriodForm(holder=self.holder),
            may_act=self.may_act(),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        form = PeriodForm(request.POST, holder=self.holder)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        since, until = form.period
        provider = form.cleaned_data["provider"]
        try:
            run = reconcile(
                provider=provider, holder=self.holder, since=since, until=until, user=request.user
            )
        except ProviderError as error:
            messages.error(request, str(error.sentence))
            return redirect("abonde_money:reconciliation", self.holder.pk)
        record(self.holder, "reconcile", request.user, provider=provider, run=run.pk)
        return redirect("abonde_money:reconciliation_run", self.holder.pk, run.pk)


class ReconciliationRunView(ExportedScreen):
    """One comparison: matched, another amount, unknown here, missing there."""

    template_name = "participation/admin/money/reconciliation_run.html"
    header_icon = "resubmit"

    @cached_property
    def run(self) -> Reconciliation:
        found = Reconciliation.objects.filter(holder=self.holder, pk=self.kwargs["run"]).first()
        if found is None:
            raise Http404
        return found

    def get_page_title(self) -> str:
        return str(self.run)

    def trail(self) -> list[tuple[str, str]]:
        return [(reverse("abonde_money:reconciliation", args=[self.holder.pk]), _("Reconciliation"))]

    def lines(self) -> Any:
        return (
            StatementLine.objects.filter(
                provider=self.run.provider,
                holder=self.holder,
                booked_at__gte=self.run.since,
                booked_at__lt=self.run.until,
            )
            .select_related("payment__contribution", "owner")
            .order_by("booked_at", "pk")
        )

    def missing(self) -> list[Any]:
        run = self.run
        return list(
            missing_lines(provider=run.provider, holder=self.holder, since=run.since, until=run.until)
        )

    def export(self) -> tuple[Any, str, Iterable[list[Any]]]:
        return self.holder, f"rapprochement-{self.run}", statement_rows(self.lines(), self.missing())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        state = self.request.GET.get("etat", "")
        lines = self.lines()
        missing = self.missing()
        shown = lines.filter(state=state) if state in StatementLine.State.values else lines
        counts = {value: lines.filter(state=value).count() for value in StatementLine.State.values}
        return super().get_context_data(
            run=self.run,
            lines=[] if state == "missing" else shown[:500],
            missing=missing if state in {"", "missing"} else [],
            states=[
                ("", _("all"), sum(counts.values()) + len(missing)),
                *((value, label, counts[value]) for value, label in StatementLine.State.choices),
                ("missing", _("missing at the provider"), len(missing)),
            ],
            state=state,
            **kwargs,
        )


class LineView(MoneyScreen):
    """One line that nobody can explain yet: take charge of it, or explain it."""

    template_name = "participation/admin/money/line.html"
    header_icon = "help"

    @cached_property
    def line(self) -> StatementLine:
        found = (
            StatementLine.objects.filter(holder=self.holder, pk=self.kwargs["line"])
            .select_related("payment__contribution__project", "owner")
            .first()
        )
        if found is None:
            raise Http404
        return found

    def get_page_title(self) -> str:
        return self.line.line_id

    def trail(self) -> list[tuple[str, str]]:
        return [(reverse("abonde_money:reconciliation", args=[self.holder.pk]), _("Reconciliation"))]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            line=self.line,
            is_open=self.line.state in StatementLine.OPEN,
            is_mine=self.line.owner_id == self.request.user.pk,
            may_act=self.may_act(),
            form=kwargs.pop("form", None) or ExplainForm(),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        here = redirect("abonde_money:line", self.holder.pk, self.line.pk)
        if request.POST.get("act") == "take":
            try:
                take_line(line=self.line, user=request.user)
            except DecisionRefused as refusal:
                messages.error(request, refusal.message)
            else:
                record(self.line, "line", request.user)
                messages.success(request, _("This line is yours: explain it when you know."))
            return here
        form = ExplainForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        explanation = form.cleaned_data["explanation"]
        try:
            explain_line(line=self.line, user=request.user, explanation=explanation, account=form.target)
        except ValueError:
            messages.error(request, _("This line is explained."))
        except IntegrityError:
            form.add_error("account", _("This account does not hold these cents."))
            return self.render_to_response(self.get_context_data(form=form), status=422)
        else:
            record(self.line, "explain", request.user, explanation=explanation)
            messages.success(request, _("The line is explained."))
        return here
