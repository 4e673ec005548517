"""What the admin screens share: the right to see, the campaign, the run, the breadcrumb."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.generic import View
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from defis.models import Campaign
from fundmatch.models import MatchRun
from fundmatch.permissions import Act, may, visible_campaigns

KINDS = {"final": MatchRun.Kind.FINAL, "repetition": MatchRun.Kind.REHEARSAL}
_WORDS = {kind: word for word, kind in KINDS.items()}


class ResultsView(WagtailAdminTemplateMixin, View):
    """A screen about one campaign's results. Somebody else's campaign does not exist."""

    header_icon = "form"

    @cached_property
    def campaign(self) -> Campaign:
        campaign = (
            visible_campaigns(self.request.user)
            .select_related("fund__legal_holder", "fund__authority", "fund__foundation")
            .filter(slug=self.kwargs["campaign"])
            .first()
        )
        if campaign is None:
            raise Http404
        return campaign

    def may(self, act: Act) -> bool:
        """Return whether the user may do this for the campaign's fund."""
        return may(self.request.user, act, self.campaign.fund)

    def require(self, act: Act) -> None:
        """Raise Http404 for somebody who may look but not act: the address is not theirs."""
        if not self.may(act):
            raise Http404

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data())

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        items = [*self.breadcrumbs_items, {"url": reverse("abonde_results:index"), "label": _("Results")}]
        if "campaign" in self.kwargs:
            url = reverse("abonde_results:campaign", args=[self.campaign.slug])
            items.append({"url": url, "label": self.campaign.name})
        return items


class RunScreen(ResultsView):
    """A screen about one calculation."""

    @cached_property
    def run(self) -> MatchRun:
        kind = KINDS.get(self.kwargs["kind"])
        run = (
            MatchRun.objects.filter(campaign=self.campaign, kind=kind, number=self.kwargs["number"])
            .defer("input_gzip", "references_gzip")
            .select_related("created_by")
            .first()
        )
        if kind is None or run is None:
            raise Http404
        run.campaign = self.campaign
        return run

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        items = [*super().get_breadcrumbs_items(), {"url": run_url(self.run), "label": run_title(self.run)}]
        title = self.get_page_title()
        return items if title == run_title(self.run) else [*items, {"url": "", "label": title}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            run=self.run, campaign=self.campaign, run_url=run_url(self.run), **kwargs
        )


def run_url(run: MatchRun, name: str = "run", *args: Any) -> str:
    """Return the address of a screen about a run."""
    kind = _WORDS[MatchRun.Kind(run.kind)]
    return reverse(f"abonde_results:{name}", args=[run.campaign.slug, kind, run.number, *args])


def run_title(run: MatchRun) -> str:
    """Return what a run is called on screen."""
    if not run.is_final:
        return _("Rehearsal %(number)d") % {"number": run.number}
    return _("Calculation %(number)d") % {"number": run.number}
