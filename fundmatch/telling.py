"""What the results pages say: one telling for a published version and for an editor's preview of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from defis.models import Campaign, Organisation, Project, ProjectPage
from defis.telling import PotTelling, tell_pot
from fundmatch.estimates import source_label, source_of
from fundmatch.explanations import facts_of, sentences
from fundmatch.inputs import campaign_pots, funder_ids
from fundmatch.models import MatchRun, Override, Publication, ResultsIndexPage, ResultsPage, Signature
from fundmatch.opendata.scdl import NotExportable, public_grants, scdl_rows
from fundmatch.selectors import latest_publication, publications_of, published_campaigns
from fundmatch.shares import outcomes_of, shares_of
from theme.components import Row, Source
from theme.money import format_euros

SOURCES = ("citizens", "company", "authority", "foundation")


@dataclass(frozen=True, slots=True)
class Cell:
    """What one funder pays to one project by one pot, in cents."""

    reference: str
    pot: str
    funder: Organisation
    cents: int


@dataclass(frozen=True, slots=True)
class Payer:
    """One funder in one pot: promised, paid, kept (cents)."""

    name: str
    pot: str
    promised_cents: int
    paid_cents: int

    @property
    def kept_cents(self) -> int:
        return self.promised_cents - self.paid_cents


@dataclass(frozen=True, slots=True)
class BarPiece:
    """A piece of a project's bar; `x` and `width` are percentages of the longest bar."""

    source: str
    x: str
    width: str


@dataclass(slots=True)
class ProjectTelling:
    """One line of the results. Amounts in cents."""

    reference: str
    project: Project
    url: str
    funded: bool
    donors: int
    citizens_cents: int
    match_cents: int
    total_cents: int
    by_source: dict[str, int]
    sentences: list[str] = field(default_factory=list)
    bar: list[BarPiece] = field(default_factory=list)

    @property
    def refund_cents(self) -> int:
        return 0 if self.funded else self.citizens_cents

    cells: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sources(self) -> list[Source]:
        """What each source gave, in the fixed order, residents first."""
        rows = [Source("citizens", _("Residents"), self.citizens_cents)]
        return rows + [
            Source(source, source_label(source), self.by_source[source])
            for source in SOURCES[1:]
            if self.by_source.get(source)
        ]


