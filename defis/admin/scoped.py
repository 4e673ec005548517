"""Generic views that know only the records of the user's funds: the others answer 404."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from wagtail.admin.views import generic
from wagtail.admin.views.generic import history, usage
from wagtail.admin.viewsets.model import ModelViewSet

from defis.audit import record
from defis.models import Fund


class OwnFunds:
    """Objects of this view, limited to those on which the user may do one of `actions`."""

    actions_needed: tuple[str, ...] = ("view",)
    model: Any
    request: Any
    permission_policy: Any

    def scoped(self) -> QuerySet[Any]:
        return self.permission_policy.instances_user_has_any_permission_for(
            self.request.user, self.actions_needed
        )


class ScopedIndexView(OwnFunds, generic.IndexView):
    actions_needed = ("view", "change")

    def get_base_queryset(self) -> QuerySet[Any]:
        queryset = super().get_base_queryset()
        return queryset.filter(pk__in=self.scoped().values("pk"))

    def preprocess_field_value(self, field: str, value: Any, export_format: str) -> Any:
        """A cell that a spreadsheet would take for a formula begins with an apostrophe."""
        said = super().preprocess_field_value(field, value, export_format)
        return f"'{said}" if isinstance(said, str) and said[:1] in {"=", "+", "-", "@", "\t", "\r"} else said

    def as_spreadsheet(self, queryset: Any, spreadsheet_format: str) -> Any:
        for fund in Fund.objects.filter(pk__in=self._funds_of(queryset)):
            record(
                fund, "abonde.export", self.request.user, list=self.model._meta.label, rows=queryset.count()
            )
        return super().as_spreadsheet(queryset, spreadsheet_format)

    def _funds_of(self, queryset: Any) -> Any:
        path = getattr(self.permission_policy, "path", "")
        return queryset.order_by().values(path).distinct() if path and path != "pk" else queryset.none()

    def get_edit_url(self, instance: Any) -> str | None:
        """Straight to the record's reading view for those who may only read it."""
        return super().get_edit_url(instance)


class ScopedObject(OwnFunds):
    pk: Any

    def get_object(self, queryset: Any = None) -> Any:
        return get_object_or_404(self.scoped(), pk=self.kwargs.get("pk", getattr(self, "pk", None)))  # type: ignore[attr-defined]


class ScopedEditView(ScopedObject, generic.EditView):
    actions_needed = ("change",)


class ScopedInspectView(ScopedObject, generic.InspectView):
    actions_needed = ("view",)


class ScopedDeleteView(ScopedObject, generic.DeleteView):
    actions_needed = ("delete",)


class ScopedHistoryView(ScopedObject, history.HistoryView):
    actions_needed = ("view",)
    any_permission_required = ("view",)
    permission_required = None


class ScopedUsageView(ScopedObject, usage.UsageView):
    actions_needed = ("view",)


class ScopedViewSet(ModelViewSet):
    """A ModelViewSet whose every view is scoped; records stay out of the reference index."""

    index_view_class = ScopedIndexView
    edit_view_class = ScopedEditView
    inspect_view_class = ScopedInspectView
    delete_view_class = ScopedDeleteView
    history_view_class = ScopedHistoryView
    usage_view_class = ScopedUsageView
    inspect_view_enabled = True
    copy_view_enabled = False
    add_to_reference_index = False
    form_class: Any = None

    def get_form_class(self, for_update: bool = False) -> Any:
        return self.form_class or super().get_form_class(for_update)

    def register_permissions(self) -> None:
        """Rights come from roles on funds, not from Django's model permissions."""
