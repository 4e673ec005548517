"""The provider itself: a WSGI application, its state in memory, one signing key per run."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qsl, urlencode
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from standins.franceconnect.faults import CALLBACK_ERRORS, FAULTS
from standins.franceconnect.pages import choice_page, error_page, page
from standins.franceconnect.people import PEOPLE, PIVOT, SCOPES, civil

PREFIX = "/api/v2"
COOKIE = "abonde_standin_fc"
STANDIN_CLIENT = ("abonde-demonstration", "not-a-secret-of-the-demonstration")
# Seconds, as FranceConnect's own sources have them.
CODE_LIFE, TOKEN_LIFE, INTERACTION_LIFE = 30, 60, 1800
# Longer than any sane read time-out of a service under test.
SLOW = 3.0
type_html, type_json, type_jwt = (
    "text/html; charset=utf-8",
    "application/json",
    "application/jwt; charset=utf-8",
)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Answer:
    body: str = ""
    status: int = 200
    content_type: str = type_html
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Grant:
    """One identification: who, for which request, with which wrong answer."""

    request: dict[str, str]
    who: str
    fault: str
    until: float
    at: int


class FranceConnectStandin:
    """`origins`: where services may live; their callback and logout addresses are derived from them.

    `fault` is the wrong answer of every identification that does not choose its own; `clients`: id -> secret.
    """

    def __init__(
        self,
        origin: str,
        *,
        origins: Iterable[str],
        provider_name: str = "franceconnect",
        clients: dict[str, str] | None = None,
        people: dict[str, dict[str, Any]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = origin + PREFIX
        self.clients = clients or dict([STANDIN_CLIENT])
        self.people = people or PEOPLE
        self.clock = clock
        self.fault = ""
        self.callbacks = [f"{service}/oidc/{provider_name}/callback/" for service in origins]
        self.ends = [f"{service}/oidc/{provider_name}/fin/" for service in origins]
        self.pending: dict[str, tuple[dict[str, str], float]] = {}
        self.codes: dict[str, Grant] = {}
        self.tokens: dict[str, Grant] = {}
        self.sessions: dict[str, str] = {}
        self.rotate()

    def rotate(self) -> None:
        """New signing key; the old one is forgotten, as after a change of HSM."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = "standin:ES256:" + secrets.token_hex(4)

    # --- WSGI -----------------------------------------------------------------------------------------
    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        sent = environ["wsgi.input"].read(length).decode() if length else ""
        asked = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        asked |= dict(parse_qsl(sent, keep_blank_values=True))
        routes: dict[tuple[str, str], Callable[..., Answer]] = {
            ("GET", "/.well-known/openid-configuration"): self.discovery,
            ("GET", "/jwks"): self.jwks,
            ("GET", "/authorize"): self.authorize,
            ("POST", "/authorize"): self.authorize,
            ("POST", "/choose"): self.choose,
            ("POST", "/token"): self.token,
            ("GET", "/userinfo"): self.userinfo,
            ("GET", "/session/end"): self.end_session,
        }
        path = environ["PATH_INFO"]
        route = (
            routes.get((environ["REQUEST_METHOD"], path.removeprefix(PREFIX)))
            if path.startswith(PREFIX)
            else None
        )
        answer = (
            route(asked, environ)
            if route
            else self.home()
            if path == "/"
            else Answer(page("Page inconnue", ""), 404)
        )
        body = answer.body.encode()
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **answer.headers,
        }
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(headers.items()))
        return [body]

    def home(self) -> Answer:
        return Answer(
            page("Simulateur de FranceConnect", "<p>Partez du site : « Se connecter (simulation) ».</p>")
        )

    def _json(self, data: Any, status: int = 200) -> Answer:
        return Answer(json.dumps(data), status, type_json)

    def _redirect(self, url: str, **headers: str) -> Answer:
        return Answer("", 303, headers={"Location": url, **headers})

    # --- Discovery ------------------------------------------------------------------------------------
    def discovery(self, asked: dict[str, str], environ: dict[str, Any]) -> Answer:
        addresses = {
            "authorization_endpoint": "/authorize",
            "token_endpoint": "/token",
            "userinfo_endpoint": "/userinfo",
            "jwks_uri": "/jwks",
            "end_session_endpoint": "/session/end",
        }
        return self._json(
            {
                "issuer": self.issuer,
                **{name: self.issuer + path for name, path in addresses.items()},
                "acr_values_supported": ["eidas1"],
                "scopes_supported": sorted(SCOPES),
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["ES256"],
                "userinfo_signing_alg_values_supported": ["ES256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    def jwks(self, asked: dict[str, str], environ: dict[str, Any]) -> Answer:
        if self.fault == "jwks_500":
            return Answer("", 500)
        if self.fault == "jwks_html":
            return Answer("<p>maintenance</p>")
        numbers = self.key.public_key().public_numbers()
        point = {"x": base64url(numbers.x.to_bytes(32, "big")), "y": base64url(numbers.y.to_bytes(32, "big"))}
        key = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, **point}
        return self._json({"keys": [key]})

    # --- The resident's browser ------------------------------------------------------------------------
    def authorize(self, asked: dict[str, str], environ: dict[str, Any]) -> Answer:
        if asked.get("client_id") not in self.clients:
            return Answer(error_page("Y04EA6EF", "client inconnu"), 400)
        if asked.get("redirect_uri") not in self.callbacks:
            return Answer(error_page("Y04RDURI", "redirect_uri non déclarée"), 400)
        prompt = asked.get("prompt", "login").split()
        valid = {
            "response_type": asked.get("response_type") == "code",
            "scope": "openid" in asked.get("scope", "").split(),
            "acr_values": asked.get("acr_values") == "eidas1",
            "state": bool(asked.get("state")),
            "nonce": len(asked.get("nonce", "")) >= 22,
            # An empty prompt is refused, and so is every silent one.
            "prompt": bool(prompt) and set(prompt) <= {"login", "consent"},
            "code_challenge_method": "code_challenge" not in asked
            or asked.get("code_challenge_method") == "S256",
        }
        if wrong := [name for name, good in valid.items() if not good]:
            return Answer(error_page("Y030007", "paramètres refusés : " + ", ".join(wrong)), 400)
        if set(asked["scope"].split()) - set(SCOPES):
            return self._back(asked, {"error": "invalid_scope"})
        uid = secrets.token_urlsafe(16)
        self.pending[uid] = (asked, self.clock() + INTERACTION_LIFE)
        return Answer(choice_page(f"{PREFIX}/choose", uid, self.people, asked["client_id"]))

    def choose(self, asked: dict[str, str], environ: dict[str, Any]) -> Answer:
        request, until = self.pending.pop(asked.get("uid", ""), ({}, 0.0))
        if until < self.clock():
            return Answer(error_page("Y190001", "session expirée"), 400)
        fault = asked.get("fault") or self.fault
        if "abort" in asked or asked.get("who") not in self.people:
            return self._back(request, {"error": "access_denied", "error_description": "User auth aborted"})
        if fault in CALLBACK_ERRORS:
            return self._back(request, {"error": fault, "error_description": FAULTS[fault]})
        code, session = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        self.sessions[session] = asked["who"]
        self.codes[code] = Grant(request, asked["who"], fault, self.clock() + CODE_LIFE, int(self.clock()))
        said = {"code": "not-this-code" if fault == "code" else code}
        if fault == "state":
            said["state"] = "x" * 43
        if fault == "callback_iss":
            said["iss"] = "https://elsewhere.example"
        return self._back(
            request, said, **{"Set-Cookie": f"{COOKIE}={session}; HttpOnly; SameSite=Lax; Path={PREFIX}"}
        )

    def _back(self, request: dict[str, str], said: dict[str, str], **headers: str) -> Answer:
        query = urlencode({"state": request["state"], "iss": self.issuer, **said})
        return self._redirect(f"{request['redirect_uri']}?{query}", **headers)

    def end_session(self, asked: dict[str, str], environ: dict[str, Any]) -> Answer:
        try:
            # Like oidc-provider: a hint may have expired, it lives 60 seconds.
            hint = jwt.decode(
                asked.get("id_token_hint", ""),
                self.key.public_key(),
                algorithms=["ES256"],
                options={"verify_exp": False, "verify_aud": False},
            )
        except jwt.PyJWTError:
            return Answer(error_page("Y030007", "id_token_hint absent ou inconnu"), 400)
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        self.sessions.pop(cookie.value if cookie else "", None)
        back = asked.get("post_logout_redirect_uri")
        if not back:
            return Answer(page("Vous êtes déconnecté", ""))
        if back not in self.ends or hint["aud"] not in self.clients:
            return Answer(error_page("Y030007", "post_logout_redirect_uri non déclarée"), 400)
        state = f"?{urlencode({'state': asked['state']})}" if "state" in asked else ""
        return self._redirect(back + state, **{"Set-Cookie": f"{COOKIE}=; Max-Age=0; Path={PREFIX}"})

    # --- The service's server ----------------------------------------------------------------------------
    def token(self, asked: dict[str, str], environ: dict[str, Any]) -> Answer:
        secret = self.clients.get(asked.get("client_id", ""))
        if secret is None or not secrets.compare_digest(asked.get("client_secret", ""), secret):
            return self._json({"error": "invalid_client", "error_description": "Y0434A7B"}, 401)
        grant = self.codes.pop(asked.get("code", ""), None)
        if grant is None or not self._redeemable(grant, asked):
            return self._json({"error": "invalid_grant", "error_description": "Y049E20B"}, 400)
        if broken := self._broken_token_endpoint(grant.fault):
            return broken
        access = secrets.token_urlsafe(32)
        grant.until = self.clock() + TOKEN_LIFE
        self.tokens[access] = grant
        return self._json(
            {
                "access_token": access,
                "expires_in": TOKEN_LIFE,
                "id_token": self._id_token(grant, access),
                "scope": grant.request["scope"],
                "token_type": "Bearer",
            }
        )

    def _redeemable(self, grant: Grant, asked: dict[str, str]) -> bool:
        challenge = grant.request.get("code_challenge")
        verifier = base64url(hashlib.sha256(asked.get("code_verifier", "").encode()).digest())
        return (
            asked.get("grant_type") == "authorization_code"
            and grant.until >= self.clock()
            and grant.request["client_id"] == asked["client_id"]
            and grant.request["redirect_uri"] == asked.get("redirect_uri")
            and (challenge is None or secrets.compare_digest(challenge, verifier))
        )

    def _broken_token_endpoint(self, fault: str) -> Answer | None:
        if fault == "token_slow":
            time.sleep(SLOW)
        return {
            "token_500": Answer("", 500),
            "token_html": Answer("<p>maintenance</p>"),
            "token_empty": self._json({"token_type": "Bearer"}),
            "token_list": self._json(["access_token", "id_token"]),
        }.get(fault)

    def subject_of(self, who: str, client_id: str) -> str:
        """Pairwise: 64 hexadecimal digits and « v1 », different at every service."""
        person = civil(self.people[who])
        facts = "".join(str(person[name]) for name in PIVOT)
        return hashlib.sha256(f"{client_id}{facts}standin".encode()).hexdigest() + "v1"

    def _id_token(self, grant: Grant, access: str) -> str:
        client = grant.request["client_id"]
        claims: dict[str, Any] = {
            "sub": self.subject_of(grant.who, client),
            "aud": client,
            "acr": "eidas1",
            "nonce": grant.request["nonce"],
            "auth_time": grant.at,
            "at_hash": base64url(hashlib.sha256(access.encode()).digest()[:16]),
        }
        now = int(self.clock())
        claims |= {
            "aud": {"aud": "another-service"},
            "several_aud": {"aud": [client, "another-service"]},
            "azp": {"azp": "another-service"},
            "iss": {"iss": "https://elsewhere.example"},
            "acr": {"acr": "eidas0"},
            "at_hash": {"at_hash": base64url(b"\0" * 16)},
            "nonce": {"nonce": "x" * 43},
            "expired": {"iat": now - 3660, "exp": now - 3600},
            "future": {"iat": now + 3600, "exp": now + 3660},
            "skew": {"iat": now + 10, "exp": now + 70},
        }.get(grant.fault, {})
        for name in {"no_acr": ["acr"], "no_nonce": ["nonce"]}.get(grant.fault, []):
            del claims[name]
        if grant.fault == "not_a_token":
            return "not-a-token"
        return self._signed(claims, grant.fault, client)

    def _signed(self, claims: dict[str, Any], fault: str, client: str) -> str:
        now = int(self.clock())
        claims = {"iss": self.issuer, "iat": now, "exp": now + TOKEN_LIFE, **claims}
        headers = {"kid": "standin:unknown" if fault == "unknown_kid" else self.kid}
        if fault == "alg_none":
            return jwt.encode(claims, None, algorithm="none", headers=headers)
        if fault == "alg_hs256":
            return jwt.encode(claims, self.clients[client], algorithm="HS256", headers=headers)
        key = ec.generate_private_key(ec.SECP256R1()) if fault == "bad_signature" else self.key
        return jwt.encode(claims, key, algorithm="ES256", headers=headers)

    def userinfo(self, asked: dict[str, str], environ: dict[str, Any]) -> Answer:
        grant = self.tokens.get(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer "))
        if grant is None or grant.until < self.clock():
            return self._json({"error": "invalid_token"}, 401)
        client = grant.request["client_id"]
        granted = {name for scope in grant.request["scope"].split() for name in SCOPES[scope]}
        facts = civil(self.people[grant.who])
        claims: dict[str, Any] = {
            "sub": self.subject_of(grant.who, client),
            "aud": client,
            **{name: value for name, value in facts.items() if name in granted},
        }
        now = int(self.clock())
        claims |= {
            "userinfo_sub": {"sub": "0" * 64 + "v1"},
            "userinfo_aud": {"aud": "another-service"},
            "userinfo_expired": {"iat": now - 3660, "exp": now - 3600},
        }.get(grant.fault, {})
        if grant.fault == "userinfo_500":
            return Answer("", 500)
        if grant.fault == "userinfo_html":
            return Answer("<p>maintenance</p>", content_type=type_json)
        if grant.fault == "userinfo_json":
            return self._json(claims)
        signature = {"userinfo_signature": "bad_signature", "userinfo_none": "alg_none"}.get(grant.fault, "")
        return Answer(self._signed(claims, signature, client), content_type=type_jwt)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: tests and demonstrations have better to read."""


def make(port: int, **options: Any) -> tuple[_Server, FranceConnectStandin]:
    """A server bound to the loopback, not yet serving; port 0 takes a free one."""
    server: _Server = make_server("127.0.0.1", port, None, _Server, _Quiet)  # type: ignore[arg-type]
    standin = FranceConnectStandin(f"http://127.0.0.1:{server.server_port}", **options)
    server.set_app(standin)
    return server, standin


@contextmanager
def serve(port: int = 0, **options: Any) -> Iterator[FranceConnectStandin]:
    """The stand-in in a thread of this process, for tests."""
    server, standin = make(port, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
