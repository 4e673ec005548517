"""Fiscal receipts: numbered without gaps per issuer and year, never changed, cancelled by a linked record.

Items of Cerfa 11580*05 (people: art. 200, 978 CGI) and 16216 (companies: art. 238 bis CGI); facts and their sources
are in docs/operate.md. Amounts in cents. What is printed is kept here: an erased person's copy stays six years.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from defis.models import Organisation
from participation.payments.models import Payment


class FiscalReceipt(models.Model):
    """One receipt for one payment that is definitively acquired."""

    class Form(models.TextChoices):
        PERSON = "11580*05", _("person (Cerfa 11580*05)")
        COMPANY = "16216*01", _("company (Cerfa 16216)")

    issuer = models.ForeignKey(
        Organisation, models.PROTECT, related_name="fiscal_receipts", verbose_name=_("issuer")
    )
    year = models.PositiveSmallIntegerField(_("year"))
    number = models.PositiveIntegerField(_("number"))
    form = models.CharField(_("form"), max_length=8, choices=Form.choices, default=Form.PERSON)
    payment = models.ForeignKey(
        Payment, models.PROTECT, related_name="fiscal_receipts", verbose_name=_("payment")
    )
    amount_cents = models.PositiveBigIntegerField(_("amount (cents)"))
    # Day of credit of the recipient's account (BOI-IR-RICI-250-20), not of the card.
    given_on = models.DateField(_("date of the gift"))
    donor_name = models.CharField(_("donor"), max_length=200)
    donor_address = models.TextField(_("address of the donor"))
    donor_siren = models.CharField("SIREN", max_length=9, blank=True)
    # Printed items that may change later elsewhere: kept as they were.
    issuer_lines = models.JSONField(_("issuer as printed"))
    articles = models.CharField(_("articles of the tax code"), max_length=60)
    purpose = models.TextField(_("object of the gift"))
    method = models.CharField(_("way of payment"), max_length=40)
    signed_by = models.CharField(_("signatory"), max_length=200)
    issued_at = models.DateTimeField(_("issued on"))
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("fiscal receipt")
        verbose_name_plural = _("fiscal receipts")
        ordering = ["issuer", "-year", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "year", "number"], name="abonde_receipt_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="abonde_receipt_numbers_from_one"),
            models.CheckConstraint(condition=Q(amount_cents__gte=1), name="abonde_receipt_is_positive"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The order number as printed."""
        return f"{self.year}-{self.number:06d}"


class ReceiptCancellation(models.Model):
    """A receipt that is no longer valid: the number stays, the reason is kept."""

    receipt = models.OneToOneField(FiscalReceipt, models.PROTECT, related_name="cancellation")
    reason = models.TextField(_("reason"))
    cancelled_at = models.DateTimeField(_("cancelled on"))
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("cancellation of a receipt")
        verbose_name_plural = _("cancellations of receipts")
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="abonde_receipt_cancelled_why")]

    def __str__(self) -> str:
        return f"{self.receipt} · {self.reason}"
