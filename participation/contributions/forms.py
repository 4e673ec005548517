"""Forms of the contribution path."""

import unicodedata
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from defis.forms.fields import EurosField
from defis.models import Campaign
from participation.payments.port import provider_for
from theme.forms import PublicForm
from theme.money import format_euros

HIDDEN, SHOWN = "non", "oui"


@dataclass(frozen=True)
class Limits:
    """What one payment may be (cents); `left_cents` is None for somebody we do not know yet."""

    low_cents: int
    high_cents: int
    left_cents: int | None = None

    @property
    def sentence(self) -> str:
        """« De 1 € à 200 €. » with what is left when it is less."""
        said = _("From %(low)s to %(high)s.") % {
            "low": format_euros(self.low_cents),
            "high": format_euros(self.high_cents),
        }
        if self.left_cents is None or self.left_cents >= self.high_cents:
            return said
        left = _("You can still give %(left)s.") % {"left": format_euros(self.left_cents)}
        return f"{said} {left}"

    def check(self, cents: int) -> None:
        """Raises ValidationError with the sentence of the first limit that is passed."""
        if not self.low_cents <= cents <= self.high_cents:
            raise ValidationError(
                _("The amount must be between %(low)s and %(high)s.")
                % {"low": format_euros(self.low_cents), "high": format_euros(self.high_cents)},
                code="outside_limits",
            )
        if self.left_cents is not None and cents > self.left_cents:
            raise ValidationError(
                _("You can still give %(left)s.") % {"left": format_euros(self.left_cents)}, code="above_left"
            )


def limits_of(campaign: Campaign, left_cents: int | None = None) -> Limits:
    """The campaign's limits within those of its payment provider, as start_contribution() checks them."""
    capabilities = provider_for(campaign.collection_provider).capabilities
    high = min(campaign.max_contribution_cents, capabilities.max_cents or campaign.max_contribution_cents)
    return Limits(max(campaign.min_contribution_cents, capabilities.min_cents), high, left_cents)


class AmountForm(PublicForm):
    """How much, and whether a name is shown: nobody's is unless she writes it."""

    montant = EurosField(
        label=gettext_lazy("Amount, in euros"),
        error_messages={"required": gettext_lazy("Write an amount in euros, for example 20.")},
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "autocomplete": "off", "class": "pb-input--short"}
        ),
    )
    afficher = forms.ChoiceField(
        label=gettext_lazy("Your name on the project's page"),
        choices=[
            (HIDDEN, gettext_lazy("Do not show my name")),
            (SHOWN, gettext_lazy("Show the name that I write below")),
        ],
        widget=forms.RadioSelect,
        initial=HIDDEN,
        error_messages={
            "required": gettext_lazy("Say whether your name may be shown."),
            "invalid_choice": gettext_lazy("Say whether your name may be shown."),
        },
    )
    nom_public = forms.CharField(
        label=gettext_lazy("Name to show"),
        help_text=gettext_lazy("For example a first name. Everybody will be able to read it."),
        max_length=80,
        required=False,
        error_messages={"max_length": gettext_lazy("This name is too long: 80 characters at most.")},
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
        self.fields["montant"].help_text = limits.sentence

    def clean_montant(self) -> int:
        cents: int = self.cleaned_data["montant"]
        self.limits.check(cents)
        return cents

    def clean_nom_public(self) -> str:
        name = " ".join(self.cleaned_data["nom_public"].split())
        # Invisible or direction-changing characters could make a name read as another on a public page.
        if any(unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn", "Cs"} for character in name):
            raise ValidationError(_("Write this name with letters only."), code="characters")
        if "://" in name or "www." in name.lower():
            raise ValidationError(_("Write a name, not an address."), code="address")
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("afficher") == SHOWN:
            if "nom_public" in cleaned and not cleaned["nom_public"]:
                self.add_error("nom_public", _("Write the name to show, or choose not to show it."))
        else:
            cleaned["nom_public"] = ""
        return cleaned
