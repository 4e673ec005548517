"""Every wrong answer: ours refuses it with a sentence; beside it, what the stock library does with the same.

The second column is the reason for each method of StrictOIDCBackend. If an upgrade of mozilla-django-oidc changes it,
this test says so and our override can go.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.utils.translation import override

from participation.identity import problems, views
from participation.identity.models import Person
from standins.franceconnect import STANDIN_CLIENT
from tests.participation import identity_world as world

pytestmark = pytest.mark.django_db

# What the stock library can do: sign in; go back to the home page without a word; answer « Bad Request » and
# nothing else; fail with a 500.
ACCEPTED, SILENT, BARE_400, CRASHED = "accepted", "silent", "bare 400", "crashed"


@pytest.fixture
def standin(settings):
    with world.franceconnect(settings) as standin:
        yield standin


@pytest.fixture
def stock(settings, standin):
    """The library alone, set up as its documentation says for this provider, PKCE and ES256 included."""
    settings.ROOT_URLCONF = "tests.participation.stock_oidc_urls"
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    settings.AUTHENTICATION_BACKENDS = ["mozilla_django_oidc.auth.OIDCAuthenticationBackend"]
    settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{standin.issuer}/authorize"
    settings.OIDC_OP_TOKEN_ENDPOINT = f"{standin.issuer}/token"
    settings.OIDC_OP_USER_ENDPOINT = f"{standin.issuer}/userinfo"
    settings.OIDC_OP_JWKS_ENDPOINT = f"{standin.issuer}/jwks"
    settings.OIDC_RP_CLIENT_ID, settings.OIDC_RP_CLIENT_SECRET = STANDIN_CLIENT
    settings.OIDC_RP_SIGN_ALGO = "ES256"
    settings.OIDC_RP_SCOPES = "openid email"
    settings.OIDC_USE_PKCE = True
    settings.OIDC_TIMEOUT = 1
    settings.OIDC_AUTH_REQUEST_EXTRA_PARAMS = {"acr_values": "eidas1"}
    settings.LOGIN_REDIRECT_URL = "/"
    return standin


Wrong = Callable[[Client, object], object]


def answering(fault: str) -> Wrong:
    """A whole sign-in to which the provider answers wrongly."""

    def act(client, standin):
        standin.fault = fault
        return world.sign_in(client, "claire")

    return act


def callback(**said: str) -> Wrong:
    """A link to our callback that somebody else wrote."""

    def act(client, standin):
        world.leave(client)
        return client.get(f"/oidc/franceconnect/callback/?{urlencode(said)}")

    return act


def replayed_elsewhere(client, standin):
    """The address of somebody's callback, opened in another browser."""
    back = world.identify(world.leave(Client()), "claire")
    return world.come_back(client, back)


def replayed(client, standin):
    """The same callback twice, after signing out in between."""
    back = world.identify(world.leave(client), "claire")
    world.come_back(client, back)
    session = client.session
    for name in [key for key in session.keys() if key.startswith("_auth")]:
        del session[name]
    session.save()
    return world.come_back(client, back)


def late(client, standin):
    """The code lives 30 seconds."""
    back = world.identify(world.leave(client), "claire")
    standin.clock = lambda clock=standin.clock: clock() + 31
    return world.come_back(client, back)


def stopped(client, standin):
    """Nobody listens at the provider's address any more."""
    back = world.identify(world.leave(client), "claire")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    if hasattr(settings, "OIDC_OP_TOKEN_ENDPOINT"):
        settings.OIDC_OP_TOKEN_ENDPOINT = f"{closed}/token"
    block = settings.ABONDE_IDENTITY_PROVIDERS["franceconnect"]
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "franceconnect": {**block, "ENDPOINTS": _endpoints(block["ISSUER"], token=f"{closed}/token")}
    }
    return world.come_back(client, back)


def _endpoints(issuer: str, **changed: str) -> dict[str, str]:
    paths = {"authorization": "/authorize", "token": "/token", "userinfo": "/userinfo", "jwks": "/jwks"}
    return {
        **{name: issuer + path for name, path in paths.items()},
        "logout": f"{issuer}/session/end",
        **changed,
    }


@dataclass(frozen=True)
class Row:
    name: str
    act: Wrong
    # Our problem; None when the answer is good.
    ours: problems.Problem | None
    stock: str


