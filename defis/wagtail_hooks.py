"""What this room adds to Wagtail's admin and to other rooms' pages."""

from typing import Any

from django.http import HttpRequest
from django.urls import include, path, reverse
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem

from defis.admin import urls as admin_urls
from defis.admin.today import TodayPanel
from defis.admin.viewsets import RecordsGroup
from defis.audit import ACTIONS
from defis.home import home_panels
from defis.permissions import Role, funds_for
from theme.components import Link


@hooks.register("register_log_actions")
def log_actions(actions: Any) -> None:
    for name, (label, message) in ACTIONS.items():
        actions.register_action(name, label, message)


@hooks.register("register_admin_viewset")
def records() -> RecordsGroup:
    return RecordsGroup()


@hooks.register("register_admin_urls")
def urls() -> list[Any]:
    return [path("abonde/", include(admin_urls))]


class JuryMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return funds_for(request.user, Role.FOUNDATION).exists()


@hooks.register("register_admin_menu_item")
def jury_menu() -> MenuItem:
    return JuryMenuItem(_("Jury"), reverse("abonde_defis_admin:jury"), icon_name="tick-inverse", order=140)


@hooks.register("construct_homepage_panels")
def today(request: HttpRequest, panels: list[Any]) -> None:
    if funds_for(request.user).exists():
        panels.insert(0, TodayPanel(request))


hooks.register("abonde_home_panels", home_panels)


@hooks.register("abonde_plan_links")
def plan(request: HttpRequest) -> list[Link]:
    return [Link(str(_("Propose a project")), reverse("abonde_defis:propose"))]
