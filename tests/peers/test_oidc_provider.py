"""Judged by npm oidc-provider 9, the engine that FranceConnect itself runs on, configured like FranceConnect v2."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import jwt
import pytest
import requests
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from participation.identity.models import FederatedIdentity, Person
from standins.franceconnect import STANDIN_CLIENT
from tests.participation.identity_world import come_back, is_signed_in, problem_of
from tests.peers.processes import installed, need, running, wait_for

pytestmark = [pytest.mark.django_db, pytest.mark.peer]
HERE = Path(__file__).parent / "oidc_provider"


@pytest.fixture(scope="session")
def engine() -> Path:
    need("node", "npm")

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc", "server.mjs"):
            shutil.copy(HERE / name, folder)
        command = ["npm", "ci", "--no-progress", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)

    return installed("oidc-provider", sorted(HERE.glob("*.mjs")) + sorted(HERE.glob("*.json")), install)


@contextmanager
def started(engine: Path, log: Path, **options: str) -> Iterator[str]:
    """A provider with keys of its own: its issuer."""
    with running(
        ["node", "server.mjs"], log=log, cwd=engine, SERVICE="http://testserver", **options
    ) as process:
        line = wait_for(
            lambda: re.search(r'^\{"issuer".*\}$', log.read_text(), re.M), process, log, seconds=30
        )
        yield json.loads(line.group(0))["issuer"]


@pytest.fixture(scope="session")
def usual(engine, tmp_path_factory):
    with started(engine, tmp_path_factory.mktemp("node") / "log") as issuer:
        yield issuer


@pytest.fixture
def provider(request, engine, tmp_path, settings):
    """The provider; one of its own with options: `@pytest.mark.parametrize("provider", [{...}], indirect=True)`."""
    if options := getattr(request, "param", {}):
        with started(engine, tmp_path / "log", **options) as issuer:
            configure(settings, issuer, options.get("ALG", "ES256"))
            yield issuer
    else:
        issuer = request.getfixturevalue("usual")
        configure(settings, issuer)
        yield issuer


def configure(settings, issuer: str, algorithm: str = "ES256", **change) -> None:
    client_id, secret = STANDIN_CLIENT
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "franceconnect": {
            "ISSUER": issuer,
            "CLIENT_ID": client_id,
            "CLIENT_SECRET": secret,
            "SIGN_ALGO": algorithm,
            "SCOPES": "openid identite_pivot preferred_username email",
            **change,
        }
    }
    cache.clear()


class Browser:
    """Our site by Django's test client, the provider by HTTP with its cookies."""

    def __init__(self) -> None:
        self.client = Client()
        self.web = requests.Session()

    def follow(self, response):
        """Redirections at the provider, and the form that a browser submits by itself, until our site."""
        while True:
            if response.is_redirect:
                target = urljoin(response.url, response.headers["Location"])
                if target.startswith("http://testserver/"):
                    return target
                response = self.web.get(target, allow_redirects=False)
            elif "Submitting Callback" in response.text:
                action = re.search(r'action="([^"]+)"', response.text).group(1)
                fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', response.text))
                response = self.web.post(urljoin(response.url, action), data=fields, allow_redirects=False)
            else:
                return response

    def leave(self):
        start = self.client.get("/connexion/franceconnect/", {"next": "/plan-du-site/"})
        return self.follow(self.web.get(start["Location"], allow_redirects=False))

    def identify(self, who: str = "ines", act: str = "login") -> str:
        page = self.leave()
        assert page.status_code == 200, page.text
        action = re.search(r'action="([^"]+)"', page.text).group(1).replace("/login", f"/{act}")
        return self.follow(self.web.post(urljoin(page.url, action), data={"who": who}, allow_redirects=False))

    def sign_in(self, who: str = "ines"):
        return come_back(self.client, self.identify(who))

    def sign_out(self):
        page = self.web.get(self.client.post("/deconnexion/")["Location"])
        assert page.status_code == 200, page.text
        action = re.search(r'action="([^"]+)"', page.text).group(1)
        xsrf = re.search(r'name="xsrf" value="([^"]+)"', page.text).group(1)
        answer = self.web.post(
            urljoin(page.url, action), data={"xsrf": xsrf, "logout": "yes"}, allow_redirects=False
        )
        return come_back(self.client, self.follow(answer))


