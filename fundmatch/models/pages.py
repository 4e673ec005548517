"""Pages that tell the results. Figures come from the records; editors only add words."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import StreamField

from defis.models import Campaign
from defis.models.pages.base import TellingPage
from theme.blocks import BodyBlock


class ResultsIndexPage(TellingPage):
    """Every campaign whose results are published."""

    max_count_per_parent = 1
    subpage_types = ["abonde_fundmatch.ResultsPage"]
    template = "fundmatch/results_index_page.html"
    content_panels = [*TellingPage.content_panels, FieldPanel("introduction")]

    class Meta:
        verbose_name = _("list of results")
        verbose_name_plural = _("lists of results")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from fundmatch.telling import index_rows

        context = super().get_context(request, *args, **kwargs)
        context["rows"] = index_rows(self, self.get_url(request) or "")
        return context


class ResultsPage(TellingPage):
    """The results of one campaign, in one language. The publication's own transaction makes it visible."""

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="results_pages", verbose_name=_("campaign")
    )
    body = StreamField(BodyBlock(), verbose_name=_("what comes next"), blank=True)

    content_panels = [
        *TellingPage.content_panels,
        FieldPanel("campaign"),
        FieldPanel("introduction"),
        FieldPanel("body"),
    ]
    parent_page_types = ["abonde_fundmatch.ResultsIndexPage"]
    subpage_types: list[str] = []
    template = "fundmatch/results_page.html"

    class Meta:
        verbose_name = _("results of a campaign")
        verbose_name_plural = _("results of campaigns")

    def clean(self) -> None:
        super().clean()
        if self.campaign_id is None:
            return
        twins = ResultsPage.objects.filter(campaign=self.campaign_id, locale=self.locale_id)
        if twins.exclude(pk=self.pk).exists():
            raise ValidationError(
                {"campaign": _("This campaign already has a results page in this language.")}
            )

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from fundmatch.telling import results_context

        context = super().get_context(request, *args, **kwargs)
        context.update(results_context(self.campaign, base_url=self.get_url(request) or ""))
        return context
