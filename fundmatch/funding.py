"""What published results say of a project's money: the port `defis.funding`, final figures."""

from collections.abc import Mapping, Sequence

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject

from defis.funding import Funding, MatchLine
from defis.models import Project
from fundmatch.estimates import source_label, source_of
from fundmatch.models import Allocation, Publication

_DECIDED = {Project.Status.FUNDED, Project.Status.NOT_FUNDED}


def published_funding(projects: Sequence[Project]) -> Mapping[int, Funding]:
    """Project pk → final Funding, for decided projects only; one query, none when there are none.

    A refunded project keeps what residents had given: pages say that it went back.
    """
    decided = {project.pk: project for project in projects if project.status in _DECIDED}
    if not decided:
        return {}
    campaigns = {project.campaign_id for project in decided.values()}
    shares = Allocation.objects.filter(publication=OuterRef("pk"), project__in=decided).values(
        share=JSONObject(project="project_id", kind="funder__kind", cents="amount_cents")
    )
    newest = (
        Publication.objects.filter(campaign__in=campaigns)
        .order_by("campaign_id", "-version")
        .distinct("campaign_id")
        .annotate(shares=ArraySubquery(shares))
    )
    publications = {
        p.campaign_id: p for p in newest.only("campaign_id", "version", "outcomes", "published_at")
    }
    lines: dict[int, dict[str, int]] = {}
    for publication in publications.values():
        for share in publication.shares:
            mine = lines.setdefault(share["project"], {})
            source = source_of(share["kind"])
            mine[source] = mine.get(source, 0) + share["cents"]
    found = {}
    for pk, project in decided.items():
        version = publications.get(project.campaign_id)
        outcome = version.outcomes.get(project.reference) if version is not None else None
        if version is None or outcome is None:
            continue
        found[pk] = Funding(
            citizens_cents=outcome["citizens_cents"],
            donors=outcome["donors"],
            as_of=version.published_at,
            matches=[
                MatchLine(source, source_label(source), cents) for source, cents in lines.get(pk, {}).items()
            ],
            final=True,
        )
    return found
