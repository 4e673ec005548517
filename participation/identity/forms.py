from django import forms
from django.utils.translation import gettext_lazy as _

from theme.forms import PublicForm


class EraseForm(PublicForm):
    """The one thing to tick before an account is forgotten."""

    sure = forms.BooleanField(
        label=_("I want my account to be deleted."),
        error_messages={"required": _("Tick the box to delete your account.")},
    )
