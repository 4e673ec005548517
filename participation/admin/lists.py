"""Lists of payments, contributions, refunds and ledger entries: filtered, searched, exported, never edited."""

from collections.abc import Iterator
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn

from defis.admin.viewsets import EurosColumn
from defis.models import Campaign, Project
from participation.admin.listing import MoneyIndexView, ReadOnlyViewSet, cell
from participation.admin.rights import READERS, campaigns_for
from participation.admin.stories import ContributionView, PaymentView, RefundView, TransactionView
from participation.admin.words import kind_label
from participation.contributions.models import Contribution
from participation.ledger.models import LedgerEntry, LedgerTransaction
from participation.payments.models import Payment, Refund


def own_campaigns(request: Any) -> QuerySet[Campaign]:
    return campaigns_for(request.user, *READERS) if request is not None else Campaign.objects.none()


def own_projects(request: Any) -> QuerySet[Project]:
    return Project.objects.filter(campaign__in=own_campaigns(request)).order_by("title")


def known_providers() -> list[tuple[str, str]]:
    names = Payment.objects.order_by("provider").values_list("provider", flat=True).distinct()
    return [(name, name) for name in names]


# --- Payments -------------------------------------------------------------------------------------------


class PaymentFilters(WagtailFilterSet):
    campaign = django_filters.ModelChoiceFilter(
        field_name="contribution__campaign", queryset=own_campaigns, label=_("Campaign")
    )
    project = django_filters.ModelChoiceFilter(
        field_name="contribution__project", queryset=own_projects, label=_("Project")
    )
    state = django_filters.MultipleChoiceFilter(choices=Payment.State.choices, label=_("State"))
    provider = django_filters.MultipleChoiceFilter(choices=known_providers, label=_("Payment provider"))

    class Meta:
        model = Payment
        fields = ["campaign", "project", "state", "provider"]


class PaymentIndexView(MoneyIndexView):
    contribution_path = "contribution"
    export = {
        "contribution.reference": _("Contribution"),
        "contribution.campaign.name": _("Campaign"),
        "contribution.project.reference": _("Reference of the project"),
        "contribution.project.title": _("Project"),
        "provider": _("Payment provider"),
        "provider_reference": _("Provider's reference"),
        "get_state_display": _("State"),
        "amount_cents": _("Amount asked (€)"),
        "captured_cents": _("Amount taken (€)"),
        "fee_cents": _("Provider's fee (€)"),
        "created_at": _("Created on"),
        "paid_at": _("Paid on"),
        "credited_on": _("Credited on"),
        "note": _("Note"),
    }

    def get_base_queryset(self) -> QuerySet[Any]:
        return (
            super()
            .get_base_queryset()
            .select_related(
                "contribution__campaign",
                "contribution__project",
                "contribution__person",
                "contribution__offline_donor",
            )
        )


class PaymentViewSet(ReadOnlyViewSet):
    model = Payment
    name = "abonde_payments"
    url_prefix = "abonde/argent/paiements"
    icon = "table"
    menu_label = _("Payments")
    index_view_class = PaymentIndexView
    inspect_view_class = PaymentView
    inspect_template_name = "participation/admin/money/payment.html"
    list_display = [
        TitleColumn(
            "reference",
            label=_("Contribution"),
            accessor="contribution.reference",
            url_name="abonde_payments:inspect",
        ),
        Column("project", label=_("Project"), accessor="contribution.project.title"),
        EurosColumn("amount_cents", label=_("Amount"), sort_key="amount_cents"),
        Column("state", label=_("State"), accessor="get_state_display", sort_key="state"),
        Column("provider", label=_("Payment provider"), sort_key="provider"),
        DateColumn("created_at", label=_("Created"), sort_key="created_at"),
    ]
    filterset_class = PaymentFilters
    search_fields = ["contribution__reference", "provider_reference", "provider_payment", "key"]
    export_filename = "paiements"


# --- Contributions --------------------------------------------------------------------------------------


class ContributionFilters(WagtailFilterSet):
    campaign = django_filters.ModelChoiceFilter(queryset=own_campaigns, label=_("Campaign"))
    project = django_filters.ModelChoiceFilter(queryset=own_projects, label=_("Project"))
    state = django_filters.MultipleChoiceFilter(choices=Contribution.State.choices, label=_("State"))
    provider = django_filters.MultipleChoiceFilter(
        field_name="payments__provider", choices=known_providers, label=_("Payment provider"), distinct=True
    )

    class Meta:
        model = Contribution
        fields = ["campaign", "project", "state", "provider"]


