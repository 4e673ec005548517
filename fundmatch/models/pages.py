"""Pages that tell the results. Figures come from the records; editors only add words."""

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField
from wagtail.models import Page

from defis.models import Campaign


class ResultsIndexPage(Page):
    """Every campaign whose results are published."""

    introduction = RichTextField(_("introduction"), blank=True, features=["bold", "italic", "link", "ul"])

    content_panels = [*Page.content_panels, FieldPanel("introduction")]
    subpage_types = ["abonde_fundmatch.ResultsPage"]
    template = "fundmatch/results_index_page.html"

    class Meta:
        verbose_name = _("results of the campaigns")

    def get_context(self, request: HttpRequest, *args, **kwargs):
        from fundmatch.selectors import published_campaigns

        context = super().get_context(request, *args, **kwargs)
        context["publications"] = published_campaigns(locale=self.locale)
        return context


class ResultsPage(Page):
    """The results of one campaign, in one language. The publication's own transaction makes it visible."""

    campaign = models.ForeignKey(
        Campaign, models.PROTECT, related_name="results_pages", verbose_name=_("campaign")
    )
    introduction = RichTextField(_("introduction"), blank=True, features=["bold", "italic", "link", "ul"])
    conclusion = RichTextField(_("what comes next"), blank=True, features=["bold", "italic", "link", "ul"])

    content_panels = [
        *Page.content_panels,
        FieldPanel("campaign"),
        FieldPanel("introduction"),
        FieldPanel("conclusion"),
    ]
    parent_page_types = ["abonde_fundmatch.ResultsIndexPage"]
    subpage_types: list[str] = []
    template = "fundmatch/results_page.html"

    class Meta:
        verbose_name = _("results of a campaign")

    def clean(self) -> None:
        super().clean()
        if self.campaign_id is None:
            return
        twins = ResultsPage.objects.filter(campaign_id=self.campaign_id, locale_id=self.locale_id)
        if twins.exclude(pk=self.pk).exists():
            raise ValidationError(
                {"campaign": _("This campaign already has a results page in this language.")}
            )

    def get_context(self, request: HttpRequest, *args, **kwargs):
        from fundmatch.results import results_context

        context = super().get_context(request, *args, **kwargs)
        context.update(results_context(self.campaign))
        return context