def wrong(fault: str, stock: str, ours: problems.Problem = problems.REFUSED) -> Row:
    return Row(fault, answering(fault), ours, stock)


TABLE = [
    # The id_token.
    wrong("aud", ACCEPTED),
    wrong("several_aud", ACCEPTED),
    wrong("azp", ACCEPTED),
    wrong("iss", ACCEPTED),
    wrong("acr", ACCEPTED),
    wrong("no_acr", ACCEPTED),
    wrong("at_hash", ACCEPTED),
    wrong("nonce", BARE_400),
    wrong("no_nonce", BARE_400),
    wrong("expired", CRASHED),
    wrong("future", CRASHED),
    Row("skew", answering("skew"), None, CRASHED),
    wrong("bad_signature", BARE_400),
    wrong("unknown_kid", BARE_400),
    wrong("alg_none", BARE_400),
    wrong("alg_hs256", BARE_400),
    wrong("not_a_token", CRASHED),
    # userinfo.
    wrong("userinfo_sub", ACCEPTED),
    wrong("userinfo_aud", ACCEPTED),
    wrong("userinfo_json", ACCEPTED),
    wrong("userinfo_signature", SILENT),
    wrong("userinfo_none", SILENT),
    wrong("userinfo_expired", CRASHED),
    wrong("userinfo_html", CRASHED),
    # The provider is down, slow or mad.
    wrong("userinfo_500", CRASHED, problems.UNAVAILABLE),
    wrong("token_500", CRASHED, problems.UNAVAILABLE),
    wrong("token_slow", CRASHED, problems.UNAVAILABLE),
    wrong("token_html", CRASHED),
    wrong("token_empty", CRASHED),
    wrong("token_list", CRASHED),
    wrong("jwks_500", CRASHED, problems.UNAVAILABLE),
    wrong("jwks_html", CRASHED),
    Row("stopped", stopped, problems.UNAVAILABLE, CRASHED),
    # The callback.
    wrong("callback_iss", ACCEPTED),
    wrong("state", BARE_400, problems.EXPIRED),
    wrong("code", CRASHED),
    Row("late", late, problems.REFUSED, CRASHED),
    Row("replayed", replayed, problems.EXPIRED, BARE_400),
    Row("replayed_elsewhere", replayed_elsewhere, problems.EXPIRED, SILENT),
    Row("forged_error", callback(error="server_error"), problems.EXPIRED, SILENT),
    Row("forged_state", callback(code="x", state="x" * 43), problems.EXPIRED, BARE_400),
    Row("nothing_said", callback(), problems.EXPIRED, SILENT),
    # What the provider says in so many words.
    wrong("access_denied", SILENT, problems.CANCELLED),
    wrong("server_error", SILENT, problems.UNAVAILABLE),
    wrong("temporarily_unavailable", SILENT, problems.UNAVAILABLE),
    wrong("invalid_scope", SILENT, problems.MISCONFIGURED),
    wrong("Y049E20B", SILENT, problems.UNAVAILABLE),
]
ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


@ROWS
def test_a_wrong_answer_ends_on_a_page_and_signs_nobody_in(client, standin, row):
    response = row.act(client, standin)
    if row.ours is None:
        assert response.status_code == 302 and world.is_signed_in(client)
        return
    assert (response.status_code, world.problem_of(response)) == (row.ours.status, row.ours.code)
    with override("fr"):
        words = {"provider": "FranceConnect", "minutes": 10}
        assert str(row.ours.sentence) % words in response.content.decode()
    assert not world.is_signed_in(client)
    # The resident is never left without a way: the same provider again, or the counter.
    assert 'action="/connexion/franceconnect/"' in response.content.decode()
    # `replayed` had signed in rightly first.
    assert Person.objects.count() == (1 if row.name == "replayed" else 0)


@ROWS
def test_what_the_stock_library_does_with_the_same_answer(client, stock, row):
    client.raise_request_exception = False
    response = row.act(client, stock)
    outcome = {302: SILENT, 400: BARE_400, 500: CRASHED}[response.status_code]
    assert (ACCEPTED if world.is_signed_in(client) else outcome) == row.stock


def test_the_stock_library_signs_in_when_the_answer_is_good(client, stock):
    assert world.sign_in(client, "claire").status_code == 302 and world.is_signed_in(client)


