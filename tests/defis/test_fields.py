import pytest
from django import forms
from django.core.exceptions import ValidationError

from defis.forms.fields import EurosField, parse_euros


@pytest.mark.parametrize(
    ("typed", "cents"),
    [
        ("20", 2000),
        ("20,5", 2050),
        ("20.50", 2050),
        (" 20 € ", 2000),
        ("1 234,50 €", 123450),
        ("1\u202f234\u00a0€", 123400),
        ("1.234,50", 123450),
        ("0,01", 1),
        ("0", 0),
    ],
)
def test_amounts_are_read_as_people_type_them(typed, cents):
    assert parse_euros(typed) == cents


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "required"),
        ("vingt", "invalid"),
        ("-5", "negative"),
        ("20,555", "precision"),
        ("1.234", "precision"),
        ("1e3", "invalid"),
        ("٢٠", "invalid"),
        ("20,50,1", "invalid"),
        ("9" * 20, "too_large"),
        ("12 34", "invalid"),
    ],
)
def test_other_amounts_are_refused_with_a_sentence(typed, code):
    with pytest.raises(ValidationError) as refusal:
        parse_euros(typed)
    assert refusal.value.code == code
    assert refusal.value.messages[0].endswith(".")


class Form(forms.Form):
    amount = EurosField(min_cents=100, max_cents=20_000, required=False)


def test_the_field_shows_euros_and_gives_cents():
    assert 'value="12,05"' in str(Form(initial={"amount": 1205})["amount"])
    assert 'value="12"' in str(Form(initial={"amount": 1200})["amount"])
    form = Form({"amount": "12,05"}, initial={"amount": 1205})
    assert form.is_valid() and form.cleaned_data == {"amount": 1205}
    assert not form.has_changed()
    assert Form({"amount": "13"}, initial={"amount": 1205}).has_changed()
    assert Form({"amount": ""}).is_valid()


@pytest.mark.parametrize("typed", ["0,99", "200,01", "abc"])
def test_the_field_keeps_its_limits_and_what_was_typed(typed):
    form = Form({"amount": typed})
    assert not form.is_valid()
    assert f'value="{typed}"' in str(form["amount"])
