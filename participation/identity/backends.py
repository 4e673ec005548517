"""Strict OpenID Connect on mozilla-django-oidc 5.0.2.

The library runs the code flow (state, nonce, PKCE, keys by kid, no `none`, no HS256 confusion). It does not look at
aud, iss, acr, at_hash or whose userinfo it gets, and finds accounts by e-mail: every method below closes one
of these gaps, and tests/participation/test_oidc_faults.py holds the stock library beside ours.
`_verify_jws` is a private method of the library: its version is pinned and that test guards it.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from participation.identity.problems import NOT_IDENTIFIED, REFUSED, UNAVAILABLE, SignInRefused
from participation.identity.providers import Provider, claim_at

# Seconds that two honest clocks may differ.
LEEWAY = 30
KEYS_LIFE = 3600
# An unknown kid makes us fetch the keys again, but an attacker must not make us hammer the provider.
REFETCH_EVERY = 30
HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}
# What a token must say (OpenID Connect Core 2 and 5.3.2). Keycloak's signed userinfo has no dates; dates that are
# there are checked.
ID_TOKEN_CLAIMS = ("iss", "aud", "exp", "iat", "sub")
USERINFO_CLAIMS = ("iss", "aud", "sub")
KEY_TYPES = {"ES": "EC", "RS": "RSA", "PS": "RSA"}


@dataclass(frozen=True)
class ProvenIdentity:
    """What a provider proved about whoever holds this browser, every check passed."""

    provider: Provider
    subject: str
    claims: Mapping[str, Any]
    id_token: str = field(repr=False)


class StrictOIDCBackend(OIDCAuthenticationBackend):
    """One provider's answers, believed only when everything about them fits.

    Django builds it without a provider, to load the user of a session. Only the callback view, which knows
    which provider answers, redeems a code: `prove()` is outside Django's chain of backends, where the first
    one would redeem another provider's code and where password limits count. All refusals are SignInRefused.
    """

    def __init__(self, provider: Provider | None = None) -> None:
        self._provider = provider
        if provider is not None:
            super().__init__()

    @property
    def provider(self) -> Provider:
        if self._provider is None:
            raise LookupError("This backend has no provider: it only loads users.")
        return self._provider

    def get_settings(self, attr: str, *args: Any) -> Any:
        return self.provider.oidc(attr, *args)

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> None:
        """Nobody: see the class."""
        return None

    def prove(self, request: HttpRequest, *, nonce: str, code_verifier: str) -> ProvenIdentity:
        """Redeem the code of this callback. Raises SignInRefused, requests.RequestException, ValueError."""
        proven = super().authenticate(request, nonce=nonce, code_verifier=code_verifier)
        if proven is None:
            raise SignInRefused(REFUSED, "the callback has no code")
        return proven

    def get_user(self, user_id: int) -> AbstractBaseUser | None:
        user = get_user_model()._default_manager.filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None

    # --- Talking to the provider --------------------------------------------------------------------
    def _fetch(self, url: str, **headers: str) -> requests.Response:
        response = requests.get(
            url, headers=headers, timeout=self.get_settings("OIDC_TIMEOUT"), allow_redirects=False
        )
        if response.status_code != 200:
            problem = UNAVAILABLE if response.status_code >= 500 else REFUSED
            raise SignInRefused(problem, f"{url} answered {response.status_code}")
        return response

    def get_token(self, payload: dict[str, str]) -> dict[str, Any]:
        try:
            answer = super().get_token(payload)
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            problem = UNAVAILABLE if status >= 500 else REFUSED
            raise SignInRefused(problem, f"the token endpoint answered {status}") from error
        if not isinstance(answer, dict) or not all(
            isinstance(answer.get(name), str) and answer[name] for name in ("id_token", "access_token")
        ):
            raise SignInRefused(REFUSED, "the token endpoint gave no id_token or no access_token")
        return answer

    def _keys(self, *, again: bool = False) -> list[dict[str, Any]]:
        url = self.OIDC_OP_JWKS_ENDPOINT
        name = "abonde-jwks-" + hashlib.sha256(url.encode()).hexdigest()
        keys = cache.get(name)
        if keys is None or (again and cache.add(f"{name}-again", 1, REFETCH_EVERY)):
            answer = self._fetch(url).json()
            keys = answer.get("keys") if isinstance(answer, dict) else None
            if not isinstance(keys, list):
                raise SignInRefused(REFUSED, "the provider's keys cannot be read")
            cache.set(name, keys, KEYS_LIFE)
        return keys

    def retrieve_matching_jwk(self, token: str) -> jwt.PyJWK:
        """The provider's key of this kid and algorithm; keys are cached, fetched again once for an unknown kid."""
        algorithm = self.OIDC_RP_SIGN_ALGO
        kid = jwt.get_unverified_header(token).get("kid")
        for again in (False, True):
            fitting = [
                key
                for key in self._keys(again=again)
                if isinstance(key, dict)
                and key.get("kty") == KEY_TYPES[algorithm[:2]]
                and key.get("use", "sig") == "sig"
                and key.get("alg", algorithm) == algorithm
                and (kid is None or key.get("kid") == kid)
            ]
            # Without a kid the choice must leave no doubt (OpenID Connect Core 10.1).
            if len(fitting) == 1 or (fitting and kid is not None):
                return jwt.PyJWK(fitting[0], algorithm=algorithm)
        raise SignInRefused(REFUSED, "no key of the provider fits this token")

    # --- Tokens -------------------------------------------------------------------------------------
    def _verify_jws(
        self, payload: str | bytes, key: Any, required: Sequence[str] = ID_TOKEN_CLAIMS
    ) -> dict[str, Any]:
        """Claims of a token of ours: signature, algorithm, issuer, audience, dates."""
        try:
            return jwt.decode(
                payload,
                key,
                algorithms=[self.OIDC_RP_SIGN_ALGO],
                leeway=LEEWAY,
                audience=self.provider.client_id,
                issuer=self.provider.issuer,
                options={"require": list(required)},
            )
        except jwt.PyJWTError as error:
            raise SignInRefused(REFUSED, f"token refused: {type(error).__name__}: {error}") from error

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Claims of an id_token whose nonce is ours. Raises SignInRefused."""
        claims = self._signed_claims(token)
        nonce = kwargs.get("nonce") or ""
        if not nonce or not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise SignInRefused(REFUSED, "the nonce is not ours")
        return claims

    def _signed_claims(self, token: str, required: Sequence[str] = ID_TOKEN_CLAIMS) -> dict[str, Any]:
        try:
            key = self.retrieve_matching_jwk(token)
        except jwt.PyJWTError as error:
            raise SignInRefused(REFUSED, f"not a token: {type(error).__name__}") from error
        return self._verify_jws(token, key, required)

    def _check_id_token(self, claims: Mapping[str, Any], access_token: str) -> None:
        audience = claims["aud"]
        # OpenID Connect Core 3.1.3.7, points 4 and 5.
        if isinstance(audience, list) and len(audience) > 1 and "azp" not in claims:
            raise SignInRefused(REFUSED, "the id_token is meant for several clients")
        if "azp" in claims and claims["azp"] != self.provider.client_id:
            raise SignInRefused(REFUSED, "the id_token was issued to another client")
        if self.provider.accepted_acr and claims.get("acr") not in self.provider.accepted_acr:
            raise SignInRefused(REFUSED, f"the level of assurance {claims.get('acr')!r} is not accepted")
        # oidc-provider 9 gives no at_hash in the code flow; FranceConnect's samples have one.
        if "at_hash" in claims:
            digest = HASHES[self.OIDC_RP_SIGN_ALGO[-3:]](access_token.encode("ascii", "replace")).digest()
            ours = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
            if not secrets.compare_digest(ours, str(claims["at_hash"]).encode()):
                raise SignInRefused(REFUSED, "the access token does not belong to the id_token")

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Claims about the same person as the id_token, signed when the provider must sign them."""
        response = self._fetch(self.OIDC_OP_USER_ENDPOINT, Authorization=f"Bearer {access_token}")
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type == "application/jwt":
            claims = self._signed_claims(response.text, USERINFO_CLAIMS)
        elif self.provider.userinfo_signed:
            raise SignInRefused(REFUSED, "userinfo is not signed")
        else:
            claims = response.json()
        if not isinstance(claims, dict) or claims.get("sub") != payload["sub"]:
            raise SignInRefused(REFUSED, "userinfo is about somebody else")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> ProvenIdentity:
        """What is proven, account or not: the library's place where both tokens and the payload are known."""
        self._check_id_token(payload, access_token)
        claims = self.get_userinfo(access_token, id_token, payload)
        for path, accepted in self.provider.required_claims.items():
            if str(claim_at(claims, path)) not in accepted:
                raise SignInRefused(NOT_IDENTIFIED, f"the claim {path} is not one of those that identify")
        return ProvenIdentity(self.provider, str(payload["sub"]), claims, id_token)

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Nowhere: the view keeps the id_token for signing out, nobody keeps the access token (60 seconds)."""
