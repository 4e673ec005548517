"""Where somebody lives: a fact of its own, with its own expiry. No document is ever kept."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from defis.models import Campaign, Commune, Territory
from participation.identity.models import Person


class ResidencyProof(models.Model):
    """What was checked, how, by whom, until when."""

    class Method(models.TextChoices):
        DECLARATION = "declaration", _("declaration on honour")
        LETTER = "letter", _("code received by letter")
        COUNTER = "counter", _("seen at a counter")
        ATTRIBUTE = "attribute", _("attribute of the identity provider")
        LIST = "list", _("list of keyed hashes")

    class Result(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        PENDING = "pending", _("waiting")
        REFUSED = "refused", _("refused")
        REVOKED = "revoked", _("revoked")

    person = models.ForeignKey(Person, models.CASCADE, related_name="residency_proofs")
    territory = models.ForeignKey(Territory, models.PROTECT, related_name="+")
    commune = models.ForeignKey(Commune, models.PROTECT, null=True, blank=True, related_name="+")
    postal_code = models.CharField(max_length=5, blank=True)
    method = models.CharField(_("method"), max_length=16, choices=Method.choices)
    result = models.CharField(_("result"), max_length=10, choices=Result.choices)
    reason = models.TextField(_("reason"), blank=True)
    statement_version = models.CharField(_("version of the signed text"), max_length=32, blank=True)
    checked_at = models.DateTimeField(_("checked on"))
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("checked by"),
    )
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    # At a counter: what the resident says there, what the first agent saw, and the second agent who confirms.
    ticket = models.CharField(_("counter number"), max_length=10, blank=True)
    age_seen = models.PositiveSmallIntegerField(_("seen to be at least"), null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("confirmed by"),
    )

    class Meta:
        verbose_name = _("proof of residence")
        verbose_name_plural = _("proofs of residence")
        ordering = ["-checked_at", "-pk"]
        constraints = [
            # One accepted proof at a time for a person and a territory: a newer one revokes the older.
            models.UniqueConstraint(
                fields=["person", "territory"],
                condition=Q(result="accepted"),
                name="abonde_one_accepted_proof",
            ),
            models.UniqueConstraint(
                fields=["ticket"], condition=~Q(ticket=""), name="abonde_counter_ticket_once"
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True)
                | Q(checked_by__isnull=True)
                | ~Q(confirmed_by=F("checked_by")),
                name="abonde_counter_takes_two_agents",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.territory} · {self.get_result_display()}"


class LetterBatch(models.Model):
    """Letters printed together. Their codes exist in clear on that print-out only."""

    territory = models.ForeignKey(Territory, models.PROTECT, related_name="+", verbose_name=_("territory"))
    printed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    printed_at = models.DateTimeField(_("printed on"))

    class Meta:
        verbose_name = _("batch of letters")
        verbose_name_plural = _("batches of letters")
        ordering = ["-printed_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.territory} · {self.printed_at:%Y-%m-%d}"


class ResidencyLetter(models.Model):
    """A code sent to an address. The address is blanked as soon as the code is used, too old, or refused."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="letters")
    territory = models.ForeignKey(Territory, models.PROTECT, related_name="+")
    commune = models.ForeignKey(Commune, models.PROTECT, related_name="+")
    postal_code = models.CharField(_("postal code"), max_length=5)
    recipient = models.CharField(_("name on the letter box"), max_length=120, blank=True)
    street = models.CharField(_("number and street"), max_length=200, blank=True)
    batch = models.ForeignKey(LetterBatch, models.PROTECT, null=True, blank=True, related_name="letters")
    code_digest = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    requested_at = models.DateTimeField(_("asked on"))
    expires_at = models.DateTimeField(_("code valid until"), null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("letter with a code")
        verbose_name_plural = _("letters with a code")
        ordering = ["requested_at", "pk"]
        constraints = [
            # One letter on its way for a person and a territory.
            models.UniqueConstraint(
                fields=["person", "territory"],
                condition=Q(used_at__isnull=True, cancelled_at__isnull=True),
                name="abonde_one_letter_on_its_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.territory}"


class ResidentList(models.Model):
    """A list of residents supplied by the authority, as keyed hashes only."""

    territory = models.ForeignKey(Territory, models.PROTECT, related_name="+", verbose_name=_("territory"))
    label = models.CharField(_("which list, and the decision that allows it"), max_length=200)
    imported_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    imported_at = models.DateTimeField(_("imported on"))
    expires_at = models.DateTimeField(_("valid until"))

    class Meta:
        verbose_name = _("list of residents")
        verbose_name_plural = _("lists of residents")
        ordering = ["-imported_at", "-pk"]

    def __str__(self) -> str:
        return self.label


class ResidentListEntry(models.Model):
    """One resident of a list: a keyed hash of birth name, first name and birth date."""

    resident_list = models.ForeignKey(ResidentList, models.CASCADE, related_name="entries")
    digest = models.CharField(max_length=64, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resident_list", "digest"], name="abonde_resident_once_per_list")
        ]

    def __str__(self) -> str:
        return self.digest[:8]


class ResidencyAudit(models.Model):
    """A random draw among the declarations of a campaign's contributors; anybody can repeat it from its seed."""

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="residency_audits", verbose_name=_("campaign")
    )
    seed = models.CharField(_("seed"), max_length=64)
    population = models.PositiveIntegerField(_("declarations to draw from"))
    drawn_at = models.DateTimeField(_("drawn on"))
    drawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("drawn by")
    )
    answer_before = models.DateTimeField(_("answer expected before"))

    class Meta:
        verbose_name = _("check of declarations")
        verbose_name_plural = _("checks of declarations")
        ordering = ["-drawn_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.campaign} · {self.drawn_at:%Y-%m-%d}"


class ResidencyAuditCase(models.Model):
    """One drawn declaration: contacted, then confirmed or refused with a reason."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("waiting")
        CONFIRMED = "confirmed", _("confirmed")
        REFUSED = "refused", _("refused")

    audit = models.ForeignKey(ResidencyAudit, models.CASCADE, related_name="cases")
    # Emptied by an erasure: the draw keeps its size.
    proof = models.ForeignKey(ResidencyProof, models.SET_NULL, null=True, related_name="audit_cases")
    contacted_at = models.DateTimeField(_("contacted on"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices, default=Outcome.WAITING)
    reason = models.TextField(_("reason"), blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("declaration checked")
        verbose_name_plural = _("declarations checked")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["audit", "proof"], name="abonde_declaration_drawn_once"),
            models.CheckConstraint(
                condition=~Q(outcome="refused") | ~Q(reason=""), name="abonde_audit_refusal_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.audit} · {self.get_outcome_display()}"
