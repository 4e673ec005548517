"""Where somebody lives: what proves it, until when, and what that allows.

Nothing here keeps a document: a proof says what was checked, how, by whom, when and until when.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Campaign, Commune, Territory
from participation.identity.models import Person
from participation.identity.providers import Provider, claim_at, configured_providers
from participation.residency.models import ResidencyProof
from participation.residency.statements import CURRENT, STATEMENTS

Method, Result = ResidencyProof.Method, ResidencyProof.Result

# How long each proof holds. Somebody who moves tells us at the next one.
VALIDITY = {
    Method.DECLARATION: timedelta(days=365),
    Method.LETTER: timedelta(days=2 * 365),
    Method.COUNTER: timedelta(days=2 * 365),
    Method.ATTRIBUTE: timedelta(days=365),
    Method.LIST: timedelta(days=365),
}


class ResidenceRefused(Exception):
    """A declaration or a code that proves nothing. `code` for programs, `message` for the resident."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Eligibility:
    """May this person contribute to this campaign? `code` names the first thing that is missing."""

    ok: bool
    code: str
    sentence: str


def methods_of(campaign: Campaign) -> list[str]:
    """Proofs of residence that a campaign accepts; the declaration on honour when its rules name none."""
    return list(campaign.residency_methods) or [Method.DECLARATION]


def providers_of(campaign: Campaign) -> list[str]:
    """Ways to sign in that a campaign accepts; every residents' provider when its rules name none."""
    if campaign.identity_providers:
        return list(campaign.identity_providers)
    return [provider.name for provider in configured_providers() if provider.for_residents]


def current_proof(person: Person, territory: Territory) -> ResidencyProof | None:
    """The proof that holds now for this territory, by the database's clock."""
    proof = (
        ResidencyProof.objects.select_related("commune")
        .filter(person=person, territory=territory, result=Result.ACCEPTED)
        .first()
    )
    if proof is None or (proof.expires_at is not None and proof.expires_at <= database_now()):
        return None
    return proof


def eligibility(*, person: Person, campaign: Campaign) -> Eligibility:
    """Identity, then age, then residence: the first that is missing, in the resident's words."""
    if (
        person.erased_at is not None
        or not person.identities.filter(provider__in=providers_of(campaign)).exists()
    ):
        known = {provider.name: provider.label for provider in configured_providers()}
        labels = " / ".join(known.get(name, name) for name in providers_of(campaign))
        return Eligibility(
            False,
            "provider",
            _("To contribute to this campaign, sign in with %(provider)s.") % {"provider": labels},
        )
    if campaign.minimum_age and (person.proved_age or 0) < campaign.minimum_age:
        return _too_young(person, campaign.minimum_age)
    territory = campaign.fund.territory
    proof = current_proof(person, territory)
    if proof is None:
        return _not_resident(person, territory)
    if proof.method not in methods_of(campaign):
        return Eligibility(
            False,
            "residence_method",
            _("This campaign asks for another proof of residence than the one you gave."),
        )
    return Eligibility(True, "ok", "")


def _too_young(person: Person, minimum_age: int) -> Eligibility:
    if person.proved_age_at is None:
        sentence = _(
            "This campaign is for people aged %(age)s or more. We do not know your age: "
            "sign in another way, or come to a counter."
        )
        return Eligibility(False, "age_unknown", sentence % {"age": minimum_age})
    sentence = _(
        "This campaign is for people aged %(age)s or more. If you have just reached this age, "
        "sign out and sign in again: we will check again."
    )
    return Eligibility(False, "age", sentence % {"age": minimum_age})


def _not_resident(person: Person, territory: Territory) -> Eligibility:
    last = person.residency_proofs.filter(territory=territory).first()
    words = {"territory": territory.name}
    if last is None or last.result == Result.REVOKED:
        sentence = _("We know who you are. We do not know yet where you live.")
        return Eligibility(False, "residence", sentence)
    if last.result == Result.REFUSED:
        sentence = _("Your proof of residence in %(territory)s was refused. You can prove it another way.")
        return Eligibility(False, "residence_refused", sentence % words)
    if last.result == Result.PENDING:
        sentence = _("Your proof of residence in %(territory)s is being checked.")
        return Eligibility(False, "residence_pending", sentence % words)
    sentence = _("Your proof of residence in %(territory)s is too old. Please give a new one.")
    return Eligibility(False, "residence_expired", sentence % words)


