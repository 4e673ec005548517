"""After the publication: payout sheets, payment calls, and what the bank really did. And the funder's own screen."""

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from defis.models import Campaign, FundRole, Organisation, Phase, Pledge, Project
from defis.permissions import Role, has_role
from participation.admin.audit import record
from participation.admin.base import ExportedScreen, MoneyScreen
from participation.admin.forms import BankForm
from participation.admin.rights import campaigns_for
from participation.ledger import accounts
from participation.ledger.payouts import (
    PaymentCall,
    PayoutRefused,
    call_rows,
    payment_calls,
    payout_rows,
    payout_sheets,
    record_funder_payment,
    record_payout,
    record_sponsor_payment,
)
from participation.ledger.services import EventKeyReused, balance_of


class BankScreen(ExportedScreen):
    """A screen where what the bank did is recorded, one form per row, told apart by its prefix."""

    url_name = ""

    def record_movement(self, form: BankForm, target: str) -> None:
        """Write the entry. Raises PayoutRefused, Http404."""
        raise NotImplementedError

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        target = request.POST.get("target", "")
        form = BankForm(request.POST, prefix=target)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(bound={target: form}), status=422)
        try:
            self.record_movement(form, target)
        except PayoutRefused as refusal:
            form.add_error(None, _said_plainly(refusal))
        except EventKeyReused:
            form.add_error("reference", _("This reference is already recorded, with another amount."))
        else:
            messages.success(request, _("The movement is recorded in the ledger."))
            return redirect(f"abonde_money:{self.url_name}", self.campaign.slug)
        return self.render_to_response(self.get_context_data(bound={target: form}), status=422)

    def form_for(self, target: str, left_cents: int, bound: dict[str, BankForm]) -> BankForm | None:
        """The row's form, as typed or fresh; None when there is nothing to record."""
        if target in bound:
            return bound[target]
        if left_cents <= 0 or not self.may_act():
            return None
        return BankForm(prefix=target, initial={"amount": left_cents})


class PayoutsView(BankScreen):
    """What each funded project is paid."""

    template_name = "participation/admin/money/payouts.html"
    page_title = gettext_lazy("Payout sheets")
    header_icon = "download"
    url_name = "payouts"

    def export(self) -> tuple[Any, str, Iterable[list[Any]]]:
        return self.campaign, f"versements-{self.campaign.slug}", payout_rows(payout_sheets(self.campaign))

    def record_movement(self, form: BankForm, target: str) -> None:
        data = form.cleaned_data
        if target == "sponsor":
            record_sponsor_payment(
                campaign=self.campaign,
                cents=data["amount"],
                proof=data["reference"],
                note=data["reason"],
                user=self.request.user,
            )
            record(self.campaign, "sponsor", self.request.user, **_said(data))
            return
        project = Project.objects.filter(campaign=self.campaign, reference=target).first()
        if project is None:
            raise Http404
        record_payout(
            project=project,
            cents=data["amount"],
            proof=data["reference"],
            note=data["reason"],
            user=self.request.user,
        )
        record(project, "payout", self.request.user, **_said(data))

    def get_context_data(self, bound: dict[str, BankForm] | None = None, **kwargs: Any) -> dict[str, Any]:
        bound = bound or {}
        sheets = payout_sheets(self.campaign)
        owed = balance_of(self.campaign.fund.legal_holder, accounts.sponsor(self.campaign.pk))
        return super().get_context_data(
            sheets=[
                (sheet, self.form_for(sheet.project.reference, sheet.left_cents, bound)) for sheet in sheets
            ],
            total_cents=sum(sheet.total_cents for sheet in sheets),
            paid_cents=sum(sheet.paid_cents for sheet in sheets),
            sponsor_cents=owed,
            sponsor_form=self.form_for("sponsor", owed, bound),
            is_published=self.campaign.published_at is not None,
            **kwargs,
        )


