"""Lists and forms of the records."""

from typing import Any

import django_filters
from django.db.models import URLField
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSetGroup
from wagtail.admin.widgets.button import HeaderButton

from defis.admin.scoped import ScopedEditView, ScopedIndexView, ScopedInspectView, ScopedViewSet
from defis.forms.admin import CampaignForm, DefiForm, ProjectForm
from defis.models import Campaign, Commune, Defi, Fund, Holder, Organisation, Phase, Project, Territory
from defis.permissions import funds_for
from defis.services import Refused, ensure_rules_frozen
from theme.money import format_euros


class EurosColumn(NumberColumn):
    """Cents of the record as euros."""

    def get_value(self, instance: Any) -> str:
        cents = super().get_value(instance)
        return "" if cents is None else format_euros(cents)


def own_funds(request: Any) -> Any:
    return funds_for(request.user) if request is not None else Fund.objects.none()


def own_campaigns(request: Any) -> Any:
    return Campaign.objects.filter(fund__in=own_funds(request))


# --- Campaigns ----------------------------------------------------------------------------------------


class CampaignFilters(WagtailFilterSet):
    fund = django_filters.ModelChoiceFilter(queryset=own_funds, label=_("Fund"))

    class Meta:
        model = Campaign
        fields = ["fund"]


class CampaignIndexView(ScopedIndexView):
    def get_base_queryset(self) -> Any:
        queryset: Any = super().get_base_queryset()
        return queryset.with_phase().select_related("fund")


class CampaignEditView(ScopedEditView):
    def get_object(self, queryset: Any = None) -> Campaign:
        campaign = super().get_object(queryset)
        try:
            # Whoever edits after the hour edits frozen rules, even if nothing else froze them.
            return ensure_rules_frozen(campaign=campaign)
        except Refused:
            return campaign

    def form_valid(self, form: Any) -> Any:
        try:
            response = super().form_valid(form)
        except Refused as refusal:
            form.add_error(None, refusal.message)
            return self.form_invalid(form)
        if form.asked is not None:
            messages.warning(
                self.request,
                _("The rules are not changed yet: another person must sign."),
                buttons=[
                    messages.button(reverse("abonde_defis_admin:rule_change", args=[form.asked.pk]), _("See"))
                ],
            )
        return response

    @property
    def header_buttons(self) -> list[Any]:
        return desk_buttons(self.object)


