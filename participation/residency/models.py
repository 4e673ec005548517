"""Where somebody lives: a fact of its own, with its own expiry. No document is ever kept."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from defis.models import Commune, Territory
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
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("checked by")
    )
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)

    class Meta:
        verbose_name = _("proof of residence")
        verbose_name_plural = _("proofs of residence")
        ordering = ["-checked_at", "-pk"]
        constraints = [
            # One accepted proof at a time for a person and a territory: a newer one revokes the older.
            models.UniqueConstraint(
                fields=["person", "territory"], condition=Q(result="accepted"), name="abonde_one_accepted_proof"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.territory} · {self.get_result_display()}"
