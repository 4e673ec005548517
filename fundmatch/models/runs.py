"""Records of the sharing. Triggers keep them as they were written (migration 0002)."""

import gzip
import secrets
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from defis.models import Campaign, Organisation, Pot, Project
from fundmatch.engine.canonical import canonical_bytes, load_json


def new_donor_key() -> bytes:
    """Thirty-two random bytes: without them a published pseudonym leads to nobody."""
    return secrets.token_bytes(32)


class MatchRun(models.Model):
    """One calculation on one snapshot. Immutable (trigger): a new look is a new run."""

    class Kind(models.TextChoices):
        REHEARSAL = "rehearsal", _("rehearsal")
        FINAL = "final", _("final")

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="match_runs", verbose_name=_("campaign")
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.FINAL)
    # 1 is the closing itself; each later one says why the calculation was done again.
    number = models.PositiveSmallIntegerField(_("number"), default=1)
    reason = models.TextField(_("why it was calculated again"), blank=True)
    engine = models.CharField(max_length=64)
    # The input of spec fundmatch/1, gzip of its canonical JSON: 10⁶ gifts fit.
    input_gzip = models.BinaryField()
    input_sha256 = models.CharField(max_length=64)
    # Which contribution each row of the input is, same order: what a receipt opens.
    references_gzip = models.BinaryField(default=bytes)
    # Makes the pseudonyms and the receipts of this round. Never published; later runs of the round keep it.
    donor_key = models.BinaryField(default=new_donor_key)
    result = models.JSONField()
    result_sha256 = models.CharField(max_length=64)
    # Digests that the public will see: of the form in which the gifts may be published, under pseudonyms.
    public = models.JSONField(default=dict)
    rules_sha256 = models.CharField(max_length=64)
    # The same input without its gifts: projects, pots and threshold, read without unpacking a million rows.
    parameters = models.JSONField(default=dict)
    # Ledger figures at the snapshot, to prove that what was shared is what was held.
    figures = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("computed on"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("calculation")
        verbose_name_plural = _("calculations")
        ordering = ["-created_at", "-pk"]
        constraints = [
            # Two workers that ring the same bell cannot both write its run.
            models.UniqueConstraint(fields=["campaign", "kind", "number"], name="abonde_run_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="abonde_run_is_numbered"),
            models.CheckConstraint(
                condition=Q(kind="rehearsal") | Q(number=1) | ~Q(reason=""),
                name="abonde_run_again_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} · {self.number}"

    @property
    def is_final(self) -> bool:
        return self.kind == self.Kind.FINAL

    def read_input(self) -> dict[str, Any]:
        """Return the input of spec fundmatch/1, section 2, as it was stored."""
        return load_json(gzip.decompress(bytes(self.input_gzip)))

    def read_references(self) -> list[str]:
        """Return the reference of the contribution behind each row of the input."""
        return gzip.decompress(bytes(self.references_gzip)).decode().split()

    @staticmethod
    def pack_input(value: dict[str, Any]) -> bytes:
        """Return what `input_gzip` holds; the same input gives the same bytes."""
        return gzip.compress(canonical_bytes(value), compresslevel=6, mtime=0)

    @staticmethod
    def pack_references(references: Iterable[str]) -> bytes:
        """Return what `references_gzip` holds."""
        return gzip.compress("\n".join(references).encode(), compresslevel=6, mtime=0)


class Override(models.Model):
    """A human's correction of one share, with the reason that the public will read.

    May change until somebody signs the run; afterwards a trigger refuses.
    """

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
        constraints = [
            models.UniqueConstraint(fields=["run", "project", "pot"], name="abonde_override_once"),
            models.CheckConstraint(condition=~Q(reason=""), name="abonde_override_has_a_reason"),
        ]

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

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="publications", verbose_name=_("campaign")
    )
    version = models.PositiveSmallIntegerField(_("version"))
    run = models.OneToOneField(MatchRun, models.PROTECT, related_name="publication")
    reason = models.TextField(_("why this version"), blank=True)
    dossier = models.CharField(max_length=200, help_text="Name in the private storage.")
    dossier_sha256 = models.CharField(max_length=64)
    # Of the input and the result that the dossier holds (sums per project where gifts would expose people).
    input_sha256 = models.CharField(max_length=64)
    result_sha256 = models.CharField(max_length=64)
    merkle_root = models.CharField(max_length=64, blank=True)
    # {project reference: {funded, citizens_cents, donors, match_cents, total_cents}}, corrections included:
    # what pages read, without the weight of a result that lists refunds one by one.
    outcomes = models.JSONField(default=dict)
    # {project reference: [facts of engine.explain]}: why each receives what it receives.
    facts = models.JSONField(default=dict)
    # Whether the dossier lists gifts under pseudonyms (else sums per project).
    lists_gifts = models.BooleanField(default=True)
    # Givers and cents per commune (INSEE code), small cells already masked.
    by_commune = models.JSONField(default=dict)
    published_at = models.DateTimeField(_("published on"))
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("publication")
        verbose_name_plural = _("publications")
        ordering = ["campaign", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "version"], name="abonde_publication_version_once"),
            models.CheckConstraint(
                condition=Q(version=1) | ~Q(reason=""), name="abonde_publication_again_has_a_reason"
            ),
        ]

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
            ),
            models.CheckConstraint(condition=Q(amount_cents__gte=1), name="abonde_allocation_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.amount_cents}"
