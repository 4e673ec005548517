"""Forms of the admin: euros on screen, cents in the records, frozen rules asked instead of written."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.forms import BaseInlineFormSet, inlineformset_factory
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm

from defis.forms.fields import EurosField
from defis.models import Campaign, Defi, Holder, Organisation, Pledge, Pot, Project
from defis.permissions import Role, funds_for
from defis.rules import CAMPAIGN_RULES
from defis.services import ask_rule_change
from defis.services.proposals import project_slug

PROVIDERS = [
    ("simulated", _("simulation (demonstration only)")),
    ("stripe", "Stripe"),
    ("helloasso", "HelloAsso"),
    ("offline", _("counter: cash and cheques")),
    ("allowance", _("envelope given to each resident")),
]
IDENTITIES = [("franceconnect", "FranceConnect"), ("keycloak", _("the authority's accounts"))]
# Values of participation's ResidencyProof.Method: a code, so that this room imports no higher one.
RESIDENCY = [
    ("declaration", _("declaration on honour")),
    ("letter", _("code sent by letter")),
    ("counter", _("checked at a counter")),
    ("attribute", _("told by the identity provider")),
    ("list", _("list of the authority")),
]


def as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


class CentsDefaults:
    """Give declared amounts the default of their column, as generated fields have."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        form: Any = self
        for name, field in form.fields.items():
            if isinstance(field, EurosField) and field.initial is None:
                field.initial = form._meta.model._meta.get_field(name).get_default()