def test_the_stock_library_puts_two_people_with_one_e_mail_in_one_account(stock):
    accounts = set()
    for who in ("amina", "thomas"):
        client = Client()
        world.sign_in(client, who)
        accounts.add(client.session["_auth_user_id"])
    assert len(accounts) == 1


def test_a_forged_error_signs_out_at_the_stock_library_only(stock):
    client = Client()
    world.sign_in(client, "claire")
    client.get("/oidc/franceconnect/callback/?error=x")
    assert not world.is_signed_in(client)


def test_a_forged_error_signs_nobody_out_here(client, standin):
    world.sign_in(client, "claire")
    response = client.get("/oidc/franceconnect/callback/?error=x")
    assert world.is_signed_in(client) and world.problem_of(response) == "expired"


def test_rotated_keys_are_fetched_once_and_the_resident_sees_nothing(client, standin):
    world.sign_in(Client(), "henri")
    standin.rotate()
    assert world.sign_in(client, "claire").status_code == 302


def test_an_unknown_key_does_not_make_us_hammer_the_provider(client, standin):
    fetched = []
    keys = standin.jwks
    standin.jwks = lambda *args: (fetched.append(1), keys(*args))[1]
    standin.fault = "unknown_kid"
    for _ in range(5):
        assert world.problem_of(world.sign_in(Client(), "claire")) == "refused"
    # Once for the first sign-in, once again for its unknown key, then not for 30 seconds.
    assert len(fetched) == 2


def test_the_code_of_one_provider_is_never_redeemed_at_another(client, standin, settings):
    redeemed = []
    settings.ABONDE_IDENTITY_PROVIDERS = {
        **settings.ABONDE_IDENTITY_PROVIDERS,
        "keycloak": {"ISSUER": "http://127.0.0.1:9/realms/ville", "CLIENT_ID": "a", "CLIENT_SECRET": "b"},
    }
    token = standin.token
    standin.token = lambda *args: (redeemed.append(1), token(*args))[1]
    query = urlsplit(world.identify(world.leave(client), "claire")).query
    request = RequestFactory().get(f"/oidc/keycloak/callback/?{query}")
    request.session, request.user = client.session, AnonymousUser()
    request._messages = FallbackStorage(request)
    response = views.Callback.as_view()(request, provider="keycloak")
    assert world.problem_of(response) == "expired" and not redeemed
    # The request of the right provider is still there: the resident can finish.
    assert client.get(f"/oidc/franceconnect/callback/?{query}").status_code == 302


def test_an_incident_has_a_number_that_the_log_knows(client, standin, caplog):
    standin.fault = "aud"
    page = world.sign_in(client, "claire").content.decode()
    line = next(record for record in caplog.records if record.name == "participation.identity.views")
    incident = line.args[0]
    assert incident in page and "InvalidAudienceError" in line.getMessage()


def test_the_reason_is_never_told_to_the_browser(client, standin):
    standin.fault = "acr"
    page = world.sign_in(client, "claire").content.decode()
    assert "eidas0" not in page and "acr" not in page.split("<main")[1].split("</main>")[0]


def test_a_request_older_than_three_quarters_of_an_hour_has_expired(client, standin):
    back = world.identify(world.leave(client, next="/plan-du-site/"), "claire")
    session = client.session
    state = parse_qs(urlsplit(back).query)["state"][0]
    session["oidc_states"][state]["added_on"] -= 46 * 60
    session.save()
    response = world.come_back(client, back)
    assert world.problem_of(response) == "expired" and 'value="/plan-du-site/"' in response.content.decode()


def test_too_many_starts_from_one_address_are_slowed_down(client, standin, monkeypatch):
    monkeypatch.setattr(views, "STARTS", 3)
    codes = [client.get("/connexion/franceconnect/").status_code for _ in range(4)]
    assert codes == [302, 302, 302, 429]
    # Somebody else is not concerned.
    assert client.get("/connexion/franceconnect/", REMOTE_ADDR="192.0.2.7").status_code == 302


def test_the_callback_speaks_the_language_of_the_start(client, standin):
    cache.clear()
    response = client.get("/de/connexion/franceconnect/")
    back = world.identify(response["Location"], "claire", "access_denied")
    assert '<html lang="de">' in world.come_back(client, back).content.decode()
