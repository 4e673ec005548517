"""Forms about residence: a postal code first, because it says which communes to choose from."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from defis.models import Commune, Territory
from participation.identity.digests import letters_of
from participation.residency.statements import CURRENT, STATEMENTS
from theme.forms import PublicForm


class PostalCodeField(forms.CharField):
    """Five digits, however they are spaced."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "postal-code", "size": 6})
        super().__init__(label=_("Postal code"), max_length=10, widget=widget, **kwargs)
        self.error_messages["required"] = _("Write your postal code, for example 67600.")

    def clean(self, value: Any) -> str:
        text = re.sub(r"\s", "", super().clean(value))
        if text and not re.fullmatch(r"\d{5}", text):
            raise ValidationError(_("A postal code has 5 digits, for example 67600."), code="invalid")
        return text


class PostalCodeForm(PublicForm):
    code_postal = PostalCodeField(help_text=_("5 digits, for example 67600."))


class CommuneChoice(forms.ModelChoiceField):
    def label_from_instance(self, obj: Commune) -> str:
        return f"{obj.name} ({obj.department})"


class DeclarationForm(PublicForm):
    """Commune among those of the postal code, and the text to sign."""

    code_postal = forms.CharField(widget=forms.HiddenInput)
    version = forms.CharField(widget=forms.HiddenInput, initial=CURRENT)
    commune = CommuneChoice(
        queryset=Commune.objects.none(),
        label=_("Your commune"),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={"required": _("Choose your commune.")},
    )
    honour = forms.BooleanField(error_messages={"required": _("Tick the box to sign your declaration.")})

    def __init__(self, *args: Any, territory: Territory, postal_code: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        communes = territory.communes.filter(postal_codes__contains=[postal_code])
        self.fields["commune"].queryset = communes  # type: ignore[attr-defined]
        self.initial.setdefault("code_postal", postal_code)
        if len(communes) == 1:
            self.initial.setdefault("commune", communes[0].pk)
        version = self.data.get("version", CURRENT)
        text = STATEMENTS.get(version, STATEMENTS[CURRENT])
        self.fields["honour"].label = str(text) % {"postal_code": postal_code}


class LetterForm(PublicForm):
    """Where to send a code."""

    recipient = forms.CharField(
        label=_("Name on the letter box"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={"required": _("Write the name that is on your letter box.")},
    )
    street = forms.CharField(
        label=_("Number and street"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "street-address"}),
        error_messages={"required": _("Write the number and the street, for example 12 rue des Clefs.")},
    )
    code_postal = PostalCodeField(help_text=_("5 digits, for example 67600."))
    commune = forms.CharField(
        label=_("Commune"),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "address-level2"}),
        error_messages={"required": _("Write the name of your commune.")},
    )

    def __init__(self, *args: Any, territory: Territory, **kwargs: Any) -> None:
        # Another form of the same page asks for a postal code too.
        super().__init__(*args, **{"auto_id": "letter_%s", **kwargs})
        self.territory = territory

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if {"code_postal", "commune"} <= set(cleaned):
            communes = self.territory.communes.filter(postal_codes__contains=[cleaned["code_postal"]])
            wanted = letters_of(cleaned["commune"])
            found = [commune for commune in communes if letters_of(commune.name) == wanted]
            if len(found) == 1:
                cleaned["commune"] = found[0]
            elif communes:
                names = ", ".join(commune.name for commune in communes)
                self.add_error(
                    "commune",
                    _("With this postal code, the commune is one of: %(names)s.") % {"names": names},
                )
            else:
                self.add_error(
                    "code_postal",
                    _("This postal code is not in %(territory)s.") % {"territory": self.territory.name},
                )
        return cleaned


class CodeForm(PublicForm):
    """The code of a letter; it may be pasted."""

    code = forms.CharField(
        label=_("Code of the letter"),
        max_length=20,
        help_text=_("8 letters and digits, for example ABCD-EFGH."),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autocapitalize": "characters"}),
        error_messages={"required": _("Write the code that is in the letter.")},
    )
