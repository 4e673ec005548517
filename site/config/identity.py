"""Identity providers from the environment; docs/integrate-franceconnect.md explains each variable.

A provider exists when its client does. In simulation, FranceConnect is the stand-in.
"""

import json
from typing import Any
from urllib.parse import urlsplit

import environ

FRANCECONNECT = "https://oidc.franceconnect.gouv.fr/api/v2"
PROCONNECT = "https://auth.agentconnect.gouv.fr/api/v2"
# The stand-in's client: known to all, worth nothing.
STANDIN_CLIENT = ("abonde-demonstration", "not-a-secret-of-the-demonstration")


def _block(env: environ.Env, name: str, issuer: str = "") -> dict[str, Any]:
    """What ABONDE_<NAME>_* says; only what is said overrides the preset."""
    prefix = f"ABONDE_{name.upper()}_"
    block: dict[str, Any] = {}
    for key in (
        "LABEL",
        "AUDIENCE",
        "SIGN_ALGO",
        "SCOPES",
        "ACR_VALUES",
        "RESIDENCE_CLAIM",
        "GROUPS_CLAIM",
        "CLIENT_SECRET",
    ):
        if (value := env(prefix + key, default=None)) is not None:
            block[key] = value
    for key in ("USERINFO_SIGNED", "BASIC_AUTH", "TRUST_PIVOT"):
        if (flag := env.bool(prefix + key, default=None)) is not None:
            block[key] = flag
    if (accepted := env.list(prefix + "ACCEPTED_ACR", default=None)) is not None:
        block["ACCEPTED_ACR"] = accepted
    # Mappings are JSON: {"agents-culture": ["Communication"]}.
    for key in ("GROUPS", "REQUIRED_CLAIMS", "PIVOT_CLAIMS", "SITES"):
        if (text := env(prefix + key, default=None)) is not None:
            block[key] = json.loads(text)
    return {
        **block,
        "ISSUER": env(prefix + "ISSUER", default=issuer),
        "CLIENT_ID": env(prefix + "CLIENT_ID", default=""),
    }


def identity_providers(
    env: environ.Env, *, simulation: bool, standin_issuer: str
) -> dict[str, dict[str, Any]]:
    """ABONDE_IDENTITY_PROVIDERS for this environment."""
    providers = {
        "franceconnect": _block(env, "franceconnect", FRANCECONNECT),
        "keycloak": _block(env, "keycloak"),
        "proconnect": _block(env, "proconnect", PROCONNECT),
    }
    if simulation and not providers["franceconnect"]["CLIENT_ID"]:
        client_id, secret = STANDIN_CLIENT
        providers["franceconnect"] = {
            **providers["franceconnect"],
            "ISSUER": f"{standin_issuer}/api/v2",
            "CLIENT_ID": client_id,
            "CLIENT_SECRET": secret,
            "SIMULATION": True,
        }
    return {name: block for name, block in providers.items() if block["CLIENT_ID"]}


def form_origins(providers: dict[str, dict[str, Any]]) -> list[str]:
    """Where our sign-out form may be led, for the content security policy."""
    issuers = [block["ISSUER"] for block in providers.values()]
    issuers += [
        site["ISSUER"]
        for block in providers.values()
        for site in block.get("SITES", {}).values()
        if "ISSUER" in site
    ]
    parts = [urlsplit(issuer) for issuer in issuers]
    return sorted({f"{part.scheme}://{part.netloc}" for part in parts})
