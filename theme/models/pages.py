from typing import Any

from django.db import models
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import RichTextField, StreamField
from wagtail.models import Page, get_page_models
from wagtail.search import index
from wagtail.url_routing import RouteResult

from theme.blocks import INLINE_FEATURES, TEXT_FEATURES, BodyBlock
from theme.models.base import PrefixedPage
from theme.panels import panels


class HomePage(PrefixedPage):
    """The first page: what this is, the campaign now (told by the other rooms), what editors add."""

    heading = models.CharField(_("heading"), max_length=120, help_text=_("The great sentence at the top."))
    introduction = RichTextField(
        _("introduction"),
        features=INLINE_FEATURES,
        help_text=_("Three short sentences: what this site is for."),
    )
    body = StreamField(BodyBlock(), verbose_name=_("body"), blank=True)

    max_count_per_parent = 1
    template = "theme/home_page.html"
    content_panels = [
        *Page.content_panels,
        FieldPanel("heading"),
        FieldPanel("introduction"),
        FieldPanel("body"),
    ]
    search_fields = [*Page.search_fields, index.SearchField("introduction"), index.SearchField("body")]

    class Meta:
        verbose_name = _("home page")
        verbose_name_plural = _("home pages")

    def route(self, request: HttpRequest, path_components: list[str]) -> RouteResult:
        """The section that is asked in one query, not one for the page and one for its specific half."""
        if not path_components:
            return super().route(request, path_components)
        halves = {model: model._meta.pk.remote_field.get_accessor_name() for model in _page_types()}
        section = (
            self.get_children()
            .select_related("content_type", *halves.values())
            .filter(slug=path_components[0])
            .first()
        )
        if section is None:
            raise Http404
        specific = getattr(section, halves.get(section.specific_class, ""), None) or section.specific
        specific._cached_parent_obj = self
        return specific.route(request, path_components[1:])

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context(request, *args, **kwargs)
        context["panels"] = panels("abonde_home_panels", request)
        return context


def _page_types() -> list[Any]:
    """Types of our own that a section may have; any other is loaded as Wagtail does."""
    return [model for model in get_page_models() if issubclass(model, PrefixedPage) and model is not HomePage]


class PlainPage(PrefixedPage):
    """A page of text. Some have a place in every footer."""

    class Role(models.TextChoices):
        NONE = "", _("none")
        HOW = "how", _("how it works")
        LEGAL = "legal", _("legal notice")
        PRIVACY = "privacy", _("personal data")
        CONTACT = "contact", _("help and contact")

    introduction = models.TextField(_("introduction"), blank=True)
    body = StreamField(BodyBlock(), verbose_name=_("body"), blank=True)
    role = models.CharField(
        _("place in the footer"), max_length=8, choices=Role.choices, default=Role.NONE, blank=True
    )

    template = "theme/plain_page.html"
    content_panels = [*Page.content_panels, FieldPanel("introduction"), FieldPanel("body")]
    promote_panels = [*Page.promote_panels, FieldPanel("role")]
    search_fields = [*Page.search_fields, index.SearchField("introduction"), index.SearchField("body")]

    class Meta:
        verbose_name = _("page of text")
        verbose_name_plural = _("pages of text")


class AccessibilityPage(PrefixedPage):
    """The declaration that the law asks for (décret 2019-768). What it claims comes from the setting."""

    organisation = models.CharField(_("organisation"), max_length=160, blank=True)
    established_on = models.DateField(_("established on"), null=True, blank=True)
    plan_url = models.URLField(_("address of the multi-year plan"), blank=True)
    action_url = models.URLField(_("address of this year's actions"), blank=True)
    non_conformities = RichTextField(_("what is not compliant"), features=TEXT_FEATURES, blank=True)
    derogations = RichTextField(
        _("derogations for disproportionate burden"), features=TEXT_FEATURES, blank=True
    )
    exemptions = RichTextField(_("contents out of the law's scope"), features=TEXT_FEATURES, blank=True)
    technologies = models.CharField(_("technologies"), max_length=200, default="HTML, CSS, SVG, JavaScript")
    test_environment = models.TextField(_("assistive technologies and browsers of the tests"), blank=True)
    tools = models.CharField(_("tools of the tests"), max_length=200, default="axe-core")
    pages_checked = models.TextField(_("pages checked, one per line"), blank=True)
    contact_email = models.EmailField(_("e-mail to report a difficulty"), blank=True)
    contact_url = models.URLField(_("or address of a form"), blank=True)

    max_count_per_parent = 1
    template = "theme/accessibility_page.html"
    content_panels = [
        *Page.content_panels,
        FieldPanel("organisation"),
        FieldPanel("established_on"),
        MultiFieldPanel([FieldPanel("plan_url"), FieldPanel("action_url")], heading=_("Commitment")),
        MultiFieldPanel(
            [FieldPanel("non_conformities"), FieldPanel("derogations"), FieldPanel("exemptions")],
            heading=_("What is not accessible"),
        ),
        MultiFieldPanel(
            [
                FieldPanel("technologies"),
                FieldPanel("test_environment"),
                FieldPanel("tools"),
                FieldPanel("pages_checked"),
            ],
            heading=_("How this was established"),
        ),
        MultiFieldPanel([FieldPanel("contact_email"), FieldPanel("contact_url")], heading=_("Feedback")),
    ]

    class Meta:
        verbose_name = _("accessibility statement")
        verbose_name_plural = _("accessibility statements")
