"""The counter's journal: cash and cheques entered by one agent with control totals, confirmed by another."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from defis.clock import database_now
from defis.forms.fields import parse_euros
from defis.models import Phase
from defis.permissions import roles_of
from participation.admin.audit import record
from participation.admin.base import MoneyScreen
from participation.admin.figures import slips_to_confirm
from participation.admin.forms import SlipForm, gift_lines
from participation.admin.rights import COUNTER_READERS, COUNTERS, campaigns_for
from participation.contributions.models import Contribution, OfflineBatch
from participation.contributions.offline import (
    OfflineRefused,
    confirm_offline_contributions,
    record_offline_contributions,
    refuse_offline_contributions,
)
from participation.contributions.services import ContributionRefused

LINES, MORE = 5, 5


class SlipScreen(MoneyScreen):
    """A screen of the counter's journal."""

    roles = COUNTER_READERS
    act_roles = COUNTERS
    header_icon = "clipboard-list"

    def trail(self) -> list[tuple[str, str]]:
        journal = reverse("abonde_money:slips", args=[self.campaign.slug])
        return [(reverse("abonde_money:journal"), _("Counter journal")), (journal, self.campaign.name)]

    @cached_property
    def sees_names(self) -> bool:
        """Givers at the counter are known to those who take their money, not to the auditor."""
        return bool(roles_of(self.request.user, self.campaign.fund) & {*COUNTERS})


class JournalView(SlipScreen):
    """The campaigns that take money at a counter."""

    template_name = "participation/admin/money/journal.html"
    page_title = gettext_lazy("Counter journal")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        campaigns = list(
            campaigns_for(self.request.user, *self.roles).with_phase().exclude(announced_at=None)
        )
        waiting = dict(
            slips_to_confirm()
            .filter(campaign__in=campaigns)
            .order_by()
            .values_list("campaign")
            .annotate(Count("pk"))
        )
        rows = [
            (campaign, Phase(campaign.phase).label, waiting.get(campaign.pk, 0)) for campaign in campaigns
        ]
        return super().get_context_data(rows=rows, **kwargs)


class SlipsView(SlipScreen):
    """The slips of one campaign."""

    template_name = "participation/admin/money/slips.html"

    def get_page_title(self) -> str:
        return self.campaign.name

    def trail(self) -> list[tuple[str, str]]:
        return super().trail()[:1]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        pending = set(slips_to_confirm().filter(campaign=self.campaign).values_list("pk", flat=True))
        slips = (
            OfflineBatch.objects.filter(campaign=self.campaign)
            .select_related("recorded_by", "confirmed_by")
            .order_by("-created_at")
        )
        totals = OfflineBatch.objects.filter(campaign=self.campaign, confirmed_at__isnull=False).aggregate(
            slips=Count("pk"), gifts=Sum("control_count"), cents=Sum("control_cents")
        )
        return super().get_context_data(
            slips=[(slip, _state(slip, pending)) for slip in slips[:200]],
            totals=totals,
            may_act=self.may_act() and self.campaign.phase == Phase.OPEN,
            **kwargs,
        )


class NewSlipView(SlipScreen):
    """Type a slip: what was counted by hand first, then the lines; both must agree."""

    template_name = "participation/admin/money/slip_new.html"
    page_title = gettext_lazy("Enter a slip")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        form = SlipForm(initial={"received_on": database_now().date()})
        lines = gift_lines(campaign=self.campaign, lines=LINES)
        return self.render_to_response(self.get_context_data(form=form, lines=lines))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        data = request.POST.copy()
        if "more" in data:
            typed = data.get("lines-TOTAL_FORMS", "")
            data["lines-TOTAL_FORMS"] = str((int(typed) if typed.isdigit() else 0) + MORE)
        form, lines = SlipForm(data), gift_lines(data, campaign=self.campaign)
        if "more" in data:
            # Shown again as typed, without reproaches: the agent is not finished.
            return self.render_to_response(
                self.get_context_data(form=_unjudged(form), lines=_unjudged_lines(lines))
            )
        if not (form.is_valid() and lines.is_valid()):
            return self.render_to_response(self.get_context_data(form=form, lines=lines), status=422)
        gifts = [line.gift for line in lines if line.gift is not None]
        try:
            batch = record_offline_contributions(
                campaign=self.campaign, gifts=gifts, user=request.user, **form.cleaned_data
            )
        except (OfflineRefused, ContributionRefused) as refusal:
            form.add_error(None, refusal.message)
            return self.render_to_response(self.get_context_data(form=form, lines=lines), status=422)
        record(batch, "slip", request.user, gifts=batch.control_count, cents=batch.control_cents)
        messages.success(request, _("The slip is entered. Somebody else must confirm it."))
        return redirect("abonde_money:slip", self.campaign.slug, batch.pk)


