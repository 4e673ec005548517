"""The whole story of a payment, contribution, refund or ledger entry: read, with the acts that may follow."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from defis.admin.scoped import ScopedInspectView
from defis.permissions import has_role
from participation.admin.rights import ACTORS, sees_people
from participation.admin.words import end_label, kind_label
from participation.contributions.models import Contribution
from participation.ledger.models import LedgerTransaction
from participation.payments.decisions import waiting_payments
from participation.payments.models import Payment, ProviderEvent, Refund


@dataclass(frozen=True)
class Moment:
    """Something that happened to a payment."""

    at: datetime
    what: str
    detail: str = ""


class StoryView(ScopedInspectView):
    """A record with its story; its fund decides what is shown and which acts are offered."""

    def contribution(self) -> Contribution | None:
        raise NotImplementedError

    def get_page_subtitle(self) -> str:
        contribution = self.contribution()
        return contribution.reference if contribution else str(self.object)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        root = list(self.breadcrumbs_items)
        between = {"url": reverse("abonde_money:index"), "label": _("Money")}
        return [*root, between, *super().get_breadcrumbs_items()[len(root) :]]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        contribution = self.contribution()
        user = self.request.user
        fund = contribution.campaign.fund if contribution else None
        return super().get_context_data(
            contribution=contribution,
            may_act=fund is not None and has_role(user, fund, *ACTORS),
            person=_person(contribution) if fund is not None and sees_people(user, fund) else None,
            sees_people=fund is not None and sees_people(user, fund),
            **kwargs,
        )


class PaymentView(StoryView):
    page_title = gettext_lazy("Payment")

    def contribution(self) -> Contribution:
        return self.object.contribution

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        payment: Payment = self.object
        entries = transactions(Q(payment=payment))
        refunds = list(payment.refunds.all())
        return super().get_context_data(
            payment=payment,
            moments=story_of(payment, entries, refunds),
            entries=entries,
            refunds=refunds,
            events=events_of(payment),
            lines=payment.statement_lines.all(),
            is_waiting=waiting_payments().filter(pk=payment.pk).exists(),
            may_refund=payment.state == Payment.State.PAID
            and not any(r.state in Refund.OPEN for r in refunds),
            others=payment.contribution.payments.exclude(pk=payment.pk),
            **kwargs,
        )


class ContributionView(StoryView):
    page_title = gettext_lazy("Contribution")

    def contribution(self) -> Contribution:
        return self.object

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        payments = list(self.object.payments.prefetch_related("refunds").order_by("pk"))
        return super().get_context_data(
            payments=payments, end_reason=end_label(self.object.end_reason), **kwargs
        )


class RefundView(StoryView):
    page_title = gettext_lazy("Refund")

    def contribution(self) -> Contribution:
        return self.object.payment.contribution

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        refund: Refund = self.object
        open_states = {Refund.State.CREATED, Refund.State.SENT, Refund.State.IN_TRANSIT}
        return super().get_context_data(
            refund=refund,
            payment=refund.payment,
            entries=transactions(Q(refund=refund)),
            is_manual=refund.state == Refund.State.MANUAL,
            is_waiting=refund.state in open_states,
            **kwargs,
        )


class TransactionView(StoryView):
    page_title = gettext_lazy("Ledger entry")

    def contribution(self) -> Contribution | None:
        return self.object.payment.contribution if self.object.payment else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        entries = transactions(Q(pk=self.object.pk))
        return super().get_context_data(transaction=self.object, entries=entries, **kwargs)


def transactions(what: Q) -> list[LedgerTransaction]:
    """Ledger transactions with their entries, accounts and `kind_label`, oldest first."""
    found = list(
        LedgerTransaction.objects.filter(what)
        .select_related("posted_by", "campaign")
        .prefetch_related("entries__debit", "entries__credit")
        .order_by("pk")
    )
    for transaction in found:
        transaction.kind_label = kind_label(transaction.kind)  # type: ignore[attr-defined]
    return found


def events_of(payment: Payment) -> QuerySet[ProviderEvent]:
    """Messages of the provider that named this payment. Their content may name people: it is not shown."""
    names = Q(payload___hint__our_key=str(payment.key))
    if payment.provider_reference:
        names |= Q(provider_reference=payment.provider_reference)
    if payment.provider_payment:
        names |= Q(payload___hint__provider_payment=payment.provider_payment)
    return (
        ProviderEvent.objects.filter(names, provider=payment.provider)
        .defer("payload")
        .order_by("received_at")
    )


def story_of(payment: Payment, entries: list[LedgerTransaction], refunds: list[Refund]) -> list[Moment]:
    """What happened, in the order of time, each instant once."""
    contribution = payment.contribution
    moments = [
        Moment(contribution.created_at, _("The contribution is started")),
        Moment(payment.created_at, _("The payment is created, with our key"), str(payment.key)),
        Moment(payment.asked_at, _("The provider opens its page")) if payment.asked_at else None,
        Moment(payment.paid_at, _("The provider takes the money")) if payment.paid_at else None,
        Moment(contribution.counted_at, _("The contribution counts")) if contribution.counted_at else None,
        Moment(
            contribution.ended_at, _("The contribution counts no more"), end_label(contribution.end_reason)
        )
        if contribution.ended_at
        else None,
        *(Moment(e.received_at, _("Message of the provider"), e.kind) for e in events_of(payment)),
        *(Moment(t.posted_at, _("Written in the ledger"), kind_label(t.kind)) for t in entries),
        *(Moment(r.created_at, _("Refund ordered"), r.get_reason_display()) for r in refunds),
        *(Moment(r.done_at, _("Refund done")) for r in refunds if r.done_at),
    ]
    return sorted((m for m in moments if m is not None), key=lambda moment: moment.at)


def _person(contribution: Contribution | None) -> dict[str, str] | None:
    if contribution is None:
        return None
    if contribution.person is not None:
        return {"name": str(contribution.person), "email": contribution.person.email}
    if contribution.offline_donor is not None:
        return {"name": str(contribution.offline_donor), "email": contribution.offline_donor.email}
    return None
