"""The accounts of a legal holder, by what they mean. Nothing is written until something is posted.

`debit` accounts hold what is owned or spent, `credit` ones what is owed; memo accounts (pledge, match) say
what is promised and never mix with cash. Overdraft is refused by the database where it makes no sense.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from participation.ledger.models import LedgerAccount

Kind = LedgerAccount.Kind
Side = LedgerAccount.Side


@dataclass(frozen=True)
class Account:
    """What an account is; its row appears at its first entry."""

    code: str
    kind: Kind
    side: Side
    may_overdraw: bool = False
    campaign_id: int | None = None
    project_id: int | None = None
    funder_id: int | None = None


def clearing(provider: str) -> Account:
    """What a payment provider holds for us. It may owe us less than nothing (refunds, disputes)."""
    return Account(f"clearing:{provider}", Kind.CLEARING, Side.DEBIT, may_overdraw=True)


def bank() -> Account:
    """The holder's bank account, as far as provider's transfers and payouts are recorded."""
    return Account("bank", Kind.BANK, Side.DEBIT)


def escrow(campaign_id: int, project_id: int) -> Account:
    """Residents' money kept for a project that is not decided."""
    return Account(
        f"escrow:{project_id}", Kind.ESCROW, Side.CREDIT, campaign_id=campaign_id, project_id=project_id
    )


def refund_due(campaign_id: int) -> Account:
    """What is owed back to contributors of a campaign."""
    return Account(f"refund_due:{campaign_id}", Kind.REFUND_DUE, Side.CREDIT, campaign_id=campaign_id)


def pledge(campaign_id: int, pot_id: int, funder_id: int) -> Account:
    """Memo: what a funder promised to a pot and has not been called yet."""
    return Account(
        f"pledge:{pot_id}:{funder_id}", Kind.PLEDGE, Side.DEBIT, campaign_id=campaign_id, funder_id=funder_id
    )


def match_pool(campaign_id: int, pot_id: int, funder_id: int) -> Account:
    """Memo: the part of a pledge that no project has received. It cannot go under zero: that is the ceiling."""
    return Account(
        f"match:{pot_id}:{funder_id}", Kind.MATCH, Side.CREDIT, campaign_id=campaign_id, funder_id=funder_id
    )


def match_of(campaign_id: int, pot_id: int, funder_id: int, project_id: int) -> Account:
    """Memo: what a funder gives to a project by a pot, until it has paid."""
    return Account(
        f"match:{pot_id}:{funder_id}:{project_id}",
        Kind.MATCH,
        Side.CREDIT,
        campaign_id=campaign_id,
        project_id=project_id,
        funder_id=funder_id,
    )


def receivable(campaign_id: int, funder_id: int) -> Account:
    """What a funder was asked to pay to the holder. Refused for an authority's money at an endowment fund."""
    return Account(
        f"receivable:{campaign_id}:{funder_id}",
        Kind.RECEIVABLE,
        Side.DEBIT,
        campaign_id=campaign_id,
        funder_id=funder_id,
    )


def payable(campaign_id: int, project_id: int) -> Account:
    """What is owed to the holder of a funded project."""
    return Account(
        f"payable:{project_id}", Kind.PAYABLE, Side.CREDIT, campaign_id=campaign_id, project_id=project_id
    )


def fees(campaign_id: int) -> Account:
    """What providers keep for their service."""
    return Account(f"fees:{campaign_id}", Kind.FEES, Side.DEBIT, may_overdraw=True, campaign_id=campaign_id)


def provider_fees() -> Account:
    """What a provider keeps that belongs to no single payment (subscription, transfer)."""
    return Account("fees", Kind.FEES, Side.DEBIT, may_overdraw=True)


def sponsor(campaign_id: int) -> Account:
    """What the bearer of the fees owes: a refunded contributor gets everything back, so somebody else pays."""
    return Account(
        f"sponsor:{campaign_id}", Kind.SPONSOR, Side.DEBIT, may_overdraw=True, campaign_id=campaign_id
    )


def fee_income(campaign_id: int) -> Account:
    """The agreed fee on success."""
    return Account(f"fee_income:{campaign_id}", Kind.FEE_INCOME, Side.CREDIT, campaign_id=campaign_id)


def disputes(campaign_id: int) -> Account:
    """Money that a bank took back by a dispute after it had left the project's escrow."""
    return Account(
        f"disputes:{campaign_id}", Kind.DISPUTES, Side.DEBIT, may_overdraw=True, campaign_id=campaign_id
    )


def suspense() -> Account:
    """What nobody can explain yet: dated, owned, emptied by a human with a reason."""
    return Account("suspense", Kind.SUSPENSE, Side.CREDIT, may_overdraw=True)


def account_ids(holder_id: int, accounts: Iterable[Account]) -> dict[str, int]:
    """Code -> id, rows created where missing. One query when all exist, three otherwise.

    Raises IntegrityError when an account may not exist (an endowment fund calling an authority's money).
    """
    wanted = {account.code: account for account in accounts}
    with connection.cursor() as cursor:
        found = _find(cursor, holder_id, list(wanted))
        missing = [account for code, account in wanted.items() if code not in found]
        if missing:
            # Not bulk_create(ignore_conflicts): ON CONFLICT must name the one conflict we expect.
            cursor.execute(
                """INSERT INTO abonde_participation_ledgeraccount
                     (holder_id, code, kind, side, may_overdraw, campaign_id, project_id, funder_id)
                   SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bool[],
                                            %s::bigint[], %s::bigint[], %s::bigint[])
                   ON CONFLICT (holder_id, code) DO NOTHING""",
                [
                    holder_id,
                    [a.code for a in missing],
                    [str(a.kind) for a in missing],
                    [str(a.side) for a in missing],
                    [a.may_overdraw for a in missing],
                    [a.campaign_id for a in missing],
                    [a.project_id for a in missing],
                    [a.funder_id for a in missing],
                ],
            )
            found = _find(cursor, holder_id, list(wanted))
    return found


def _find(cursor, holder_id: int, codes: list[str]) -> dict[str, int]:
    cursor.execute(
        "SELECT code, id FROM abonde_participation_ledgeraccount WHERE holder_id = %s AND code = ANY (%s)",
        [holder_id, codes],
    )
    return dict(cursor.fetchall())
