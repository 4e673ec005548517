from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from defis.models.campaigns import Campaign


class RulesVersion(models.Model):
    """The public rules of a campaign as they were at one moment. Append-only, by trigger.

    Version 1 is the freeze at opening. A later one needs reasons and two different people; without
    its row in the same transaction, triggers refuse any change of a frozen rule.
    """

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="rules_versions", verbose_name=_("campaign")
    )
    version = models.PositiveSmallIntegerField(_("version"))
    rules = models.JSONField(_("rules"))
    sha256 = models.CharField(max_length=64)
    reason = models.TextField(_("reasons, as the public will read them"), blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("asked by")
    )
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("signed by")
    )
    created_at = models.DateTimeField(_("in force from"))
    # Written by a trigger: proof that a change and its version are one transaction.
    transaction_id = models.BigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("version of the rules")
        verbose_name_plural = _("versions of the rules")
        ordering = ["campaign", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "version"], name="abonde_rulesversion_once"),
            models.CheckConstraint(
                condition=Q(version=1)
                | (
                    ~Q(reason="")
                    & Q(requested_by__isnull=False)
                    & Q(signed_by__isnull=False)
                    & ~Q(requested_by=F("signed_by"))
                ),
                name="abonde_rulesversion_two_people_and_reasons",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} · v{self.version}"


class RuleChange(models.Model):
    """A change of frozen rules that one person asks and another must sign."""

    class State(models.TextChoices):
        ASKED = "asked", _("waits for a second signature")
        APPLIED = "applied", _("applied")
        REFUSED = "refused", _("refused")

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="rule_changes", verbose_name=_("campaign")
    )
    # {"campaign": {field: value}, "pots": {slug: {field: value}}, "pledges": {slug: {funder pk: cents}}}
    changes = models.JSONField(_("changes"))
    reason = models.TextField(_("reasons, as the public will read them"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.ASKED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked by")
    )
    requested_at = models.DateTimeField(_("asked on"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("signed by")
    )
    decided_at = models.DateTimeField(_("signed on"), null=True)
    version = models.OneToOneField(RulesVersion, models.PROTECT, null=True, related_name="change")

    class Meta:
        verbose_name = _("change of the rules")
        verbose_name_plural = _("changes of the rules")
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="abonde_rulechange_has_reasons"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")) | Q(state="refused"),
                name="abonde_rulechange_two_people",
            ),
            models.UniqueConstraint(
                fields=["campaign"], condition=Q(state="asked"), name="abonde_rulechange_one_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} · {self.get_state_display()}"
