"""Reads about receipts: the proof of a contribution, and the yearly totals of art. 222 bis CGI."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils.translation import gettext as _

from defis.models import Organisation
from participation.contributions.models import Contribution
from participation.contributions.selectors import payment_of
from participation.payments.models import Payment, Refund
from participation.receipts.models import FiscalReceipt


@dataclass(frozen=True)
class ContributionReceipt:
    """What a contributor gets at once: a proof of payment, not a fiscal receipt. Amounts in cents, times in UTC."""

    reference: str
    project: str
    amount_cents: int
    paid_at: datetime | None
    state: str
    held_by: Organisation
    provider: str
    provider_reference: str
    refunded_cents: int
    fiscal_receipts: list[FiscalReceipt]


def contribution_receipt(contribution: Contribution) -> ContributionReceipt:
    """Everything the receipt page shows. Before the capture, `paid_at` is None and nothing is proven."""
    payment = payment_of(contribution)
    returned = payment.refunds.filter(state=Refund.State.DONE).aggregate(c=Sum("amount_cents"))["c"] or 0
    return ContributionReceipt(
        reference=contribution.reference,
        project=contribution.project.title,
        amount_cents=payment.captured_cents or contribution.amount_cents,
        paid_at=payment.paid_at,
        state=contribution.state,
        held_by=contribution.campaign.fund.legal_holder,
        provider=payment.provider,
        provider_reference=payment.provider_payment or payment.provider_reference,
        refunded_cents=returned,
        fiscal_receipts=list(
            FiscalReceipt.objects.filter(payment=payment, cancellation__isnull=True).order_by("pk")
        ),
    )


def yearly_totals(issuer: Organisation) -> list[dict[str, Any]]:
    """Per year of gift: number and cents of valid receipts, number cancelled (the yearly return asks the first two)."""
    totals = (
        FiscalReceipt.objects.filter(issuer=issuer)
        .order_by("year")
        .values("year")
        .annotate(
            receipts=Count("pk", filter=Q(cancellation__isnull=True)),
            cents=Sum("amount_cents", filter=Q(cancellation__isnull=True), default=0),
            cancelled=Count("pk", filter=Q(cancellation__isnull=False)),
        )
    )
    return [dict(total) for total in totals]


def receipt_rows(issuer: Organisation, year: int) -> Iterator[list]:
    """Header, then one row per receipt of a year, cancelled ones included; amounts in euros."""
    yield [
        _("Number"),
        _("Date of the gift"),
        _("Donor"),
        _("Form"),
        _("Amount"),
        _("Cancelled on"),
        _("Reason"),
    ]
    receipts = FiscalReceipt.objects.filter(issuer=issuer, year=year).order_by("number")
    for receipt in receipts.select_related("cancellation"):
        cancellation = getattr(receipt, "cancellation", None)
        yield [
            receipt.label,
            receipt.given_on.isoformat(),
            receipt.donor_name,
            receipt.form,
            receipt.amount_cents / 100,
            cancellation.cancelled_at.date().isoformat() if cancellation else "",
            cancellation.reason if cancellation else "",
        ]


def eligible_payments(issuer: Organisation):
    """Payments that may have a receipt and have none: acquired, credited, project funded and declared eligible."""
    return (
        Payment.objects.filter(
            state=Payment.State.PAID,
            credited_on__isnull=False,
            contribution__state=Contribution.State.COUNTED,
            contribution__project__status="funded",
            contribution__project__receipt_eligible=True,
            contribution__campaign__fund__legal_holder=issuer,
        )
        .exclude(provider="allowance")
        .exclude(fiscal_receipts__cancellation__isnull=True, fiscal_receipts__isnull=False)
        .select_related("contribution__project", "contribution__person", "contribution__offline_donor")
        .order_by("credited_on", "pk")
    )
