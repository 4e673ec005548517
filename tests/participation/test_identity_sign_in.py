"""Signing in and out through the stand-in, as a browser does it."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.test import Client

from participation.identity.models import FederatedIdentity, Person
from tests.participation import identity_world as world

pytestmark = pytest.mark.django_db


@pytest.fixture
def standin(settings):
    with world.franceconnect(settings) as standin:
        yield standin


def test_a_resident_signs_in_and_comes_back_to_where_she_was(client, standin):
    response = world.sign_in(client, "claire", next="/connexion/?next=/mes-donnees/")
    assert response.status_code == 302 and response["Location"] == "/connexion/?next=/mes-donnees/"
    person = Person.objects.get()
    assert (person.display_name, person.email) == ("Claire MULLER", "claire.muller@example.org")
    identity = FederatedIdentity.objects.get()
    assert (identity.issuer, len(identity.subject)) == (standin.issuer, 66)
    assert client.get("/mes-donnees/").status_code == 200


def test_the_request_asks_what_franceconnect_demands(client, standin):
    query = parse_qs(urlsplit(world.leave(client)).query)
    assert query["acr_values"] == ["eidas1"] and query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"] and "prompt" not in query
    assert min(len(query["state"][0]), len(query["nonce"][0])) >= 32
    assert query["redirect_uri"] == ["http://testserver/oidc/franceconnect/callback/"]


def test_the_same_person_finds_the_same_account_again(standin):
    for _ in range(2):
        world.sign_in(Client(), "jose")
    person = Person.objects.get()
    # The list says where the first first name ends: it has a space in it.
    assert person.display_name == "José Maria LEFÈVRE-ŒHLER"


def test_two_people_who_share_an_e_mail_have_two_accounts(standin):
    for who in ("amina", "thomas"):
        world.sign_in(Client(), who)
    people = Person.objects.order_by("pk")
    assert [person.display_name for person in people] == ["Amina KELLER", "Thomas KELLER"]
    assert len({person.email for person in people}) == 1


def test_the_intent_survives_signing_in_and_the_session_key_does_not(client, standin):
    client.get("/connexion/franceconnect/")
    session = client.session
    session["abonde_intent"] = {"project": "jardin", "amount_cents": 2000}
    session.save()
    before = session.session_key
    world.sign_in(client, "claire")
    assert client.session["abonde_intent"] == {"project": "jardin", "amount_cents": 2000}
    assert client.session.session_key != before


def test_another_person_takes_the_browser_over_with_the_intent_but_not_the_identity(client, standin):
    world.sign_in(client, "claire")
    session = client.session
    session["abonde_intent"] = "20 euros"
    session.save()
    first = session["abonde_identity"]
    world.sign_in(client, "henri")
    assert client.session["abonde_intent"] == "20 euros"
    assert client.session["abonde_identity"]["id_token"] != first["id_token"]
    assert Person.objects.get(user_id=client.session["_auth_user_id"]).display_name == "Henri WALTER"


def test_signing_in_again_as_the_same_person_changes_the_session_key_too(client, standin):
    world.sign_in(client, "claire")
    before = client.session.session_key
    world.sign_in(client, "claire")
    assert client.session.session_key != before


@pytest.mark.parametrize(
    "wanted", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"]
)
def test_the_way_back_stays_on_this_site(client, standin, wanted):
    assert world.sign_in(client, "claire", next=wanted)["Location"] == "/"


def test_two_tabs_each_come_back_to_their_own_page(client, standin):
    first = world.leave(client, next="/plan-du-site/")
    second = world.leave(client, next="/mes-donnees/")
    assert world.come_back(client, world.identify(second, "claire"))["Location"] == "/mes-donnees/"
    assert world.come_back(client, world.identify(first, "claire"))["Location"] == "/plan-du-site/"


def test_signing_out_ends_both_sessions_and_checks_the_state(client, standin):
    world.sign_in(client, "claire")
    response = client.post("/deconnexion/")
    assert not world.is_signed_in(client)
    query = parse_qs(urlsplit(response["Location"]).query)
    assert set(query) == {"id_token_hint", "post_logout_redirect_uri", "state"}
    back = requests.get(response["Location"], allow_redirects=False, timeout=5)
    page = world.come_back(client, back.headers["Location"])
    assert 'data-signed-out="complete"' in page.content.decode()


def test_a_wrong_state_after_signing_out_is_told_without_alarm(client, standin):
    world.sign_in(client, "claire")
    client.post("/deconnexion/")
    page = client.get("/oidc/franceconnect/fin/?state=forged")
    assert 'data-signed-out="here"' in page.content.decode()


def test_a_link_to_the_end_of_a_sign_out_signs_nobody_out(client, standin):
    world.sign_in(client, "claire")
    page = client.get("/oidc/franceconnect/fin/?state=forged")
    assert 'data-signed-out="no"' in page.content.decode() and world.is_signed_in(client)


def test_reading_the_address_of_signing_out_signs_nobody_out(client, standin):
    world.sign_in(client, "claire")
    assert client.get("/deconnexion/").status_code == 200 and world.is_signed_in(client)


def test_an_unknown_provider_is_not_found(client):
    assert client.get("/connexion/facebook/").status_code == 404
    assert client.get("/oidc/facebook/callback/").status_code == 404


def test_a_closed_account_stays_closed(client, standin):
    world.sign_in(client, "claire")
    user = Person.objects.get().user
    user.is_active = False
    user.save()
    response = world.sign_in(Client(), "claire")
    assert (response.status_code, world.problem_of(response)) == (403, "closed_account")
    # And the session that was open is over.
    assert client.get("/mes-donnees/").status_code == 302


def test_no_birth_date_is_kept_only_the_limits_that_were_reached(standin):
    territory = world.make_territory()
    world.make_campaign(territory, "adultes", minimum_age=18)
    world.make_campaign(territory, "jeunes", minimum_age=11)
    for who in ("claire", "zoe", "joseph"):
        world.sign_in(Client(), who)
    ages = dict(Person.objects.values_list("display_name", "proved_age"))
    assert ages == {"Claire MULLER": 18, "Zoé KELLER": 11, "Joseph SCHMITT": 18}
