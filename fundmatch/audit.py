"""Names of what our services write in Wagtail's audit log, and how a human reads them."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

ACTIONS = {
    "abonde.results.close": (_("Close a campaign"), _("Campaign closed, shares calculated")),
    "abonde.results.again": (_("Calculate again"), _("Shares calculated again")),
    "abonde.results.rehearse": (_("Rehearse the calculation"), _("Calculation rehearsed")),
    "abonde.results.correct": (_("Correct a share"), _("Share corrected")),
    "abonde.results.withdraw": (_("Withdraw a correction"), _("Correction withdrawn")),
    "abonde.results.sign": (_("Sign the results"), _("Results signed")),
    "abonde.results.publish": (_("Publish the results"), _("Results published")),
}


def record(instance: Any, action: str, user: Any = None, **data: Any) -> None:
    """Write one line of the audit log, in the caller's transaction."""
    if action not in ACTIONS:
        raise ValueError(f"unknown action: {action}")
    log(instance=instance, action=action, user=user, data=data or None)
