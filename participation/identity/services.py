"""Accounts and voters: who somebody is, and as which voter she counts in a campaign."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import localdate
from django.utils.translation import get_language

from defis.clock import DatabaseNow, database_now
from defis.models import Campaign
from participation.identity.digests import age_on, civil_facts, latest_birth, pivot_digest, voter_digest
from participation.identity.models import FederatedIdentity, Person, Voter, VoterMembership
from participation.identity.problems import CLOSED_ACCOUNT, NOT_ALLOWED, SignInRefused
from participation.identity.providers import Provider, claim_at
from participation.ledger import locks


class NoIdentity(Exception):
    """The person has no identity left (erased): she is nobody's voter."""


def person_for_user(user: Any) -> Person | None:
    """The person behind a signed-in user; None for anonymous visitors and for editors with a password only."""
    if not getattr(user, "is_authenticated", False):
        return None
    return Person.objects.filter(user=user).first()


@transaction.atomic
def sign_in(*, provider: Provider, subject: str, claims: Mapping[str, Any]) -> Person:
    """The account of (issuer, subject), made if new, brought up to date with what the provider says today.

    `claims` must be proven (StrictOIDCBackend.prove). Raises SignInRefused for a closed account, and for an agent
    whom no group of the allow-list expects.
    """
    groups = _groups_granted(provider, claims)
    if not provider.for_residents and not groups:
        raise SignInRefused(NOT_ALLOWED, "no value of the groups claim is on the allow-list")
    identity = _identity(provider, subject) or _new_identity(provider, subject)
    person = identity.person
    user = person.user
    if user is None or not user.is_active or person.erased_at is not None:
        raise SignInRefused(CLOSED_ACCOUNT, "the account is closed")
    now = database_now()
    _refresh_identity(identity, claims, provider, now)
    _refresh_person(person, user, provider, claims, now)
    _synchronise_groups(user, provider, groups)
    return person


def _identity(provider: Provider, subject: str) -> FederatedIdentity | None:
    return (
        FederatedIdentity.objects.select_related("person__user")
        .select_for_update(of=("self",))
        .filter(issuer=provider.issuer, subject=subject)
        .first()
    )


def _new_identity(provider: Provider, subject: str) -> FederatedIdentity:
    try:
        with transaction.atomic():
            # Random: a name made from the e-mail would be shared by couples, one made from the subject would leak it.
            user = get_user_model().objects.create_user(f"{provider.name}-{secrets.token_hex(8)}")
            person = Person.objects.create(user=user, language=(get_language() or "fr")[:2])
            return FederatedIdentity.objects.create(
                person=person, provider=provider.name, issuer=provider.issuer, subject=subject
            )
    except IntegrityError:
        # Two first sign-ins at once: the other one made the account.
        identity = _identity(provider, subject)
        if identity is None:
            raise
        return identity


def _refresh_identity(
    identity: FederatedIdentity, claims: Mapping[str, Any], provider: Provider, now: datetime
) -> None:
    identity.last_login_at = now
    before, identity.pivot_digest = (
        identity.pivot_digest,
        pivot_digest(provider, claims) or identity.pivot_digest,
    )
    identity.save(update_fields=["last_login_at", "pivot_digest"])
    if identity.pivot_digest != before:
        _recount(identity.person)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name) if name else None
    return value.strip() if isinstance(value, str) else ""


def usual_names(provider: Provider, claims: Mapping[str, Any]) -> tuple[str, str]:
    """First name and surname as the person uses them: first first name, nom d'usage before birth name."""
    names = claims.get("given_name_array")
    given = _text(claims, "given_name")
    first = str(names[0]) if isinstance(names, list) and names else (given.split() or [""])[0]
    return first[:150], (_text(claims, provider.usual_name_claim) or _text(claims, "family_name"))[:150]


def _refresh_person(
    person: Person, user: AbstractBaseUser, provider: Provider, claims: Mapping[str, Any], now: datetime
) -> None:
    first, last = usual_names(provider, claims)
    email = _text(claims, "email")[:254]
    if first or last:
        person.display_name = f"{first} {last}".strip()
        user.first_name, user.last_name = first, last  # type: ignore[attr-defined]
    # A contact address as the provider has it today; never a way to find an account.
    person.email = email or person.email
    if not provider.for_residents:
        # Wagtail writes to its editors; a resident's address stays in one place.
        user.email = email or user.email  # type: ignore[attr-defined]
    birth = latest_birth(civil_facts(provider, claims).get("birthdate", ""))
    if birth is not None:
        person.proved_age = _greatest_limit_reached(age_on(birth, localdate(now)), person.proved_age)
        person.proved_age_at = now
    person.last_seen_at = now
    person.save()
    user.save()