@pytest.mark.parametrize("provider", [{}, {"ALG": "RS256"}], indirect=True, ids=["ES256", "RS256"])
def test_a_resident_signs_in_and_out(provider):
    browser = Browser()
    assert browser.sign_in("ines")["Location"] == "/plan-du-site/"
    person = Person.objects.get()
    assert (person.display_name, person.email) == ("Inès LEROUX", "ines.leroux@example.org")
    identity = FederatedIdentity.objects.get()
    assert identity.issuer == provider and re.fullmatch(r"[0-9a-f]{64}v1", identity.subject)
    assert len(identity.pivot_digest) == 64
    page = browser.sign_out()
    assert 'data-signed-out="complete"' in page.content.decode() and not is_signed_in(browser.client)


def test_the_same_person_comes_back_and_an_e_mail_shared_by_two_makes_two_accounts(provider):
    for who in ("paul", "zoe", "paul"):
        Browser().sign_in(who)
    assert sorted(Person.objects.values_list("display_name", flat=True)) == ["Paul MOREL-GARCIA", "Zoé MOREL"]


def test_another_person_in_the_same_browser(provider):
    browser = Browser()
    browser.sign_in("ines")
    browser.sign_in("zoe")
    assert Person.objects.get(user_id=browser.client.session["_auth_user_id"]).display_name == "Zoé MOREL"
    assert 'data-signed-out="complete"' in browser.sign_out().content.decode()


def test_going_back_to_the_service_is_not_an_error(provider):
    browser = Browser()
    answer = come_back(browser.client, browser.identify(act="abort"))
    assert (answer.status_code, problem_of(answer)) == (200, "cancelled")


def test_the_callback_names_its_issuer_and_another_name_is_refused(provider):
    browser = Browser()
    back = browser.identify()
    assert "iss=http" in urlsplit(back).query
    forged = back.replace("127.0.0.1", "127.0.0.2")
    assert problem_of(come_back(browser.client, forged)) == "refused" and not is_signed_in(browser.client)


def test_a_callback_is_used_once_and_in_its_own_browser(provider):
    first, second = Browser(), Browser()
    back = first.identify()
    assert problem_of(come_back(second.client, back)) == "expired"
    assert come_back(first.client, back).status_code == 302
    assert problem_of(come_back(first.client, back)) == "expired"


def test_a_stolen_code_is_worth_nothing_without_our_verifier(provider):
    browser = Browser()
    back = browser.identify()
    code = parse_qs(urlsplit(back).query)["code"][0]
    client_id, secret = STANDIN_CLIENT
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": client_id,
        "client_secret": secret,
        "redirect_uri": "http://testserver/oidc/franceconnect/callback/",
        "code_verifier": "x" * 64,
    }
    assert requests.post(f"{provider}/token", data=form, timeout=5).status_code == 400
    assert come_back(browser.client, back).status_code == 302


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"CLIENT_SECRET": "wrong"}, "refused"),
        ({"SIGN_ALGO": "RS256"}, "refused"),
        ({"ACCEPTED_ACR": ["eidas2"]}, "refused"),
        ({"REQUIRED_CLAIMS": {"gender": "unknown"}}, "not_identified"),
    ],
)
def test_what_we_do_not_expect_is_refused(provider, settings, change, code):
    browser = Browser()
    back = browser.identify()
    configure(settings, provider, **change)
    assert problem_of(come_back(browser.client, back)) == code and not Person.objects.exists()


def test_a_request_that_franceconnect_refuses_never_comes_back(provider, settings):
    configure(settings, provider, ACR_VALUES="")
    page = Browser().leave()
    assert page.status_code == 400 and "Y030007" in page.text


@pytest.mark.parametrize("provider", [{"ID_TTL": "1"}], indirect=True)
def test_signing_out_works_with_an_id_token_that_has_expired(provider):
    """It lives 60 seconds at FranceConnect; a session lives an hour."""
    browser = Browser()
    browser.sign_in()
    token = browser.client.session["abonde_identity"]["id_token"]
    until = jwt.decode(token, options={"verify_signature": False})["exp"]
    while time.time() <= until:
        time.sleep(0.2)
    assert 'data-signed-out="complete"' in browser.sign_out().content.decode()


def test_a_provider_that_has_stopped(provider, settings):
    browser = Browser()
    back = browser.identify()
    paths = {
        "authorization": "/authorize",
        "userinfo": "/userinfo",
        "jwks": "/jwks",
        "logout": "/session/end",
    }
    configure(settings, provider, ENDPOINTS={**paths, "token": "http://127.0.0.1:9/token"})
    answer = come_back(browser.client, back)
    assert (answer.status_code, problem_of(answer)) == (503, "unavailable")


def test_the_check_command_agrees_with_the_engine(provider, settings):
    settings.PUBLIC_ORIGIN = "http://testserver"
    out = StringIO()
    call_command("check_identity", "franceconnect", stdout=out)
    assert "Everything fits" in out.getvalue() and "NO " not in out.getvalue()
