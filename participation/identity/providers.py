"""Where people may sign in: one block of settings per provider, presets for the three we know.

A block of `ABONDE_IDENTITY_PROVIDERS` names its preset with KIND (default: the provider's own name) and overrides
whatever differs. `SITES` holds what is proper to one host name: each authority has its own client at
FranceConnect. Endpoints are settings, not discovery, so that no answer from the network can move them;
`manage.py check_identity` compares them with discovery.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from mozilla_django_oidc.utils import import_from_settings

logger = logging.getLogger(__name__)

RESIDENTS, AGENTS = "residents", "agents"
FRANCECONNECT_PATHS = {
    "authorization": "/authorize",
    "token": "/token",
    "userinfo": "/userinfo",
    "jwks": "/jwks",
    "logout": "/session/end",
}
PRESETS: dict[str, dict[str, Any]] = {
    "franceconnect": {
        "LABEL": "FranceConnect",
        "ENDPOINTS": FRANCECONNECT_PATHS,
        "SIGN_ALGO": "ES256",
        "SCOPES": "openid given_name family_name birthdate email",
        "ACR_VALUES": "eidas1",
        "ACCEPTED_ACR": ["eidas1", "eidas2", "eidas3"],
        "USERINFO_SIGNED": True,
        "USUAL_NAME_CLAIM": "preferred_username",
        # Civil identity comes from the national register (RNIPP): good enough for one person, one voter.
        "TRUST_PIVOT": True,
    },
    "keycloak": {
        "LABEL": "Keycloak",
        "ENDPOINTS": {
            "authorization": "/protocol/openid-connect/auth",
            "token": "/protocol/openid-connect/token",
            "userinfo": "/protocol/openid-connect/userinfo",
            "jwks": "/protocol/openid-connect/certs",
            "logout": "/protocol/openid-connect/logout",
        },
        "SIGN_ALGO": "RS256",
        "SCOPES": "openid profile email",
        # preferred_username is the login name at Keycloak: nobody's name.
        "USUAL_NAME_CLAIM": "",
    },
    "proconnect": {
        "LABEL": "ProConnect",
        "AUDIENCE": AGENTS,
        "ENDPOINTS": FRANCECONNECT_PATHS,
        "SIGN_ALGO": "RS256",
        "SCOPES": "openid given_name usual_name email siret",
        "ACR_VALUES": "eidas1",
        "ACCEPTED_ACR": ["eidas1", "eidas2", "eidas3"],
        "USERINFO_SIGNED": True,
        "USUAL_NAME_CLAIM": "usual_name",
    },
}
KNOWN_KEYS = {
    "KIND", "LABEL", "AUDIENCE", "ISSUER", "ENDPOINTS", "CLIENT_ID", "CLIENT_SECRET", "BASIC_AUTH", "SIGN_ALGO", "SCOPES",
    "ACR_VALUES", "ACCEPTED_ACR", "USERINFO_SIGNED", "USUAL_NAME_CLAIM", "TRUST_PIVOT", "PIVOT_CLAIMS", "RESIDENCE_CLAIM",
    "REQUIRED_CLAIMS", "GROUPS_CLAIM", "GROUPS", "SIMULATION", "TIMEOUT", "SITES",
}  # fmt: skip


@dataclass(frozen=True)
class Provider:
    """One provider as one site sees it; `oidc()` speaks mozilla-django-oidc's vocabulary."""

    name: str
    kind: str
    label: str
    audience: str
    issuer: str
    endpoints: Mapping[str, str]
    client_id: str
    client_secret: str = field(repr=False)
    basic_auth: bool = False
    sign_algo: str = "ES256"
    scopes: str = "openid"
    acr_values: str = ""
    accepted_acr: frozenset[str] = frozenset()
    userinfo_signed: bool = False
    usual_name_claim: str = ""
    trust_pivot: bool = False
    # Our name of a civil fact -> the provider's claim.
    pivot_claims: Mapping[str, str] = field(default_factory=dict)
    # Dotted path of a claim that holds an INSEE code or a postal code checked by the authority.
    residence_claim: str = ""
    # Claims without which an account is not "identified", e.g. the level that a brokered FranceConnect gave.
    required_claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups_claim: str = ""
    # Value of that claim -> names of Wagtail groups: the allow-list, the only way to a group.
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    simulation: bool = False
    # Seconds to connect, seconds to read.
    timeout: tuple[float, float] = (3.0, 10.0)

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def for_residents(self) -> bool:
        return self.audience == RESIDENTS

    def oidc(self, attr: str, *default: Any) -> Any:
        """Value of a mozilla-django-oidc setting for this provider; the library's own setting otherwise."""
        ours: dict[str, Any] = {
            "OIDC_OP_AUTHORIZATION_ENDPOINT": self.endpoints["authorization"],
            "OIDC_OP_TOKEN_ENDPOINT": self.endpoints["token"],
            "OIDC_OP_USER_ENDPOINT": self.endpoints["userinfo"],
            "OIDC_OP_JWKS_ENDPOINT": self.endpoints["jwks"],
            "OIDC_RP_CLIENT_ID": self.client_id,
            "OIDC_RP_CLIENT_SECRET": self.client_secret,
            "OIDC_RP_SIGN_ALGO": self.sign_algo,
            "OIDC_RP_SCOPES": self.scopes,
            "OIDC_TOKEN_USE_BASIC_AUTH": self.basic_auth,
            "OIDC_TIMEOUT": self.timeout,
            "OIDC_AUTHENTICATION_CALLBACK_URL": f"abonde_participation_machine:oidc_callback_{self.name}",
            "OIDC_AUTH_REQUEST_EXTRA_PARAMS": {"acr_values": self.acr_values} if self.acr_values else {},
            # FranceConnect refuses a nonce under 22 characters and recommends 32; 43 carry 256 bits.
            "OIDC_STATE_SIZE": 43,
            "OIDC_NONCE_SIZE": 43,
            "OIDC_USE_NONCE": True,
            "OIDC_USE_PKCE": True,
            "OIDC_ALLOW_UNSECURED_JWT": False,
            "OIDC_STORE_ACCESS_TOKEN": False,
        }
        return ours[attr] if attr in ours else import_from_settings(attr, *default)


