"""The vote: one resident's money for one project."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from defis.models import Campaign, Project
from defis.models.references import new_reference
from participation.identity.models import Person, Voter


class OfflineDonor(models.Model):
    """Somebody who gave by cash or cheque at a counter, without an account."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="offline_donors")
    batch = models.ForeignKey(
        "abonde_participation.OfflineBatch", models.PROTECT, null=True, blank=True, related_name="donors"
    )
    name = models.CharField(_("name"), max_length=200, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    is_legal_person = models.BooleanField(_("legal person"), default=False)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("offline donor")
        verbose_name_plural = _("offline donors")

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"


class OfflineBatch(models.Model):
    """A counter's slip: cash and cheques entered by one agent with control totals, confirmed by another."""

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="offline_batches")
    label = models.CharField(_("slip"), max_length=80)
    # What the agent counted by hand, before typing: the typed lines must add up to it.
    control_count = models.PositiveIntegerField(_("number of gifts"))
    control_cents = models.PositiveBigIntegerField(_("total (cents)"))
    received_on = models.DateField(_("received on"))
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("counter slip")
        verbose_name_plural = _("counter slips")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "label"], name="abonde_offline_batch_once"),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=models.F("recorded_by")),
                name="abonde_offline_batch_two_people",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Contribution(models.Model):
    """Money given by one voter to one project, in cents.

    `counted` means: captured before the bell, by the provider's own word.
    """

    class State(models.TextChoices):
        STARTED = "started", _("started")
        COUNTED = "counted", _("counted")
        REFUNDED = "refunded", _("refunded")
        ABANDONED = "abandoned", _("abandoned")
        FAILED = "failed", _("failed")

    # States whose money is given or may still be: what a ceiling counts.
    ENGAGED = (State.STARTED, State.COUNTED)

    reference = models.CharField(max_length=10, unique=True, default=new_reference, editable=False)
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="contributions")
    project = models.ForeignKey(Project, models.PROTECT, related_name="contributions")
    voter = models.ForeignKey(Voter, models.PROTECT, null=True, blank=True, related_name="contributions")
    offline_donor = models.ForeignKey(
        OfflineDonor, models.PROTECT, null=True, blank=True, related_name="contributions"
    )
    # Emptied by an erasure; the voter stays, and so does the ledger.
    person = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="contributions")
    amount_cents = models.PositiveBigIntegerField(_("amount (cents)"))
    # False: counts for its project, attracts no complementary money (spec fundmatch/1, section 2).
    matchable = models.BooleanField(_("attracts complementary money"), default=True)
    public_name = models.CharField(_("name shown to the public"), max_length=80, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.STARTED)
    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rules_version = models.PositiveSmallIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("started on"))
    counted_at = models.DateTimeField(_("counted on"), null=True, blank=True)
    ended_at = models.DateTimeField(_("refunded, abandoned or failed on"), null=True, blank=True)
    end_reason = models.CharField(max_length=32, blank=True)

    class Meta:
        verbose_name = _("contribution")
        verbose_name_plural = _("contributions")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount_cents__gte=1), name="abonde_contribution_is_positive"),
            models.CheckConstraint(
                condition=Q(voter__isnull=False, offline_donor__isnull=True)
                | Q(voter__isnull=True, offline_donor__isnull=False),
                name="abonde_contribution_has_one_giver",
            ),
            models.CheckConstraint(
                condition=Q(offline_donor__isnull=True) | Q(matchable=False),
                name="abonde_contribution_unverified_is_not_matched",
            ),
            models.CheckConstraint(
                condition=~Q(state="counted") | Q(counted_at__isnull=False),
                name="abonde_contribution_counted_when",
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "voter"],
                include=["amount_cents", "matchable"],
                condition=Q(state="counted"),
                name="abonde_contribution_totals",
            ),
            models.Index(
                fields=["voter"],
                include=["amount_cents"],
                condition=Q(state__in=["started", "counted"]),
                name="abonde_contribution_ceiling",
            ),
            models.Index(fields=["campaign", "state"], name="abonde_contribution_by_state"),
        ]

    def __str__(self) -> str:
        return self.reference


class ProjectStatistics(models.Model):
    """What the counted contributions of a project add up to, as of `refreshed_at`; a worker rolls it up.

    `sum_of_roots` is S_p of spec fundmatch/1, in units of 10⁻²⁴ √cent, of matchable money only.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="statistics")
    citizens_cents = models.PositiveBigIntegerField(default=0)
    donors = models.PositiveIntegerField(default=0)
    matchable_cents = models.PositiveBigIntegerField(default=0)
    matchable_donors = models.PositiveIntegerField(default=0)
    sum_of_roots = models.DecimalField(max_digits=60, decimal_places=0, default=0)
    refreshed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("project statistics")
        verbose_name_plural = _("project statistics")

    def __str__(self) -> str:
        return f"{self.project_id}: {self.citizens_cents}"
