from typing import Any

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.search import index

from defis.blocks import StoryBlock
from defis.models.pages.base import IndexPage, TellingPage
from defis.models.projects import Defi


class DefiIndexPage(IndexPage):
    """The list of the challenges."""

    max_count_per_parent = 1
    subpage_types = ["abonde_defis.DefiPage"]
    child_model = "abonde_defis.DefiPage"
    template = "defis/defi_index_page.html"
    content_panels = [*TellingPage.content_panels, FieldPanel("introduction")]

    class Meta:
        verbose_name = _("list of challenges")
        verbose_name_plural = _("lists of challenges")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context(request, *args, **kwargs)
        pages = self.children_with_records().live().order_by("path")
        url = self.get_url(request) or ""
        context["defis"] = [(page, f"{url}{page.slug}/") for page in pages]
        return context


class DefiPage(TellingPage):
    """A challenge: the question asked, who pays, the rules, the calendar, the projects."""

    defi = models.ForeignKey(Defi, models.PROTECT, related_name="pages", verbose_name=_("challenge"))
    question = models.CharField(_("question asked to residents"), max_length=200, blank=True)
    jury = models.TextField(_("who chooses the projects"), blank=True)
    body = StreamField(StoryBlock(), verbose_name=_("body"), blank=True)

    RECORDS = ("defi", "image")

    parent_page_types = ["abonde_defis.DefiIndexPage"]
    subpage_types: list[str] = []
    template = "defis/defi_page.html"
    content_panels = [
        *TellingPage.content_panels,
        FieldPanel("defi"),
        FieldPanel("question"),
        FieldPanel("introduction"),
        MultiFieldPanel([FieldPanel("image"), FieldPanel("image_alt")], heading=_("Picture")),
        FieldPanel("body"),
        FieldPanel("jury"),
    ]
    search_fields = [
        *TellingPage.search_fields,
        index.SearchField("question"),
        index.SearchField("introduction"),
        index.SearchField("body"),
    ]

    class Meta:
        verbose_name = _("page of a challenge")
        verbose_name_plural = _("pages of challenges")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from defis.listing import cards_of_defi, fund_urls
        from defis.selectors import announced_campaigns, calendar_of, criteria_of

        context = super().get_context(request, *args, **kwargs)
        campaigns = list(announced_campaigns(defis=self.defi))
        context["campaign"] = campaign = campaigns[0] if campaigns else None
        context["campaigns"] = campaigns
        context["calendar"] = calendar_of(campaign) if campaign else []
        context["criteria"] = criteria_of(self)
        context["funds"] = fund_urls({c.fund for c in campaigns}, self.locale_id, request)
        context["cards"] = cards_of_defi(self, request)
        return context
