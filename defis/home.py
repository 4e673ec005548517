"""What the home page says of campaigns."""

from typing import Any

from django.http import HttpRequest
from laces.components import Component
from wagtail.models import Locale

from defis.funding import funding_of
from defis.listing import cards_now
from defis.models import Phase, Project
from defis.selectors import PUBLIC_STATUSES, announced_campaigns


class CampaignNow(Component):
    """The campaign of the moment: what can be done, euros given, some projects drawn by lot."""

    template_name = "defis/panels/campaign_now.html"

    def __init__(self, request: HttpRequest, campaign: Any):
        self.request, self.campaign = request, campaign

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        campaign = self.campaign
        cards = cards_now(campaign, Locale.get_active().pk, self.request)
        figures = campaign.phase in {Phase.OPEN, Phase.CLOSED}
        projects = list(
            Project.objects.filter(campaign=campaign, status__in=PUBLIC_STATUSES).select_related("campaign")
        )
        fundings = funding_of(projects).values() if figures else []
        return {
            "request": self.request,
            "campaign": campaign,
            "cards": cards,
            "figures": figures,
            "citizens_cents": sum(funding.citizens_cents for funding in fundings),
            "contributions": sum(funding.donors for funding in fundings),
            "projects": len(projects),
        }


def home_panels(request: HttpRequest) -> list[Component]:
    """One panel per campaign of the moment; nothing when there is none."""
    campaigns = announced_campaigns().exclude(phase=Phase.PUBLISHED)
    return [CampaignNow(request, campaign) for campaign in campaigns[:3]]