class CallsView(BankScreen):
    """What each funder is asked to pay."""

    template_name = "participation/admin/money/calls.html"
    page_title = gettext_lazy("Payment calls")
    header_icon = "upload"
    url_name = "calls"

    def export(self) -> tuple[Any, str, Iterable[list[Any]]]:
        return self.campaign, f"appels-{self.campaign.slug}", call_rows(payment_calls(self.campaign))

    def record_movement(self, form: BankForm, target: str) -> None:
        data = form.cleaned_data
        pk = target.removeprefix("funder-")
        promised = Pledge.objects.filter(pot__campaign=self.campaign).values("funder")
        funder = Organisation.objects.filter(pk__in=promised, pk=pk).first() if pk.isdigit() else None
        if funder is None:
            raise Http404
        record_funder_payment(
            campaign=self.campaign,
            funder=funder,
            cents=data["amount"],
            proof=data["reference"],
            note=data["reason"],
            user=self.request.user,
        )
        record(self.campaign, "received", self.request.user, funder=funder.name, **_said(data))

    def get_context_data(self, bound: dict[str, BankForm] | None = None, **kwargs: Any) -> dict[str, Any]:
        calls = payment_calls(self.campaign)
        return super().get_context_data(
            calls=[
                (call, self.form_for(f"funder-{call.funder.pk}", call.left_cents, bound or {}))
                for call in calls
            ],
            is_published=self.campaign.published_at is not None,
            **kwargs,
        )


def _said_plainly(refusal: PayoutRefused) -> str:
    """The service's sentence, or ours where the database itself refused."""
    if isinstance(refusal.__cause__, IntegrityError):
        return _("The ledger refuses: this is more than what is due, or the bank account does not hold it.")
    return str(refusal)


def _said(data: dict[str, Any]) -> dict[str, Any]:
    return {"cents": data["amount"], "reference": data["reference"], "reason": data["reason"]}


# --- The funder's own screen ----------------------------------------------------------------------------


class PledgesView(MoneyScreen):
    """What a funder promised, what is left of it, what it made possible. Its own lines only."""

    template_name = "participation/admin/money/pledges.html"
    page_title = gettext_lazy("Our promises")
    header_icon = "pick"
    roles = (Role.FUNDER,)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        campaigns = (
            campaigns_for(user, Role.FUNDER)
            .with_phase()
            .select_related("fund__legal_holder")
            .filter(announced_at__isnull=False)
        )
        rows = []
        for campaign in campaigns:
            mine = organisations_of(user, campaign)
            calls = [call for call in payment_calls(campaign) if call.funder.pk in mine]
            rows += [_promise(campaign, call) for call in calls]
        return super().get_context_data(rows=rows, **kwargs)


def organisations_of(user: Any, campaign: Campaign) -> set[int]:
    """Funders for which this user may look: those of its groups; every one for a superuser."""
    if user.is_superuser and has_role(user, campaign.fund, Role.FUNDER):
        return set(Pledge.objects.filter(pot__campaign=campaign).values_list("funder", flat=True))
    roles = FundRole.objects.filter(fund=campaign.fund, role=Role.FUNDER, group__user=user)
    return set(roles.exclude(organisation=None).values_list("organisation", flat=True))


def _promise(campaign: Campaign, call: PaymentCall) -> dict[str, Any]:
    pots = (
        Pledge.objects.filter(pot__campaign=campaign, funder=call.funder)
        .values("pot__name", "agreement_reference")
        .annotate(cents=Sum("amount_cents"))
        .order_by("pot__name")
    )
    return {
        "campaign": campaign,
        "phase": Phase(campaign.phase).label,
        "call": call,
        "pots": list(pots),
        "is_published": campaign.published_at is not None,
        "residents_cents": sum(
            sheet.contributions_cents
            for sheet in payout_sheets(campaign)
            if any(share.project.pk == sheet.project.pk for share in call.shares)
        ),
    }
