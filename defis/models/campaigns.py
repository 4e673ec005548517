from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from defis.clock import DatabaseNow
from defis.models.funds import Fund
from defis.models.organisations import ENDOWMENT_REFUSAL, Organisation
from defis.models.references import new_reference


class Phase(models.TextChoices):
    """Where a campaign stands by the database's clock."""

    DRAFT = "draft", _("draft")
    UPCOMING = "upcoming", _("coming")
    SUBMISSIONS = "submissions", _("projects may be submitted")
    SELECTION = "selection", _("pre-selection")
    OPEN = "open", _("open to contributions")
    CLOSED = "closed", _("closed, sharing being computed")
    PUBLISHED = "published", _("results published")


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def with_phase(self) -> "models.QuerySet[Any]":
        """Annotate `phase` (a Phase value), derived in the query from the database's clock."""
        now = DatabaseNow()
        return self.annotate(
            phase=Case(
                When(announced_at__isnull=True, then=Value(Phase.DRAFT)),
                When(published_at__isnull=False, then=Value(Phase.PUBLISHED)),
                When(closes_at__lte=now, then=Value(Phase.CLOSED)),
                When(opens_at__lte=now, then=Value(Phase.OPEN)),
                When(submissions_close_at__lte=now, then=Value(Phase.SELECTION)),
                When(submissions_open_at__lte=now, then=Value(Phase.SUBMISSIONS)),
                default=Value(Phase.UPCOMING),
                output_field=models.CharField(),
            )
        )