class CampaignForm(CentsDefaults, WagtailAdminModelForm):
    """A campaign's calendar and rules. Once frozen, a changed rule is asked, and somebody else signs."""

    min_contribution_cents = EurosField(label=_("Smallest contribution, in euros"), min_cents=1)
    max_contribution_cents = EurosField(label=_("Largest contribution, in euros"), min_cents=1)
    max_per_person_cents = EurosField(label=_("Ceiling per person, in euros"), min_cents=1)
    goal_min_cents = EurosField(label=_("Smallest goal, in euros"), min_cents=1)
    goal_max_cents = EurosField(label=_("Largest goal, in euros"), min_cents=1)
    allowance_cents = EurosField(
        label=_("Envelope per resident, in euros"),
        required=False,
        help_text=_("Only when the fund gives each resident an envelope to hand out."),
    )
    residency_methods = forms.MultipleChoiceField(
        label=_("Accepted proofs of residence"), choices=RESIDENCY, widget=forms.CheckboxSelectMultiple
    )
    identity_providers = forms.MultipleChoiceField(
        label=_("Accepted ways to sign in"), choices=IDENTITIES, widget=forms.CheckboxSelectMultiple
    )
    collection_provider = forms.ChoiceField(label=_("Payment provider"), choices=PROVIDERS)
    reason = forms.CharField(
        label=_("Why the rules change"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "The rules are frozen: another person must sign the change. Contributors read these reasons."
        ),
    )

    class Meta:
        model = Campaign
        fields = [
            "fund",
            "name",
            "slug",
            "defis",
            "submissions_open_at",
            "submissions_close_at",
            "results_at",
            *CAMPAIGN_RULES,
        ]
        widgets = {"defis": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.frozen = bool(self.instance.pk and self.instance.rules_frozen_at)
        self.asked: Any = None
        if "fund" in self.fields:
            self.fields["fund"].queryset = funds_for(self.for_user, Role.COMMUNICATION, Role.ADMINISTRATOR)
            self.fields["fund"].disabled = bool(self.instance.pk)
        if not self.frozen:
            del self.fields["reason"]

    def changed_rules(self) -> list[str]:
        return [name for name in self.changed_data if name in CAMPAIGN_RULES]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.frozen and self.changed_rules() and not (cleaned.get("reason") or "").strip():
            self.add_error("reason", _("Say why the rules change: the public will read it."))
        return cleaned

    def save(self, commit: bool = True) -> Campaign:
        if not self.frozen:
            return super().save(commit)
        # Every rule stays as it is stored: a widget that drops microseconds must not look like a change.
        wanted = {name: as_json(self.cleaned_data[name]) for name in self.changed_rules()}
        stored = Campaign.objects.get(pk=self.instance.pk)
        for name in CAMPAIGN_RULES:
            setattr(self.instance, name, getattr(stored, name))
        campaign = super().save(commit)
        if wanted:
            self.asked = ask_rule_change(
                campaign=campaign,
                changes={"campaign": wanted},
                reason=self.cleaned_data["reason"],
                user=self.for_user,
            )
        return campaign


class DefiForm(WagtailAdminModelForm):
    criteria = SimpleArrayField(
        forms.CharField(max_length=160),
        label=_("Criteria of the jury"),
        delimiter="\n",
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("One per line. Empty: the four usual ones."),
    )

    class Meta:
        model = Defi
        fields = ["name", "slug", "criteria"]


class ProjectForm(WagtailAdminModelForm):
    """What the communication team corrects; statuses change through decisions only."""

    goal_cents = EurosField(label=_("Goal, in euros"), min_cents=1)

    class Meta:
        model = Project
        fields = [
            "campaign",
            "defi",
            "holder",
            "title",
            "summary",
            "commune",
            "goal_cents",
            "opens_at",
            "closes_at",
            "stops_at_goal",
        ]

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        funds = funds_for(self.for_user, Role.COMMUNICATION, Role.ADMINISTRATOR)
        campaigns = Campaign.objects.filter(fund__in=funds)
        self.fields["campaign"].queryset = campaigns
        self.fields["campaign"].disabled = bool(self.instance.pk)
        self.fields["defi"].queryset = Defi.objects.filter(campaigns__in=campaigns).distinct()
        self.fields["commune"].queryset = (
            self.fields["commune"].queryset.filter(territories__funds__in=funds).distinct()
        )
        holders = Holder.objects.filter(projects__campaign__fund__in=funds) | Holder.objects.filter(
            projects__isnull=True
        )
        self.fields["holder"].queryset = holders.distinct()
        if self.instance.pk and self.instance.campaign.rules_frozen_at:
            for name in ("goal_cents", "opens_at", "closes_at"):
                self.fields[name].disabled = True
                self.fields[name].help_text = _("Frozen with the rules of the campaign.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        campaign, goal, defi = cleaned.get("campaign"), cleaned.get("goal_cents"), cleaned.get("defi")
        if campaign and goal and not campaign.goal_min_cents <= goal <= campaign.goal_max_cents:
            self.add_error("goal_cents", _("The goal must be between the limits of the campaign."))
        if campaign and defi and not campaign.defis.filter(pk=defi.pk).exists():
            self.add_error("defi", _("This challenge is not in the campaign."))
        return cleaned

    def save(self, commit: bool = True) -> Project:
        if not self.instance.slug:
            self.instance.slug = project_slug(self.cleaned_data["title"], self.cleaned_data.get("commune"))
        return super().save(commit)


class PotForm(CentsDefaults, forms.ModelForm):
    cap_per_donor_cents = EurosField(label=_("Cap per person, in euros"), required=False)
    cap_per_project_cents = EurosField(label=_("Cap per project, in euros"), required=False)
    min_donor_cents = EurosField(label=_("Smallest gift that counts, in euros"), required=False)

    class Meta:
        model = Pot
        fields = [
            "name",
            "slug",
            "rule",
            "ratio_numerator",
            "ratio_denominator",
            "order",
            "mode",
            "cap_per_donor_cents",
            "cap_per_project_cents",
            "min_donor_cents",
            "min_donors",
        ]

    def clean_min_donor_cents(self) -> int:
        return self.cleaned_data["min_donor_cents"] or 0


class PledgeForm(forms.ModelForm):
    amount_cents = EurosField(label=_("Amount, in euros"), min_cents=1)

    class Meta:
        model = Pledge
        fields = ["funder", "amount_cents", "agreement_reference", "signed_on"]
        widgets = {"signed_on": forms.TextInput(attrs={"inputmode": "numeric", "placeholder": "31/12/2026"})}

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        funder: Any = self.fields["funder"]
        funder.queryset = Organisation.objects.order_by("name")


PledgeFormSet = inlineformset_factory(Pot, Pledge, form=PledgeForm, extra=1, can_delete=True)


class BasePotFormSet(BaseInlineFormSet):
    """Pots of a campaign, each with its own rows of pledges (`form.pledges`)."""

    forms: list[Any]
    deleted_forms: list[Any]

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.pledges = PledgeFormSet(
            data=form.data if form.is_bound else None,
            instance=form.instance,
            prefix=f"{form.prefix}-pledges",
        )

    def is_valid(self) -> bool:
        own = super().is_valid()
        # A row left empty has no pledges to check.
        rows = [form.pledges.is_valid() for form in self.forms if form.instance.pk or form.has_changed()]
        return own and all(rows)

    def has_changed(self) -> bool:
        return super().has_changed() or any(form.pledges.has_changed() for form in self.forms)

    def save(self, commit: bool = True) -> list[Pot]:
        saved = super().save(commit=commit)
        deleted = {form.instance.pk for form in self.deleted_forms}
        for form in self.forms:
            if form.instance.pk and form.instance.pk not in deleted:
                form.pledges.instance = form.instance
                form.pledges.save()
        return saved


PotFormSet = inlineformset_factory(
    Campaign, Pot, form=PotForm, formset=BasePotFormSet, extra=1, can_delete=True, max_num=20
)


def changes_of(pots: Any) -> dict[str, Any]:
    """What a frozen campaign's money form would change, as `ask_rule_change` wants it."""
    from defis.rules import POT_RULES

    changes: dict[str, Any] = {"pots": {}, "pledges": {}}
    for form in pots.forms:
        if not form.instance.pk:
            continue
        values = {name: form.cleaned_data[name] for name in form.changed_data if name in POT_RULES}
        if values:
            changes["pots"][form.instance.slug] = values
        for pledge in form.pledges.forms:
            if {"amount_cents", "funder"} & set(pledge.changed_data) and pledge.cleaned_data.get("funder"):
                funder = str(pledge.cleaned_data["funder"].pk)
                changes["pledges"].setdefault(form.instance.slug, {})[funder] = pledge.cleaned_data[
                    "amount_cents"
                ]
    return {part: value for part, value in changes.items() if value}


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reasons, as the public will read them"),
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": _("Say why: the public will read it.")},
    )