def _greatest_limit_reached(age: int, already: int | None) -> int | None:
    """Of the age limits in use, the greatest that `age` reaches: the age itself is not kept."""
    limits = (
        Campaign.objects.filter(published_at__isnull=True).values_list("minimum_age", flat=True).distinct()
    )
    reached = [limit for limit in [*limits, already or 0] if limit <= max(age, already or 0)]
    return max(reached, default=0) or already


def _groups_granted(provider: Provider, claims: Mapping[str, Any]) -> set[str]:
    """Names of the groups that the allow-list gives for the values of the provider's claim."""
    if not provider.groups_claim:
        return set()
    values = claim_at(claims, provider.groups_claim)
    values = values if isinstance(values, list) else [values]
    return {name for value in values if isinstance(value, str) for name in provider.groups.get(value, ())}


def _synchronise_groups(user: AbstractBaseUser, provider: Provider, granted: set[str]) -> None:
    """Give and take the groups that the allow-list names; groups given by hand stay."""
    managed = {name for names in provider.groups.values() for name in names}
    if managed:
        user.groups.remove(*Group.objects.filter(name__in=managed - granted))  # type: ignore[attr-defined]
        user.groups.add(*Group.objects.filter(name__in=granted))  # type: ignore[attr-defined]


# --- Voters ---------------------------------------------------------------------------------------------
@transaction.atomic
def voter_for(*, person: Person, campaign: Campaign) -> Voter:
    """The voter that `person` is in `campaign`, made if new, **locked** until the caller's transaction ends.

    One human is one voter, whatever the account: every digest of hers leads to the same row. When two accounts
    turn out to be one human while the campaign runs, the younger voter leads to the older by `merged_into`
    and keeps what was given as it: ceilings and sharing count both rows as one (`rows_of`). Once the campaign is
    over, what was shared stays as it was shared. Raises NoIdentity for an erased person.
    """
    digests = _voter_digests(person, campaign)
    if not digests:
        raise NoIdentity(person)
    # Before the voter's own lock, like every gift: no two voters become one during a closing.
    locks.share_campaign(campaign.pk)
    known = {voter.digest for voter in Voter.objects.filter(campaign=campaign, digest__in=digests)}
    if missing := sorted(set(digests) - known):
        # A concurrent twin of ours makes the same rows: whoever is second finds them.
        Voter.objects.bulk_create(
            [Voter(campaign=campaign, digest=digest) for digest in missing], ignore_conflicts=True
        )
    voter = _one_of(_lock_roots(campaign, digests), campaign)
    membership, made = VoterMembership.objects.get_or_create(
        campaign=campaign, person=person, defaults={"voter": voter}
    )
    if not made and membership.voter_id != voter.pk:
        membership.voter = voter
        membership.save(update_fields=["voter"])
    return voter


def _recount(person: Person) -> None:
    """Say again who this person is in each running campaign where she is a voter: she has a new digest."""
    campaigns = Campaign.objects.filter(
        pk__in=person.memberships.values("campaign"), closes_at__gt=DatabaseNow()
    )
    for campaign in campaigns.order_by("pk"):
        voter_for(person=person, campaign=campaign)


def rows_of(voter: Voter) -> QuerySet[Voter]:
    """The voter and the rows that lead to it: contributions of one human may hang on any of them."""
    return Voter.objects.filter(Q(pk=voter.pk) | Q(merged_into=voter.pk))


def _voter_digests(person: Person, campaign: Campaign) -> list[str]:
    """Every digest of this human here; pivots first, as they recognise her at any provider."""
    identities = list(person.identities.order_by("pk"))
    pivots = [voter_digest(campaign.reference, "pivot", i.pivot_digest) for i in identities if i.pivot_digest]
    subjects = [voter_digest(campaign.reference, "subject", i.issuer, i.subject) for i in identities]
    return list(dict.fromkeys(pivots + subjects))


