"""The stand-in behaves like FranceConnect where a service can tell, and never pretends to be it."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from standins.franceconnect import STANDIN_CLIENT, serve
from standins.franceconnect.people import PEOPLE, SHARED

SITE = Path(__file__).resolve().parents[2] / "site"
BACK = "http://testserver/oidc/franceconnect/callback/"


@pytest.fixture
def standin():
    with serve(origins=["http://testserver"]) as standin:
        yield standin


def authorize(standin, **change):
    query = {
        "response_type": "code",
        "client_id": STANDIN_CLIENT[0],
        "redirect_uri": BACK,
        "scope": "openid email",
        "acr_values": "eidas1",
        "state": "s" * 32,
        "nonce": "n" * 32,
        **change,
    }
    query = {name: value for name, value in query.items() if value is not None}
    return requests.get(f"{standin.issuer}/authorize?{urlencode(query)}", allow_redirects=False, timeout=5)


@pytest.mark.parametrize("environment", [{}, {"DEBUG": "0"}, {"ABONDE_SIMULATION": ""}])
def test_it_refuses_to_start_outside_a_simulation(environment):
    clean = {name: value for name, value in os.environ.items() if name not in {"DEBUG", "ABONDE_SIMULATION"}}
    command = [sys.executable, "-m", "standins.franceconnect", "--port", "0"]
    ended = subprocess.run(command, cwd=SITE, env={**clean, **environment}, capture_output=True, timeout=30)
    assert ended.returncode == 2 and b"DEBUG=1" in ended.stderr


def test_it_says_simulation_and_shows_no_brand(standin):
    page = authorize(standin).text
    assert "Simulation." in page and 'lang="fr"' in page
    assert "<img" not in page and "<svg" not in page and "fr-connect" not in page


@pytest.mark.parametrize(
    "change",
    [
        {"acr_values": None},
        {"acr_values": "eidas2"},
        {"nonce": "n" * 21},
        {"state": None},
        {"prompt": ""},
        {"prompt": "none"},
        {"prompt": "select_account"},
        {"response_type": "token"},
        {"scope": "email"},
        {"redirect_uri": "https://elsewhere.example/"},
        {"client_id": "somebody"},
        {"code_challenge": "x", "code_challenge_method": "plain"},
    ],
    ids=str,
)
def test_what_franceconnect_refuses_on_its_own_page(standin, change):
    assert authorize(standin, **change).status_code == 400


def test_a_scope_that_was_not_granted_comes_back_as_an_error(standin):
    location = authorize(standin, scope="openid address")
    assert location.status_code == 303
    said = parse_qs(urlsplit(location.headers["Location"]).query)
    assert said["error"] == ["invalid_scope"] and said["iss"] == [standin.issuer]


def test_signing_out_needs_a_hint_and_a_declared_address(standin):
    assert requests.get(f"{standin.issuer}/session/end", timeout=5).status_code == 400


def test_the_client_has_to_know_its_secret(standin):
    form = {
        "grant_type": "authorization_code",
        "code": "x",
        "client_id": STANDIN_CLIENT[0],
        "client_secret": "x",
    }
    answer = requests.post(f"{standin.issuer}/token", data=form, timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_the_same_person_is_somebody_else_at_another_service(standin):
    assert standin.subject_of("claire", "one") != standin.subject_of("claire", "two")
    assert standin.subject_of("claire", "one") == standin.subject_of("claire", "one")


def test_the_people_are_worth_trying():
    everybody = PEOPLE.values()
    assert len(everybody) >= 8
    assert any(p["birthplace"] == "" and p["birthcountry"] != "99100" for p in everybody)
    assert any(p["birthdate"].endswith("-01-01") for p in everybody)
    assert any(p["birthdate"] > "2010" for p in everybody)
    assert sum(p["email"] == SHARED for p in everybody) == 2
    assert any("hors" in p["home"] for p in everybody)
    assert any(" " in p["given_name_array"][0] for p in everybody)
