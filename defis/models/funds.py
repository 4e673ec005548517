from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from defis.models.organisations import ENDOWMENT_REFUSAL, Organisation
from defis.models.territories import Territory


class Fund(models.Model):
    """The complementary money of a trio: a guarantor, a collectivité that certifies, funders."""

    name = models.CharField(_("name"), max_length=160)
    slug = models.SlugField(unique=True)
    territory = models.ForeignKey(
        Territory, models.PROTECT, related_name="funds", verbose_name=_("territory")
    )
    foundation = models.ForeignKey(
        Organisation,
        models.PROTECT,
        related_name="guaranteed_funds",
        verbose_name=_("foundation (guarantor)"),
    )
    authority = models.ForeignKey(
        Organisation,
        models.PROTECT,
        related_name="certified_funds",
        verbose_name=_("authority (certifies residents)"),
    )
    legal_holder = models.ForeignKey(
        Organisation, models.PROTECT, related_name="held_funds", verbose_name=_("who holds the money")
    )
    mandate_reference = models.CharField(_("agreement that allows the holding"), max_length=200, blank=True)
    contact_email = models.EmailField(_("contact"), blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("territorial fund")
        verbose_name_plural = _("territorial funds")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.pk and self.legal_holder_id and self.legal_holder.kind == Organisation.Kind.ENDOWMENT:
            public = Organisation.Kind.AUTHORITY
            if self.campaigns.filter(pots__pledges__funder__kind=public).exists():
                raise ValidationError({"legal_holder": ENDOWMENT_REFUSAL})


class Role(models.TextChoices):
    """What a group may do for one fund; the matrix is in defis/permissions.py."""

    COMMUNICATION = "communication", _("communication team")
    FOUNDATION = "foundation", _("foundation editor")
    FUNDER = "funder", _("funder")
    FINANCE = "finance", _("finance")
    AUDITOR = "auditor", _("auditor")
    COUNTER = "counter", _("counter agent")
    ADMINISTRATOR = "administrator", _("administrator")


class FundRole(models.Model):
    """A Wagtail group's role, for one fund: a commune's team never sees another's money."""

    fund = models.ForeignKey(Fund, models.CASCADE, related_name="roles", verbose_name=_("fund"))
    group = models.ForeignKey(Group, models.CASCADE, related_name="fund_roles", verbose_name=_("group"))
    role = models.CharField(_("role"), max_length=16, choices=Role.choices)
    # A funder's group sees its own pledge, nobody else's.
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("role for a fund")
        verbose_name_plural = _("roles for funds")
        constraints = [
            models.UniqueConstraint(fields=["fund", "group", "role"], name="abonde_fundrole_once"),
        ]

    def __str__(self) -> str:
        return f"{self.group} · {self.get_role_display()} · {self.fund}"