class ContributionIndexView(MoneyIndexView):
    contribution_path = ""
    export = {
        "reference": _("Contribution"),
        "campaign.name": _("Campaign"),
        "project.reference": _("Reference of the project"),
        "project.title": _("Project"),
        "get_state_display": _("State"),
        "amount_cents": _("Amount (€)"),
        "matchable": _("Attracts complementary money"),
        "created_at": _("Started on"),
        "counted_at": _("Counted on"),
        "ended_at": _("Ended on"),
        "end_reason": _("Why it ended"),
    }

    def get_base_queryset(self) -> QuerySet[Any]:
        return super().get_base_queryset().select_related("campaign", "project", "person", "offline_donor")


class ContributionViewSet(ReadOnlyViewSet):
    model = Contribution
    name = "abonde_contributions"
    url_prefix = "abonde/argent/contributions"
    icon = "table"
    menu_label = _("Contributions")
    index_view_class = ContributionIndexView
    inspect_view_class = ContributionView
    inspect_template_name = "participation/admin/money/contribution.html"
    list_display = [
        TitleColumn("reference", label=_("Contribution"), url_name="abonde_contributions:inspect"),
        Column("project", label=_("Project"), accessor="project.title"),
        EurosColumn("amount_cents", label=_("Amount"), sort_key="amount_cents"),
        Column("state", label=_("State"), accessor="get_state_display", sort_key="state"),
        DateColumn("created_at", label=_("Started"), sort_key="created_at"),
        DateColumn("counted_at", label=_("Counted"), sort_key="counted_at"),
    ]
    filterset_class = ContributionFilters
    search_fields = ["reference", "payments__provider_reference"]
    export_filename = "contributions"


# --- Refunds --------------------------------------------------------------------------------------------


class RefundFilters(WagtailFilterSet):
    campaign = django_filters.ModelChoiceFilter(
        field_name="payment__contribution__campaign", queryset=own_campaigns, label=_("Campaign")
    )
    project = django_filters.ModelChoiceFilter(
        field_name="payment__contribution__project", queryset=own_projects, label=_("Project")
    )
    state = django_filters.MultipleChoiceFilter(choices=Refund.State.choices, label=_("State"))
    reason = django_filters.MultipleChoiceFilter(choices=Refund.Reason.choices, label=_("Reason"))
    provider = django_filters.MultipleChoiceFilter(
        field_name="payment__provider", choices=known_providers, label=_("Payment provider")
    )

    class Meta:
        model = Refund
        fields = ["campaign", "project", "state", "reason", "provider"]


class RefundIndexView(MoneyIndexView):
    contribution_path = "payment.contribution"
    export = {
        "payment.contribution.reference": _("Contribution"),
        "payment.contribution.campaign.name": _("Campaign"),
        "payment.contribution.project.title": _("Project"),
        "payment.provider": _("Payment provider"),
        "provider_reference": _("Provider's reference"),
        "get_reason_display": _("Reason"),
        "get_state_display": _("State"),
        "amount_cents": _("Amount (€)"),
        "created_at": _("Ordered on"),
        "done_at": _("Done on"),
        "attempts": _("Attempts"),
        "note": _("Note"),
    }

    def get_base_queryset(self) -> QuerySet[Any]:
        return (
            super()
            .get_base_queryset()
            .select_related(
                "payment__contribution__campaign",
                "payment__contribution__project",
                "payment__contribution__person",
                "payment__contribution__offline_donor",
            )
        )


class RefundViewSet(ReadOnlyViewSet):
    model = Refund
    name = "abonde_refunds"
    url_prefix = "abonde/argent/remboursements"
    icon = "rotate"
    menu_label = _("Refunds")
    index_view_class = RefundIndexView
    inspect_view_class = RefundView
    inspect_template_name = "participation/admin/money/refund.html"
    list_display = [
        TitleColumn(
            "reference",
            label=_("Contribution"),
            accessor="payment.contribution.reference",
            url_name="abonde_refunds:inspect",
        ),
        Column("project", label=_("Project"), accessor="payment.contribution.project.title"),
        EurosColumn("amount_cents", label=_("Amount"), sort_key="amount_cents"),
        Column("state", label=_("State"), accessor="get_state_display", sort_key="state"),
        Column("reason", label=_("Reason"), accessor="get_reason_display", sort_key="reason"),
        DateColumn("created_at", label=_("Ordered"), sort_key="created_at"),
        DateColumn("done_at", label=_("Done"), sort_key="done_at"),
    ]
    filterset_class = RefundFilters
    search_fields = ["payment__contribution__reference", "provider_reference", "key"]
    export_filename = "remboursements"


