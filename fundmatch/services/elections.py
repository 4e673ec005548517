"""A participatory-budget election that already took place, as a campaign of ours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from defis.models import (
    Campaign,
    Commune,
    Defi,
    Fund,
    Holder,
    Organisation,
    Pledge,
    Pot,
    Project,
    ProjectPage,
    Territory,
)
from defis.services.campaigns import announce_campaign, freeze_rules
from defis.services.pages import page_of_proposal
from fundmatch.engine.pabulib import Election
from participation.contributions.imports import Gift, import_gifts

TIME_ZONE = ZoneInfo("Europe/Paris")


@dataclass(frozen=True)
class ImportedElection:
    """What an import left: the campaign, and what was new this time."""

    campaign: Campaign
    projects: int
    pages: int
    gifts: int


def import_election(*, election: Election, cents_per_point: int = 1_000) -> ImportedElection:
    """Make, or complete, the campaign of an election: projects, pages, one gift per voter and project.

    `cents_per_point` is what an approval, or a point, is worth (cents). Idempotent: nothing is made twice.
    Raises ValueError when the election says no dates.
    """
    campaign = _campaign(election, cents_per_point)
    projects, new_projects = _projects(campaign, election)
    pages = sum(_tell(project) for project in projects.values())
    freeze_rules(campaign=campaign)
    gifts = import_gifts(
        campaign=campaign,
        gifts=(
            Gift(voter=voter, project=projects[name], cents=points * cents_per_point)
            for voter, vote in election.votes.items()
            for name, points in vote.items()
            if points
        ),
        given_at=campaign.opens_at + timedelta(hours=12),
    )
    campaign.refresh_from_db()
    return ImportedElection(campaign=campaign, projects=new_projects, pages=pages, gifts=gifts)


def _day(text: str) -> datetime:
    for form in ("%d.%m.%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=TIME_ZONE)
        except ValueError:
            continue
    raise ValueError(_("The election has no date that can be read: %(text)s") % {"text": text})


@transaction.atomic
def _campaign(election: Election, cents_per_point: int) -> Campaign:
    meta = election.meta
    name = " ".join(meta.get(word, "") for word in ("unit", "subunit", "instance")).replace("  ", " ").strip()
    slug = slugify(f"pabulib-{meta.get('country', '')}-{name}")[:50]
    if campaign := Campaign.objects.filter(slug=slug).first():
        return campaign
    authority, _made = Organisation.objects.get_or_create(
        name=f"{meta.get('unit', name)} (Pabulib)", defaults={"kind": Organisation.Kind.AUTHORITY}
    )
    foundation, _made = Organisation.objects.get_or_create(
        name="Pabulib", defaults={"kind": Organisation.Kind.FOUNDATION, "website": "https://pabulib.org/"}
    )
    territory, _made = Territory.objects.get_or_create(
        slug=slugify(f"pabulib-{meta.get('unit', name)}")[:50], defaults={"name": meta.get("unit", name)}
    )
    if not territory.communes.exists():
        territory.communes.add(_commune(meta.get("unit", name)))
    fund, _made = Fund.objects.get_or_create(
        slug=slug,
        defaults={
            "name": meta.get("description") or name,
            "territory": territory,
            "foundation": foundation,
            "authority": authority,
            "legal_holder": authority,
            "mandate_reference": "imported election",
        },
    )
    points = max((sum(vote.values()) for vote in election.votes.values()), default=1) or 1
    costs = [cost for cost in election.costs_cents.values() if cost] or [1]
    opens_at = _day(meta.get("date_begin", ""))
    campaign = Campaign.objects.create(
        fund=fund,
        name=name,
        slug=slug,
        opens_at=opens_at,
        closes_at=max(_day(meta.get("date_end", "")), opens_at) + timedelta(days=1),
        min_contribution_cents=1,
        max_contribution_cents=points * cents_per_point,
        max_per_person_cents=points * cents_per_point,
        allowance_cents=points * cents_per_point,
        goal_min_cents=min(costs),
        goal_max_cents=max(costs),
        duration_min_days=1,
        duration_max_days=366,
        threshold_numerator=None,
        minimum_age=0,
        residency_methods=["list"],
        identity_providers=["franceconnect"],
        collection_provider="allowance",
    )
    defi, _made = Defi.objects.get_or_create(slug=slug, defaults={"name": meta.get("description") or name})
    campaign.defis.add(defi)
    pot = Pot.objects.create(campaign=campaign, slug="fund", name=fund.name, rule=Pot.Rule.QUADRATIC)
    Pledge.objects.create(
        pot=pot, funder=authority, amount_cents=election.budget_cents, signed_on=opens_at.date()
    )
    return announce_campaign(campaign=campaign)


def _commune(name: str) -> Commune:
    """The commune that voted; one that no list of ours knows gets a code that INSEE never gives."""
    known = Commune.objects.filter(name=name).first()
    if known is not None:
        return known
    code = f"X{Commune.objects.filter(insee__startswith='X').count():04}"
    return Commune.objects.create(insee=code, name=name, sort_name=slugify(name), department="")


@transaction.atomic
def _projects(campaign: Campaign, election: Election) -> tuple[dict[str, Project], int]:
    defi = campaign.defis.get()
    holder, _made = Holder.objects.get_or_create(
        name=campaign.fund.authority.name,
        defaults={"legal_form": Holder.LegalForm.COMMUNE, "email": "import@example.org"},
    )
    known = {project.external_id: project for project in campaign.projects.all()}
    new = Project.objects.bulk_create(
        Project(
            campaign=campaign,
            defi=defi,
            holder=holder,
            external_id=name,
            title=election.names[name][:120],
            slug=f"{slugify(election.names[name])[:80]}-{campaign.pk}-{slugify(name)[:30]}",
            summary=election.names[name][:280],
            goal_cents=max(1, cost),
            status=Project.Status.PRESELECTED,
        )
        for name, cost in election.costs_cents.items()
        if name not in known
    )
    return known | {project.external_id: project for project in new}, len(new)


def _tell(project: Project) -> bool:
    """Publish the project's page; True when it was new."""
    if ProjectPage.objects.filter(project=project, live=True).exists():
        return False
    page = page_of_proposal(project=project)
    if page is None:
        return False
    page.get_latest_revision().publish()
    return True
