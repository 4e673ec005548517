"""At a counter: one agent sees the resident and what she shows, another agent confirms. Nothing is copied.

The resident, signed in, gets a number to say at the counter; the agent needs neither her e-mail nor her birth date.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Commune, Fund, Role, Territory
from defis.models.references import new_reference
from defis.permissions import has_role
from participation.identity.models import Person
from participation.residency.models import ResidencyProof
from participation.residency.services import (
    VALIDITY,
    Method,
    ResidenceRefused,
    Result,
    check_address,
)

TICKET_LIFE = timedelta(days=60)
SEES = (Role.COUNTER, Role.ADMINISTRATOR)


@transaction.atomic
def open_ticket(*, person: Person, territory: Territory) -> ResidencyProof:
    """A number to say at the counter; the same one as long as nobody used it."""
    Person.objects.select_for_update().get(pk=person.pk)
    now = database_now()
    waiting = ResidencyProof.objects.filter(
        person=person, territory=territory, method=Method.COUNTER, result=Result.PENDING, expires_at__gt=now
    ).first()
    if waiting is not None:
        return waiting
    return ResidencyProof.objects.create(
        person=person,
        territory=territory,
        method=Method.COUNTER,
        result=Result.PENDING,
        ticket=new_reference(),
        checked_at=now,
        expires_at=now + TICKET_LIFE,
    )


def ticket_numbered(number: str, territories: Any) -> ResidencyProof:
    """The waiting ticket of this number, in the agent's territories. Raises ResidenceRefused."""
    ticket = (
        ResidencyProof.objects.select_related("person", "territory")
        .filter(
            ticket="".join(c for c in number.upper() if c.isalnum()) or None,
            result=Result.PENDING,
            territory__in=territories,
            expires_at__gt=database_now(),
        )
        .first()
    )
    if ticket is None:
        raise ResidenceRefused("no_ticket", _("No resident waits with this number."))
    return ticket


@transaction.atomic
def record_sight(
    *, ticket: ResidencyProof, commune: Commune, postal_code: str, by: Any, age_seen: int | None = None
) -> ResidencyProof:
    """The first agent saw a proof of identity and of address (and, if asked, of age). It still needs a second agent."""
    check_address(territory=ticket.territory, commune=commune, postal_code=postal_code)
    locked = _waiting(ticket)
    if not _may(by, locked.territory, SEES):
        raise ResidenceRefused("role", _("Only an agent of the counter records what was shown."))
    locked.commune, locked.postal_code, locked.age_seen = commune, postal_code, age_seen
    locked.checked_by, locked.checked_at = by, database_now()
    locked.save()
    return locked


@transaction.atomic
def confirm_sight(*, ticket: ResidencyProof, by: Any) -> ResidencyProof:
    """The second agent confirms what the first one recorded: the proof holds from now on."""
    locked = _waiting(ticket)
    if locked.checked_by_id is None:
        raise ResidenceRefused("not_seen", _("Nobody has recorded yet what was shown at the counter."))
    if locked.checked_by_id == by.pk:
        raise ResidenceRefused("same_agent", _("Another agent than the one who recorded it must confirm."))
    if not _may(by, locked.territory, SEES):
        raise ResidenceRefused("role", _("Only an agent of the counter confirms."))
    now = database_now()
    person = Person.objects.select_for_update().get(pk=locked.person_id)
    ResidencyProof.objects.filter(person=person, territory=locked.territory, result=Result.ACCEPTED).update(
        result=Result.REVOKED, reason="replaced"
    )
    locked.result, locked.confirmed_by = Result.ACCEPTED, by
    locked.checked_at, locked.expires_at = now, now + VALIDITY[Method.COUNTER]
    locked.save()
    if locked.age_seen is not None:
        person.proved_age, person.proved_age_at = max(person.proved_age or 0, locked.age_seen), now
        person.save(update_fields=["proved_age", "proved_age_at"])
    return locked


@transaction.atomic
def turn_down(*, ticket: ResidencyProof, by: Any, reason: str) -> ResidencyProof:
    """What was shown proves nothing: refused, with a reason that the resident can read."""
    locked = _waiting(ticket)
    if not reason.strip() or not _may(by, locked.territory, SEES):
        raise ResidenceRefused("reason", _("Write why: the resident will read it."))
    locked.result, locked.reason = Result.REFUSED, reason
    locked.checked_by, locked.checked_at = by, database_now()
    locked.save()
    return locked


def _waiting(ticket: ResidencyProof) -> ResidencyProof:
    locked = (
        ResidencyProof.objects.select_for_update(of=("self",)).select_related("territory").get(pk=ticket.pk)
    )
    if locked.result != Result.PENDING or (locked.expires_at and locked.expires_at <= database_now()):
        raise ResidenceRefused("no_ticket", _("No resident waits with this number."))
    return locked


def _may(user: Any, territory: Territory, roles: tuple[Role, ...]) -> bool:
    return any(has_role(user, fund, *roles) for fund in Fund.objects.filter(territory=territory))
