"""What the money screens share: whose campaign, whose books, the breadcrumb, acts with a reason."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from defis.models import Campaign, Organisation
from defis.permissions import Role, funds_for, has_role
from participation.admin.audit import record
from participation.admin.rights import ACTORS, READERS, campaigns_for, holders_for, holds_whole_books
from participation.admin.sheets import file_response, wanted_format


@method_decorator(never_cache, name="dispatch")
class MoneyScreen(WagtailAdminTemplateMixin, View):
    """A screen about money. `roles` may open it; what is not theirs answers 404."""

    header_icon = "table"
    roles: tuple[Role, ...] = READERS
    act_roles: tuple[Role, ...] = ACTORS
    page_title: Any = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not funds_for(request.user, *self.roles).exists():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data())

    @cached_property
    def campaign(self) -> Campaign:
        """The campaign of the address."""
        found = (
            campaigns_for(self.request.user, *self.roles)
            .with_phase()
            .select_related("fund__legal_holder", "fund__authority")
            .filter(slug=self.kwargs["campaign"])
            .first()
        )
        if found is None:
            raise Http404
        return found

    @cached_property
    def holder(self) -> Organisation:
        """The legal holder of the address, whose whole books the user may see."""
        found = holders_for(self.request.user, *self.roles).filter(pk=self.kwargs["holder"]).first()
        if found is None:
            raise Http404
        return found

    def may_act(self) -> bool:
        """Whether the user may write entries about what this screen shows."""
        if "holder" in self.kwargs:
            return holders_for(self.request.user, *self.act_roles).filter(pk=self.holder.pk).exists()
        return has_role(self.request.user, self.campaign.fund, *self.act_roles)

    def require_act(self) -> None:
        """Raise Http404 for somebody who may look but not act."""
        if not self.may_act():
            raise Http404

    @property
    def whole_books(self) -> bool:
        return holds_whole_books(self.request.user, self.campaign.fund, *self.roles)

    def get_page_title(self) -> str:
        return str(self.page_title)

    def trail(self) -> list[tuple[str, str]]:
        """(address, label) between « Money » and this screen."""
        if "campaign" in self.kwargs:
            return [(reverse("abonde_money:campaign", args=[self.campaign.slug]), self.campaign.name)]
        return []

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        between = self.trail()
        root = reverse("abonde_money:index")
        return [
            *self.breadcrumbs_items,
            {"url": root, "label": _("Money")},
            *({"url": url, "label": label} for url, label in between),
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if "campaign" in self.kwargs:
            kwargs.setdefault("campaign", self.campaign)
        if "holder" in self.kwargs:
            kwargs.setdefault("holder", self.holder)
        return super().get_context_data(**kwargs)


class ExportedScreen(MoneyScreen):
    """A screen whose figures can be taken away: `?export=csv`, `csv-plain` or `xlsx`."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if format := wanted_format(request):
            owner, name, rows = self.export()
            record(owner, "export", request.user, file=name, format=format)
            return file_response(rows, name=name, format=format)
        return super().get(request, *args, **kwargs)

    def export(self) -> tuple[Any, str, Iterable[list[Any]]]:
        """Whose audit log is told, the file's name, its rows (header first, amounts in euros)."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        query = self.request.GET.copy()
        query.pop("export", None)
        begin = f"?{query.urlencode()}&" if query else "?"
        exports = [(label, f"{begin}export={format}") for format, label in export_formats()]
        return super().get_context_data(exports=exports, **kwargs)


def export_formats() -> list[tuple[str, str]]:
    """Formats of a file and what they are for."""
    return [
        ("xlsx", _("XLSX")),
        ("csv", _("CSV for a French spreadsheet (semicolons)")),
        ("csv-plain", _("CSV for a program (commas)")),
    ]
