"""Forms of the results' screens."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from defis.forms.fields import EurosField
from defis.models import Campaign


class ReasonForm(forms.Form):
    """Why something is done again."""

    reason = forms.CharField(
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text=_("The public will read it."),
    )


class CorrectionForm(ReasonForm):
    """Another share than the calculated one, and why."""

    amount = EurosField(label=_("Corrected share, in euros"), min_cents=0)
    field_order = ["amount", "reason"]


class PublishForm(forms.Form):
    """The last step: type the campaign's name, say why when it is a correction."""

    name = forms.CharField(
        label=_("Type the name of the campaign"), widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    reason = forms.CharField(
        label=_("Why the published results change"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text=_("The public will read it."),
    )

    def __init__(self, *args: Any, campaign: Campaign, is_correction: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        if not is_correction:
            del self.fields["reason"]

    def clean_name(self) -> str:
        """The name must be typed as it is written; capitals and spaces at the ends are forgiven."""
        typed = " ".join(self.cleaned_data["name"].split())
        if typed.casefold() != " ".join(self.campaign.name.split()).casefold():
            raise ValidationError(_("This is not the name of the campaign."), code="name")
        return typed
