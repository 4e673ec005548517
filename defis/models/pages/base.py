"""What our pages share: one query for their restrictions, a breadcrumb that costs none."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.images import get_image_model_string
from wagtail.models import Page, PageViewRestriction

from theme.components import Link


class TellingPage(Page):
    """A public page about a record."""

    introduction = models.TextField(
        _("introduction"), blank=True, help_text=_("Two or three short sentences, shown under the title.")
    )
    image = models.ForeignKey(
        get_image_model_string(),
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("picture"),
    )
    image_alt = models.CharField(
        _("what the picture shows"),
        max_length=200,
        blank=True,
        help_text=_("For people who do not see it. Leave empty if the picture is only decorative."),
    )

    class Meta:
        abstract = True

    def get_view_restrictions(self) -> models.QuerySet[PageViewRestriction]:
        """Restrictions of this page, its ancestors and, for an alias, of their sources: one query, not two."""
        step = self.steplen
        paths = [self.path[: step * level] for level in range(1, self.depth + 1)]
        on_page = Q(page__path__in=paths)
        on_source = Q(page__aliases__path__in=paths) | Q(page__aliases__aliases__path__in=paths)
        # An alias has the restrictions of its source only, as Wagtail decides; a distinct query covers both.
        return PageViewRestriction.objects.filter(on_page | on_source).distinct()

    def breadcrumb(self, request: HttpRequest) -> list[Link]:
        """Ancestors between the home page and this one, from what routing already loaded."""
        links: list[Link] = []
        page: Page = self
        while page.depth > 3:
            page = page.get_parent()
            links.insert(0, Link(page.title, page.get_url(request) or ""))
        return links

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context(request, *args, **kwargs)
        context["breadcrumb"] = self.breadcrumb(request)
        return context
