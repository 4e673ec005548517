"""What this room adds to Wagtail's admin and to other rooms' pages."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import include, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem

from fundmatch import panels
from fundmatch.audit import ACTIONS
from fundmatch.permissions import visible_campaigns
from fundmatch.views import admin as views

hooks.register("abonde_home_panels", panels.home_panels, order=200)
hooks.register("abonde_project_panels", panels.project_panels)
hooks.register("abonde_footer_links", panels.footer_links)
hooks.register("abonde_receipt_links", panels.receipt_links)
hooks.register("abonde_plan_links", panels.footer_links)


@hooks.register("register_log_actions")
def log_actions(actions: Any) -> None:
    for name, (label, message) in ACTIONS.items():
        actions.register_action(name, label, message)


@hooks.register("register_admin_urls")
def admin_urls() -> list[Any]:
    return [path("abonde/resultats/", include((views.urlpatterns, "abonde_results")))]


class ResultsMenuItem(MenuItem):
    """Shown to whoever may read a calculation of some fund."""

    def is_shown(self, request: HttpRequest) -> bool:
        return visible_campaigns(request.user).exists()


@hooks.register("register_admin_menu_item")
def results_menu_item() -> MenuItem:
    return ResultsMenuItem(
        _("Results"), reverse("abonde_results:index"), name="abonde-results", icon_name="form", order=260
    )


@hooks.register("insert_global_admin_css")
def admin_css() -> str:
    return format_html('<link rel="stylesheet" href="{}">', static("fundmatch/admin.css"))