class Campaign(models.Model):
    """One dated edition of a fund, on one or more défis: calendar, rules, limits.

    Money is in integer cents. The phase is derived from the clock in each query, never stored.
    `closes_at` is exclusive: money captured at that very instant is late.
    """

    class ThresholdBase(models.TextChoices):
        TOTAL = "total", _("contributions and complementary money")
        CITIZENS = "citizens", _("contributions only")

    fund = models.ForeignKey(Fund, models.PROTECT, related_name="campaigns", verbose_name=_("fund"))
    defis = models.ManyToManyField(
        "abonde_defis.Defi", related_name="campaigns", verbose_name=_("challenges")
    )
    name = models.CharField(_("name"), max_length=160)
    slug = models.SlugField(unique=True)
    reference = models.CharField(max_length=10, unique=True, default=new_reference, editable=False)

    announced_at = models.DateTimeField(_("announced on"), null=True, blank=True)
    submissions_open_at = models.DateTimeField(_("projects may be submitted from"), null=True, blank=True)
    submissions_close_at = models.DateTimeField(_("projects may be submitted until"), null=True, blank=True)
    selection_published_at = models.DateTimeField(_("pre-selection published on"), null=True, blank=True)
    opens_at = models.DateTimeField(_("contributions open on"))
    closes_at = models.DateTimeField(_("contributions close on"))
    results_at = models.DateTimeField(_("results announced for"), null=True, blank=True)
    # A fact written by the publication's own transaction, not a flag that a schedule flips.
    published_at = models.DateTimeField(null=True, blank=True, editable=False)

    min_contribution_cents = models.PositiveBigIntegerField(_("smallest contribution (cents)"), default=100)
    max_contribution_cents = models.PositiveBigIntegerField(
        _("largest contribution (cents)"), default=100_000
    )
    max_per_person_cents = models.PositiveBigIntegerField(_("ceiling per person (cents)"), default=100_000)
    goal_min_cents = models.PositiveBigIntegerField(_("smallest goal (cents)"), default=500_000)
    goal_max_cents = models.PositiveBigIntegerField(_("largest goal (cents)"), default=2_000_000)
    duration_min_days = models.PositiveSmallIntegerField(_("shortest collection (days)"), default=45)
    duration_max_days = models.PositiveSmallIntegerField(_("longest collection (days)"), default=60)
    # Null: each project keeps what it gets.
    threshold_numerator = models.PositiveSmallIntegerField(
        _("threshold, numerator"), null=True, blank=True, default=3
    )
    threshold_denominator = models.PositiveSmallIntegerField(_("threshold, denominator"), default=4)
    threshold_base = models.CharField(
        _("threshold measured on"), max_length=8, choices=ThresholdBase.choices, default=ThresholdBase.TOTAL
    )
    fee_bps = models.PositiveSmallIntegerField(
        _("fee on success (hundredths of a percent)"), default=0, validators=[MaxValueValidator(3000)]
    )
    minimum_age = models.PositiveSmallIntegerField(
        _("minimum age"), default=18, validators=[MinValueValidator(0), MaxValueValidator(25)]
    )
    residency_methods = ArrayField(
        models.CharField(max_length=16), verbose_name=_("accepted proofs of residence"), default=list
    )
    identity_providers = ArrayField(
        models.CharField(max_length=32), verbose_name=_("accepted ways to sign in"), default=list
    )
    collection_provider = models.CharField(_("payment provider"), max_length=16, default="simulated")
    # Decidim-style: what the fund gives to each verified resident to hand out; only for "allowance".
    allowance_cents = models.PositiveBigIntegerField(
        _("envelope per resident (cents)"), null=True, blank=True
    )

    rules_version = models.PositiveSmallIntegerField(default=1, editable=False)
    rules_frozen_at = models.DateTimeField(null=True, blank=True, editable=False)
    rules_sha256 = models.CharField(max_length=64, blank=True, editable=False)

    # Annotated by CampaignQuerySet.with_phase().
    phase: str

    history = HistoricalRecords(m2m_fields=[defis])
    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-opens_at", "slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(opens_at__lt=F("closes_at")), name="abonde_campaign_opens_then_closes"
            ),
            models.CheckConstraint(
                condition=Q(submissions_open_at__isnull=True)
                | Q(submissions_close_at__isnull=True)
                | Q(submissions_open_at__lt=F("submissions_close_at")),
                name="abonde_campaign_submissions_in_order",
            ),
            models.CheckConstraint(
                condition=Q(submissions_close_at__isnull=True) | Q(submissions_close_at__lte=F("opens_at")),
                name="abonde_campaign_selection_before_opening",
            ),
            models.CheckConstraint(
                condition=Q(min_contribution_cents__gte=1)
                & Q(min_contribution_cents__lte=F("max_contribution_cents"))
                & Q(max_contribution_cents__lte=F("max_per_person_cents")),
                name="abonde_campaign_limits_in_order",
            ),
            models.CheckConstraint(
                condition=Q(goal_min_cents__gte=1) & Q(goal_min_cents__lte=F("goal_max_cents")),
                name="abonde_campaign_goals_in_order",
            ),
            models.CheckConstraint(
                condition=Q(duration_min_days__lte=F("duration_max_days")),
                name="abonde_campaign_durations_in_order",
            ),
            models.CheckConstraint(
                condition=Q(threshold_denominator__gte=1)
                & (Q(threshold_numerator__isnull=True) | Q(threshold_numerator__gte=1)),
                name="abonde_campaign_threshold_is_a_ratio",
            ),
            models.CheckConstraint(
                condition=Q(published_at__isnull=True) | Q(published_at__gte=F("closes_at")),
                name="abonde_campaign_published_after_close",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Pot(models.Model):
    """Match money under one rule; its budget is the sum of its pledges (spec fundmatch/1, section 2)."""

    class Rule(models.TextChoices):
        LINEAR = "linear", _("so many cents per cent given")
        QUADRATIC = "quadratic", _("the number of people counts more than the amounts")
        PROPORTIONAL = "proportional", _("in proportion to the amounts")
        PER_DONOR = "per-donor", _("one person, one voice")
        QUADRATIC_SQUARE = "quadratic-square", _("square of the sum of roots")

    class Mode(models.TextChoices):
        SATURATE = "saturate", _("never more than what the contributions call")
        NORMALISE = "normalise", _("always spend the pot")

    class Order(models.TextChoices):
        PRORATA = "prorata", _("shared in proportion")
        FCFS = "fcfs", _("first come, first served")

    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="pots", verbose_name=_("campaign"))
    slug = models.SlugField(_("identifier"), max_length=64)
    name = models.CharField(_("name"), max_length=160)
    rule = models.CharField(_("rule"), max_length=20, choices=Rule.choices)
    ratio_numerator = models.PositiveIntegerField(_("ratio, numerator"), default=1)
    ratio_denominator = models.PositiveIntegerField(_("ratio, denominator"), default=1)
    order = models.CharField(
        _("when the budget is short"), max_length=8, choices=Order.choices, default=Order.PRORATA
    )
    mode = models.CharField(
        _("when the budget is ample"), max_length=10, choices=Mode.choices, default=Mode.SATURATE
    )
    cap_per_donor_cents = models.PositiveBigIntegerField(_("cap per person (cents)"), null=True, blank=True)
    cap_per_project_cents = models.PositiveBigIntegerField(
        _("cap per project (cents)"), null=True, blank=True
    )
    min_donor_cents = models.PositiveBigIntegerField(_("smallest gift that counts (cents)"), default=0)
    min_donors = models.PositiveIntegerField(_("smallest number of people"), default=0)
    projects = models.ManyToManyField(
        "abonde_defis.Project",
        related_name="restricted_pots",
        blank=True,
        verbose_name=_("only these projects"),
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("pot")
        verbose_name_plural = _("pots")
        ordering = ["campaign", "slug"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "slug"], name="abonde_pot_once_per_campaign"),
            models.CheckConstraint(condition=Q(ratio_denominator__gte=1), name="abonde_pot_ratio_is_a_ratio"),
            models.CheckConstraint(
                condition=Q(rule__in=["linear", "quadratic"]) | Q(mode="normalise"),
                name="abonde_pot_mode_has_a_meaning",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Pledge(models.Model):
    """What one funder promises to one pot, by a signed agreement."""

    pot = models.ForeignKey(Pot, models.PROTECT, related_name="pledges", verbose_name=_("pot"))
    funder = models.ForeignKey(Organisation, models.PROTECT, related_name="pledges", verbose_name=_("funder"))
    amount_cents = models.PositiveBigIntegerField(_("amount (cents)"))
    agreement_reference = models.CharField(_("agreement"), max_length=200, blank=True)
    signed_on = models.DateField(_("signed on"), null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("pledge")
        verbose_name_plural = _("pledges")
        ordering = ["pot", "-amount_cents", "funder"]
        constraints = [
            models.UniqueConstraint(fields=["pot", "funder"], name="abonde_pledge_once_per_funder")
        ]

    def __str__(self) -> str:
        return f"{self.funder} · {self.pot}"

    def clean(self) -> None:
        super().clean()
        if self.pot_id and self.funder_id and self.funder.is_public_body:
            if self.pot.campaign.fund.legal_holder.kind == Organisation.Kind.ENDOWMENT:
                raise ValidationError({"funder": ENDOWMENT_REFUSAL})
