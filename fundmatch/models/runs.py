"""Computed proposals, their signatures, and what was published."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from defis.models import Campaign, Organisation, Pot, Project


class MatchRun(models.Model):
    """One calculation on one snapshot. Immutable (trigger): a new look is a new run."""

    class Kind(models.TextChoices):
        REHEARSAL = "rehearsal", _("rehearsal")
        FINAL = "final", _("final")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="match_runs", verbose_name=_("campaign"))
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.FINAL)
    engine = models.CharField(max_length=64)
    # The input of spec fundmatch/1, gzip of its canonical JSON: 10⁶ gifts fit.
    input_gzip = models.BinaryField()
    input_sha256 = models.CharField(max_length=64)
    result = models.JSONField()
    result_sha256 = models.CharField(max_length=64)
    rules_sha256 = models.CharField(max_length=64)
    # Ledger figures at the snapshot, to prove that what was shared is what was held.
    checks = models.JSONField(default=list)
    created_at = models.DateTimeField(_("computed on"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("calculation")
        verbose_name_plural = _("calculations")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.campaign} · {self.input_sha256[:12]}"


class Override(models.Model):
    """A human's correction of one share, with the reason that the public will read."""

    run = models.ForeignKey(MatchRun, models.PROTECT, related_name="overrides")
    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    pot = models.ForeignKey(Pot, models.PROTECT, related_name="+")
    amount_cents = models.PositiveBigIntegerField(_("share (cents)"))
    reason = models.TextField(_("reason"))
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()

    class Meta:
        verbose_name = _("correction of a share")
        verbose_name_plural = _("corrections of shares")
        constraints = [models.UniqueConstraint(fields=["run", "project", "pot"], name="abonde_override_once")]

    def __str__(self) -> str:
        return f"{self.project} · {self.pot}"


class Signature(models.Model):
    """One side of the trio agrees to publish exactly this run and these corrections."""

    class Side(models.TextChoices):
        AUTHORITY = "authority", _("collectivité")
        FOUNDATION = "foundation", _("foundation")

    run = models.ForeignKey(MatchRun, models.PROTECT, related_name="signatures")
    side = models.CharField(max_length=12, choices=Side.choices)
    signed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    signed_at = models.DateTimeField()
    # Digest of what was on the screen: result and corrections.
    content_sha256 = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("signature")
        verbose_name_plural = _("signatures")
        constraints = [
            models.UniqueConstraint(fields=["run", "side"], name="abonde_one_signature_per_side"),
            models.UniqueConstraint(fields=["run", "signed_by"], name="abonde_one_signature_per_human"),
        ]

    def __str__(self) -> str:
        return f"{self.get_side_display()} · {self.run}"


class Publication(models.Model):
    """Signed results, versioned and immutable; a correction is the next version."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="publications", verbose_name=_("campaign"))
    version = models.PositiveSmallIntegerField(_("version"))
    run = models.OneToOneField(MatchRun, models.PROTECT, related_name="publication")
    reason = models.TextField(_("why this version"), blank=True)
    dossier = models.CharField(max_length=200, help_text="Name in the private storage.")
    dossier_sha256 = models.CharField(max_length=64)
    merkle_root = models.CharField(max_length=64)
    published_at = models.DateTimeField(_("published on"))
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("publication")
        verbose_name_plural = _("publications")
        ordering = ["campaign", "-version"]
        constraints = [models.UniqueConstraint(fields=["campaign", "version"], name="abonde_publication_version_once")]

    def __str__(self) -> str:
        return f"{self.campaign} v{self.version}"


class Allocation(models.Model):
    """What one funder pays to one project by one pot, in a publication (cents)."""

    publication = models.ForeignKey(Publication, models.PROTECT, related_name="allocations")
    project = models.ForeignKey(Project, models.PROTECT, related_name="allocations")
    pot = models.ForeignKey(Pot, models.PROTECT, related_name="+")
    funder = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    amount_cents = models.PositiveBigIntegerField()

    class Meta:
        verbose_name = _("share")
        verbose_name_plural = _("shares")
        constraints = [
            models.UniqueConstraint(
                fields=["publication", "project", "pot", "funder"], name="abonde_allocation_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.amount_cents}"
