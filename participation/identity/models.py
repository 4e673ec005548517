"""Who somebody is. Where she lives is another fact (residency); what she gave, a third (contributions)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from defis.models import Campaign


class Person(models.Model):
    """A human with an account. Nothing but a FederatedIdentity identifies her."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="person", verbose_name=_("account")
    )
    display_name = models.CharField(_("name"), max_length=200, blank=True)
    # A contact address, declared at the identity provider, never an identifier: couples share one.
    email = models.EmailField(_("contact e-mail"), blank=True)
    language = models.CharField(max_length=5, default="fr")
    # The greatest age limit that the person was proven to reach, and when; the birth date is not kept.
    proved_age = models.PositiveSmallIntegerField(_("proved to be at least"), null=True, blank=True)
    proved_age_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return self.display_name or str(self.public_id)


class FederatedIdentity(models.Model):
    """What an identity provider calls a person: the only way into an account."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="identities")
    provider = models.CharField(_("provider"), max_length=32)
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    # Keyed hash of the identité pivot, when this provider gives all of it: two accounts of one human meet here.
    pivot_digest = models.CharField(max_length=64, blank=True, db_index=True)
    linked_at = models.DateTimeField(auto_now_add=True)
    last_login_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("sign-in identity")
        verbose_name_plural = _("sign-in identities")
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="abonde_identity_once")]

    def __str__(self) -> str:
        return f"{self.provider} · {self.person}"


class Voter(models.Model):
    """One human in one campaign: the row whose lock guards the per-person ceiling, and the donor of the sharing.

    `digest` is a keyed hash, per campaign, of the identité pivot when a provider gives it, else of
    (issuer, subject). It survives the erasure of the account, so that a limit cannot be reset.
    Every other digest of the same human is a row of its own that leads here by `merged_into`, one step only.
    What she gives hangs on the row where it is empty; what she had given through an account linked later
    stays on its own row, and counts with this one (services.rows_of).
    """

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="voters")
    digest = models.CharField(max_length=64)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("voter")
        verbose_name_plural = _("voters")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "digest"], name="abonde_voter_once_per_campaign"),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("pk")),
                name="abonde_voter_not_its_own_alias",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} · {self.pk}"


class VoterMembership(models.Model):
    """Which account votes as which voter: two accounts of one human share one voter."""

    voter = models.ForeignKey(Voter, models.PROTECT, related_name="memberships")
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "person"], name="abonde_membership_once_per_campaign")
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.voter}"


class AttemptCount(models.Model):
    """How often somebody (a keyed hash of an address or an account) tried something in a window of time."""

    key = models.CharField(max_length=64)
    window = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "window"], name="abonde_attempt_once_per_window")
        ]
        indexes = [models.Index(fields=["window"], name="abonde_attempt_by_window")]

    def __str__(self) -> str:
        return f"{self.key[:8]} · {self.window}: {self.count}"