@dataclass(slots=True)
class Telling:
    """Everything that a results page shows."""

    campaign: Campaign
    version: int
    published_at: datetime | None
    reason: str
    projects: list[ProjectTelling]
    corrections: list[Override]
    signatures: list[Signature]
    digests: list[Row]
    input_sha256: str
    result_sha256: str
    engine: str
    lists_gifts: bool
    #: sources that pay something, residents left out
    sources: list[str]
    pots_told: list[PotTelling] = field(default_factory=list)
    payers: list[Payer] = field(default_factory=list)

    @property
    def legend(self) -> list[tuple[str, str, int]]:
        """(source, label, cents) of residents, then of those that pay something; all projects together."""
        given = sum(project.citizens_cents for project in self.projects)
        paid = {source: sum(p.by_source.get(source, 0) for p in self.projects) for source in self.sources}
        return [
            ("citizens", _("Residents"), given),
            *((source, source_label(source), cents) for source, cents in paid.items()),
        ]

    @property
    def threshold_sentence(self) -> str:
        """The threshold in words."""
        campaign = self.campaign
        if campaign.threshold_numerator is None:
            return ""
        percent = campaign.threshold_numerator * 100 // campaign.threshold_denominator
        if campaign.threshold_base == Campaign.ThresholdBase.CITIZENS:
            return _(
                "Residents' contributions must reach %(percent)d %% of the goal. Otherwise everybody is "
                "refunded in full. Projects leave one by one: what one frees may save another."
            ) % {"percent": percent}
        return _(
            "Contributions and aid together must reach %(percent)d %% of the goal. Otherwise everybody is "
            "refunded in full. Projects leave one by one: what one frees may save another."
        ) % {"percent": percent}

    @property
    def funded(self) -> list[ProjectTelling]:
        return [project for project in self.projects if project.funded]

    @property
    def refunded(self) -> list[ProjectTelling]:
        return [project for project in self.projects if not project.funded]

    @property
    def paid_cents(self) -> int:
        """What the funded projects receive."""
        return sum(project.total_cents for project in self.funded)

    @property
    def citizens_cents(self) -> int:
        """What residents gave to funded projects."""
        return sum(project.citizens_cents for project in self.funded)

    @property
    def match_cents(self) -> int:
        return sum(project.match_cents for project in self.projects)

    @property
    def refund_cents(self) -> int:
        return sum(project.refund_cents for project in self.projects)

    @property
    def gifts(self) -> int:
        """Contributors counted project by project: one person who helps two projects counts twice."""
        return sum(project.donors for project in self.projects)

    @property
    def summary(self) -> str:
        """The results in one sentence."""
        values = {
            "funded": len(self.funded),
            "projects": len(self.projects),
            "total": format_euros(self.paid_cents),
            "citizens": format_euros(self.citizens_cents),
            "aid": format_euros(self.match_cents),
        }
        return (
            _(
                "%(funded)d projects out of %(projects)d are funded. They receive %(total)s: "
                "%(citizens)s from residents and %(aid)s from the fund."
            )
            % values
        )

    @property
    def figures(self) -> list[tuple[str, str]]:
        """The four figures at the top."""
        return [
            (format_euros(self.paid_cents), _("for the funded projects")),
            (format_euros(self.citizens_cents), _("given by residents")),
            (format_euros(self.match_cents), _("added by the fund")),
            (format_euros(self.refund_cents), _("refunded in full")),
        ]

    @property
    def example(self) -> ProjectTelling | None:
        """The funded project with most contributors: its calculation is the worked example."""
        return max(self.funded, key=lambda p: (p.donors, p.total_cents, p.reference), default=None)

    @property
    def table(self) -> dict[str, Any]:
        """Caption, headers and rows of the table of the projects."""
        headers = [(_("Project"), False), (_("Contributors"), True), (_("Residents"), True)]
        headers += [(source_label(source), True) for source in self.sources]
        headers += [(_("Total"), True), (_("Decision"), False)]
        return {"caption": _("Projects, and where their money comes from"), "headers": headers}


def tell_publication(publication: Publication) -> Telling:
    """Return the telling of a published version. Constant number of queries."""
    campaign = publication.campaign
    cells = [
        Cell(allocation.project.reference, allocation.pot.slug, allocation.funder, allocation.amount_cents)
        for allocation in publication.allocations.select_related("project", "pot", "funder")
    ]
    return _tell(
        campaign,
        outcomes=publication.outcomes,
        facts=publication.facts,
        cells=cells,
        run=publication.run,
        digests=_digests(
            publication.input_sha256,
            publication.result_sha256,
            publication.merkle_root,
            publication.run.rules_sha256,
            publication.dossier_sha256,
        ),
        version=publication.version,
        published_at=publication.published_at,
        reason=publication.reason,
        input_sha256=publication.input_sha256,
        result_sha256=publication.result_sha256,
        lists_gifts=publication.lists_gifts,
    )


def tell_run(run: MatchRun, *, version: int, reason: str = "") -> Telling:
    """Return the telling of a run as its publication would show it."""
    shares = shares_of(run)
    names = {pot.slug: funder_ids(pot) for pot in campaign_pots(run.campaign)}
    cells = [
        Cell(reference, pot, names[pot][funder].funder, cents)
        for pot, funders in shares.funders.items()
        for funder, paid in funders.items()
        for reference, cents in paid.items()
    ]
    public = run.public
    return _tell(
        run.campaign,
        outcomes=outcomes_of(shares),
        facts=facts_of(run),
        cells=cells,
        run=run,
        digests=_digests(
            public["input_sha256"], public["result_sha256"], public["merkle_root"], run.rules_sha256, ""
        ),
        version=version,
        published_at=None,
        reason=reason,
        input_sha256=public["input_sha256"],
        result_sha256=public["result_sha256"],
        lists_gifts=public["form"] != "statistics",
    )


