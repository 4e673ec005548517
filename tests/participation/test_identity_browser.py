"""Signing in and out in a real Chromium, under the public content security policy; axe on every page of it."""

import threading

import pytest
from django.conf import settings as site_settings
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from participation.identity.models import Person
from participation.residency.services import current_proof
from standins.franceconnect.provider import STANDIN_CLIENT, make
from tests.participation import identity_world as world
from tests.theme.looking import look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def standin(live_server, settings):
    server, standin = make(0, origins=[live_server.url])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    client_id, secret = STANDIN_CLIENT
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "franceconnect": {
            "ISSUER": standin.issuer,
            "CLIENT_ID": client_id,
            "CLIENT_SECRET": secret,
            "SIMULATION": True,
            "TIMEOUT": (2.0, 2.0),
        }
    }
    settings.ABONDE_FORM_ACTIONS = [standin.issuer.removesuffix("/api/v2")]
    yield standin
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def console(page):
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def signing_in(page, live_server, path="/mes-donnees/"):
    page.goto(f"{live_server.url}{path}")
    page.locator("form.pb-sign-in button").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Qui êtes-vous ?")


def test_in_and_out_with_a_session_that_changes_its_key(page, live_server, standin, console):
    signing_in(page, live_server)
    page.get_by_role("button", name="José Maria Noël LEFÈVRE-ŒHLER").click()
    expect(page).to_have_url(f"{live_server.url}/mes-donnees/")
    expect(page.locator("main")).to_contain_text("José Maria LEFÈVRE-ŒHLER")
    inside = {c["name"]: c["value"] for c in page.context.cookies()}[site_settings.SESSION_COOKIE_NAME]
    page.locator("form[action='/deconnexion/'] button").click()
    expect(page.locator("[data-signed-out]")).to_have_attribute("data-signed-out", "complete")
    assert not Session.objects.filter(session_key=inside).exists()
    assert not standin.sessions
    # The back button shows nothing of hers.
    page.goto(f"{live_server.url}/mes-donnees/")
    expect(page).to_have_url(f"{live_server.url}/connexion/?next=%2Fmes-donnees%2F")
    assert console == []


def test_going_back_is_kind_and_a_wrong_answer_is_said(page, live_server, standin, console):
    signing_in(page, live_server)
    page.get_by_role("button", name="Revenir au service").click()
    expect(page.locator("[data-problem]")).to_have_attribute("data-problem", "cancelled")
    # The page offers the same way again, to the same place.
    page.locator("form.pb-sign-in button").first.click()
    page.get_by_text("Provoquer une panne").click()
    page.get_by_label("Mauvaise réponse").select_option("userinfo_sub")
    page.get_by_role("button", name="Claire Angèle MULLER").click()
    expect(page.locator("[data-problem]")).to_have_attribute("data-problem", "refused")
    page.locator("form.pb-sign-in button").first.click()
    page.get_by_role("button", name="Claire Angèle MULLER").click()
    expect(page).to_have_url(f"{live_server.url}/mes-donnees/")
    # Chromium itself notes the 403 of the refused answer.
    assert [line for line in console if "403" not in line] == []


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_of_it_is_accessible(page, live_server, standin, width):
    territory = world.make_territory()
    world.make_campaign(territory, residency_methods=["declaration", "letter", "counter", "list"])
    page.set_viewport_size({"width": width, "height": 800})
    problems = []
    page.goto(f"{live_server.url}/connexion/?next=/residence/alsace-centrale/")
    problems += look(page, "connexion", width, "light")
    page.locator("form.pb-sign-in button").first.click()
    problems += look(page, "simulateur", width, "light")
    page.get_by_role("button", name="Revenir au service").click()
    problems += look(page, "arret", width, "light")
    page.locator("form.pb-sign-in button").first.click()
    page.get_by_role("button", name="Henri WALTER").click()
    problems += look(page, "residence", width, "light")
    page.locator("#id_code_postal").fill("67600")
    page.locator("form[method=get] button").last.click()
    problems += look(page, "commune", width, "light")
    page.get_by_label("Sélestat").check()
    page.locator("form:has(#id_honour) button").click()
    problems += look(page, "erreurs", width, "light")
    page.locator("#id_honour").check()
    page.locator("form:has(#id_honour) button").click()
    assert current_proof(Person.objects.get(), territory).postal_code == "67600"
    for path in ("/mes-donnees/", "/mes-donnees/effacer/", "/deconnexion/"):
        page.goto(live_server.url + path)
        problems += look(page, path.strip("/").replace("/", "-"), width, "light")
    assert not problems, "\n".join(problems)
