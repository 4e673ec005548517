"""Euros typed by people, cents in the database."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from theme.money import format_euros

# The engine's own bound (spec fundmatch/1, section 1).
MOST_CENTS = 10**15
_AMOUNT = re.compile(r"(\d{1,3}(?:[ .]\d{3})+|\d+)(?:[.,](\d{1,2}))?", re.ASCII)
_TOO_PRECISE = re.compile(r"\d+[.,]\d{3,}", re.ASCII)
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " "})


def parse_euros(text: str) -> int:
    """Cents of « 20 », « 20,50 », « 1 234,50 € », « 1.234,50 ». Raises ValidationError with a sentence.

    « 1.234 » is refused rather than guessed: it may mean one euro or a thousand.
    """
    cleaned = text.translate(_SPACES).strip().removesuffix("€").strip()
    if not cleaned:
        raise ValidationError(_("Write an amount in euros, for example 20."), code="required")
    if cleaned.startswith("-"):
        raise ValidationError(_("Write an amount greater than 0."), code="negative")
    if _TOO_PRECISE.fullmatch(cleaned):
        raise ValidationError(
            _("Write at most two digits after the comma, for example 20,50."), code="precision"
        )
    match = _AMOUNT.fullmatch(cleaned)
    if match is None:
        raise ValidationError(_("Write an amount in euros, for example 20."), code="invalid")
    whole, decimals = match.groups()
    cents = int(re.sub(r"[ .]", "", whole)) * 100 + int((decimals or "0").ljust(2, "0"))
    if cents > MOST_CENTS:
        raise ValidationError(_("This amount is too large."), code="too_large")
    return cents


class EurosField(forms.CharField):
    """An amount typed in euros; `cleaned_data` and the model have integer cents."""

    def __init__(self, *, min_cents: int | None = None, max_cents: int | None = None, **kwargs: Any) -> None:
        self.min_cents, self.max_cents = min_cents, max_cents
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Cents of the record as the euros one would type; what was typed comes back as typed."""
        if isinstance(value, int):
            whole, cents = divmod(value, 100)
            return f"{whole},{cents:02d}" if cents else str(whole)
        return value

    def to_python(self, value: Any) -> int | None:  # type: ignore[override]
        if isinstance(value, int):
            return value  # the record's own cents: a disabled field reads them again
        text = super().to_python(value)
        return parse_euros(text) if text else None

    def validate(self, value: Any) -> None:
        super().validate("" if value is None else str(value))
        if value is None:
            return
        if self.min_cents is not None and value < self.min_cents:
            raise ValidationError(
                _("The amount must be at least %(least)s.") % {"least": format_euros(self.min_cents)},
                code="min",
            )
        if self.max_cents is not None and value > self.max_cents:
            raise ValidationError(
                _("The amount must be at most %(most)s.") % {"most": format_euros(self.max_cents)}, code="max"
            )

    def run_validators(self, value: Any) -> None:
        """CharField's own validators are about text."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        if isinstance(initial, int) and isinstance(data, str):
            try:
                return parse_euros(data) != initial
            except ValidationError:
                return True
        return super().has_changed(initial, data)
