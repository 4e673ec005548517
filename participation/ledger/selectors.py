"""Reads of the ledger that several rooms share."""

from django.db import connection

from defis.models import Campaign, Organisation
from participation.ledger.models import LedgerTransaction


def settlement_key(project_id: int) -> str:
    """Event key of the one decision about a project's money."""
    return f"settle:project:{project_id}"


def is_settled(project_id: int) -> bool:
    """True once a publication has decided what becomes of the project's money."""
    return LedgerTransaction.objects.filter(event_key=settlement_key(project_id)).exists()


def balances(holder: Organisation, *, campaign: Campaign | None = None) -> dict[str, int]:
    """Code -> cents on the account's own side, for every account of the holder (or of one campaign)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT code, abonde_ledger_balance(id) FROM abonde_participation_ledgeraccount
               WHERE holder_id = %s AND (%s::bigint IS NULL OR campaign_id = %s) ORDER BY code""",
            [holder.pk, campaign.pk if campaign else None, campaign.pk if campaign else None],
        )
        return dict(cursor.fetchall())
