"""Issue and cancel fiscal receipts. Nothing is issued at payment: a gift to a project is conditional.

Who may: an issuer whose gifts give right to a reduction, for a project that a human declared eligible with a
reason, after its success, for money definitively acquired. Source of the items: notices of Cerfa 11580*05 and
16216; of the date (day of credit): BOI-IR-RICI-250-20.
"""

import logging
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Organisation, Project
from participation.contributions.models import Contribution
from participation.notifications.services import queue
from participation.payments.models import Payment
from participation.receipts.models import FiscalReceipt, ReceiptCancellation

logger = logging.getLogger("abonde.money")

ARTICLES = {
    FiscalReceipt.Form.PERSON: "200",
    FiscalReceipt.Form.COMPANY: "238 bis",
}
ISSUERS = {
    Organisation.Kind.FOUNDATION,
    Organisation.Kind.SHELTERED,
    Organisation.Kind.ENDOWMENT,
    Organisation.Kind.ASSOCIATION,
}


class ReceiptRefused(Exception):
    """No receipt for this gift; `code` is stable, `message` is for the agent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, kw_only=True)
class DonorIdentity:
    """What the form must say of the giver. No receipt for an anonymous gift."""

    name: str
    address: str
    siren: str = ""


@transaction.atomic
def issue_receipt(*, payment: Payment, donor: DonorIdentity, signed_by: str, user=None) -> FiscalReceipt:
    """Write the next receipt of the issuer's year for one payment.

    The year is that of the day of credit. Raises ReceiptRefused with code "issuer", "eligible", "outcome",
    "payment", "date", "donor" or "signatory"; the database refuses a gap in numbers and a second valid receipt.
    """
    payment = (
        Payment.objects.select_for_update(of=("self",))
        .select_related("contribution__project__campaign__fund__legal_holder", "contribution__offline_donor")
        .get(pk=payment.pk)
    )
    contribution = payment.contribution
    project = contribution.project
    issuer = project.campaign.fund.legal_holder
    _check(payment, project, issuer, donor, signed_by)
    company = bool(donor.siren) or bool(
        contribution.offline_donor and contribution.offline_donor.is_legal_person
    )
    form = FiscalReceipt.Form.COMPANY if company else FiscalReceipt.Form.PERSON
    given_on = payment.credited_on
    assert given_on is not None  # noqa: S101 - checked above, told to the type checker
    receipt = FiscalReceipt.objects.create(
        issuer=issuer,
        year=given_on.year,
        number=_next_number(issuer, given_on.year),
        form=form,
        payment=payment,
        amount_cents=payment.captured_cents or payment.amount_cents,
        given_on=given_on,
        donor_name=donor.name.strip(),
        donor_address=donor.address.strip(),
        donor_siren=donor.siren,
        issuer_lines=[
            issuer.name,
            issuer.address,
            issuer.get_kind_display(),
            f"SIREN {issuer.siret[:9]}" if issuer.siret else f"RNA {issuer.rna}",
        ],
        articles=ARTICLES[form],
        purpose=project.title,
        method=_method(payment),
        signed_by=signed_by,
        issued_at=database_now(),
        issued_by=user,
    )
    _tell(receipt, contribution, "receipt_available")
    logger.info("receipt.issued issuer=%s number=%s cents=%s", issuer, receipt.label, receipt.amount_cents)
    return receipt


@transaction.atomic
def cancel_receipt(*, receipt: FiscalReceipt, reason: str, user=None) -> ReceiptCancellation:
    """The receipt is no longer valid; its number stays. Idempotent. Raises ReceiptRefused("reason")."""
    if not reason.strip():
        raise ReceiptRefused("reason", _("Say why the receipt is cancelled."))
    cancellation, made = ReceiptCancellation.objects.get_or_create(
        receipt=receipt,
        defaults={"reason": reason.strip(), "cancelled_at": database_now(), "cancelled_by": user},
    )
    if made:
        _tell(receipt, receipt.payment.contribution, "receipt_cancelled", reason=reason.strip())
        logger.info("receipt.cancelled number=%s", receipt.label)
    return cancellation


def cancel_receipts_of(payment: Payment, reason: str) -> int:
    """A payment that goes back or is disputed has no valid receipt any more; returns how many were cancelled."""
    valid = FiscalReceipt.objects.filter(payment=payment, cancellation__isnull=True)
    for receipt in valid.select_related("payment__contribution__project", "payment__contribution__person"):
        cancel_receipt(receipt=receipt, reason=reason)
    return len(valid)


# --- Inside ---------------------------------------------------------------------------------------------


def _check(
    payment: Payment, project: Project, issuer: Organisation, donor: DonorIdentity, signed_by: str
) -> None:
    if issuer.kind not in ISSUERS:
        raise ReceiptRefused("issuer", _("%(name)s does not issue fiscal receipts.") % {"name": issuer.name})
    if not (issuer.siret or issuer.rna) or not issuer.address:
        raise ReceiptRefused("issuer", _("The issuer has no address, or neither SIRET nor RNA."))
    if not project.receipt_eligible or not project.receipt_reason:
        raise ReceiptRefused("eligible", _("Nobody has declared this project eligible, with a reason."))
    if project.status != Project.Status.FUNDED:
        raise ReceiptRefused("outcome", _("The project is not funded: the gift may still go back."))
    if payment.state != Payment.State.PAID or payment.contribution.state != Contribution.State.COUNTED:
        raise ReceiptRefused("payment", _("This money is not definitively acquired."))
    if payment.provider == "allowance":
        raise ReceiptRefused("payment", _("An envelope given by the fund is not the resident's gift."))
    if payment.credited_on is None:
        raise ReceiptRefused("date", _("The day of credit is not known yet: reconcile first."))
    if not donor.name.strip() or not donor.address.strip():
        raise ReceiptRefused("donor", _("A receipt needs the giver's name and address."))
    if not signed_by.strip():
        raise ReceiptRefused("signatory", _("A receipt needs a signatory."))


def _next_number(issuer: Organisation, year: int) -> int:
    """Under the lock that the database takes too: what is read here is what it will accept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock((4::bigint << 56) | (%s::bigint << 16) | %s)", [issuer.pk, year]
        )
    last = FiscalReceipt.objects.filter(issuer=issuer, year=year).order_by("-number").first()
    return last.number + 1 if last else 1


def _method(payment: Payment) -> str:
    return _("cash or cheque") if payment.provider == "offline" else _("card")


def _tell(receipt: FiscalReceipt, contribution: Contribution, kind: str, reason: str = "") -> None:
    donor = contribution.offline_donor
    queue(
        key=f"{kind}:{receipt.pk}",
        kind=kind,
        person=contribution.person,
        to=donor.email if donor else "",
        context={
            "number": receipt.label,
            "project": contribution.project.title,
            "cents": receipt.amount_cents,
            "reason": reason,
            "path": f"/contributions/{contribution.reference}/",
        },
    )
