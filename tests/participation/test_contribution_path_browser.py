"""Every page of the contribution path in a real browser, under the real policy, with a script and without."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect
from wagtail.models import Page, Site

from defis.models import ProjectIndexPage, ProjectPage
from participation.contributions.models import Contribution
from participation.payments.models import Payment
from tests.participation import path_world as path
from tests.participation.path_world import PATH, browser_of, resident
from tests.theme.looking import look
from theme.models import HomePage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The provider's hosted page, played by a page of the site: what matters is that the browser is sent there.
BANK = "/plan-du-site/?banque="


@pytest.fixture
def project(provider, live_server, monkeypatch):
    start = provider.start

    def start_here(request):
        started = start(request)
        return replace(started, redirect_url=f"{live_server.url}{BANK}{started.provider_reference}")

    monkeypatch.setattr(provider, "start", start_here)
    return path.project_of(path.open_campaign())


def sign_in(page, live_server, person) -> None:
    cookie = browser_of(person).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_step_has_nothing_to_reproach(page, live_server, project, provider, width, scheme):
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    problems: list[str] = []

    def see(name: str) -> None:
        problems.extend(look(page, name, width, scheme))

    page.goto(live_server.url + PATH)
    see("1-montant")
    page.get_by_label("Montant, en euros").fill("vingt")
    page.get_by_role("button", name="Continuer").click()
    see("1-montant-refuse")
    assert page.evaluate("document.activeElement.hasAttribute('data-pb-errors')")
    # A refused form is an answer of status 422; the browser says so in its console, which is right.
    console[:] = [line for line in console if "422" not in line]
    page.get_by_label("Montant, en euros").fill("20,50")
    page.get_by_role("button", name="Continuer").click()
    see("2-connexion")
    sign_in(page, live_server, resident(lives_here=False))
    page.goto(live_server.url + PATH)
    page.get_by_label("Montant, en euros").fill("20,50")
    page.get_by_role("button", name="Continuer").click()
    see("2-residence")

    page.context.clear_cookies()
    sign_in(page, live_server, resident())
    page.goto(live_server.url + PATH)
    page.get_by_label("Montant, en euros").fill("20,50")
    page.get_by_label("Montrer le nom que j’écris ci-dessous").check()
    page.get_by_label("Nom à montrer").fill("Claire")
    page.get_by_role("button", name="Continuer").click()
    see("3-verifier")
    page.get_by_role("button", name=re.compile("Payer 20,50")).click()
    page.wait_for_url("**/plan-du-site/?banque=*")
    payment = Payment.objects.select_related("contribution").get()

    page.goto(f"{live_server.url}/paiement/retour/{payment.key}/?abandon=1")
    see("4-abandon")
    page.goto(f"{live_server.url}/paiement/retour/{payment.key}/")
    see("4-attente")
    page.goto(live_server.url + PATH)
    see("1-paiement-en-cours")
    provider.pay(payment)
    page.goto(f"{live_server.url}/paiement/retour/{payment.key}/")
    page.get_by_role("heading", level=1, name=re.compile("Merci")).wait_for()
    see("4-merci")
    page.get_by_role("link", name="Mon reçu").click()
    see("5-recu")
    page.goto(f"{live_server.url}/mes-contributions/")
    see("6-mes-contributions")
    type(project).objects.update(status="cancelled")
    page.goto(live_server.url + PATH)
    see("7-ferme")
    assert not problems, "\n".join(problems)
    assert console == []


def test_the_waiting_page_changes_by_itself(page, live_server, project, provider):
    person = resident()
    browser = browser_of(person)
    path.choose(browser)
    path.pay(browser)
    sign_in(page, live_server, person)
    payment = Payment.objects.select_related("contribution").get()
    page.goto(f"{live_server.url}/contributions/{payment.contribution.reference}/")
    provider.pay(payment)
    page.get_by_role("heading", level=1, name=re.compile("Merci")).wait_for(timeout=15_000)


def test_the_whole_way_works_without_a_script(browser, live_server, project, provider):
    person = resident()
    context = browser.new_context(java_script_enabled=False, locale="fr-FR")
    page = context.new_page()
    sign_in(page, live_server, person)
    page.goto(live_server.url + PATH)
    page.get_by_label("Montant, en euros").fill("20")
    page.get_by_role("button", name="Continuer").click()
    page.get_by_role("button", name=re.compile("Payer 20")).click()
    page.wait_for_url("**/plan-du-site/?banque=*")
    payment = Payment.objects.select_related("contribution").get()
    page.goto(f"{live_server.url}/paiement/retour/{payment.key}/")
    provider.pay(payment)
    page.get_by_role("button", name="Actualiser").click()
    page.get_by_role("heading", level=1, name=re.compile("Merci")).wait_for()
    assert Contribution.objects.get().state == "counted"
    context.close()


def test_a_double_click_sends_one_contribution(page, live_server, project, provider):
    sign_in(page, live_server, resident())
    page.goto(live_server.url + PATH)
    page.get_by_label("Montant, en euros").fill("20")
    page.get_by_role("button", name="Continuer").click()
    page.get_by_role("button", name=re.compile("Payer 20")).dblclick()
    page.wait_for_url("**/plan-du-site/?banque=*")
    assert Contribution.objects.count() == provider.calls["start"] == 1
    # Back: the page as it was left, and the button still works, for the same contribution.
    page.go_back()
    page.get_by_role("button", name=re.compile("Payer 20")).click()
    page.wait_for_url("**/plan-du-site/?banque=*")
    assert Contribution.objects.count() == provider.calls["start"] == 1


def test_the_project_page_calculates_while_one_types_and_leads_to_the_path(page, live_server, project):
    root = Page.objects.get(depth=1)
    home = root.add_child(
        instance=HomePage(
            title="Accueil", slug="accueil-essai", heading="Accueil", introduction="<p>Bonjour.</p>"
        )
    )
    Site.objects.update(root_page=home)
    index = home.add_child(instance=ProjectIndexPage(title="Projets", slug="projets"))
    index.add_child(instance=ProjectPage(title="Le jardin", slug="jardin", project=project))
    page.goto(f"{live_server.url}/projets/jardin/")
    output = page.locator("[data-pb-simulator] output")
    before = output.inner_text()
    with page.expect_response("**/projets/jardin/simuler/?montant=10") as answer:
        page.get_by_label("10 €").check()
    assert answer.value.ok, answer.value.text()
    expect(output).to_contain_text(re.compile(r"10\s€"))
    assert output.inner_text() != before
    with page.expect_response("**/projets/jardin/simuler/?montant=12*"):
        page.locator("input[name=montant]").fill("12,50")
    expect(output).to_contain_text(re.compile(r"12,50\s€"))
    assert page.url == f"{live_server.url}/projets/jardin/"
    page.get_by_role("link", name="Contribuer à ce projet").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Combien voulez-vous donner")
