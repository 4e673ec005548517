"""Reads used twice: which calculation, which version."""

from collections.abc import Iterable

from django.db.models import QuerySet

from defis.models import Campaign, Phase
from fundmatch.models import MatchRun, Publication


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


def published_campaigns() -> list[Publication]:
    """Return the version in force of every published campaign, last closed first. One query."""
    newest = Publication.objects.order_by("campaign_id", "-version").distinct("campaign_id")
    found = (
        Publication.objects.filter(pk__in=newest.values("pk"))
        .select_related("campaign__fund__territory")
        .order_by("-campaign__closes_at")
    )
    return list(found)


def phase_of(campaign: Campaign) -> Phase:
    """Return the campaign's phase at this instant, by the database's clock."""
    return phases_of([campaign])[campaign.pk]


def phases_of(campaigns: Iterable[Campaign]) -> dict[int, Phase]:
    """Return the phase of each campaign, by pk, in one query."""
    rows = Campaign.objects.with_phase().filter(pk__in=[campaign.pk for campaign in campaigns])
    return {pk: Phase(phase) for pk, phase in rows.values_list("pk", "phase")}