def _tell(
    campaign: Campaign,
    *,
    outcomes: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, list[dict[str, Any]]],
    cells: Iterable[Cell],
    run: MatchRun,
    **rest: Any,
) -> Telling:
    pots = campaign_pots(campaign)
    pot_names = {pot.slug: pot.name for pot in pots}
    corrections = list(run.overrides.select_related("project", "pot", "decided_by").order_by("pk"))
    signatures = list(run.signatures.select_related("signed_by").order_by("signed_at"))
    by_source: dict[str, dict[str, int]] = {}
    paid: dict[tuple[str, int], int] = {}
    for cell in cells:
        paid[cell.pot, cell.funder.pk] = paid.get((cell.pot, cell.funder.pk), 0) + cell.cents
        given = by_source.setdefault(cell.reference, {})
        source = source_of(cell.funder.kind)
        given[source] = given.get(source, 0) + cell.cents
    urls = project_urls(campaign)
    projects = []
    found = Project.objects.filter(campaign=campaign, reference__in=outcomes).select_related(
        "holder", "commune"
    )
    for project in found:
        outcome = outcomes[project.reference]
        mine = [override for override in corrections if override.project_id == project.pk]
        projects.append(
            ProjectTelling(
                reference=project.reference,
                project=project,
                url=urls.get(project.pk, ""),
                by_source=by_source.get(project.reference, {}),
                sentences=sentences(facts.get(project.reference, []), pot_names, mine),
                **outcome,
            )
        )
    projects.sort(key=lambda p: (not p.funded, -p.total_cents, -p.citizens_cents, p.project.title))
    _draw(projects)
    used = {source for project in projects for source in project.by_source}
    sources = [source for source in SOURCES[1:] if source in used]
    for line in projects:
        line.cells = _cells(line, sources)
    return Telling(
        campaign=campaign,
        projects=projects,
        corrections=corrections,
        signatures=signatures,
        engine=run.engine,
        sources=sources,
        pots_told=[tell_pot(pot) for pot in pots],
        payers=[
            Payer(
                pledge.funder.name,
                pot.name,
                pledge.amount_cents,
                paid.get((pot.slug, pledge.funder_id), 0),
            )
            for pot in pots
            for pledge in pot.pledges.all()
        ],
        **rest,
    )


def _cells(project: ProjectTelling, sources: list[str]) -> list[tuple[str, str]]:
    """Return the (label, figure) cells of a project's line in the table, in the order of its headers."""
    cells = [(_("Contributors"), str(project.donors)), (_("Residents"), format_euros(project.citizens_cents))]
    cells += [(source_label(source), format_euros(project.by_source.get(source, 0))) for source in sources]
    return [*cells, (_("Total"), format_euros(project.total_cents))]


def _draw(projects: list[ProjectTelling]) -> None:
    longest = max((p.total_cents if p.funded else p.citizens_cents for p in projects), default=0) or 1
    for project in projects:
        start = 0
        for source in project.sources:
            if source.cents:
                project.bar.append(
                    BarPiece(source.kind, _share(start, longest), _share(source.cents, longest))
                )
                start += source.cents


def _share(cents: int, whole: int) -> str:
    return f"{cents * 10_000 // whole / 100:.2f}%"


def _digests(inputs: str, result: str, root: str, rules: str, dossier: str) -> list[Row]:
    rows = [
        Row(_("Data (input_sha256)"), inputs),
        Row(_("Result (result_sha256)"), result),
        Row(_("Contributions (Merkle root)"), root),
        Row(_("Rules (sha256)"), rules),
        Row(_("File of the dossier (sha256)"), dossier),
    ]
    return [row for row in rows if row.value]


