"""What this room adds to the rooms below: a cancelled project is refunded, a campaign that cannot be is not opened."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from defis.models import Campaign, Decision, Project
from defis.rules import Check
from participation.contributions.closing_settlement import refund_project
from participation.payments.models import Refund
from participation.payments.port import Capabilities, provider_for

# Between the bell and the last refund: computing, checking, two signatures, the run itself.
DECISION_DAYS = 15


def refund_cancelled_project(project: Project, decision: Decision) -> None:
    """Order everybody's refund, in the transaction that cancels."""
    refund_project(
        project=project, reason=Refund.Reason.CANCELLED, note=decision.reason, user=decision.decided_by
    )


def opening_checks(campaign: Campaign) -> list[Check]:
    """What the payment provider must allow before anybody may give."""
    try:
        capabilities = provider_for(campaign.collection_provider).capabilities
    except ImproperlyConfigured as error:
        return [Check("provider", _("The payment provider is configured"), False, str(error))]
    return [
        Check("provider", _("The payment provider is configured"), True),
        _refund_window(campaign, capabilities),
        Check(
            "provider_limits",
            _("The payment provider accepts the smallest contribution"),
            campaign.min_contribution_cents >= capabilities.min_cents,
        ),
    ]


def refundable_days(capabilities: Capabilities) -> int | None:
    """Days after a capture during which everything can still be given back; None: no limit."""
    limits = [
        days
        for days in (capabilities.refund_window_days, capabilities.payout_deadline_days)
        if days is not None
    ]
    return min(limits, default=None)


def _refund_window(campaign: Campaign, capabilities: Capabilities) -> Check:
    label = _("Everything can be refunded until the results")
    limit = refundable_days(capabilities)
    end = max(campaign.closes_at + timedelta(days=DECISION_DAYS), campaign.results_at or campaign.closes_at)
    needed = -((campaign.opens_at - end) // timedelta(days=1))
    if limit is None or needed < limit:
        return Check("refund_window", label, True)
    words: dict[str, Any] = {"needed": needed, "limit": limit}
    return Check(
        "refund_window",
        label,
        False,
        _(
            "The first contribution may have to be refunded after %(needed)s days; the provider allows %(limit)s."
        )
        % words,
    )
