"""The holder's form, one topic per page. Errors are sentences that say what to do."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.forms import BaseFormSet, formset_factory
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from defis.forms.fields import EurosField
from defis.listing import plain
from defis.models import Campaign, Commune, Holder, Project, Proposal, ProposalPiece
from theme.forms import AccessibleForm, FieldError, PublicForm
from theme.money import format_euros

MAX_PIECES = 5
MAX_PIECE_BYTES = 10 * 1024 * 1024
# Extension -> how such a file begins; a name alone proves nothing.
PIECE_KINDS = {
    "pdf": (b"%PDF-",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "odt": (b"PK\x03\x04",),
    "ods": (b"PK\x03\x04",),
}
YES_NO = [("yes", _("Yes")), ("no", _("No"))]


class EligibilityForm(PublicForm):
    """Four questions at most; a « no » says why the project cannot go on."""

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any):
        super().__init__(*args, **kwargs)
        territory = campaign.fund.territory.name
        low, high = format_euros(campaign.goal_min_cents), format_euros(campaign.goal_max_cents)
        self.refusals: dict[str, str] = {
            "place": gettext("The fund helps projects in %(territory)s only.") % {"territory": territory},
            "holder": gettext(
                "The money can only be paid to a legal person. An association can carry your project for you."
            ),
            "general_interest": gettext("The fund helps projects open to all, without private profit."),
            "amount": gettext("The fund helps projects that ask between %(low)s and %(high)s.")
            % {"low": low, "high": high},
        }
        questions: dict[str, str] = {
            "place": gettext("Does the project take place in %(territory)s?") % {"territory": territory},
            "holder": gettext(
                "Is the project carried by an association, a commune, a public body "
                "or a company of the social economy?"
            ),
            "general_interest": gettext("Is the project useful to all, without private profit?"),
            "amount": gettext("Do you ask between %(low)s and %(high)s?") % {"low": low, "high": high},
        }
        for code, question in questions.items():
            self.fields[code] = forms.ChoiceField(
                label=question,
                choices=YES_NO,
                widget=forms.RadioSelect,
                error_messages={"required": _("Answer yes or no.")},
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for code, reason in self.refusals.items():
            if cleaned.get(code) == "no":
                self.add_error(code, reason)
        return cleaned


class ProjectStepForm(AccessibleForm, forms.ModelForm):
    """What, for whom, when."""

    what = forms.CharField(
        label=_("What do you want to do?"),
        widget=forms.Textarea(attrs={"rows": 6}),
        max_length=5000,
        error_messages={"required": _("Say what you want to do.")},
    )
    for_whom = forms.CharField(
        label=_("For whom?"), widget=forms.Textarea(attrs={"rows": 3}), max_length=2000, required=False
    )
    when = forms.CharField(
        label=_("When?"), widget=forms.Textarea(attrs={"rows": 3}), max_length=2000, required=False
    )

    class Meta:
        model = Project
        fields = ["defi", "title", "summary"]
        labels = {
            "defi": _("Which challenge does the project answer?"),
            "title": _("Title of the project"),
            "summary": _("The project in one sentence"),
        }
        help_texts = {"title": _("120 characters at most."), "summary": _("280 characters at most.")}
        widgets = {"defi": forms.RadioSelect, "summary": forms.Textarea(attrs={"rows": 2})}
        error_messages = {
            "defi": {"required": _("Choose a challenge.")},
            "title": {"required": _("Give the project a title.")},
            "summary": {"required": _("Say the project in one sentence.")},
        }

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any):
        super().__init__(*args, **kwargs)
        defi = self.fields["defi"]
        assert isinstance(defi, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        defi.queryset = campaign.defis.all()
        defi.empty_label = None
        self.order_fields(["defi", "title", "summary", "what", "for_whom", "when"])


class PlaceForm(PublicForm):
    """The commune by its name or postal code; several matches become a choice."""

    commune = forms.CharField(
        label=_("Commune"),
        help_text=_("Its name or its postal code."),
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "address-level2"}),
        error_messages={"required": _("Write the name or the postal code of the commune.")},
    )
    place = forms.CharField(
        label=_("Address or place"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.communes = campaign.fund.territory.communes.all()
        self.territory = campaign.fund.territory.name
        self.found: Commune | None = None
        if self.is_bound and self.data.get("choice"):
            # Communes offered by the previous answer; the choice is checked against the territory again.
            self._offer(self.communes.filter(insee=self.data["choice"]))

    def _offer(self, communes: Any) -> None:
        self.fields["choice"] = forms.ChoiceField(
            label=_("Which one?"),
            choices=[(c.insee, f"{c.name} ({', '.join(c.postal_codes)})") for c in communes],
            widget=forms.RadioSelect,
            required=False,
        )
        self.order_fields(["commune", "choice", "place"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("choice"):
            self.found = self.communes.filter(insee=cleaned["choice"]).first()
            return cleaned
        typed = (cleaned.get("commune") or "").strip()
        if not typed:
            return cleaned
        same = list(
            self.communes.filter(Q(sort_name=plain(typed)) | Q(postal_codes__contains=[typed])).order_by(
                "sort_name"
            )
        )
        if len(same) == 1:
            self.found = same[0]
            return cleaned
        close = same or list(
            self.communes.filter(sort_name__startswith=plain(typed)[:4]).order_by("sort_name")[:10]
        )
        if close:
            self._offer(close)
        self.add_error(
            "commune",
            _("Several communes match: choose yours.")
            if same
            else _("We do not find this commune in %(territory)s. Write its whole name or its postal code.")
            % {"territory": self.territory},
        )
        return cleaned


class GoalForm(PublicForm):
    goal = EurosField(
        label=_("How much do you ask, in euros?"),
        error_messages={"required": _("Write the amount you ask, in euros.")},
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any):
        super().__init__(*args, **kwargs)
        low, high = campaign.goal_min_cents, campaign.goal_max_cents
        goal = self.fields["goal"]
        assert isinstance(goal, EurosField)  # noqa: S101 - for the type checker
        goal.min_cents, goal.max_cents = low, high
        goal.help_text = _("From %(low)s to %(high)s.") % {
            "low": format_euros(low),
            "high": format_euros(high),
        }


class BudgetLineForm(PublicForm):
    """One expense; a row left empty is not one."""

    label = forms.CharField(
        label=_("Expense"),
        max_length=160,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": _("Say what this amount is for.")},
    )
    amount = EurosField(
        label=_("Amount, in euros"),
        min_cents=1,
        error_messages={"required": _("Write the amount of this expense.")},
    )


class BaseBudgetFormSet(BaseFormSet):
    """Rows of the budget; at least one."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs.setdefault("error_messages", {"too_many_forms": _("20 expenses at most.")})
        super().__init__(*args, **kwargs)

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "empty_permitted": True}

    def clean(self) -> None:
        if not any(self.errors) and not self.rows():
            raise ValidationError(_("Write at least one expense."))

    def rows(self) -> list[tuple[str, int]]:
        return [
            (form.cleaned_data["label"], form.cleaned_data["amount"])
            for form in self.forms
            if form.is_valid() and form.cleaned_data.get("label") and form.cleaned_data.get("amount")
        ]

    def error_summary(self) -> list[FieldError]:
        """Errors of the rows, each with its row's number, then those of the whole."""
        found = []
        for number, form in enumerate(self.forms, start=1):
            for bound in form:
                for message in bound.errors:
                    said = _("Expense %(number)d: %(message)s") % {"number": number, "message": message}
                    found.append(FieldError(f"#{bound.auto_id}", said))
        return found + [FieldError("#main", str(message)) for message in self.non_form_errors()]


