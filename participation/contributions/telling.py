"""What the status page says, from what the provider said. One table: the payment's state, then the contribution's."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from participation.contributions.models import Contribution
from participation.payments.models import Payment, Refund
from theme.moments import format_moment
from theme.money import format_euros


@dataclass(frozen=True)
class Told:
    """`code` is stable (the page's script compares it); `kind`: success, waiting or error.

    `waits`: the answer may still change by itself. `may_pay`: the provider's page may still be opened.
    `may_restart`: nothing was taken, one may start again.
    """

    code: str
    kind: str
    title: str
    text: str
    waits: bool = False
    may_pay: bool = False
    may_restart: bool = False
    has_receipt: bool = False


def tell(contribution: Contribution, payment: Payment, *, gave_up: bool = False) -> Told:
    """The status of a contribution, true only as far as its provider has said it."""
    if payment.state == Payment.State.REVIEW:
        return Told(
            "review",
            "waiting",
            _("We are checking your payment"),
            _(
                "Something does not match. A person is looking at it. Do not pay a second time: we will write to you."
            ),
        )
    if contribution.state == Contribution.State.COUNTED:
        return Told(
            "counted",
            "success",
            _("Thank you! Your contribution is recorded"),
            _("You gave %(amount)s to the project %(project)s.")
            % {"amount": format_euros(contribution.amount_cents), "project": contribution.project.title},
            has_receipt=True,
        )
    if contribution.state == Contribution.State.REFUNDED or payment.state in {
        Payment.State.REFUND_DUE,
        Payment.State.REFUNDED,
    }:
        return _refund(contribution, payment)
    if payment.state == Payment.State.PENDING:
        return Told(
            "pending",
            "waiting",
            _("We are waiting for the bank's answer"),
            _("Do not pay a second time. This page changes by itself when the bank has answered."),
            waits=True,
        )
    if payment.state == Payment.State.CREATED:
        return _created(contribution, payment, gave_up)
    if payment.state == Payment.State.FAILED:
        return Told(
            "failed",
            "error",
            _("The payment did not work"),
            _("Nothing was taken from your account. Your contribution is not recorded."),
            may_restart=True,
        )
    return Told(
        "abandoned",
        "error",
        _("Your contribution is not recorded"),
        _("The payment was not made. Nothing was taken from your account."),
        may_restart=True,
    )


def _created(contribution: Contribution, payment: Payment, gave_up: bool) -> Told:
    if gave_up:
        return Told(
            "given_up",
            "error",
            _("Your contribution is not recorded"),
            _(
                "You left the payment page. Nothing was taken from your account. You can still pay, or stop here."
            ),
            waits=True,
            may_pay=bool(payment.redirect_url),
        )
    return Told(
        "created",
        "waiting",
        _("Your payment is not confirmed yet"),
        _(
            "If you have paid, do not pay a second time: this page changes by itself. "
            "If you have not paid, your contribution is not recorded."
        ),
        waits=True,
        may_pay=bool(payment.redirect_url),
    )


def _refund(contribution: Contribution, payment: Payment) -> Told:
    """Why it goes back, and where it is."""
    amount = {"amount": format_euros(payment.amount_cents)}
    refunds = sorted(payment.refunds.all(), key=lambda refund: refund.pk)
    refund = refunds[-1] if refunds else None
    why = _reasons().get(contribution.end_reason) or _reasons().get(refund.reason if refund else "", "")
    if contribution.end_reason == "dispute":
        return Told(
            "disputed",
            "error",
            _("Your contribution is cancelled"),
            _("Your bank took the money back at your request."),
            has_receipt=True,
        )
    if refund is not None and refund.state == Refund.State.DONE:
        said = _("We refunded %(amount)s. How long it takes depends on your bank: count 5 to 10 days.")
        title, code = _("Your contribution is refunded"), "refunded"
    else:
        said = _("We are refunding you %(amount)s in full. You have nothing to do.")
        title, code = _("We are refunding your contribution"), "refunding"
    return Told(code, "waiting", title, f"{why} {said % amount}".strip(), has_receipt=True)


def _reasons() -> dict[str, str]:
    return {
        Refund.Reason.LATE: _("Your payment arrived after the end of the collection: it does not count."),
        Refund.Reason.THRESHOLD: _("The project did not reach its threshold."),
        Refund.Reason.CANCELLED: _("The project is cancelled."),
        Refund.Reason.DUPLICATE: _("We received two payments. We refund the second one."),
        Refund.Reason.RESIDENCY: _("Your residence was not confirmed."),
    }


@dataclass(frozen=True)
class Tag:
    """Short state for a list."""

    label: str
    kind: str


def tag_of(contribution: Contribution, payment: Payment) -> Tag:
    """How the list of my contributions names a state."""
    told = tell(contribution, payment)
    if told.code == "counted":
        funded = contribution.project.status == contribution.project.Status.FUNDED
        return (
            Tag(pgettext("contribution", "final"), "success")
            if funded
            else Tag(_("recorded, collection in progress"), "info")
        )
    return {
        "review": Tag(_("being checked"), "warning"),
        "pending": Tag(_("waiting for the bank"), "warning"),
        "created": Tag(_("not confirmed"), "warning"),
        "failed": Tag(_("payment refused"), "error"),
        "abandoned": Tag(_("not paid"), ""),
        "refunding": Tag(_("being refunded"), "warning"),
        "refunded": Tag(pgettext("contribution", "refunded"), ""),
        "disputed": Tag(pgettext("contribution", "cancelled"), "error"),
    }[told.code]


def next_dates(contribution: Contribution) -> list[tuple[str, str]]:
    """What comes next, as (when, what): closing, results, refund if the threshold is missed."""
    project, campaign = contribution.project, contribution.campaign
    closes_at = min(project.collection_closes_at, campaign.closes_at)
    steps = [(format_moment(closes_at), _("The collection ends."))]
    if campaign.results_at:
        steps.append((format_moment(campaign.results_at), _("The results are published.")))
    return steps
