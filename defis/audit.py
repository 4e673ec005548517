"""Names of what our services write in Wagtail's audit log, and how a human reads them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

ACTIONS = {
    "abonde.campaign.announce": (_("Announce a campaign"), _("Campaign announced")),
    "abonde.campaign.freeze": (_("Freeze the rules"), _("Rules frozen")),
    "abonde.rules.ask": (_("Ask to change the rules"), _("Change of the rules asked")),
    "abonde.rules.change": (_("Change the rules"), _("Rules changed, with a second signature")),
    "abonde.rules.refuse": (_("Refuse a change of the rules"), _("Change of the rules refused")),
    "abonde.campaign.selection": (_("Publish the selection"), _("Selection published")),
    "abonde.project.submit": (_("Submit a project"), _("Project submitted")),
    "abonde.project.withdraw": (_("Withdraw a project"), _("Project withdrawn by its holder")),
    "abonde.project.decide": (_("Decide about a project"), _("Decision recorded")),
    "abonde.project.cancel": (_("Cancel a project"), _("Project cancelled")),
    "abonde.project.evaluate": (_("Evaluate a project"), _("Evaluation saved")),
    "abonde.fund.groups": (_("Create the groups of a fund"), _("Groups of the fund created")),
    "abonde.export": (_("Export a list"), _("List exported")),
}


def record(instance: Any, action: str, user: Any = None, **data: Any) -> None:
    """One line of the audit log, in the caller's transaction."""
    if action not in ACTIONS:
        raise ValueError(f"unknown action: {action}")
    log(instance=instance, action=action, user=user, data=data or None)
