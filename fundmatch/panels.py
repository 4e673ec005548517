"""What this room shows on pages of others."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from laces.components import Component

from defis.funding import Funding
from defis.models import Project
from fundmatch.selectors import published_campaigns
from fundmatch.telling import results_url, totals_of
from participation.contributions.models import Contribution
from theme.components import Link


class LastResultsPanel(Component):
    """The last published results, on the home page."""

    template_name = "fundmatch/panels/last_results.html"

    def __init__(self, **values: Any) -> None:
        self.values = values

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return self.values


class ProjectResultPanel(Component):
    """Where to read how the aid of a decided project was calculated."""

    template_name = "fundmatch/panels/project_result.html"

    def __init__(self, **values: Any) -> None:
        self.values = values

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return self.values


def home_panels(request: HttpRequest) -> list[Component]:
    """The last results; nothing before the first ones."""
    publications = published_campaigns()
    if not publications:
        return []
    newest = max(publications, key=lambda publication: publication.published_at)
    return [
        LastResultsPanel(
            campaign=newest.campaign,
            url=results_url(newest.campaign),
            published_at=newest.published_at,
            **totals_of(newest),
        )
    ]


def project_panels(request: HttpRequest, project: Project, funding: Funding) -> list[Component]:
    """A link to the results, once they are published."""
    if not funding.final or project.campaign.published_at is None:
        return []
    return [ProjectResultPanel(project=project, url=results_url(project.campaign), funding=funding)]


def receipt_links(request: HttpRequest, contribution: Contribution) -> list[Link]:
    """Where a resident checks that her contribution is in the published root; nothing before the results."""
    if contribution.counted_at is None or contribution.campaign.published_at is None:
        return []
    url = reverse("abonde_fundmatch:receipt", args=[contribution.campaign.slug])
    return [Link(_("Check that my contribution is counted"), f"{url}?code={contribution.reference}")]


def footer_links(request: HttpRequest) -> list[Link]:
    """The open data, on every page."""
    return [Link(_("Open data"), reverse("abonde_fundmatch:data_index"))]