BudgetFormSet = formset_factory(
    BudgetLineForm, formset=BaseBudgetFormSet, extra=0, max_num=20, validate_max=True
)


def _luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


class TeamForm(AccessibleForm, forms.ModelForm):
    """The legal person that will receive the money, and the people."""

    team = forms.CharField(
        label=_("Who are you? Who will do the project?"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=3000,
        error_messages={"required": _("Say who carries the project.")},
    )

    class Meta:
        model = Holder
        fields = ["name", "legal_form", "siret", "rna", "email", "phone"]
        labels = {
            "name": _("Name of the holder"),
            "legal_form": _("Legal form"),
            "siret": _("SIRET number"),
            "rna": _("RNA number"),
            "email": _("E-mail"),
            "phone": _("Telephone"),
        }
        help_texts = {
            "name": _("The association, the commune or the company that carries the project."),
            "siret": _("14 digits."),
            "rna": _("W and 9 digits, for an association."),
            "email": _("We write to this address about the project. It is not public."),
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "organization"}),
            "legal_form": forms.RadioSelect,
            "siret": forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            "rna": forms.TextInput(attrs={"autocomplete": "off"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
            "phone": forms.TextInput(attrs={"autocomplete": "tel", "inputmode": "tel"}),
        }
        error_messages = {
            "name": {"required": _("Write the name of the holder.")},
            "legal_form": {"required": _("Choose the legal form.")},
            "email": {
                "required": _("Write an e-mail address."),
                "invalid": _("Write an e-mail address like nom@exemple.fr."),
            },
        }

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        legal_form: Any = self.fields["legal_form"]
        legal_form.choices = Holder.LegalForm.choices  # without the empty one: these are radio buttons
        # People type spaces: the length is checked once they are gone.
        for name, length in (("siret", 20), ("rna", 16)):
            self.fields[name] = forms.CharField(
                label=self.fields[name].label,
                help_text=self.fields[name].help_text,
                widget=self.fields[name].widget,
                required=False,
                max_length=length,
            )
            self.fields[name].widget.attrs["maxlength"] = length
        self.order_fields(["name", "legal_form", "siret", "rna", "email", "phone", "team"])

    def clean_siret(self) -> str:
        siret = "".join(self.cleaned_data["siret"].split())
        if siret and not (len(siret) == 14 and siret.isascii() and siret.isdigit() and _luhn(siret)):
            raise ValidationError(_("This SIRET number is not right. It has 14 digits."))
        return siret

    def clean_rna(self) -> str:
        rna = "".join(self.cleaned_data["rna"].split()).upper()
        if rna and not (len(rna) == 10 and rna[0] == "W" and rna[1:].isascii() and rna[1:].isdigit()):
            raise ValidationError(_("This RNA number is not right. It is W and 9 digits."))
        return rna


class PieceForm(PublicForm):
    """One document at a time; limits are said before."""

    name = forms.CharField(
        label=_("Name of the document"),
        max_length=160,
        required=False,
        help_text=_("For example: quote of the carpenter."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    file = forms.FileField(
        label=_("File"),
        error_messages={
            "required": _("Choose a file."),
            "empty": _("This file is empty. Choose another one."),
        },
        widget=forms.FileInput(attrs={"accept": ",".join(f".{kind}" for kind in PIECE_KINDS)}),
    )

    def __init__(self, *args: Any, proposal: Proposal, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.proposal = proposal
        self.order_fields(["file", "name"])

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        kind = PurePath(file.name).suffix.lower().lstrip(".")
        if kind not in PIECE_KINDS:
            raise ValidationError(_("Choose a PDF, a picture (JPG, PNG) or an ODT or ODS file."))
        if file.size > MAX_PIECE_BYTES:
            raise ValidationError(_("This file is too large. The limit is 10 MB."))
        head = file.read(16)
        file.seek(0)
        if not any(head.startswith(start) for start in PIECE_KINDS[kind]):
            raise ValidationError(_("This file is not a real %(kind)s file.") % {"kind": kind.upper()})
        return file

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.proposal.pieces.count() >= MAX_PIECES:
            self.add_error(None, _("You can add 5 documents at most."))
        return cleaned

    def save(self) -> ProposalPiece:
        file = self.cleaned_data["file"]
        name = self.cleaned_data["name"].strip() or PurePath(file.name).stem
        return ProposalPiece.objects.create(
            proposal=self.proposal, name=name[:160], file=file, size=file.size
        )
