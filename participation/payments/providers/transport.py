"""HTTP for the adapters we write ourselves: bounded in time, and honest about what an error means."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

import requests
from requests.auth import AuthBase

from participation.payments.port import NeedsHuman, ProviderRefused, ProviderUnavailable, UnknownReference

CONNECT_SECONDS, READ_SECONDS = 3.05, 15.0


class Bearer(AuthBase):
    """Explicit, so that a ~/.netrc on the host cannot replace it."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class JsonClient:
    """One connection pool per thread; never follows a redirection, never retries by itself."""

    def __init__(self, base_url: str, *, read_seconds: float = READ_SECONDS) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout = (CONNECT_SECONDS, read_seconds)
        self._local = threading.local()

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        json: Any = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer when it is 2xx or 4xx (the adapter knows the words of its provider).

        Raises ProviderUnavailable on anything that leaves the outcome unknown.
        """
        session = self._session()
        try:
            answer = session.request(
                method,
                self.base_url + path,
                json=json,
                data=form,
                params=query,
                headers=headers,
                auth=Bearer(token) if token else None,
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise ProviderUnavailable("timeout", str(error)) from error
        except requests.RequestException as error:
            raise ProviderUnavailable("no_answer", str(error)) from error
        if answer.status_code == 429:
            raise ProviderUnavailable("rate_limited", retry_after=_seconds(answer.headers.get("Retry-After")))
        if answer.status_code >= 500 or 300 <= answer.status_code < 400 or answer.status_code < 200:
            raise ProviderUnavailable(f"http_{answer.status_code}", answer.text[:500])
        return answer

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None


def read_object(answer: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises ProviderUnavailable: a broken answer proves nothing."""
    try:
        value = answer.json()
    except ValueError as error:
        raise ProviderUnavailable("garbled", answer.text[:200]) from error
    if not isinstance(value, dict):
        raise ProviderUnavailable("garbled", answer.text[:200])
    return value


def refuse(answer: requests.Response, code: str, detail: str) -> NoReturn:
    """What a 4xx means when the provider's own code says nothing more precise."""
    if answer.status_code == 404:
        raise UnknownReference(code or "unknown", detail)
    if answer.status_code in (401, 403):
        raise NeedsHuman(code or "credentials", detail)
    raise ProviderRefused(code or f"http_{answer.status_code}", detail)


def read_time(text: str | None) -> datetime | None:
    """ISO 8601 → aware UTC; None for nothing. Raises ProviderUnavailable when it cannot be read."""
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise ProviderUnavailable("garbled", f"not a date: {text!r}") from error
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def read_cents(value: Any) -> int:
    """A whole number of cents, never a float. Raises ProviderUnavailable."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProviderUnavailable("garbled", f"not cents: {value!r}")
    return value


def read_key(text: Any) -> UUID | None:
    """Our key as the provider gives it back; None when it is not one of ours."""
    try:
        return UUID(str(text)) if text else None
    except ValueError:
        return None


def read_header(headers: Mapping[str, str], name: str) -> str:
    """A header whatever its case, or nothing."""
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), "")
