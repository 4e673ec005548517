"""What anybody reads without an account, judged by axe at two widths, light and dark, under the strict policy."""

from datetime import timedelta

import pytest
from wagtail.models import Page, Site

from defis.clock import database_now
from defis.models import (
    Campaign,
    DefiIndexPage,
    DefiPage,
    FundIndexPage,
    FundPage,
    ProjectIndexPage,
    ProjectPage,
)
from tests.fundmatch.rounds import give, make_campaign, make_pot, make_project, open_campaign
from tests.theme.looking import look
from theme.models import HomePage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def site(transactional_db) -> Campaign:
    """An open campaign with money, told by every kind of public page."""
    now = database_now()
    campaign = make_campaign(
        slug="essai", opens_at=now - timedelta(days=5), closes_at=now + timedelta(days=45)
    )
    projects = [make_project(campaign, title, 60_000) for title in ("Abris", "Bancs")]
    make_pot(campaign, "fonds", "quadratic", {"Acme": ("company", 20_000), "Banque": ("bank", 10_000)})
    open_campaign(campaign)
    Campaign.objects.filter(pk=campaign.pk).update(announced_at=now - timedelta(days=30))
    home = Page.get_first_root_node().add_child(
        instance=HomePage(
            title="Accueil", slug="accueil", heading="Donnez", introduction="<p>Choisissez.</p>"
        )
    )
    Site.objects.update(root_page=home)
    index = home.add_child(instance=ProjectIndexPage(title="Projets", slug="projets", show_in_menus=True))
    for project in projects:
        index.add_child(instance=ProjectPage(title=project.title, slug=project.slug, project=project))
        give(campaign, project, 2_500)
    defi = campaign.defis.get()
    defis = home.add_child(instance=DefiIndexPage(title="Défis", slug="defis", show_in_menus=True))
    defis.add_child(instance=DefiPage(title="Nature", slug="nature", defi=defi, question="Comment planter ?"))
    funds = home.add_child(instance=FundIndexPage(title="Fonds", slug="fonds", show_in_menus=True))
    funds.add_child(instance=FundPage(title="Fonds", slug="essai", fund=campaign.fund))
    return campaign


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_public_pages_have_nothing_to_reproach(page, live_server, site, width, scheme):
    console: list[str] = []
    page.on("console", lambda message: console.append(f"{page.url} {message.text}"))
    page.on("pageerror", lambda error: console.append(f"{page.url} {error}"))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    project = site.projects.first()
    problems: list[str] = []
    for name, path in {
        "accueil": "/",
        "defis": "/defis/",
        "defi": "/defis/nature/",
        "fonds": "/fonds/",
        "fonds-un": "/fonds/essai/",
        "projets": "/projets/",
        "projets-vide": "/projets/?q=introuvable",
        "projet": f"/projets/{project.slug}/",
        "projet-simulation": f"/projets/{project.slug}/?montant=20",
    }.items():
        answer = page.goto(live_server.url + path)
        assert answer is not None and answer.status == 200, path
        problems += look(page, name, width, scheme)
    assert problems == []
    assert console == []