class SlipView(SlipScreen):
    """One slip: its lines, and the second person's word."""

    template_name = "participation/admin/money/slip.html"

    @cached_property
    def batch(self) -> OfflineBatch:
        found = (
            OfflineBatch.objects.filter(campaign=self.campaign, pk=self.kwargs["slip"])
            .select_related("recorded_by", "confirmed_by")
            .first()
        )
        if found is None:
            raise Http404
        return found

    def get_page_title(self) -> str:
        return self.batch.label

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        pending = slips_to_confirm().filter(pk=self.batch.pk).exists()
        mine = self.batch.recorded_by_id == self.request.user.pk
        return super().get_context_data(
            batch=self.batch,
            gifts=gifts_of(self.batch),
            state=_state(self.batch, {self.batch.pk} if pending else set()),
            may_confirm=pending and self.may_act() and not mine,
            is_mine=pending and mine,
            may_refuse=pending and self.may_act(),
            sees_names=self.sees_names,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        here = redirect("abonde_money:slip", self.campaign.slug, self.batch.pk)
        if not slips_to_confirm().filter(pk=self.batch.pk).exists():
            messages.error(request, _("This slip does not wait any more."))
            return here
        act = request.POST.get("act")
        try:
            if act == "confirm":
                typed = " ".join(request.POST.get("total", "").split())
                confirm_offline_contributions(batch=self._counted_again(typed), user=request.user)
                record(self.batch, "slip_confirm", request.user)
                messages.success(request, _("The slip is confirmed: its gifts count."))
            elif act == "refuse":
                refuse_offline_contributions(batch=self.batch, user=request.user)
                record(self.batch, "slip_refuse", request.user)
                messages.success(request, _("The slip is refused: nothing of it counts."))
            else:
                raise Http404
        except OfflineRefused as refusal:
            messages.error(request, refusal.message)
        return here

    def _counted_again(self, typed: str) -> OfflineBatch:
        """The second person types the total that she counted: raises OfflineRefused when it is another."""
        try:
            cents = parse_euros(typed)
        except ValidationError as error:
            raise OfflineRefused("total", str(error.messages[0])) from error
        if cents != self.batch.control_cents:
            raise OfflineRefused(
                "total", _("You counted another total than the slip. Count again, or refuse it.")
            )
        return self.batch


class SlipReceiptsView(SlipView):
    """The printable receipts of a slip, one for each gift that counts."""

    template_name = "participation/admin/money/slip_receipts.html"
    http_method_names = ("get",)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.batch.confirmed_at is None or not self.sees_names:
            raise Http404
        return self.render_to_response(self.get_context_data())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        counted = [gift for gift in gifts_of(self.batch) if gift.state == Contribution.State.COUNTED]
        only = self.request.GET.get("don", "")
        return super().get_context_data(
            receipts=[gift for gift in counted if only in {"", gift.reference}],
            legal_holder=self.campaign.fund.legal_holder,
            **kwargs,
        )


def gifts_of(batch: OfflineBatch) -> list[Contribution]:
    """Lines of a slip, in the order typed."""
    return list(
        Contribution.objects.filter(offline_donor__batch=batch)
        .select_related("project__holder", "offline_donor", "campaign")
        .order_by("pk")
    )


def _state(batch: OfflineBatch, pending: set[int]) -> str:
    if batch.confirmed_at is not None:
        return "confirmed"
    return "pending" if batch.pk in pending else "refused"


def _unjudged(form: SlipForm) -> SlipForm:
    """The same form as typed, not judged yet."""
    return SlipForm(initial={name: form[name].value() for name in form.fields})


def _unjudged_lines(lines: Any) -> Any:
    typed = [{name: line[name].value() for name in line.fields} for line in lines.forms]
    return gift_lines(campaign=lines.form_kwargs["campaign"], lines=0, initial=typed)
