"""Reads used twice: which calculation, which version."""

from django.db.models import Prefetch, QuerySet
from wagtail.models import Locale

from defis.models import Campaign
from fundmatch.models import MatchRun, Publication, ResultsPage


def final_runs(campaign: Campaign) -> QuerySet[MatchRun]:
    """Return the calculations after the bell, newest first, without the weight of their inputs."""
    runs = campaign.match_runs.filter(kind=MatchRun.Kind.FINAL).defer("input_gzip")
    return runs.select_related("publication", "created_by").order_by("-number")


def latest_run(campaign: Campaign) -> MatchRun | None:
    """Return the calculation that may be signed, if there is one."""
    return final_runs(campaign).first()


def publications_of(campaign: Campaign) -> QuerySet[Publication]:
    """Return every version, newest first."""
    versions = campaign.publications.select_related("run", "published_by").defer("run__input_gzip")
    return versions.order_by("-version")


def latest_publication(campaign: Campaign) -> Publication | None:
    """Return the version in force."""
    return publications_of(campaign).first()


def published_run(campaign: Campaign) -> MatchRun | None:
    """Return the calculation of the version in force."""
    publication = latest_publication(campaign)
    return publication.run if publication is not None else None


def published_campaigns(locale: Locale | None = None) -> list[Publication]:
    """Return the version in force of every published campaign, newest first, with its page in a language.

    Two queries whatever their number. `publication.campaign.shown` is a list of its live pages.
    """
    pages = ResultsPage.objects.live()
    if locale is not None:
        pages = pages.filter(locale=locale)
    newest = Publication.objects.order_by("campaign_id", "-version").distinct("campaign_id")
    found = (
        Publication.objects.filter(pk__in=newest.values("pk"))
        .select_related("campaign__fund__territory", "run")
        .defer("run__input_gzip")
        .prefetch_related(Prefetch("campaign__results_pages", queryset=pages, to_attr="shown"))
        .order_by("-campaign__closes_at")
    )
    return list(found)