class CampaignInspectView(ScopedInspectView):
    """The campaign's desk replaces the plain list of fields."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return redirect("abonde_defis_admin:campaign_desk", self.get_object().pk)


def desk_buttons(campaign: Campaign) -> list[Any]:
    return [
        HeaderButton(
            _("Desk of the campaign"), url=reverse("abonde_defis_admin:campaign_desk", args=[campaign.pk])
        ),
        HeaderButton(
            _("Complementary money"), url=reverse("abonde_defis_admin:campaign_money", args=[campaign.pk])
        ),
    ]


def phase_label(campaign: Any) -> str:
    return str(Phase(campaign.phase).label)


class CampaignViewSet(ScopedViewSet):
    model = Campaign
    form_class = CampaignForm
    name = "abonde_campaigns"
    url_prefix = "abonde/campagnes"
    icon = "date"
    menu_label = _("Campaigns")
    index_view_class = CampaignIndexView
    edit_view_class = CampaignEditView
    inspect_view_class = CampaignInspectView
    list_display = [
        "name",
        "fund",
        Column("phase", label=_("Phase"), accessor=phase_label),
        DateColumn("opens_at", label=_("Opens")),
        DateColumn("closes_at", label=_("Closes")),
    ]
    filterset_class = CampaignFilters
    search_fields = ["name", "slug"]
    list_export = [
        "reference",
        "name",
        "fund",
        "phase",
        "opens_at",
        "closes_at",
        "published_at",
        "rules_sha256",
    ]


# --- Projects -----------------------------------------------------------------------------------------


class ProjectFilters(WagtailFilterSet):
    campaign = django_filters.ModelChoiceFilter(queryset=own_campaigns, label=_("Campaign"))
    defi = django_filters.ModelChoiceFilter(
        queryset=lambda request: Defi.objects.filter(campaigns__in=own_campaigns(request)).distinct(),
        label=_("Challenge"),
    )
    status = django_filters.MultipleChoiceFilter(choices=Project.Status.choices, label=_("Status"))

    class Meta:
        model = Project
        fields = ["campaign", "defi", "status"]


class ProjectIndexView(ScopedIndexView):
    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().select_related("campaign", "defi", "holder", "commune")


class ProjectInspectView(ScopedInspectView):
    template_name = "defis/admin/project.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        project = self.object
        context = super().get_context_data(**kwargs)
        context.update(
            project=project,
            budget=project.budget_lines.all(),
            decisions=project.decisions.select_related("decided_by"),
            proposal=getattr(project, "proposal", None),
            pages=project.pages.select_related("locale"),
            may_cancel=self.user_has_permission_for_instance("change", project)
            and project.status
            in {Project.Status.SUBMITTED, Project.Status.CORRECTION, Project.Status.PRESELECTED},
        )
        return context


class ProjectViewSet(ScopedViewSet):
    model = Project
    form_class = ProjectForm
    name = "abonde_projects"
    url_prefix = "abonde/projets"
    icon = "pick"
    menu_label = _("Projects")
    index_view_class = ProjectIndexView
    inspect_view_class = ProjectInspectView
    inspect_template_name = "defis/admin/project.html"
    list_display = [
        "title",
        "campaign",
        "defi",
        "holder",
        Column("status", label=_("Status"), accessor="get_status_display", sort_key="status"),
        EurosColumn("goal_cents", label=_("Goal"), sort_key="goal_cents"),
    ]
    filterset_class = ProjectFilters
    search_fields = ["title", "reference", "holder__name", "summary"]
    list_export = [
        "reference",
        "title",
        "campaign.name",
        "defi.name",
        "holder.name",
        "commune.insee",
        "commune.name",
        "get_status_display",
        "goal_cents",
        "submitted_at",
        "summary",
    ]
    export_headings = {
        "campaign.name": _("Campaign"),
        "defi.name": _("Challenge"),
        "holder.name": _("Holder"),
        "commune.insee": _("INSEE code"),
        "commune.name": _("Commune"),
        "get_status_display": _("Status"),
        "goal_cents": _("Goal (cents)"),
    }
    export_filename = "projets"


# --- Others -------------------------------------------------------------------------------------------


class HolderViewSet(ScopedViewSet):
    model = Holder
    name = "abonde_holders"
    url_prefix = "abonde/porteurs"
    icon = "group"
    menu_label = _("Holders")
    form_fields = ["name", "legal_form", "siret", "rna", "email", "phone"]
    list_display = ["name", "legal_form"]
    search_fields = ["name", "siret", "rna"]
    list_filter = ["legal_form"]
    inspect_view_fields = ["name", "legal_form", "siret", "rna", "email", "phone"]


class DefiViewSet(ScopedViewSet):
    model = Defi
    form_class = DefiForm
    name = "abonde_defis_records"
    url_prefix = "abonde/defis"
    icon = "help"
    menu_label = _("Challenges")
    list_display = ["name", "slug"]
    search_fields = ["name"]
    inspect_view_fields = ["name", "slug", "criteria"]


class FundInspectView(ScopedInspectView):
    template_name = "defis/admin/fund.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["roles"] = self.object.roles.select_related("group", "organisation").order_by("role")
        context["campaigns"] = self.object.campaigns.with_phase()
        return context


class FundCreateView(generic.CreateView):
    """A new fund begins with its groups."""

    def save_instance(self) -> Fund:
        from defis.services.funds import create_fund_groups

        fund = super().save_instance()
        create_fund_groups(fund=fund, user=self.request.user)
        return fund


class FundViewSet(ScopedViewSet):
    model = Fund
    name = "abonde_funds"
    url_prefix = "abonde/fonds"
    icon = "folder-open-1"
    menu_label = _("Funds")
    add_view_class = FundCreateView
    inspect_view_class = FundInspectView
    inspect_template_name = "defis/admin/fund.html"
    form_fields = [
        "name",
        "slug",
        "territory",
        "foundation",
        "authority",
        "legal_holder",
        "mandate_reference",
        "contact_email",
    ]
    list_display = ["name", "territory", "legal_holder"]
    search_fields = ["name"]


class OrganisationViewSet(ScopedViewSet):
    model = Organisation
    name = "abonde_organisations"
    url_prefix = "abonde/organisations"
    icon = "user"
    menu_label = _("Organisations")
    form_fields = ["name", "kind", "siret", "rna", "address", "email", "website"]

    def formfield_for_dbfield(self, db_field: Any, **kwargs: Any) -> Any:
        if isinstance(db_field, URLField):
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, **kwargs)

    list_display = ["name", "kind"]
    list_filter = ["kind"]
    search_fields = ["name", "siret"]


class TerritoryViewSet(ScopedViewSet):
    model = Territory
    name = "abonde_territories"
    url_prefix = "abonde/territoires"
    icon = "site"
    menu_label = _("Territories")
    form_fields = ["name", "slug", "communes"]
    list_display = ["name"]
    inspect_view_fields = ["name", "slug"]


class CommuneViewSet(ScopedViewSet):
    """Read-only: INSEE decides (`manage.py load_communes`)."""

    model = Commune
    name = "abonde_communes"
    url_prefix = "abonde/communes"
    icon = "home"
    menu_label = _("Communes")
    form_fields: list[str] = []
    list_display = [
        "name",
        "insee",
        "department",
        "epci_name",
        NumberColumn("population", label=_("Population")),
    ]
    list_filter = ["department"]
    search_fields = ["sort_name", "insee", "epci_name"]
    list_export = ["insee", "name", "department", "population", "epci_code", "epci_name"]
    inspect_view_fields = [
        "name",
        "insee",
        "department",
        "postal_codes",
        "population",
        "epci_code",
        "epci_name",
    ]


class RecordsGroup(ModelViewSetGroup):
    menu_label = _("Funds and projects")
    menu_icon = "folder-open-1"
    menu_order = 150
    items = (
        CampaignViewSet,
        ProjectViewSet,
        HolderViewSet,
        DefiViewSet,
        FundViewSet,
        OrganisationViewSet,
        TerritoryViewSet,
        CommuneViewSet,
    )
