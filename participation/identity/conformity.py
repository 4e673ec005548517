"""Does a provider answer as our settings say? For `manage.py check_identity`, before residents find out.

Reads discovery, the keys, and two refusals: one of the token endpoint (is our secret known?), one of the
authorization endpoint (is our return address known?). Signs nobody in.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from mozilla_django_oidc.utils import generate_code_challenge

from participation.identity.backends import KEY_TYPES
from participation.identity.providers import Provider

DISCOVERED = {
    "authorization": "authorization_endpoint",
    "token": "token_endpoint",
    "userinfo": "userinfo_endpoint",
    "jwks": "jwks_uri",
    "logout": "end_session_endpoint",
}


@dataclass(frozen=True)
class Finding:
    ok: bool
    sentence: str


def check_provider(provider: Provider, *, origin: str) -> Iterator[Finding]:
    """Findings in the order of a sign-in; `origin`: the public origin of the site. Never raises for a bad answer."""
    yield from _check_transport(provider, origin)
    address = f"{provider.issuer}/.well-known/openid-configuration"
    discovery = _json(address, provider)
    if isinstance(discovery, Finding):
        yield discovery
        return
    yield from _check_discovery(provider, discovery)
    yield from _check_keys(provider)
    yield _check_secret(provider, origin)
    yield _check_return_address(provider, origin)


def _check_transport(provider: Provider, origin: str) -> Iterator[Finding]:
    loopback = urlsplit(provider.issuer).hostname in ("127.0.0.1", "localhost", "::1")
    if provider.simulation:
        yield Finding(loopback, "This is the stand-in: a simulation, on this machine only.")
    else:
        secure = provider.issuer.startswith("https://") or loopback
        yield Finding(secure, f"The issuer {provider.issuer} is reached by HTTPS.")
        public = origin.startswith("https://") or loopback
        yield Finding(public, f"Residents reach this site by HTTPS ({origin}): set PUBLIC_ORIGIN.")


def _json(address: str, provider: Provider) -> dict[str, Any] | Finding:
    try:
        answer = requests.get(address, timeout=provider.timeout)
        answer.raise_for_status()
        found = answer.json()
    except ValueError:
        return Finding(False, f"{address} does not answer in JSON: is the issuer right?")
    except requests.RequestException as error:
        return Finding(
            False, f"{address} cannot be read ({type(error).__name__}): check the issuer and the firewall."
        )
    if not isinstance(found, dict):
        return Finding(False, f"{address} answers something else than an object.")
    return found


def _check_discovery(provider: Provider, discovery: dict[str, Any]) -> Iterator[Finding]:
    issuer = discovery.get("issuer")
    yield Finding(
        issuer == provider.issuer,
        f"The issuer is {provider.issuer!r}."
        if issuer == provider.issuer
        else f"The provider calls itself {issuer!r}, our settings call it {provider.issuer!r}: set ISSUER.",
    )
    for name, key in DISCOVERED.items():
        theirs, ours = discovery.get(key), provider.endpoints[name]
        yield Finding(
            theirs == ours,
            f"The {name} address is {ours}."
            if theirs == ours
            else f"The provider's {name} address is {theirs}, ours is {ours}: set ENDPOINTS.",
        )
    wanted = [
        ("id_token_signing_alg_values_supported", {provider.sign_algo}, "signs with", "SIGN_ALGO"),
        ("scopes_supported", set(provider.scopes.split()), "knows the scopes", "SCOPES"),
        ("code_challenge_methods_supported", {"S256"}, "knows the code challenge", "PKCE"),
        ("response_types_supported", {"code"}, "knows the response type", "the provider"),
    ]
    if provider.acr_values:
        wanted.append(
            ("acr_values_supported", set(provider.acr_values.split()), "knows the levels", "ACR_VALUES")
        )
    if provider.userinfo_signed:
        wanted.append(
            (
                "userinfo_signing_alg_values_supported",
                {provider.sign_algo},
                "signs userinfo with",
                "USERINFO_SIGNED",
            )
        )
    method = "client_secret_basic" if provider.basic_auth else "client_secret_post"
    wanted.append(("token_endpoint_auth_methods_supported", {method}, "takes our secret by", "BASIC_AUTH"))
    for key, expected, verb, setting in wanted:
        theirs = discovery.get(key)
        if not isinstance(theirs, list):
            # Absent means the default of the specification, or silence: nothing to compare.
            continue
        missing = sorted(expected - set(theirs))
        yield Finding(
            not missing,
            f"The provider {verb} {', '.join(sorted(expected))}."
            if not missing
            else f"The provider says nothing of {', '.join(missing)} in {key}: check {setting}.",
        )


def _check_keys(provider: Provider) -> Iterator[Finding]:
    found = _json(provider.endpoints["jwks"], provider)
    if isinstance(found, Finding):
        yield found
        return
    keys = [key for key in found.get("keys", []) if isinstance(key, dict)]
    fitting = [
        key
        for key in keys
        if key.get("kty") == KEY_TYPES[provider.sign_algo[:2]]
        and key.get("alg", provider.sign_algo) == provider.sign_algo
    ]
    yield Finding(
        bool(fitting),
        f"The provider shows {len(fitting)} key(s) for {provider.sign_algo}."
        if fitting
        else f"None of the provider's {len(keys)} key(s) is for {provider.sign_algo}: check SIGN_ALGO.",
    )


def _check_secret(provider: Provider, origin: str) -> Finding:
    """A made-up code: « invalid_grant » means that the client was recognised, « invalid_client » that it was not."""
    form = {
        "grant_type": "authorization_code",
        "code": "check-identity-" + secrets.token_urlsafe(16),
        "redirect_uri": f"{origin}/oidc/{provider.name}/callback/",
        "code_verifier": secrets.token_urlsafe(48),
        "client_id": provider.client_id,
    }
    auth = (provider.client_id, provider.client_secret) if provider.basic_auth else None
    if auth is None:
        form["client_secret"] = provider.client_secret
    try:
        answer = requests.post(provider.endpoints["token"], data=form, auth=auth, timeout=provider.timeout)
        error = answer.json().get("error", "")
    except (requests.RequestException, ValueError, AttributeError) as problem:
        return Finding(False, f"The token endpoint does not answer as it should ({type(problem).__name__}).")
    if error == "invalid_grant":
        return Finding(True, "The provider recognises our client and its secret.")
    if error in ("invalid_client", "unauthorized_client"):
        return Finding(
            False, "The provider does not recognise our client: check CLIENT_ID, CLIENT_SECRET, BASIC_AUTH."
        )
    return Finding(False, f"The token endpoint answered {error or answer.status_code!r} to a made-up code.")


def _check_return_address(provider: Provider, origin: str) -> Finding:
    """The authorization request that a resident's browser would make, without a resident."""
    back = f"{origin}/oidc/{provider.name}/callback/"
    verifier = secrets.token_urlsafe(48)
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "scope": provider.scopes,
        "state": secrets.token_urlsafe(32),
        "nonce": secrets.token_urlsafe(32),
        "code_challenge": generate_code_challenge(verifier, "S256"),
        "code_challenge_method": "S256",
        **({"acr_values": provider.acr_values} if provider.acr_values else {}),
    }
    try:
        answer = requests.get(
            provider.endpoints["authorization"], params=query, timeout=provider.timeout, allow_redirects=False
        )
    except requests.RequestException as error:
        return Finding(False, f"The authorization endpoint does not answer ({type(error).__name__}).")
    refused = answer.status_code >= 400 or "error=" in answer.headers.get("Location", "")
    if refused:
        return Finding(
            False,
            f"The provider refuses our request ({answer.status_code}): declare the return address {back} "
            f"and the sign-out address {origin}/oidc/{provider.name}/fin/ there, and check SCOPES and ACR_VALUES.",
        )
    return Finding(True, f"The provider knows our return address {back}.")