# --- Writing a proof -----------------------------------------------------------------------------------
@transaction.atomic
def accept_proof(
    *,
    person: Person,
    territory: Territory,
    method: str,
    commune: Commune | None = None,
    postal_code: str = "",
    checked_by: Any = None,
    statement_version: str = "",
    expires_at: datetime | None = None,
) -> ResidencyProof:
    """One accepted proof at a time: the new one takes the place of the old one, which stays readable."""
    Person.objects.select_for_update().get(pk=person.pk)
    now = database_now()
    ResidencyProof.objects.filter(person=person, territory=territory, result=Result.ACCEPTED).update(
        result=Result.REVOKED, reason="replaced"
    )
    return ResidencyProof.objects.create(
        person=person,
        territory=territory,
        commune=commune,
        postal_code=postal_code,
        method=method,
        result=Result.ACCEPTED,
        checked_at=now,
        checked_by=checked_by,
        statement_version=statement_version,
        expires_at=expires_at or now + VALIDITY[Method(method)],
    )


def check_address(*, territory: Territory, commune: Commune, postal_code: str) -> None:
    """Raises ResidenceRefused unless the commune is in the territory and has this postal code."""
    if not territory.communes.filter(pk=commune.pk).exists():
        raise ResidenceRefused(
            "elsewhere",
            _("%(commune)s is not in %(territory)s. Only its residents can contribute.")
            % {"commune": commune.name, "territory": territory.name},
        )
    if postal_code not in commune.postal_codes:
        raise ResidenceRefused(
            "postal_code",
            _("%(postal_code)s is not a postal code of %(commune)s.")
            % {"postal_code": postal_code, "commune": commune.name},
        )


@transaction.atomic
def declare_residence(
    *,
    person: Person,
    territory: Territory,
    commune: Commune,
    postal_code: str,
    statement_version: str = CURRENT,
) -> ResidencyProof:
    """A declaration on honour, dated, with the version of the text that was signed.

    Raises ResidenceRefused for an address outside the territory, for a text that does not exist, and for
    whoever already made a declaration here that was refused: another proof is needed then.
    """
    check_address(territory=territory, commune=commune, postal_code=postal_code)
    if statement_version not in STATEMENTS:
        raise ResidenceRefused("statement", _("This text has changed. Please read it again and sign it."))
    refused = ResidencyProof.objects.filter(
        person=person, territory=territory, method=Method.DECLARATION, result=Result.REFUSED
    )
    if refused.exists():
        raise ResidenceRefused(
            "declaration_refused",
            _("A declaration of yours was refused. Please prove your residence another way."),
        )
    return accept_proof(
        person=person,
        territory=territory,
        method=Method.DECLARATION,
        commune=commune,
        postal_code=postal_code,
        statement_version=statement_version,
    )


@transaction.atomic
def withdraw_proof(*, proof: ResidencyProof, result: str, reason: str, by: Any) -> ResidencyProof:
    """Refuse (it was false) or revoke (it is no longer true) an accepted proof, with a reason, by somebody."""
    locked = ResidencyProof.objects.select_for_update().get(pk=proof.pk)
    if locked.result not in (Result.ACCEPTED, Result.PENDING):
        raise ResidenceRefused("not_accepted", _("This proof does not hold any more."))
    if result not in (Result.REFUSED, Result.REVOKED) or not reason.strip():
        raise ValueError("A proof is refused or revoked, with a reason.")
    locked.result = result
    locked.reason = reason
    locked.checked_by = by
    locked.checked_at = database_now()
    locked.save(update_fields=["result", "reason", "checked_by", "checked_at"])
    return locked


def prove_from_claims(
    *, person: Person, provider: Provider, claims: Mapping[str, Any]
) -> list[ResidencyProof]:
    """Proofs that a provider gives by itself: a commune (INSEE code) or a postal code checked by the authority.

    A postal code may be shared by several communes: it proves a territory only when all of them are in it.
    """
    if not provider.residence_claim:
        return []
    value = str(claim_at(claims, provider.residence_claim) or "").strip()
    if not value:
        return []
    by_insee = Commune.objects.filter(insee=value).first()
    communes = [by_insee] if by_insee else list(Commune.objects.filter(postal_codes__contains=[value]))
    if not communes:
        return []
    proofs = []
    for territory in Territory.objects.filter(communes__in=communes).distinct():
        held = current_proof(person, territory)
        inside = territory.communes.filter(pk__in=[commune.pk for commune in communes]).count()
        if inside < len(communes) or (held is not None and held.method != Method.ATTRIBUTE):
            continue
        proofs.append(
            accept_proof(
                person=person,
                territory=territory,
                method=Method.ATTRIBUTE,
                commune=communes[0] if len(communes) == 1 else None,
                postal_code="" if by_insee else value,
            )
        )
    return proofs
