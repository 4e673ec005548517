"""Writes of this room: keyword-only, atomic, one verb each. They raise `defis.services.Refused`."""

from fundmatch.services.closing import calculate_again, close_campaign, close_due_campaigns, rehearse
from fundmatch.services.corrections import override_share, withdraw_override
from fundmatch.services.publishing import publish_results
from fundmatch.services.signing import sign_run

__all__ = [
    "calculate_again",
    "close_campaign",
    "close_due_campaigns",
    "override_share",
    "publish_results",
    "rehearse",
    "sign_run",
    "withdraw_override",
]
