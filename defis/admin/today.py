"""« Aujourd'hui »: what each role has to do, on the admin's first screen."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.admin.ui.components import Component

from defis.models import Evaluation, Phase, RuleChange
from defis.permissions import EDITORS, Role, funds_for
from defis.rules import opening_checklist
from defis.selectors import announced_campaigns, pending_decisions, projects_to_evaluate
from theme.components import Link

SOON_DAYS = 15


class TodayPanel(Component):
    """Things to do and the next date of each campaign of the user's funds."""

    name = "abonde_today"
    order = 10
    template_name = "defis/admin/today.html"

    def __init__(self, request: HttpRequest):
        self.request = request

    def get_context_data(self, parent_context: Any) -> dict[str, Any]:
        return {"tasks": tasks_of(self.request.user), "campaigns": _campaigns(self.request.user)}


def tasks_of(user: Any) -> list[Link]:
    """What waits for this person, each with the screen where it is done."""
    tasks: list[Link] = []
    if funds_for(user, Role.FOUNDATION).exists():
        mine = Evaluation.objects.filter(juror=user).values("project")
        number = projects_to_evaluate(user).exclude(pk__in=mine).count()
        if number:
            label = ngettext("%(number)d project to evaluate", "%(number)d projects to evaluate", number)
            tasks.append(Link(label % {"number": number}, reverse("abonde_defis_admin:jury")))
    for change in RuleChange.objects.filter(
        state=RuleChange.State.ASKED, campaign__fund__in=funds_for(user, Role.FOUNDATION, Role.ADMINISTRATOR)
    ).exclude(requested_by=user if user.pk else None):
        label = _("Change of the rules to sign: %(campaign)s") % {"campaign": change.campaign.name}
        tasks.append(Link(label, reverse("abonde_defis_admin:rule_change", args=[change.pk])))
    for campaign in announced_campaigns(fund__in=funds_for(user, *EDITORS)).exclude(phase=Phase.PUBLISHED):
        url = reverse("abonde_defis_admin:campaign_desk", args=[campaign.pk])
        waiting = len(pending_decisions(campaign))
        if waiting:
            label = ngettext(
                "%(number)d decision to publish: %(campaign)s",
                "%(number)d decisions to publish: %(campaign)s",
                waiting,
            )
            tasks.append(Link(label % {"number": waiting, "campaign": campaign.name}, url))
        if campaign.rules_frozen_at is None and campaign.phase in {Phase.SELECTION, Phase.OPEN}:
            red = sum(1 for check in opening_checklist(campaign) if not check.ok)
            if red:
                label = ngettext(
                    "%(campaign)s: %(number)d point to settle before opening",
                    "%(campaign)s: %(number)d points to settle before opening",
                    red,
                )
                tasks.append(Link(label % {"number": red, "campaign": campaign.name}, url))
    return tasks


def _campaigns(user: Any) -> list[dict[str, Any]]:
    rows = []
    for campaign in announced_campaigns(fund__in=funds_for(user)).exclude(phase=Phase.PUBLISHED):
        dates = [
            (campaign.submissions_open_at, _("proposals open")),
            (campaign.submissions_close_at, _("proposals close")),
            (campaign.opens_at, _("contributions open")),
            (campaign.closes_at, _("contributions close")),
            (campaign.results_at, _("results announced for")),
        ]
        step = {Phase.UPCOMING: 0, Phase.SUBMISSIONS: 1, Phase.SELECTION: 2, Phase.OPEN: 3, Phase.CLOSED: 4}
        start = step.get(Phase(campaign.phase), 4)
        following = next(((date, label) for date, label in dates[start:] if date is not None), (None, ""))
        rows.append(
            {
                "campaign": campaign,
                "phase": Phase(campaign.phase).label,
                "date": following[0],
                "label": following[1],
                "url": reverse("abonde_defis_admin:campaign_desk", args=[campaign.pk]),
            }
        )
    return rows
