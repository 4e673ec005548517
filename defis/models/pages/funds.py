from typing import Any

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.search import index

from defis.blocks import StoryBlock
from defis.models.funds import Fund
from defis.models.pages.base import IndexPage, TellingPage


class FundIndexPage(IndexPage):
    """The list of the territorial funds."""

    max_count_per_parent = 1
    subpage_types = ["abonde_defis.FundPage"]
    child_model = "abonde_defis.FundPage"
    template = "defis/fund_index_page.html"
    content_panels = [*TellingPage.content_panels, FieldPanel("introduction")]

    class Meta:
        verbose_name = _("list of funds")
        verbose_name_plural = _("lists of funds")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context(request, *args, **kwargs)
        pages = self.children_with_records().live().order_by("path")
        url = self.get_url(request) or ""
        context["funds"] = [(page, f"{url}{page.slug}/") for page in pages]
        return context


class FundPage(TellingPage):
    """A fund: who puts money, how much, by which rule, for whom, with an example in euros."""

    fund = models.ForeignKey(Fund, models.PROTECT, related_name="pages", verbose_name=_("fund"))
    body = StreamField(StoryBlock(), verbose_name=_("body"), blank=True)

    RECORDS = ("fund__territory", "fund__foundation", "fund__authority", "fund__legal_holder", "image")

    parent_page_types = ["abonde_defis.FundIndexPage"]
    subpage_types: list[str] = []
    template = "defis/fund_page.html"
    content_panels = [
        *TellingPage.content_panels,
        FieldPanel("fund"),
        FieldPanel("introduction"),
        MultiFieldPanel([FieldPanel("image"), FieldPanel("image_alt")], heading=_("Picture")),
        FieldPanel("body"),
    ]
    search_fields = [*TellingPage.search_fields, index.SearchField("introduction"), index.SearchField("body")]

    class Meta:
        verbose_name = _("page of a fund")
        verbose_name_plural = _("pages of funds")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from defis.selectors import announced_campaigns, communes_by_epci
        from defis.telling import money_of_campaign

        context = super().get_context(request, *args, **kwargs)
        campaigns = list(announced_campaigns(fund=self.fund))
        context["campaigns"] = campaigns
        context["money"] = [money_of_campaign(campaign) for campaign in campaigns]
        context["communes"] = communes_by_epci(self.fund)
        return context
