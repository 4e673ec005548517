"""What this room shows on the pages of others."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from laces.components import Component

from defis.funding import Funding
from defis.models import Project
from participation.contributions.call_to_action import call_to_action
from participation.contributions.standing import addresses_of, situation_of, visitor_person
from theme.components import CallToAction, Link


class CallToActionPanel(Component):
    """The button of a project page and the sentence under it."""

    template_name = "participation/contributions/call_to_action_panel.html"

    def __init__(self, action: CallToAction) -> None:
        self.action = action

    def get_context_data(self, parent_context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {"action": self.action}


def project_panels(request: HttpRequest, project: Project, funding: Funding) -> list[Component]:
    """Hook `abonde_project_panels`."""
    situation = situation_of(project, funding, visitor_person(request))
    addresses = addresses_of(project, request, situation=situation)
    return [CallToActionPanel(call_to_action(situation, addresses))]


def account_links(request: HttpRequest) -> list[Link]:
    """Hook `abonde_account_links`: « Mes contributions », for residents who are signed in."""
    if visitor_person(request) is None:
        return []
    address = reverse("abonde_participation:my_contributions")
    return [Link(_("My contributions"), address, current=request.path == address)]


def plan_links(request: HttpRequest) -> list[Link]:
    """Hook `abonde_plan_links`."""
    return [Link(_("My contributions"), reverse("abonde_participation:my_contributions"))]
