"""`manage.py check_identity` says in words what is wrong, before residents find out."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.participation import identity_world as world


@pytest.fixture
def standin(settings):
    settings.PUBLIC_ORIGIN = "http://testserver"
    with world.franceconnect(settings) as standin:
        yield standin


def check(settings, **change) -> str:
    block = settings.ABONDE_IDENTITY_PROVIDERS["franceconnect"]
    settings.ABONDE_IDENTITY_PROVIDERS = {"franceconnect": {**block, **change}}
    out = StringIO()
    try:
        call_command("check_identity", "franceconnect", stdout=out)
    except CommandError as error:
        out.write(str(error))
    return out.getvalue()


def test_good_settings_fit(settings, standin):
    said = check(settings)
    assert "Everything fits" in said and "NO " not in said


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"CLIENT_SECRET": "wrong"}, "does not recognise our client"),
        ({"CLIENT_ID": "wrong"}, "does not recognise our client"),
        ({"SIGN_ALGO": "RS256"}, "check SIGN_ALGO"),
        ({"SCOPES": "openid address"}, "says nothing of address in scopes_supported: check SCOPES"),
        ({"ACR_VALUES": "eidas2"}, "check ACR_VALUES"),
        (
            {"SIMULATION": False, "ISSUER": "http://fc.example.org"},
            "NO  The issuer http://fc.example.org is reached by HTTPS",
        ),
    ],
)
def test_each_wrong_setting_is_named(settings, standin, change, sentence):
    said = check(settings, **change)
    assert sentence in said and "to put right" in said


def test_a_return_address_that_is_not_declared_is_named(settings, standin):
    settings.PUBLIC_ORIGIN = "http://other.example.org"
    said = check(settings)
    assert "declare the return address http://other.example.org/oidc/franceconnect/callback/" in said


def test_a_moved_endpoint_is_named(settings, standin):
    endpoints = {
        "authorization": "/authorize",
        "token": "/old-token",
        "userinfo": "/userinfo",
        "jwks": "/jwks",
        "logout": "/session/end",
    }
    assert "token address is" in check(settings, ENDPOINTS=endpoints)


def test_another_issuer_behind_the_address_is_named(settings, standin):
    discovery = standin.discovery
    answer = discovery({}, {})
    answer.body = answer.body.replace(
        f'"issuer": "{standin.issuer}"', '"issuer": "https://elsewhere.example"'
    )
    standin.discovery = lambda *args: answer
    assert "calls itself 'https://elsewhere.example'" in check(settings)


def test_a_provider_that_does_not_answer_is_named(settings):
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "franceconnect": {"ISSUER": "http://127.0.0.1:9/api/v2", "CLIENT_ID": "a", "CLIENT_SECRET": "b"}
    }
    assert "cannot be read (ConnectionError)" in check(settings)


def test_an_unknown_provider_is_named(settings):
    with pytest.raises(CommandError, match="facebook"):
        call_command("check_identity", "facebook")
