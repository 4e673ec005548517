"""The results page appears with the publication, in every language that has a results index."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override
from wagtail.models import Page, Site

from defis.models import Campaign
from fundmatch.models import ResultsIndexPage, ResultsPage


def show_results_pages(*, campaign: Campaign, user: Any = None) -> list[ResultsPage]:
    """Make the campaign's results page public, creating what is missing. A live page keeps its words."""
    indexes = list(ResultsIndexPage.objects.all()) or [_first_index()]
    pages = []
    for index in indexes:
        page = ResultsPage.objects.filter(campaign=campaign, locale=index.locale).first()
        if page is None:
            with override(index.locale.language_code):
                title = _("Results: %(campaign)s") % {"campaign": campaign.name}
            page = ResultsPage(
                title=title, slug=campaign.slug, campaign=campaign, locale=index.locale, live=False
            )
            index.add_child(instance=page)
        if not page.live:
            page.save_revision(user=user).publish(user=user, skip_permission_checks=True)
        pages.append(page)
    return pages


def _first_index() -> ResultsIndexPage:
    site = Site.objects.filter(is_default_site=True).select_related("root_page").first()
    root: Page = site.root_page.specific if site is not None else Page.get_first_root_node()
    with override(root.locale.language_code):
        index = ResultsIndexPage(title=_("Results"), slug="resultats", locale=root.locale)
    return root.add_child(instance=index)
