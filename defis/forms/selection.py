"""What jurors write: marks, conflicts of interest, reasons."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from defis.models import Decision, Evaluation

MARKS = [
    ("", "—"),
    ("0", _("0 – not at all")),
    ("1", _("1 – a little")),
    ("2", _("2 – rather")),
    ("3", _("3 – well")),
    ("4", _("4 – very well")),
]


class DecisionForm(forms.Form):
    """Reasons asked by the workflow's buttons; `comment` is Wagtail's name for them."""

    comment = forms.CharField(
        label=_("Reasons, as the public and the holder will read them"),
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={"required": _("Say why: the public will read it.")},
    )


class JuryDecisionForm(DecisionForm):
    outcome = forms.ChoiceField(
        label=_("Decision"),
        choices=[
            (Decision.Outcome.YES, _("Pre-select")),
            (Decision.Outcome.CORRECTION, _("Ask for a correction")),
            (Decision.Outcome.NO, _("Do not select")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose a decision.")},
    )
    field_order = ["outcome", "comment"]


class EvaluationForm(forms.Form):
    """A mark and a comment per criterion; the comment is compulsory for 0 and 1."""

    private_note = forms.CharField(
        label=_("Private note"),
        help_text=_("Nobody else reads it."),
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
    )

    def __init__(self, *args: Any, criteria: list[str], evaluation: Evaluation | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.criteria = criteria
        known = {mark.criterion: mark for mark in evaluation.marks.all()} if evaluation else {}
        for number, criterion in enumerate(criteria):
            mark = known.get(criterion)
            self.fields[f"mark_{number}"] = forms.TypedChoiceField(
                label=criterion,
                choices=MARKS,
                coerce=int,
                initial=str(mark.value) if mark else "",
                error_messages={"required": _("Give a mark for each criterion.")},
            )
            self.fields[f"comment_{number}"] = forms.CharField(
                label=_("Why (compulsory for 0 and 1)"),
                widget=forms.Textarea(attrs={"rows": 2}),
                required=False,
                initial=mark.comment if mark else "",
            )
        if evaluation:
            self.fields["private_note"].initial = evaluation.private_note
        self.order_fields(
            [*(f for n in range(len(criteria)) for f in (f"mark_{n}", f"comment_{n}")), "private_note"]
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for number in range(len(self.criteria)):
            mark = cleaned.get(f"mark_{number}")
            if mark is not None and mark <= 1 and not cleaned.get(f"comment_{number}", "").strip():
                self.add_error(f"comment_{number}", _("Say why, for a mark of 0 or 1."))
        return cleaned

    def marks(self) -> dict[str, tuple[int, str]]:
        """Criterion -> (mark, comment)."""
        return {
            criterion: (self.cleaned_data[f"mark_{n}"], self.cleaned_data[f"comment_{n}"])
            for n, criterion in enumerate(self.criteria)
        }
