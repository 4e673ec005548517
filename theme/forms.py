"""Forms as residents meet them: one layout, errors said twice (summary and field) in the same words."""

from collections.abc import Iterator
from typing import NamedTuple

from django import forms
from django.forms.boundfield import BoundField
from django.forms.renderers import BaseRenderer, DjangoTemplates
from django.forms.widgets import ChoiceWidget


class PublicRenderer(DjangoTemplates):
    """Our field layout, for our forms only: Wagtail's admin keeps its own."""

    form_template_name = "theme/forms/form.html"
    field_template_name = "theme/forms/field.html"


class FieldError(NamedTuple):
    """One line of the error summary: where it leads and what it says."""

    href: str
    message: str


class AccessibleForm:
    """Mixin for a Form or ModelForm shown to residents.

    Render with {{ form }} or {{ form.field.as_field_group }};

    `{% include "theme/components/error_summary.html" with form=form only %}` lists `error_summary`.
    """

    default_renderer: type[BaseRenderer] | BaseRenderer | None = PublicRenderer

    def error_summary(self) -> list[FieldError]:
        """Every error in the order of the fields, those of the whole form first."""
        return list(self._errors_in_order())

    def _errors_in_order(self) -> Iterator[FieldError]:
        form: forms.BaseForm = self  # type: ignore[assignment]
        for message in form.non_field_errors():
            yield FieldError("#main", str(message))
        for bound in form:
            for message in bound.errors:
                yield FieldError(f"#{_first_control(bound)}", str(message))


class PublicForm(AccessibleForm, forms.Form):
    """A plain form for residents."""


def _first_control(bound: BoundField) -> str:
    """Where the focus goes: the field, or the first choice of a group."""
    if bound.use_fieldset and isinstance(bound.field.widget, ChoiceWidget):
        return f"{bound.auto_id}_0"
    return str(bound.auto_id)
