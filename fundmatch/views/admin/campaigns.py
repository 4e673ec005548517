"""The campaigns whose results somebody may see, and the page where one is closed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail.admin import messages

from defis.models import Campaign, Phase
from defis.services import Refused
from fundmatch.forms import ReasonForm
from fundmatch.models import MatchRun
from fundmatch.permissions import Act, visible_campaigns
from fundmatch.selectors import final_runs, phase_of, phases_of, publications_of
from fundmatch.services import calculate_again, close_campaign, rehearse
from fundmatch.telling import results_url
from fundmatch.views.admin.base import ResultsView, run_title, run_url


class IndexView(ResultsView):
    """Every campaign of the user's funds, the one to act on first."""

    template_name = "fundmatch/admin/index.html"
    page_title = ""

    def get_page_title(self) -> str:
        return _("Results")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": _("Results")}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        campaigns = list(
            visible_campaigns(self.request.user)
            .exclude(announced_at__isnull=True)
            .select_related("fund")
            .prefetch_related("publications")
        )
        phases = phases_of(campaigns)
        order = {Phase.CLOSED: 0, Phase.OPEN: 1, Phase.PUBLISHED: 3}
        rows = [
            {
                "campaign": campaign,
                "phase": phases[campaign.pk].label,
                "url": reverse("abonde_results:campaign", args=[campaign.slug]),
                "version": max((p.version for p in campaign.publications.all()), default=None),
            }
            for campaign in sorted(
                campaigns, key=lambda c: (order.get(phases[c.pk], 2), -c.closes_at.timestamp())
            )
        ]
        return super().get_context_data(rows=rows, **kwargs)


class CampaignView(ResultsView):
    """The close of one campaign: where it stands, its calculations, its versions."""

    template_name = "fundmatch/admin/campaign.html"

    def get_page_title(self) -> str:
        return self.campaign.name

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        campaign, phase = self.campaign, phase_of(self.campaign)
        runs = list(final_runs(campaign).prefetch_related("signatures"))
        rehearsals = campaign.match_runs.filter(kind=MatchRun.Kind.REHEARSAL).defer("input_gzip")
        versions = list(publications_of(campaign))
        return super().get_context_data(
            campaign=campaign,
            phase=phase.label,
            is_over=phase in (Phase.CLOSED, Phase.PUBLISHED),
            runs=[(run, run_title(run), run_url(run)) for run in runs],
            rehearsals=[(run, run_title(run), run_url(run)) for run in rehearsals.order_by("-number")[:5]],
            versions=versions,
            public_url=results_url(campaign) if versions else "",
            may_calculate=self.may(Act.CALCULATE),
            reason_form=kwargs.pop("reason_form", None) or ReasonForm(),
            calculate_url=reverse("abonde_results:calculate", args=[campaign.slug]),
            refunds_url=reverse("abonde_results:refunds", args=[campaign.slug]),
            **kwargs,
        )


class CalculateView(CampaignView):
    """Calculate: rehearse before the bell, close after it, again with a reason."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require(Act.CALCULATE)
        campaign = self.campaign
        form = None
        if campaign.match_runs.filter(kind=MatchRun.Kind.FINAL).exists():
            form = ReasonForm(request.POST)
            if not form.is_valid():
                return self.render_to_response(self.get_context_data(reason_form=form))
        try:
            run = self._calculate(campaign, form)
        except Refused as refusal:
            messages.error(request, refusal.message)
            return redirect("abonde_results:campaign", campaign.slug)
        messages.success(
            request, _("%(run)s is ready: read it before anybody signs.") % {"run": run_title(run)}
        )
        return redirect(run_url(run))

    def _calculate(self, campaign: Campaign, form: ReasonForm | None) -> MatchRun:
        user = self.request.user
        if form is not None:
            return calculate_again(campaign=campaign, reason=form.cleaned_data["reason"], user=user)
        if phase_of(campaign) in (Phase.CLOSED, Phase.PUBLISHED):
            return close_campaign(campaign=campaign, user=user)
        return rehearse(campaign=campaign, user=user)
