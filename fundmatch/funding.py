"""What published results say of a project's money: the port `defis.funding`, final figures."""

from collections.abc import Mapping, Sequence

from defis.funding import Funding, MatchLine
from defis.models import Project
from fundmatch.estimates import source_label, source_of
from fundmatch.models import Allocation, Publication

_DECIDED = {Project.Status.FUNDED, Project.Status.NOT_FUNDED}


def published_funding(projects: Sequence[Project]) -> Mapping[int, Funding]:
    """Project pk → final Funding, for decided projects only; two queries, none when there are none.

    A refunded project keeps what residents had given: pages say that it went back.
    """
    decided = {project.pk: project for project in projects if project.status in _DECIDED}
    if not decided:
        return {}
    campaigns = {project.campaign_id for project in decided.values()}
    newest = (
        Publication.objects.filter(campaign__in=campaigns)
        .order_by("campaign_id", "-version")
        .distinct("campaign_id")
    )
    publications = {
        p.campaign_id: p for p in newest.only("campaign_id", "version", "outcomes", "published_at")
    }
    lines: dict[int, dict[str, int]] = {}
    rows = Allocation.objects.filter(publication__in=publications.values(), project__in=decided)
    for pk, kind, cents in rows.values_list("project_id", "funder__kind", "amount_cents"):
        mine = lines.setdefault(pk, {})
        mine[source_of(kind)] = mine.get(source_of(kind), 0) + cents
    found = {}
    for pk, project in decided.items():
        publication = publications.get(project.campaign_id)
        outcome = publication.outcomes.get(project.reference) if publication is not None else None
        if publication is None or outcome is None:
            continue
        found[pk] = Funding(
            citizens_cents=outcome["citizens_cents"],
            donors=outcome["donors"],
            as_of=publication.published_at,
            matches=[
                MatchLine(source, source_label(source), cents) for source, cents in lines.get(pk, {}).items()
            ],
            final=True,
        )
    return found
