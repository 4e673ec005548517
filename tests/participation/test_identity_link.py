"""Two ways in for one account: both proven in one browser, within minutes."""

import pytest
from django.test import Client

from participation.identity.models import FederatedIdentity, Person
from standins.franceconnect import STANDIN_CLIENT, serve
from tests.participation import identity_world as world

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(settings):
    """FranceConnect, and the town's own accounts, which ask for little."""
    with (
        world.franceconnect(settings) as national,
        serve(origins=["http://testserver"], provider_name="keycloak") as town,
    ):
        client_id, secret = STANDIN_CLIENT
        settings.ABONDE_IDENTITY_PROVIDERS = {
            **settings.ABONDE_IDENTITY_PROVIDERS,
            "keycloak": {
                "KIND": "franceconnect",
                "LABEL": "Compte de la ville",
                "ISSUER": town.issuer,
                "CLIENT_ID": client_id,
                "CLIENT_SECRET": secret,
                "SCOPES": "openid given_name family_name",
                "SIMULATION": True,
            },
        }
        yield national, town


def at_the_town(client, who="claire", **query):
    return world.come_back(client, world.identify(world.leave(client, "keycloak", **query), who))


def test_a_second_way_in_is_added_to_the_account(client, two):
    world.sign_in(client, "claire")
    page = client.get("/mes-donnees/").content.decode()
    assert 'action="/connexion/keycloak/"' in page and 'name="relier"' in page
    assert at_the_town(client, relier="1", next="/mes-donnees/")["Location"] == "/mes-donnees/"
    other = Client()
    at_the_town(other)
    assert Person.objects.count() == 1 and FederatedIdentity.objects.count() == 2
    assert other.get("/mes-donnees/").context["person"] == Person.objects.get()


def test_linking_needs_a_fresh_sign_in(client, two):
    world.sign_in(client, "claire")
    session = client.session
    session["abonde_identity"] |= {"at": session["abonde_identity"]["at"] - 16 * 60}
    session.save()
    response = client.get("/connexion/keycloak/", {"relier": "1", "next": "/mes-donnees/"})
    assert response["Location"].startswith("/connexion/?")


def test_linking_fails_when_somebody_else_took_the_browser_meanwhile(client, two):
    world.sign_in(client, "claire")
    back = world.identify(world.leave(client, "keycloak", relier="1"), "claire")
    world.sign_in(client, "henri")
    assert world.problem_of(world.come_back(client, back)) == "expired"
    assert FederatedIdentity.objects.count() == 2 and Person.objects.count() == 2


def test_two_accounts_are_joined_only_when_the_person_says_so(client, two):
    at_the_town(Client())
    world.sign_in(client, "claire")
    response = at_the_town(client, relier="1")
    assert response["Location"] == "/mes-donnees/reunir/" and Person.objects.count() == 2
    assert client.get("/mes-donnees/reunir/").status_code == 200
    client.post("/mes-donnees/reunir/", {"decision": "join"})
    assert Person.objects.count() == 1 and FederatedIdentity.objects.count() == 2
    # The answer is used up.
    assert client.get("/mes-donnees/reunir/").status_code == 302


def test_two_accounts_stay_two_when_the_person_says_so(client, two):
    at_the_town(Client())
    world.sign_in(client, "claire")
    at_the_town(client, relier="1")
    client.post("/mes-donnees/reunir/", {"decision": "keep"})
    assert Person.objects.count() == 2


def test_nobody_joins_an_account_that_was_not_proven(client, two):
    at_the_town(Client(), "henri")
    world.sign_in(client, "claire")
    assert client.post("/mes-donnees/reunir/", {"decision": "join"})["Location"] == "/mes-donnees/"
    assert Person.objects.count() == 2


def test_the_same_code_at_the_other_providers_callback_is_never_redeemed(client, two):
    national, town = two
    redeemed = []
    for standin in two:
        token = standin.token
        standin.token = lambda *args, token=token: (redeemed.append(1), token(*args))[1]
    query = world.identify(world.leave(client), "claire").partition("?")[2]
    response = client.get(f"/oidc/keycloak/callback/?{query}")
    assert world.problem_of(response) == "expired" and not redeemed
    # The request of the right provider is still there: the resident can finish.
    assert client.get(f"/oidc/franceconnect/callback/?{query}").status_code == 302