def _block(name: str, host: str) -> dict[str, Any]:
    own = settings.ABONDE_IDENTITY_PROVIDERS.get(name)
    if own is None:
        raise ImproperlyConfigured(f"ABONDE_IDENTITY_PROVIDERS has no provider called {name!r}.")
    kind = own.get("KIND", name)
    if kind not in PRESETS:
        raise ImproperlyConfigured(
            f"Provider {name!r}: KIND must be one of {', '.join(PRESETS)}, not {kind!r}."
        )
    block = {
        "KIND": kind,
        "AUDIENCE": RESIDENTS,
        **PRESETS[kind],
        **own,
        **own.get("SITES", {}).get(host, {}),
    }
    if unknown := set(block) - KNOWN_KEYS:
        raise ImproperlyConfigured(f"Provider {name!r} has unknown settings: {', '.join(sorted(unknown))}.")
    if missing := [key for key in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET") if not block.get(key)]:
        raise ImproperlyConfigured(f"Provider {name!r} lacks {', '.join(missing)}.")
    if not str(block["SIGN_ALGO"]).startswith(("ES", "RS", "PS")):
        raise ImproperlyConfigured(
            f"Provider {name!r}: SIGN_ALGO must be asymmetric, not {block['SIGN_ALGO']!r}."
        )
    return block


def _tuples(mapping: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {key: (value,) if isinstance(value, str) else tuple(value) for key, value in mapping.items()}


def provider_named(name: str, host: str = "") -> Provider:
    """The provider `name` for the site answering at `host` (no port).

    Raises ImproperlyConfigured, saying which setting is missing or wrong.
    """
    block = _block(name, host)
    issuer = block["ISSUER"].rstrip("/")
    return Provider(
        name=name,
        kind=block["KIND"],
        label=block["LABEL"],
        audience=block["AUDIENCE"],
        issuer=issuer,
        # A path is under the issuer; a full address is taken as it is.
        endpoints={key: path if "://" in path else issuer + path for key, path in block["ENDPOINTS"].items()},
        client_id=block["CLIENT_ID"],
        client_secret=block["CLIENT_SECRET"],
        basic_auth=block.get("BASIC_AUTH", False),
        sign_algo=block["SIGN_ALGO"],
        scopes=block["SCOPES"],
        acr_values=block.get("ACR_VALUES", ""),
        accepted_acr=frozenset(block.get("ACCEPTED_ACR", ())),
        userinfo_signed=block.get("USERINFO_SIGNED", False),
        usual_name_claim=block.get("USUAL_NAME_CLAIM", ""),
        trust_pivot=block.get("TRUST_PIVOT", False),
        pivot_claims=block.get("PIVOT_CLAIMS", {}),
        residence_claim=block.get("RESIDENCE_CLAIM", ""),
        required_claims=_tuples(block.get("REQUIRED_CLAIMS", {})),
        groups_claim=block.get("GROUPS_CLAIM", ""),
        groups=_tuples(block.get("GROUPS", {})),
        simulation=block.get("SIMULATION", False),
        timeout=tuple(block.get("TIMEOUT", (3.0, 10.0))),
    )


def provider_names() -> list[str]:
    """Every provider of the settings, in their order."""
    return list(settings.ABONDE_IDENTITY_PROVIDERS)


def host_of(request: HttpRequest) -> str:
    return request.get_host().partition(":")[0]


def configured_providers(host: str = "") -> list[Provider]:
    """Every provider whose settings are complete, in their order; the others are told to the operator."""
    found = []
    for name in provider_names():
        try:
            found.append(provider_named(name, host))
        except ImproperlyConfigured as error:
            logger.error("identity provider left out: %s", error)
    return found


def providers_for(request: HttpRequest) -> list[Provider]:
    """The providers of the site that answers."""
    return configured_providers(host_of(request))


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """Value at a dotted path (`realm_access.roles`), None when it is not there."""
    value: Any = claims
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return value