def _lock_roots(campaign: Campaign, digests: list[str]) -> list[Voter]:
    """The rows that these digests lead to, locked in one order for everybody, so that nobody waits in a ring."""
    while True:
        rows = Voter.objects.filter(campaign=campaign, digest__in=digests)
        roots = {row.merged_into_id or row.pk for row in rows}
        locked = list(Voter.objects.select_for_update().filter(pk__in=roots).order_by("pk"))
        if all(voter.merged_into_id is None for voter in locked):
            return locked


def _one_of(roots: list[Voter], campaign: Campaign) -> Voter:
    """The oldest; the others lead to it, with what was given as them, while the campaign is not over."""
    kept, *others = roots
    if others and campaign.closes_at <= database_now():
        others = [voter for voter in others if not voter.contributions.exists()]
    for other in others:
        VoterMembership.objects.filter(voter=other).update(voter=kept)
        Voter.objects.filter(merged_into=other).update(merged_into=kept)
        other.merged_into = kept
        other.save(update_fields=["merged_into"])
    return kept


# --- Two accounts, one human ------------------------------------------------------------------------------
class IdentityOfAnother(Exception):
    """The identity just proven opens another account: both may be joined if the person asks for it."""

    def __init__(self, person: Person) -> None:
        super().__init__("the identity belongs to another account")
        self.person = person


@transaction.atomic
def link_identity(
    *, person: Person, provider: Provider, subject: str, claims: Mapping[str, Any]
) -> FederatedIdentity:
    """Add a second way into an account, both proven in the same session.

    Raises IdentityOfAnother when that way already opens another account, and SignInRefused for an agents'
    provider: an editor's account and a resident's stay apart.
    """
    if not provider.for_residents:
        raise SignInRefused(NOT_ALLOWED, "an agents' provider cannot be linked")
    identity = _identity(provider, subject)
    if identity is not None and identity.person_id != person.pk:
        raise IdentityOfAnother(identity.person)
    if identity is None:
        identity = FederatedIdentity(
            person=person, provider=provider.name, issuer=provider.issuer, subject=subject
        )
        identity.save()
    now = database_now()
    _refresh_identity(identity, claims, provider, now)
    # The new way in has a digest of its own, even without a pivot.
    _recount(person)
    if person.user is not None:
        _refresh_person(person, person.user, provider, claims, now)
    return identity


@transaction.atomic
def join_accounts(*, kept: Person, absorbed: Person) -> Person:
    """Make two accounts of one human one account, after both were proven in one session.

    In every campaign that still runs they become one voter. The absorbed account is gone: its ways in open the
    kept one. Raises SignInRefused when the absorbed account has rights in the administration.
    """
    people = {
        p.pk: p
        for p in Person.objects.select_for_update().filter(pk__in=[kept.pk, absorbed.pk]).order_by("pk")
    }
    kept, absorbed = people[kept.pk], people[absorbed.pk]
    user = absorbed.user
    if user is not None and (user.is_superuser or user.groups.exists()):
        raise SignInRefused(NOT_ALLOWED, "an account with rights in the administration is not absorbed")
    absorbed.identities.update(person=kept)
    already = kept.memberships.values("campaign")
    absorbed.memberships.exclude(campaign__in=already).update(person=kept)
    absorbed.contributions.update(person=kept)
    absorbed.messages.update(person=kept)
    covered = kept.residency_proofs.filter(result="accepted").values("territory")
    absorbed.residency_proofs.filter(result="accepted", territory__in=covered).update(
        result="revoked", reason="joined"
    )
    absorbed.residency_proofs.update(person=kept)
    absorbed.letters.filter(used_at__isnull=True, cancelled_at__isnull=True).update(
        cancelled_at=database_now()
    )
    absorbed.letters.update(person=kept)
    kept.proved_age = max(kept.proved_age or 0, absorbed.proved_age or 0) or None
    kept.proved_age_at = kept.proved_age_at or absorbed.proved_age_at
    kept.email = kept.email or absorbed.email
    kept.save()
    _recount(kept)
    absorbed.delete()
    if user is not None:
        close_user(user)
    return kept


def close_user(user: AbstractBaseUser) -> None:
    """Nobody signs in with this account again; its row stays, for what points to it."""
    user.is_active = False
    user.first_name = user.last_name = user.email = ""  # type: ignore[attr-defined]
    user.set_unusable_password()
    user.save()
