"""Forms of the money screens: every act asks for its reason. Amounts typed in euros, kept in cents."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext_lazy as _

from defis.forms.fields import EurosField
from defis.models import Campaign, Organisation, Project
from participation.contributions.offline import OfflineGift
from participation.ledger import accounts
from participation.ledger.accounts import Account
from participation.payments.models import Payment, Refund
from participation.payments.port import configured_providers, provider_for

FRENCH_DAY = ["%d/%m/%Y", "%Y-%m-%d"]


class DayField(forms.DateField):
    """A day typed as 31/12/2026 or 2026-12-31, without a calendar's inline script."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("input_formats", FRENCH_DAY)
        kwargs.setdefault(
            "widget",
            forms.DateInput(format="%d/%m/%Y", attrs={"autocomplete": "off", "inputmode": "numeric"}),
        )
        kwargs.setdefault("help_text", _("For example 31/12/2026."))
        super().__init__(**kwargs)


class ReasonForm(forms.Form):
    """Why; kept in the ledger and in the log."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Kept in the ledger with your name."),
    )


class RefundOrderForm(ReasonForm):
    """Give one payment back."""

    cause = forms.ChoiceField(
        label=_("Why the money goes back"),
        choices=[
            (cause.value, cause.label)
            for cause in (
                Refund.Reason.OTHER,
                Refund.Reason.RESIDENCY,
                Refund.Reason.DUPLICATE,
                Refund.Reason.CANCELLED,
                Refund.Reason.LATE,
            )
        ],
    )
    field_order = ["cause", "reason"]


class ByHandForm(ReasonForm):
    """A refund made by transfer or at the counter."""

    proof = forms.CharField(
        label=_("Reference of the proof"),
        max_length=120,
        help_text=_("Number of the bank transfer, or of the signed slip."),
    )
    source = forms.ChoiceField(label=_("Where the money came from"))
    field_order = ["proof", "source", "reason"]

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment = payment
        self.fields["source"].choices = [  # type: ignore[attr-defined]
            ("bank", _("our bank account")),
            ("provider", _("the account at “%(name)s”") % {"name": payment.provider}),
        ]

    @property
    def account(self) -> Account:
        if self.cleaned_data["source"] == "bank":
            return accounts.bank()
        return accounts.clearing(self.payment.provider)


class BankForm(forms.Form):
    """An amount that moved on the bank account, with its reference and a reason."""

    amount = EurosField(label=_("Amount in euros"), min_cents=1)
    reference = forms.CharField(
        label=_("Reference of the bank transfer"),
        max_length=120,
        help_text=_("The same reference again changes nothing."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=500)


class PeriodForm(forms.Form):
    """Which provider's statement, for which days (both included)."""

    provider = forms.ChoiceField(label=_("Payment provider"))
    since = DayField(label=_("First day"))
    until = DayField(label=_("Last day"))

    def __init__(self, *args: Any, holder: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        used = set(
            Payment.objects.filter(contribution__campaign__fund__legal_holder=holder)
            .order_by()
            .values_list("provider", flat=True)
            .distinct()
        )
        self.fields["provider"].choices = [  # type: ignore[attr-defined]
            (name, name)
            for name in configured_providers()
            if name in used and provider_for(name).capabilities.settlements
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            raise ValidationError(_("The first day comes after the last."), code="order")
        return cleaned

    @property
    def period(self) -> tuple[datetime, datetime]:
        """[from midnight of the first day, to midnight after the last), in the site's time zone, as UTC."""
        zone = ZoneInfo(settings.TIME_ZONE)
        first, last = self.cleaned_data["since"], self.cleaned_data["until"] + timedelta(days=1)
        return (
            datetime.combine(first, time(), zone).astimezone(UTC),
            datetime.combine(last, time(), zone).astimezone(UTC),
        )


class ExplainForm(forms.Form):
    """What a line of a statement was, and where its cents go."""

    explanation = forms.CharField(
        label=_("Explanation"), max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )
    account = forms.ChoiceField(
        label=_("What becomes of the cents in suspense"),
        choices=[
            ("", _("they stay in suspense, explained")),
            ("fees", _("provider's fees")),
            ("bank", _("our bank account")),
        ],
        required=False,
    )

    @property
    def target(self) -> Account | None:
        return {"fees": accounts.provider_fees(), "bank": accounts.bank()}.get(self.cleaned_data["account"])


# --- Counter slips --------------------------------------------------------------------------------------


class SlipForm(forms.Form):
    """The head of a counter slip: what was counted by hand before typing."""

    label = forms.CharField(label=_("Number of the slip"), max_length=80)
    received_on = DayField(label=_("Received on"))
    control_count = forms.IntegerField(
        label=_("Number of gifts, counted by hand"),
        min_value=1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    control_cents = EurosField(label=_("Total counted by hand, in euros"), min_cents=1)


class GiftForm(forms.Form):
    """One gift of a slip; an empty line is left out."""

    project = forms.ModelChoiceField(queryset=Project.objects.none(), label=_("Project"), required=False)
    amount = EurosField(label=_("Amount (€)"), min_cents=1, required=False)
    name = forms.CharField(label=_("Name, or nothing if anonymous"), max_length=200, required=False)
    email = forms.EmailField(label=_("E-mail"), required=False)
    is_legal_person = forms.BooleanField(label=_("organisation"), required=False)

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = campaign.projects.filter(  # type: ignore[attr-defined]
            status=Project.Status.PRESELECTED
        ).order_by("title")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if (cleaned.get("project") is None) != (cleaned.get("amount") is None) and not self.errors:
            raise ValidationError(_("A gift has a project and an amount."), code="half")
        return cleaned

    @property
    def gift(self) -> OfflineGift | None:
        data = self.cleaned_data
        if data.get("project") is None or data.get("amount") is None:
            return None
        return OfflineGift(
            project=data["project"],
            amount_cents=data["amount"],
            name=data["name"],
            email=data["email"],
            is_legal_person=data["is_legal_person"],
        )


def gift_lines(
    data: Any = None, *, campaign: Campaign, lines: int = 5, initial: Any = None
) -> "BaseFormSet[GiftForm]":
    """The typed lines of a slip; 500 at most."""
    factory = formset_factory(GiftForm, extra=lines, max_num=500, absolute_max=500)
    return factory(data, initial=initial, form_kwargs={"campaign": campaign}, prefix="lines")