# --- Ledger ---------------------------------------------------------------------------------------------


def known_kinds() -> list[tuple[str, str]]:
    kinds = LedgerTransaction.objects.order_by("kind").values_list("kind", flat=True).distinct()
    return [(kind, kind_label(kind)) for kind in kinds]


class TransactionFilters(WagtailFilterSet):
    campaign = django_filters.ModelChoiceFilter(queryset=own_campaigns, label=_("Campaign"))
    kind = django_filters.MultipleChoiceFilter(choices=known_kinds, label=_("Kind"))
    since = django_filters.DateFilter(
        field_name="posted_at", lookup_expr="date__gte", label=_("From (AAAA-MM-DD)")
    )
    until = django_filters.DateFilter(
        field_name="posted_at", lookup_expr="date__lte", label=_("Until (AAAA-MM-DD)")
    )
    account = django_filters.CharFilter(method="of_account", label=_("Account"))

    class Meta:
        model = LedgerTransaction
        fields = ["campaign", "kind", "since", "until", "account"]

    def of_account(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        debits = LedgerEntry.objects.filter(debit__code=value).values("transaction")
        credits = LedgerEntry.objects.filter(credit__code=value).values("transaction")
        return queryset.filter(pk__in=debits) | queryset.filter(pk__in=credits)


class TransactionIndexView(MoneyIndexView):
    export = {
        "posted_at": _("Written on"),
        "event_key": _("Event"),
        "kind": _("Kind"),
        "campaign.name": _("Campaign"),
    }

    def get_base_queryset(self) -> QuerySet[Any]:
        return (
            super()
            .get_base_queryset()
            .select_related("campaign", "posted_by", "holder")
            .prefetch_related("entries__debit", "entries__credit")
        )

    def rows(self, queryset: QuerySet[Any]) -> Iterator[list[Any]]:
        """One row per entry: the accountant wants debit, credit, amount."""
        yield [
            str(_("Written on")), str(_("Event")), str(_("Kind")), str(_("Campaign")), str(_("Debit")),
            str(_("Credit")), str(_("Amount (€)")), str(_("Reason")), str(_("By")),
        ]  # fmt: skip
        for item in queryset.iterator(chunk_size=2_000):
            begin = [
                cell("posted_at", item.posted_at),
                item.event_key,
                kind_label(item.kind),
                item.campaign.name if item.campaign else "",
            ]
            for entry in item.entries.all():
                yield [
                    *begin,
                    entry.debit.code,
                    entry.credit.code,
                    entry.amount_cents / 100,
                    item.reason,
                    str(item.posted_by or ""),
                ]


def moved_cents(transaction: LedgerTransaction) -> int:
    """Sum of the entries of one event."""
    return sum(entry.amount_cents for entry in transaction.entries.all())


class TransactionViewSet(ReadOnlyViewSet):
    model = LedgerTransaction
    name = "abonde_ledger"
    url_prefix = "abonde/argent/ecritures"
    icon = "list-ol"
    menu_label = _("Ledger entries")
    index_view_class = TransactionIndexView
    inspect_view_class = TransactionView
    inspect_template_name = "participation/admin/money/transaction.html"
    list_display = [
        TitleColumn("event_key", label=_("Event"), url_name="abonde_ledger:inspect"),
        Column("kind", label=_("Kind"), accessor=lambda t: kind_label(t.kind), sort_key="kind"),
        Column("campaign", label=_("Campaign"), accessor="campaign.name"),
        EurosColumn("moved", label=_("Moved"), accessor=moved_cents),
        Column("reason", label=_("Reason")),
        DateColumn("posted_at", label=_("Written"), sort_key="posted_at"),
    ]
    filterset_class = TransactionFilters
    search_fields = ["event_key", "reason", "payment__contribution__reference"]
    export_filename = "ecritures"


VIEWSETS = (PaymentViewSet, ContributionViewSet, RefundViewSet, TransactionViewSet)
