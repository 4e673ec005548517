"""The results page: what it says, what it costs, what a reader's own browser finds."""

import pytest
import rounds
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import expect

from fundmatch.models import ResultsPage
from fundmatch.services import close_campaign, publish_results, sign_run
from fundmatch.shares import content_digest, shares_of

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def published(campaign):
    run = close_campaign(campaign=campaign)
    users = [rounds.make_user(campaign, role) for role in ("communication", "foundation")]
    for user in users:
        sign_run(run=run, user=user, content_sha256=content_digest(run, shares_of(run)))
    return publish_results(run=run, user=users[0])


def big_round(count: int):
    campaign = rounds.make_campaign()
    rounds.make_pot(campaign, "cea", "linear", {"": ("authority", 1_000_000)})
    projects = [rounds.make_project(campaign, f"Projet {n}", 1_000) for n in range(count)]
    rounds.open_campaign(campaign)
    for project in projects:
        rounds.give_many(campaign, project, 500, rounds.make_people(campaign, 5))
    return campaign


@pytest.mark.django_db
def test_queries_do_not_grow_with_the_number_of_projects(client):
    counts = []
    for count in (2, 12):
        campaign = published(big_round(count)).campaign
        address = f"/resultats/{campaign.slug}/"
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            response = client.get(address)
        assert response.status_code == 200
        counts.append(len(queries))
    # The first page of the process also reads the sites and the locales.
    assert counts[1] <= counts[0] <= 25


@pytest.mark.django_db
def test_a_page_that_an_editor_publishes_too_early_tells_nothing(closed_round, client):
    campaign, _projects = closed_round
    other = published(rounds.make_round()[0])
    index = ResultsPage.objects.get(campaign=other.campaign).get_parent()
    index.add_child(instance=ResultsPage(title="Résultats", slug=campaign.slug, campaign=campaign))
    close_campaign(campaign=campaign)
    page = client.get(f"/resultats/{campaign.slug}/").content.decode()
    assert "Abris" not in page and "400" not in page


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_reader_s_browser_redoes_the_calculation(live_server, page):
    publication = published(rounds.make_round()[0])
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.goto(f"{live_server.url}/resultats/{publication.campaign.slug}/")
    page.locator("[data-fundmatch-verify]").click()
    status = page.locator("#verify-status")
    expect(status).to_have_attribute("data-verdict", "identical", timeout=20_000)
    expect(status).to_contain_text(publication.result_sha256)
    assert said == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        assert [violation["id"] for violation in violations] == []
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(width) == 0
