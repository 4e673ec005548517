from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from defis.models.campaigns import Campaign
from defis.models.references import new_reference
from defis.models.territories import Commune


class Defi(models.Model):
    """A challenge that a territory wants answered; its pages (one per language) tell it."""

    name = models.CharField(_("name"), max_length=160)
    slug = models.SlugField(unique=True)
    # One sentence each; the jury marks a project on every one of them.
    criteria = ArrayField(
        models.CharField(max_length=160), verbose_name=_("criteria of the jury"), default=list, blank=True
    )

    class Meta:
        verbose_name = _("challenge")
        verbose_name_plural = _("challenges")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Holder(models.Model):
    """The legal person or group that carries a project (porteur)."""

    class LegalForm(models.TextChoices):
        ASSOCIATION = "association", _("association")
        COMMUNE = "commune", _("commune or public body")
        COMPANY = "company", _("company of the social economy")
        GROUP = "group", _("group of residents")

    name = models.CharField(_("name"), max_length=160)
    legal_form = models.CharField(_("legal form"), max_length=16, choices=LegalForm.choices)
    siret = models.CharField("SIRET", max_length=14, blank=True)
    rna = models.CharField("RNA", max_length=10, blank=True)
    email = models.EmailField(_("e-mail"))
    phone = models.CharField(_("telephone"), max_length=20, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="holders",
        verbose_name=_("account"),
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("holder")
        verbose_name_plural = _("holders")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Project(models.Model):
    """What is funded. Exists once, whatever the number of languages its pages speak."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("being written")
        SUBMITTED = "submitted", _("submitted")
        CORRECTION = "correction", _("correction asked")
        PRESELECTED = "preselected", _("pre-selected")
        NOT_SELECTED = "not_selected", _("not selected")
        WITHDRAWN = "withdrawn", _("withdrawn by its holder")
        CANCELLED = "cancelled", _("cancelled")
        FUNDED = "funded", _("funded")
        NOT_FUNDED = "not_funded", _("threshold not reached, refunded")

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="projects", verbose_name=_("campaign")
    )
    defi = models.ForeignKey(Defi, models.PROTECT, related_name="projects", verbose_name=_("challenge"))
    holder = models.ForeignKey(Holder, models.PROTECT, related_name="projects", verbose_name=_("holder"))
    reference = models.CharField(max_length=10, unique=True, default=new_reference, editable=False)
    # Identifier in an imported election, so that an import can be repeated.
    external_id = models.CharField(max_length=256, blank=True, editable=False)
    title = models.CharField(_("title"), max_length=120)
    slug = models.SlugField(max_length=140, unique=True)
    summary = models.CharField(_("in one sentence"), max_length=280)
    goal_cents = models.PositiveBigIntegerField(_("goal (cents)"))
    commune = models.ForeignKey(
        Commune, models.PROTECT, null=True, blank=True, related_name="projects", verbose_name=_("commune")
    )
    # Null: the campaign's own dates.
    opens_at = models.DateTimeField(_("collection opens on"), null=True, blank=True)
    closes_at = models.DateTimeField(_("collection closes on"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.DRAFT)
    stops_at_goal = models.BooleanField(_("collection stops when the goal is reached"), default=False)
    # A human's decision, with a reason, before any fiscal receipt (facts/money.md 4.2).
    receipt_eligible = models.BooleanField(_("gives right to a fiscal receipt"), default=False)
    receipt_reason = models.TextField(_("why"), blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True, editable=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        ordering = ["title", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(goal_cents__gte=1), name="abonde_project_has_a_goal"),
            models.CheckConstraint(
                condition=Q(opens_at__isnull=True)
                | Q(closes_at__isnull=True)
                | Q(opens_at__lt=F("closes_at")),
                name="abonde_project_opens_then_closes",
            ),
            models.UniqueConstraint(
                fields=["campaign", "external_id"],
                condition=~Q(external_id=""),
                name="abonde_project_imported_once",
            ),
        ]
        indexes = [models.Index(fields=["campaign", "status"], name="abonde_project_by_campaign")]

    def __str__(self) -> str:
        return self.title

    @property
    def collection_opens_at(self) -> datetime:
        """When contributions to this project open: its own date, or its campaign's (UTC)."""
        return self.opens_at or self.campaign.opens_at

    @property
    def collection_closes_at(self) -> datetime:
        """When they close, exclusive: its own date, or its campaign's (UTC)."""
        return self.closes_at or self.campaign.closes_at


class ProjectBudgetLine(models.Model):
    """What the money is for, line by line."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="budget_lines")
    label = models.CharField(_("expense"), max_length=160)
    amount_cents = models.PositiveBigIntegerField(_("amount (cents)"))
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.label


class Decision(models.Model):
    """A human yes or no about a project, with its reasons. Never changed: a new one follows."""

    class Kind(models.TextChoices):
        PRESELECTION = "preselection", _("pre-selection")
        CANCELLATION = "cancellation", _("cancellation")
        RECEIPT = "receipt", _("fiscal receipts")
        OUTCOME = "outcome", _("outcome of the campaign")

    class Outcome(models.TextChoices):
        YES = "yes", _("yes")
        NO = "no", _("no")
        CORRECTION = "correction", _("correction asked")

    project = models.ForeignKey(Project, models.PROTECT, related_name="decisions", verbose_name=_("project"))
    kind = models.CharField(_("about"), max_length=16, choices=Kind.choices)
    outcome = models.CharField(_("outcome"), max_length=12, choices=Outcome.choices)
    reason = models.TextField(_("reasons, as the public will read them"))
    scores = models.JSONField(_("marks"), default=dict, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    decided_at = models.DateTimeField(_("on"))

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-decided_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="abonde_decision_has_reasons"),
            # Exactly one outcome per project (facts/money.md, invariant 6).
            models.UniqueConstraint(
                fields=["project"], condition=Q(kind="outcome"), name="abonde_decision_one_outcome"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.get_kind_display()} · {self.get_outcome_display()}"
