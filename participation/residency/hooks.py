"""What this room adds to Wagtail's administration."""

from typing import Any

from django.http import HttpRequest
from django.urls import include, path, reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.menu import MenuItem

from defis.models import Role
from participation.residency import admin


class ResidenceMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return admin.territories_for(request.user, *admin.AGENTS, Role.AUDITOR).exists()


def menu_item() -> MenuItem:
    return ResidenceMenuItem(
        _("Residence"), reverse("abonde_residency_admin:index"), icon_name="home", order=160
    )


def admin_urls() -> list[Any]:
    return [path("abonde/residence/", include((admin.urlpatterns, admin.app_name)))]


def log_actions(actions: Any) -> None:
    for name, (label, message) in admin.ACTIONS.items():
        actions.register_action(name, label, message)
