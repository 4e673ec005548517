"""What our pages share: one query for their restrictions, a breadcrumb that costs none."""

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.images import get_image_model_string
from wagtail.models import Page, PageViewRestriction
from wagtail.url_routing import RouteResult

from theme.components import Link
from theme.models import PrefixedPage


class TellingPage(PrefixedPage):
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
        """Restrictions of this page, its ancestors and the sources of aliases: one query, not two."""
        step = self.steplen
        paths = [self.path[: step * level] for level in range(1, self.depth + 1)]
        on_page = Q(page__path__in=paths)
        on_source = Q(page__aliases__path__in=paths) | Q(page__aliases__aliases__path__in=paths)
        # An alias has the restrictions of its source only, as Wagtail decides; a distinct query covers both.
        return PageViewRestriction.objects.filter(on_page | on_source).distinct()

    def address(self, request: HttpRequest) -> str:
        """Address of this page; the one that was asked when it is this page that answers (no query)."""
        route = getattr(request, "_wagtail_route_for_request", None)
        if route is not None and route.page is self and request.path.endswith(f"/{self.slug}/"):
            return request.path
        return self.get_url(request) or ""

    def breadcrumb(self, request: HttpRequest) -> list[Link]:
        """Ancestors between the home page and this one, from what routing already loaded."""
        links: list[Link] = []
        page: Page = self
        url = self.address(request)
        while page.depth > 3:
            above = url.removesuffix(f"{page.slug}/")
            page = page.get_parent()
            url = above if above.endswith(f"/{page.slug}/") else page.get_url(request) or ""
            links.insert(0, Link(page.title, url))
        return links

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context(request, *args, **kwargs)
        context["breadcrumb"] = self.breadcrumb(request)
        return context


class IndexPage(TellingPage):
    """A list of pages of one type, whose records it loads together with the page that is asked."""

    child_model: str = ""

    class Meta:
        abstract = True

    def children_with_records(self) -> Any:
        """Pages under this one, with the records they tell."""
        model: Any = apps.get_model(self.child_model)
        return model.objects.child_of(self).select_related(*model.RECORDS)

    def route(self, request: HttpRequest, path_components: list[str]) -> RouteResult:
        """A child in one query, records included, instead of a page, its specific half, then each record."""
        if not path_components:
            return super().route(request, path_components)
        page = self.children_with_records().filter(slug=path_components[0]).first()
        if page is None:
            raise Http404
        page._cached_parent_obj = self
        return page.route(request, path_components[1:])
