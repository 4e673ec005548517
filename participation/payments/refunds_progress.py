"""Where the refunds stand, and whether the provider holds enough to make them."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, Sum

from defis.models import Campaign, Organisation
from participation.payments.models import Refund
from participation.payments.port import ProviderError, provider_for


def refund_progress(campaign: Campaign) -> dict[str, dict[str, int]]:
    """State -> {"refunds": number, "cents": sum}, every state present; and "total"."""
    progress = {str(state): {"refunds": 0, "cents": 0} for state in Refund.State}
    rows = (
        Refund.objects.filter(payment__contribution__campaign=campaign)
        .values_list("state")
        .annotate(Count("pk"), Sum("amount_cents"))
        .order_by()
    )
    for state, number, cents in rows:
        progress[state] = {"refunds": number, "cents": cents}
    progress["total"] = {name: sum(row[name] for row in progress.values()) for name in ("refunds", "cents")}
    return progress


@dataclass(frozen=True)
class Coverage:
    """What a provider holds against what contributors may have to get back (cents).

    `held_cents` is None when the provider does not tell.
    """

    provider: str
    held_cents: int | None
    owed_cents: int

    @property
    def ratio(self) -> float | None:
        """1.0 and more: everything can be given back. For display only."""
        if self.held_cents is None:
            return None
        return self.held_cents / self.owed_cents if self.owed_cents else 1.0

    @property
    def is_short(self) -> bool:
        return self.held_cents is not None and self.held_cents < self.owed_cents


def coverage(holder: Organisation) -> list[Coverage]:
    """For each provider of a holder: its balance now, and the refundable money of undecided projects.

    One query, and one call per provider.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT p.provider, sum(coalesce(p.captured_cents, p.amount_cents))
               FROM abonde_participation_payment p
               JOIN abonde_participation_contribution c ON c.id = p.contribution_id
               JOIN abonde_defis_campaign k ON k.id = c.campaign_id
               JOIN abonde_defis_fund f ON f.id = k.fund_id
               WHERE f.legal_holder_id = %s
                 AND (p.state IN ('refund_due', 'review') AND p.captured_cents IS NOT NULL
                   OR p.state = 'paid' AND NOT EXISTS (
                     SELECT 1 FROM abonde_participation_ledgertransaction t
                     WHERE t.event_key = 'settle:project:' || c.project_id))
               GROUP BY 1 ORDER BY 1""",
            [holder.pk],
        )
        owed = [(name, int(cents)) for name, cents in cursor.fetchall()]
    return [Coverage(name, _balance(name), cents) for name, cents in owed]


def _balance(name: str) -> int | None:
    try:
        return provider_for(name).balance()
    except ProviderError:
        return None
