"""What the lists about money share: reading without editing, exports for a spreadsheet or for a program."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets.button import Button
from wagtail.coreutils import multigetattr

from defis.admin.scoped import ScopedIndexView, ScopedViewSet
from defis.permissions import funds_for
from participation.admin.rights import PERSONAL
from participation.admin.sheets import BOM, csv_line, file_response
from participation.admin.words import end_label


class MoneyIndexView(ScopedIndexView):
    """A list whose CSV opens in a French spreadsheet (`?export=csv`) or in a program (`csv-plain`).

    `export` maps a path of the record to its heading; paths that end in `_cents` leave in euros.
    """

    FORMAT_PLAIN = "csv-plain"
    FORMATS = (ScopedIndexView.FORMAT_XLSX, ScopedIndexView.FORMAT_CSV, FORMAT_PLAIN)
    default_ordering = "-pk"
    export: dict[str, Any] = {}
    # Path from a row to its contribution: names of residents follow for the finance role.
    contribution_path: str | None = None

    def get_valid_orderings(self) -> list[str]:
        return [*super().get_valid_orderings(), "-pk"]

    @cached_property
    def named_funds(self) -> set[int]:
        """Funds whose residents' names this user may take away."""
        if self.contribution_path is None:
            return set()
        return set(funds_for(self.request.user, *PERSONAL).values_list("pk", flat=True))

    def rows(self, queryset: QuerySet[Any]) -> Iterator[list[Any]]:
        """Header, then one row per record; amounts in euros, instants as ISO 8601."""
        people = [_("Name of the contributor"), _("E-mail of the contributor")] if self.named_funds else []
        yield [str(heading) for heading in [*self.export.values(), *people]]
        for item in queryset.iterator(chunk_size=2_000):
            row = [cell(path, multigetattr(item, path)) for path in self.export]
            yield row + (self._people(item) if self.named_funds else [])

    def _people(self, item: Any) -> list[str]:
        contribution = multigetattr(item, self.contribution_path) if self.contribution_path else item
        if contribution.campaign.fund_id not in self.named_funds:
            return ["", ""]
        who = contribution.person or contribution.offline_donor
        if who is None:
            return ["", ""]
        return [getattr(who, "display_name", "") or getattr(who, "name", ""), who.email]

    def as_spreadsheet(self, queryset: Any, spreadsheet_format: str) -> Any:
        self.spreadsheet_format = spreadsheet_format
        kind = self.FORMAT_XLSX if spreadsheet_format == self.FORMAT_XLSX else self.FORMAT_CSV
        return super().as_spreadsheet(queryset, kind)

    def write_csv_response(self, queryset: Any) -> StreamingHttpResponse:
        plain = self.spreadsheet_format == self.FORMAT_PLAIN

        def lines() -> Iterator[str]:
            yield "" if plain else BOM
            for row in self.rows(queryset):
                yield csv_line(row, plain=plain)

        response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.get_filename()}.csv"'
        return response

    def write_xlsx_response(self, queryset: Any) -> HttpResponse:
        return file_response(self.rows(queryset), name=self.get_filename(), format="xlsx")

    @cached_property
    def show_export_buttons(self) -> bool:
        return bool(self.export)

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        url = self.get_export_url(self.FORMAT_PLAIN)
        plain = Button(_("Download CSV with commas"), url=url, icon_name="download", priority=110)
        return [*super().header_more_buttons, plain]


class ReadOnlyViewSet(ScopedViewSet):
    """Index and story of a record; there is no address to add, edit or delete one."""

    index_view_class = MoneyIndexView
    form_fields: list[str] = []
    list_per_page = 50

    def get_urlpatterns(self) -> list[Any]:
        conv = self.pk_path_converter
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path(f"<{conv}:pk>/", self.inspect_view, name="inspect"),
        ]

    def get_common_view_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        gone = {f"{name}_url_name" for name in ("add", "edit", "delete", "history", "usage")}
        return {
            name: value
            for name, value in super().get_common_view_kwargs(**kwargs).items()
            if name not in gone
        }

    def register_admin_url_finder(self) -> None:
        """Nothing here has an address to be edited at."""


def cell(path: str, value: Any) -> Any:
    if value is None:
        return ""
    if path.endswith("_cents"):
        return value / 100
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat(timespec="seconds")
    if path == "end_reason":
        return end_label(value)
    if isinstance(value, bool):
        return str(_("yes")) if value else str(_("no"))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
