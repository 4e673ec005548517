from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _


class Commune(models.Model):
    """A commune as INSEE knows it. Source of the shipped list: Etalab, Licence Ouverte 2.0."""

    insee = models.CharField(_("INSEE code"), max_length=5, unique=True)
    name = models.CharField(_("name"), max_length=120)
    # The embedded PostgreSQL has no unaccent: search and French order use this column.
    sort_name = models.CharField(max_length=120, db_index=True, editable=False)
    department = models.CharField(_("département"), max_length=3, db_index=True)
    postal_codes = ArrayField(models.CharField(max_length=5), verbose_name=_("postal codes"), default=list)
    population = models.PositiveIntegerField(_("population"), null=True, blank=True)
    epci_code = models.CharField(_("EPCI code"), max_length=9, blank=True)
    epci_name = models.CharField(_("EPCI"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("commune")
        verbose_name_plural = _("communes")
        ordering = ["sort_name", "insee"]
        indexes = [GinIndex(fields=["postal_codes"], name="abonde_commune_postal")]

    def __str__(self) -> str:
        return self.name


class Territory(models.Model):
    """Where one must live to be counted."""

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(unique=True)
    communes = models.ManyToManyField(Commune, related_name="territories", verbose_name=_("communes"))

    class Meta:
        verbose_name = _("territory")
        verbose_name_plural = _("territories")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
