"""« Argent »: the campaigns of the user's funds, and one campaign at a glance."""

from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from defis.clock import database_now
from defis.models import Phase
from participation.admin import figures
from participation.admin.audit import record
from participation.admin.base import MoneyScreen
from participation.admin.rights import campaigns_for, holders_for
from participation.contributions.models import Contribution
from participation.ledger.payouts import payment_calls
from participation.payments.decisions import waiting_payments
from participation.payments.models import Refund
from participation.payments.refunds import refund_progress, run_refunds

# A page may send refunds for so long; the worker goes on every five minutes.
RUN_SECONDS = 10


class IndexView(MoneyScreen):
    """Every campaign of the user's funds, and whose whole books may be seen."""

    template_name = "participation/admin/money/index.html"
    page_title = gettext_lazy("Money")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        campaigns = list(
            campaigns_for(user, *self.roles).with_phase().select_related("fund").exclude(announced_at=None)
        )
        counted = _sums(Contribution.objects.filter(state=Contribution.State.COUNTED), "campaign", campaigns)
        review = _counts(waiting_payments(), "contribution__campaign", campaigns)
        manual = _counts(
            Refund.objects.filter(state=Refund.State.MANUAL), "payment__contribution__campaign", campaigns
        )
        rows = [
            {
                "campaign": campaign,
                "phase": Phase(campaign.phase).label,
                "counted": counted.get(campaign.pk, 0),
                "review": review.get(campaign.pk, 0),
                "manual": manual.get(campaign.pk, 0),
                "url": reverse("abonde_money:campaign", args=[campaign.slug]),
            }
            for campaign in campaigns
        ]
        holders = holders_for(user, *self.roles).order_by("name")
        return super().get_context_data(rows=rows, holders=holders, **kwargs)


class CampaignView(MoneyScreen):
    """One campaign: money by state, held, promised, what is wrong, whether everything could go back."""

    template_name = "participation/admin/money/campaign.html"

    def get_page_title(self) -> str:
        return self.campaign.name

    def trail(self) -> list[tuple[str, str]]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        campaign = self.campaign
        holder = campaign.fund.legal_holder
        providers = figures.provider_states(holder)
        whole_books = self.whole_books
        calls = payment_calls(campaign)
        return super().get_context_data(
            phase=Phase(campaign.phase).label,
            as_of=database_now(),
            states=figures.payments_by_state(campaign),
            held=figures.held_money(campaign),
            providers=providers,
            whole_books=whole_books,
            calls=calls,
            promised_cents=sum(call.promised_cents for call in calls),
            called_cents=sum(call.called_cents for call in calls),
            is_published=campaign.published_at is not None,
            anomalies=figures.anomalies(campaign, whole_books=whole_books, providers=providers),
            proof=figures.last_proof(holder),
            legal_holder=holder,
            **kwargs,
        )


class RefundsView(MoneyScreen):
    """Where the refunds of a campaign stand; send those that are due."""

    template_name = "participation/admin/money/refunds.html"
    page_title = gettext_lazy("Refunds")
    header_icon = "rotate"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        progress = refund_progress(self.campaign)
        total = progress.pop("total")
        failed = progress[Refund.State.FAILED]
        index = reverse("abonde_refunds:index")
        waiting = [Refund.State.CREATED, Refund.State.SENT, Refund.State.IN_TRANSIT]
        return super().get_context_data(
            # A failed order is replaced or given up: it is no longer something to do.
            total={name: total[name] - failed[name] for name in total},
            done=progress[Refund.State.DONE],
            manual=progress[Refund.State.MANUAL],
            waiting={name: sum(progress[state][name] for state in waiting) for name in total},
            states=[
                (
                    Refund.State(state).label,
                    row,
                    f"{index}?campaign={self.campaign.pk}&state={state}",
                )
                for state, row in progress.items()
            ],
            providers=figures.provider_states(self.campaign.fund.legal_holder),
            whole_books=self.whole_books,
            may_act=self.may_act(),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        counts = run_refunds(campaign=self.campaign, seconds=RUN_SECONDS)
        record(self.campaign, "run", request.user, **{str(state): number for state, number in counts.items()})
        done = counts.get("done", 0)
        if not counts:
            messages.success(request, _("No refund is due now."))
        else:
            messages.success(
                request,
                _("%(done)s refunds done, %(others)s still to follow. The worker goes on by itself.")
                % {"done": done, "others": sum(counts.values()) - done},
            )
        return redirect("abonde_money:refunds", self.campaign.slug)


def _sums(queryset: Any, path: str, campaigns: list[Any]) -> dict[int, int]:
    rows = queryset.filter(**{f"{path}__in": campaigns}).order_by().values_list(path)
    return dict(rows.annotate(total=Sum("amount_cents")))


def _counts(queryset: Any, path: str, campaigns: list[Any]) -> dict[int, int]:
    return dict(
        queryset.filter(**{f"{path}__in": campaigns}).order_by().values_list(path).annotate(total=Count("pk"))
    )
