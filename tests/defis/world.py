"""A small territory with its fund, its people and its pages, for the tests of this room."""

import itertools
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import Group, User
from wagtail.models import Locale, Page, Site

from defis.clock import database_now
from defis.models import (
    Campaign,
    Commune,
    Defi,
    DefiIndexPage,
    DefiPage,
    Fund,
    FundIndexPage,
    FundPage,
    FundRole,
    Holder,
    Organisation,
    Pledge,
    Pot,
    Project,
    ProjectBudgetLine,
    ProjectIndexPage,
    ProjectPage,
    Role,
    Territory,
)
from defis.services.funds import create_fund_groups
from theme.models import HomePage

_numbers = itertools.count(1)


@dataclass
class World:
    """One fund of an invented territory. Amounts in cents, dates around now."""

    territory: Territory
    fund: Fund
    authority: Organisation
    foundation: Organisation
    company: Organisation
    defi: Defi
    campaign: Campaign
    pot: Pot

    def make_project(self, **fields) -> Project:
        number = next(_numbers)
        holder = fields.pop("holder", None) or Holder.objects.create(
            name=f"Association {number}", legal_form="association", email=f"porteur{number}@example.org"
        )
        project = Project.objects.create(
            **{
                "campaign": self.campaign,
                "defi": self.defi,
                "holder": holder,
                "title": f"Projet numéro {number}",
                "slug": f"projet-{number}",
                "summary": f"Une phrase sur le projet {number}.",
                "goal_cents": 1_000_000,
                "commune": self.territory.communes.first(),
                "status": Project.Status.PRESELECTED,
                **fields,
            }
        )
        ProjectBudgetLine.objects.create(project=project, label="Matériel", amount_cents=project.goal_cents)
        return project

    def member(self, role: Role, name: str | None = None, organisation: Organisation | None = None) -> User:
        return make_member(self.fund, role, name, organisation)


def make_member(fund: Fund, role: Role, name: str | None = None, organisation=None) -> User:
    """Somebody of one of the fund's groups, who may enter the admin."""
    groups = create_fund_groups(fund=fund, funders=[organisation] if organisation else [])
    group: Group = groups[f"funder:{organisation.pk}"] if organisation else groups[role]
    user = User.objects.create_user(name or f"{role}-{next(_numbers)}", password="x")
    user.groups.add(group)
    assert FundRole.objects.filter(group=group, role=role, fund=fund).exists()
    return user


def make_world(name: str = "Rivière", **campaign_fields) -> World:
    number = next(_numbers)
    communes = [
        Commune.objects.create(
            insee=f"{(number * 10 + index) % 100_000:05d}",
            name=commune,
            sort_name=plain_name,
            department="67",
            postal_codes=[code],
            epci_code=f"20000{number:04d}",
            epci_name=f"CC de {name}",
        )
        for index, (commune, plain_name, code) in enumerate(
            [("Sélestat", "selestat", "67600"), ("Colmar", "colmar", "68000"), ("Thann", "thann", "68800")]
        )
    ]
    territory = Territory.objects.create(name=name, slug=f"territoire-{number}")
    territory.communes.set(communes)
    kinds = Organisation.Kind
    foundation = Organisation.objects.create(name=f"Fondation {name} {number}", kind=kinds.FOUNDATION)
    authority = Organisation.objects.create(name=f"Collectivité {name} {number}", kind=kinds.AUTHORITY)
    company = Organisation.objects.create(name=f"Entreprise {name} {number}", kind=kinds.COMPANY)
    fund = Fund.objects.create(
        name=f"Fonds {name}",
        slug=f"fonds-{number}",
        territory=territory,
        foundation=foundation,
        authority=authority,
        legal_holder=foundation,
        contact_email="fonds@example.org",
    )
    defi = Defi.objects.create(
        name=f"Défi {name}", slug=f"defi-{number}", criteria=["Ouvert à tous.", "Durable."]
    )
    now = database_now()
    campaign = Campaign.objects.create(
        **{
            "fund": fund,
            "name": f"Campagne {name}",
            "slug": f"campagne-{number}",
            "announced_at": now - timedelta(days=60),
            "submissions_open_at": now - timedelta(days=50),
            "submissions_close_at": now - timedelta(days=20),
            "opens_at": now - timedelta(days=10),
            "closes_at": now + timedelta(days=30),
            "results_at": now + timedelta(days=35),
            "identity_providers": ["franceconnect"],
            "residency_methods": ["declaration"],
            **campaign_fields,
        }
    )
    campaign.defis.add(defi)
    pot = Pot.objects.create(
        campaign=campaign, slug="collectivite", name="1 € de la collectivité", rule="linear"
    )
    Pledge.objects.create(pot=pot, funder=company, amount_cents=5_000_000, signed_on=now.date())
    return World(territory, fund, authority, foundation, company, defi, campaign, pot)


@dataclass
class Tree:
    home: HomePage
    defis: DefiIndexPage
    funds: FundIndexPage
    projects: ProjectIndexPage

    def add_project(self, project: Project, **fields) -> ProjectPage:
        page = ProjectPage(
            **{
                "title": project.title,
                "slug": project.slug,
                "project": project,
                "locale": self.projects.locale,
                **fields,
            }
        )
        return self.projects.add_child(instance=page)

    def add_defi(self, world: World, **fields) -> DefiPage:
        page = DefiPage(**{"title": world.defi.name, "slug": world.defi.slug, "defi": world.defi, **fields})
        return self.defis.add_child(instance=page)

    def add_fund(self, world: World, **fields) -> FundPage:
        page = FundPage(**{"title": world.fund.name, "slug": world.fund.slug, "fund": world.fund, **fields})
        return self.funds.add_child(instance=page)


def make_tree() -> Tree:
    """The site's pages, as the demonstration has them: /, /defis/, /fonds/, /projets/."""
    locale = Locale.get_default()
    root = Page.get_first_root_node()
    site = Site.objects.get(is_default_site=True)
    home = HomePage(
        title="Accueil", slug="accueil", heading="Abonde", introduction="<p>Bonjour</p>", locale=locale
    )
    root.add_child(instance=home)
    site.root_page = home
    site.save()
    made = {}
    for model, slug, title in (
        (DefiIndexPage, "defis", "Défis"),
        (FundIndexPage, "fonds", "Fonds"),
        (ProjectIndexPage, "projets", "Projets"),
    ):
        made[slug] = home.add_child(instance=model(title=title, slug=slug, locale=locale, show_in_menus=True))
    return Tree(home, made["defis"], made["fonds"], made["projets"])
