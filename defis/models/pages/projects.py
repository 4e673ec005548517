from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, TitleFieldPanel
from wagtail.contrib.routable_page.models import RoutablePageMixin, path
from wagtail.fields import StreamField
from wagtail.models import Page
from wagtail.search import index

from defis.blocks import NewsStreamBlock, QuestionStreamBlock, StoryBlock
from defis.clock import DatabaseNow
from defis.models.pages.base import IndexPage, TellingPage
from defis.models.pages.defis import DefiPage
from defis.models.projects import Project, ProjectBudgetLine


class ProjectIndexPage(IndexPage):
    """The list of the projects, with its filters; answers in a constant number of queries."""

    PER_PAGE = 24

    max_count_per_parent = 1
    subpage_types = ["abonde_defis.ProjectPage"]
    child_model = "abonde_defis.ProjectPage"
    template = "defis/project_index_page.html"
    content_panels = [*TellingPage.content_panels, FieldPanel("introduction")]

    class Meta:
        verbose_name = _("list of projects")
        verbose_name_plural = _("lists of projects")

    def children_with_records(self) -> Any:
        """With the database's instant and the public state too: the page asks nothing more."""
        from defis.selectors import public_state_case

        lines = ProjectBudgetLine.objects.filter(project=OuterRef("project")).order_by("position", "pk")
        told = DefiPage.objects.live().filter(defi=OuterRef("project__defi"), locale=OuterRef("locale"))
        return (
            super()
            .children_with_records()
            .annotate(
                db_now=DatabaseNow(),
                state_code=public_state_case("project__"),
                budget_rows=ArraySubquery(lines.values_list(JSONObject(label="label", cents="amount_cents"))),
                defi_page=Subquery(told.values_list(JSONObject(pk="pk", url_path="url_path"))[:1]),
            )
        )

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from defis.listing import ProjectFilters, cards

        context = super().get_context(request, *args, **kwargs)
        filters = ProjectFilters(self, request)
        page_obj = Paginator(filters.rows, self.PER_PAGE).get_page(request.GET.get("page"))
        context["filters"] = filters
        context["page_obj"] = page_obj
        context["cards"] = cards(list(page_obj.object_list), filters.base_url)
        return context


class ProjectPage(RoutablePageMixin, TellingPage):
    """What the public reads about a project; the project itself exists once for all languages."""

    RECORDS = (
        "image",
        "project__campaign__fund__territory",
        "project__campaign__fund__legal_holder",
        "project__commune",
        "project__defi",
        "project__holder",
    )

    project = models.ForeignKey(Project, models.PROTECT, related_name="pages", verbose_name=_("project"))
    body = StreamField(StoryBlock(), verbose_name=_("the project"), blank=True)
    team = models.TextField(_("the team"), blank=True)
    news = StreamField(NewsStreamBlock(), verbose_name=_("news"), blank=True)
    questions = StreamField(QuestionStreamBlock(), verbose_name=_("questions"), blank=True)

    parent_page_types = ["abonde_defis.ProjectIndexPage"]
    subpage_types: list[str] = []
    template = "defis/project_page.html"
    content_panels = [
        TitleFieldPanel("title"),
        FieldPanel("project"),
        FieldPanel("introduction"),
        MultiFieldPanel([FieldPanel("image"), FieldPanel("image_alt")], heading=_("Picture")),
        FieldPanel("body"),
        FieldPanel("team"),
        FieldPanel("news"),
        FieldPanel("questions"),
    ]
    search_fields = [
        *TellingPage.search_fields,
        index.SearchField("introduction"),
        index.SearchField("body"),
        index.RelatedFields("project", [index.SearchField("summary"), index.FilterField("status")]),
    ]

    class Meta:
        verbose_name = _("page of a project")
        verbose_name_plural = _("pages of projects")

    # What an editor may look at before it happens: the page as if the project were in that state.
    @cached_property
    def preview_modes(self) -> list[tuple[str, Any]]:
        return [
            ("", _("As it is today")),
            ("coming", _("Before the collection")),
            ("open", _("During the collection")),
            ("reached", _("Threshold reached")),
            ("closed", _("Collection finished")),
            ("funded", _("Funded")),
            ("not_funded", _("Not funded, everybody refunded")),
            ("cancelled", _("Cancelled")),
        ]

    def clean(self) -> None:
        super().clean()
        # An alias shows its source elsewhere: it is not a second page of the project.
        if self.project_id is None or self.alias_of_id is not None:
            return
        twins = ProjectPage.objects.filter(project=self.project_id, locale=self.locale_id).exclude(pk=self.pk)
        if twins.exists():
            raise ValidationError({"project": _("This project already has a page in this language.")})

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from defis.telling import project_context

        context = super().get_context(request, *args, **kwargs)
        context.update(project_context(self, request, preview=kwargs.get("preview", "")))
        return context

    def defi_url(self, request: HttpRequest) -> str:
        """Address of the challenge's page in this language; empty without one."""
        if hasattr(self, "defi_page"):  # routing already asked
            found = self.defi_page and DefiPage(
                pk=self.defi_page["pk"], url_path=self.defi_page["url_path"], locale_id=self.locale_id
            )
        else:
            found = DefiPage.objects.live().filter(defi=self.project.defi_id, locale=self.locale_id).first()
        return (found.get_url(request) or "") if found else ""

    def budget(self) -> list[dict[str, Any]]:
        """Expenses: label and cents."""
        if hasattr(self, "budget_rows"):
            return self.budget_rows
        rows = self.project.budget_lines.values_list("label", "amount_cents")
        return [{"label": label, "cents": cents} for label, cents in rows]

    def get_preview_context(self, request: HttpRequest, mode_name: str) -> dict[str, Any]:
        return self.get_context(request, preview=mode_name)

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        # RoutablePageMixin would route the preview; ours shows the same template in another state.
        return Page.serve_preview(self, request, mode_name)

    @path("simuler/")
    def simulate(self, request: HttpRequest) -> HttpResponse:
        """The simulator's numbers for the page's script: `?montant=20`."""
        from defis.telling import simulation_answer

        answer = simulation_answer(self.project, request.GET.get("montant", ""))
        response = JsonResponse(answer, status=200 if answer["ok"] else 400)
        response["Cache-Control"] = "public, max-age=5"
        return response
