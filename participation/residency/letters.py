"""A code in a letter box: proves an address, keeps no document.

The code exists in clear on the print-out only; we keep a keyed hash. Five wrong codes end a letter: with 31^8
codes, guessing one takes longer than any campaign.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Commune, Territory
from defis.models.references import ALPHABET
from participation.identity.digests import keyed_digest
from participation.identity.models import Person
from participation.residency.models import LetterBatch, ResidencyLetter, ResidencyProof
from participation.residency.services import Method, ResidenceRefused, accept_proof, check_address

CODE_LENGTH = 8
MAX_ATTEMPTS = 5
VALID = timedelta(days=60)
# Each letter costs a stamp.
MAX_LETTERS, LETTERS_PER = 3, timedelta(days=365)


@dataclass(frozen=True)
class PrintedLetter:
    """A letter with its code, for the printer only."""

    letter: ResidencyLetter
    code: str


def spoken(code: str) -> str:
    """« ABCD-EFGH », as printed."""
    return f"{code[:4]}-{code[4:]}"


def _digest(letter: ResidencyLetter, code: str) -> str:
    return keyed_digest("letter/1", str(letter.pk), code)


def open_letter(person: Person, territory: Territory) -> ResidencyLetter | None:
    """The letter on its way, if there is one."""
    return ResidencyLetter.objects.filter(
        person=person, territory=territory, used_at__isnull=True, cancelled_at__isnull=True
    ).first()


@transaction.atomic
def request_letter(
    *, person: Person, territory: Territory, commune: Commune, postal_code: str, recipient: str, street: str
) -> ResidencyLetter:
    """Ask for a letter with a code. Raises ResidenceRefused: outside the territory, one on its way, too many."""
    check_address(territory=territory, commune=commune, postal_code=postal_code)
    Person.objects.select_for_update().get(pk=person.pk)
    if open_letter(person, territory) is not None:
        raise ResidenceRefused("letter_on_its_way", _("A letter is already on its way to you."))
    now = database_now()
    asked = ResidencyLetter.objects.filter(
        person=person, territory=territory, requested_at__gt=now - LETTERS_PER
    )
    if asked.count() >= MAX_LETTERS:
        raise ResidenceRefused(
            "too_many_letters", _("You have asked for too many letters. Please come to a counter.")
        )
    return ResidencyLetter.objects.create(
        person=person,
        territory=territory,
        commune=commune,
        postal_code=postal_code,
        recipient=recipient.strip(),
        street=street.strip(),
        requested_at=now,
    )


@transaction.atomic
def print_batch(*, territory: Territory, by: Any) -> tuple[LetterBatch, list[PrintedLetter]]:
    """Codes for every letter that waits. They are shown once: a lost print-out is printed again with new codes.

    Two agents at once: the second finds nothing left to print (ResidenceRefused `nothing_to_print`).
    """
    letters = list(
        ResidencyLetter.objects.select_for_update(of=("self",))
        .select_related("commune")
        .filter(territory=territory, batch__isnull=True, used_at__isnull=True, cancelled_at__isnull=True)
    )
    if not letters:
        raise ResidenceRefused("nothing_to_print", _("No letter is waiting."))
    now = database_now()
    batch = LetterBatch.objects.create(territory=territory, printed_by=by, printed_at=now)
    return batch, [_give_code(letter, batch) for letter in letters]


@transaction.atomic
def print_again(*, batch: LetterBatch, by: Any) -> list[PrintedLetter]:
    """New codes for the letters of a lost print-out that nobody used; the old codes are dead."""
    letters = ResidencyLetter.objects.select_for_update(of=("self",)).select_related("commune")
    waiting = list(letters.filter(batch=batch, used_at__isnull=True, cancelled_at__isnull=True))
    batch.printed_at, batch.printed_by = database_now(), by
    batch.save(update_fields=["printed_at", "printed_by"])
    return [_give_code(letter, batch) for letter in waiting]


def _give_code(letter: ResidencyLetter, batch: LetterBatch) -> PrintedLetter:
    code = "".join(secrets.choice(ALPHABET) for _position in range(CODE_LENGTH))
    letter.batch = batch
    letter.code_digest = _digest(letter, code)
    letter.attempts = 0
    letter.expires_at = batch.printed_at + VALID
    letter.save(update_fields=["batch", "code_digest", "attempts", "expires_at"])
    return PrintedLetter(letter, spoken(code))


def confirm_letter(*, person: Person, territory: Territory, code: str) -> ResidencyProof:
    """The resident writes the code she received. Raises ResidenceRefused; a wrong code is counted all the same."""
    with transaction.atomic():
        outcome = _try_code(person, territory, code)
    if isinstance(outcome, ResidenceRefused):
        raise outcome
    return outcome


def _try_code(person: Person, territory: Territory, code: str) -> ResidencyProof | ResidenceRefused:
    waiting = open_letter(person, territory)
    letter = ResidencyLetter.objects.select_for_update().get(pk=waiting.pk) if waiting else None
    if letter is None or not letter.code_digest or letter.used_at or letter.cancelled_at:
        return ResidenceRefused("no_letter", _("No letter is on its way to you. You can ask for one."))
    now = database_now()
    if letter.expires_at is None or letter.expires_at <= now:
        _end(letter, cancelled=True)
        return ResidenceRefused("code_expired", _("This code is too old. You can ask for another letter."))
    given = "".join(c for c in code.upper() if c.isalnum())
    if not constant_time_compare(letter.code_digest, _digest(letter, given)):
        letter.attempts += 1
        letter.save(update_fields=["attempts"])
        left = MAX_ATTEMPTS - letter.attempts
        if left <= 0:
            _end(letter, cancelled=True)
            return ResidenceRefused(
                "too_many_codes", _("This letter had too many wrong codes. You can ask for another one.")
            )
        message = _("This is not the code of your letter. You can try %(left)s more times.")
        return ResidenceRefused("wrong_code", message % {"left": left})
    proof = accept_proof(
        person=person,
        territory=territory,
        method=Method.LETTER,
        commune=letter.commune,
        postal_code=letter.postal_code,
    )
    _end(letter, cancelled=False)
    return proof


def _end(letter: ResidencyLetter, *, cancelled: bool) -> None:
    """The address has done its work: it is not kept."""
    now = database_now()
    letter.recipient = letter.street = ""
    letter.code_digest = ""
    if cancelled:
        letter.cancelled_at = now
    else:
        letter.used_at = now
    letter.save(update_fields=["recipient", "street", "code_digest", "cancelled_at", "used_at"])


@transaction.atomic
def cancel_letter(*, letter: ResidencyLetter) -> ResidencyLetter:
    """The resident wrote a wrong address, or does not wait any more."""
    locked = ResidencyLetter.objects.select_for_update().get(pk=letter.pk)
    if locked.used_at is None and locked.cancelled_at is None:
        _end(locked, cancelled=True)
    return locked