def project_urls(campaign: Campaign) -> dict[int, str]:
    """Return the public address of each project's page in the active language, else in any."""
    urls: dict[int, str] = {}
    pages = ProjectPage.objects.live().filter(project__campaign=campaign).select_related("locale")
    language = get_language()
    for page in sorted(pages, key=lambda page: page.locale.language_code == language):
        url = page.get_url()
        if url:
            urls[page.project_id] = url
    return urls


def results_context(
    campaign: Campaign, *, base_url: str, publication: Publication | None = None
) -> dict[str, Any]:
    """Return the context of a results page: the version in force, or an older one that stays readable."""
    campaign = (
        Campaign.objects.with_phase()
        .select_related("fund__authority", "fund__foundation")
        .get(pk=campaign.pk)
    )
    newest = latest_publication(campaign)
    shown = publication or newest
    if shown is None or newest is None:
        return {"campaign": campaign, "telling": None}
    shown.campaign = campaign
    telling = tell_publication(shown)
    return {
        "campaign": campaign,
        "publication": shown,
        "telling": telling,
        "newest": newest,
        "is_newest": shown.version == newest.version,
        "versions": [
            (version, version_url(campaign, version.version)) for version in publications_of(campaign)
        ],
        "base_url": base_url,
        "dossier_url": dossier_url(campaign, shown.version),
        "receipt_url": reverse("abonde_fundmatch:receipt", args=[campaign.slug]),
        "data_url": reverse("abonde_fundmatch:data", args=[campaign.slug]),
    }


def version_url(campaign: Campaign, version: int) -> str:
    """Return the address of one version, which never changes."""
    return reverse("abonde_fundmatch:version", args=[campaign.slug, version])


def dossier_url(campaign: Campaign, version: int) -> str:
    """Return the address of a version's dossier."""
    return reverse("abonde_fundmatch:dossier", args=[campaign.slug, version])


def results_url(campaign: Campaign) -> str:
    """Return the address of a campaign's results page in the active language, else of its first version."""
    pages = list(ResultsPage.objects.live().filter(campaign=campaign).select_related("locale"))
    pages.sort(key=lambda page: page.locale.language_code != get_language())
    for page in pages:
        if url := page.get_url():
            return url
    return version_url(campaign, 1)


def index_rows(index: ResultsIndexPage, url: str) -> list[dict[str, Any]]:
    """Return one row per published campaign: newest first, with its page in the language of the index."""
    publications = published_campaigns()
    pages = {
        page.campaign_id: page
        for page in ResultsPage.objects.live().child_of(index).filter(locale=index.locale_id)
    }
    return [
        {
            "publication": publication,
            "campaign": publication.campaign,
            "url": f"{url}{pages[publication.campaign_id].slug}/",
            "page": pages[publication.campaign_id],
            **totals_of(publication),
        }
        for publication in publications
        if publication.campaign_id in pages
    ]


def totals_of(publication: Publication) -> dict[str, int]:
    """Return the sums of a version from its outcomes (cents), without another query."""
    rows = publication.outcomes.values()
    return {
        "funded": sum(row["funded"] for row in rows),
        "projects": len(rows),
        "paid_cents": sum(row["total_cents"] for row in rows),
        "citizens_cents": sum(row["citizens_cents"] for row in rows if row["funded"]),
        "match_cents": sum(row["match_cents"] for row in rows),
        "donors": sum(row["donors"] for row in rows),
    }


def scdl_state(publication: Publication) -> dict[str, Any]:
    """Return whether the SCDL file can be published, and who must complete what otherwise."""
    if not public_grants(publication):
        return {"ready": False, "refusals": [], "empty": True}
    try:
        scdl_rows(publication)
    except NotExportable as error:
        return {"ready": False, "refusals": error.refusals, "empty": False}
    return {"ready": True, "refusals": [], "empty": False}
