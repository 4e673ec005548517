from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

# Loi n° 2008-776, article 140: no public money in a fonds de dotation, save by ministerial derogation.
ENDOWMENT_REFUSAL = _(
    "An endowment fund (fonds de dotation) may not receive public money: "
    "the authority pays the holders itself, or another organisation holds the money."
)


class Organisation(models.Model):
    """A legal person of the trio: authority, foundation, funder, holder of the money."""

    class Kind(models.TextChoices):
        AUTHORITY = "authority", _("local authority")
        FOUNDATION = "foundation", _("foundation recognised as being of public utility")
        SHELTERED = "sheltered", _("sheltered foundation")
        ENDOWMENT = "endowment", _("endowment fund (fonds de dotation)")
        ASSOCIATION = "association", _("association")
        COMPANY = "company", _("company")
        BANK = "bank", _("bank or mutual")

    name = models.CharField(_("name"), max_length=160, unique=True)
    kind = models.CharField(_("legal kind"), max_length=16, choices=Kind.choices)
    siret = models.CharField("SIRET", max_length=14, blank=True)
    rna = models.CharField("RNA", max_length=10, blank=True)
    address = models.TextField(_("address"), blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    website = models.URLField(_("web site"), blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_public_body(self) -> bool:
        return self.kind == self.Kind.AUTHORITY
