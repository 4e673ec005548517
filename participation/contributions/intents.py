"""What somebody was about to give: kept in the session through sign-in, sealed in the form that pays.

The session remembers one intent per project, so that the amount survives FranceConnect and the new session key
that follows. The form of the check page carries its own sealed copy: what is paid is what that page showed,
whatever another tab did meanwhile.
"""

import uuid
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.core import signing

from defis.models import Project

# Signing in changes the session's key and keeps what starts with `abonde_` (identity.views.open_session).
SESSION_KEY = "abonde_contribution"
SALT = "abonde.contribution"
# A check page older than that is shown again before it may pay.
SEAL_SECONDS = 3 * 60 * 60
# Projects that one session remembers.
REMEMBERED = 8


@dataclass(frozen=True)
class Intent:
    """`key` makes the payment happen once, whatever the number of clicks."""

    project: str
    amount_cents: int
    public_name: str
    key: str

    @property
    def idempotency_key(self) -> uuid.UUID:
        return uuid.UUID(self.key)


def new_intent(project: Project, amount_cents: int, public_name: str) -> Intent:
    return Intent(project.reference, amount_cents, public_name, str(uuid.uuid4()))


def remember(session: SessionBase, intent: Intent) -> None:
    """Keep the intent for its project, the oldest projects leaving first."""
    kept: dict[str, Any] = session.get(SESSION_KEY) or {}
    kept.pop(intent.project, None)
    kept[intent.project] = asdict(intent)
    session[SESSION_KEY] = dict(list(kept.items())[-REMEMBERED:])


def recall(session: SessionBase, project: Project) -> Intent | None:
    """The intent for this project, if this session has one."""
    found = (session.get(SESSION_KEY) or {}).get(project.reference)
    return Intent(**found) if found else None


def forget(session: SessionBase, project: Project) -> None:
    """The intent became a contribution, or was given up."""
    kept = session.get(SESSION_KEY) or {}
    if kept.pop(project.reference, None) is not None:
        session[SESSION_KEY] = kept


@dataclass(frozen=True)
class Seal:
    """What a check page showed: to whom, which amount, under which rules."""

    intent: Intent
    person_id: int
    rules_version: int


class StaleSeal(Exception):
    """The form is too old, or not one of ours: show the check page again."""


def seal(intent: Intent, *, person_id: int, rules_version: int) -> str:
    """Text of the form's hidden field."""
    return signing.dumps([asdict(intent), person_id, rules_version], salt=SALT)


def unseal(text: str, project: Project) -> Seal:
    """What the page showed. Raises StaleSeal."""
    try:
        fields, person_id, rules_version = signing.loads(text, salt=SALT, max_age=SEAL_SECONDS)
        intent = Intent(**fields)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise StaleSeal from error
    if intent.project != project.reference:
        raise StaleSeal
    return Seal(intent, person_id, rules_version)
