"""What a publication decided, written in the ledger: match, payables, fees, refund orders, released pledges.

Repeating it changes nothing: each project is settled by one event, and a correction posts only differences.
Memo accounts tell for each funder: promised = given to projects + left to give; `pledge` ends equal to what was
given. Receivables tell what the holder asked each funder to pay.
"""

import logging
from collections.abc import Mapping, Sequence

from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from defis.clock import clock_shift
from defis.models import Campaign, Organisation, Pledge, Pot, Project
from participation.contributions.models import Contribution
from participation.ledger import accounts, locks
from participation.ledger.accounts import Account
from participation.ledger.models import LedgerAccount, LedgerEntry, LedgerTransaction
from participation.ledger.selectors import is_settled, settlement_key
from participation.ledger.services import Line, balance_of, post
from participation.payments.models import Refund

logger = logging.getLogger("abonde.money")

# project pk -> {(pot, funder): cents}
Shares = Mapping[int, Mapping[tuple[Pot, Organisation], int]]
FUNDED = "settle_funded"
FAILED = "settle_failed"
CORRECTED = "settle_corrected"


class ClosingError(Exception):
    """The campaign cannot be closed or settled like this; the message is for the treasurer."""


@transaction.atomic
def settle_campaign(
    *,
    campaign: Campaign,
    funded: Shares,
    failed: Sequence[int],
    publication_key: str,
    computed_on: Mapping[int, int] | None = None,
    user=None,
) -> None:
    """Post what a publication decided, in the caller's transaction.

    `funded`: project pk -> {(pot, funder): cents}; `failed`: project pks, refunded in full. Every project of the
    campaign that holds money must be in one of them. Residents' money and called match become payable, less the
    agreed fee; what no project receives of a pledge is released. The same call again posts nothing; another
    `publication_key` (a corrected version) posts the differences of match and refuses to change who is funded.
    `computed_on` (project pk -> residents' cents of the snapshot): refuses when the money held is not that any more.
    Raises ClosingError.
    """
    locks.hold_campaign(campaign.pk)
    _all_decided(campaign, funded, failed)
    _still_as_computed(campaign, computed_on or {})
    post_pledges(campaign=campaign)
    projects = {p.pk: p for p in Project.objects.filter(pk__in=[*funded, *failed])}
    for project_id in sorted(funded):
        _settle_funded(campaign, projects[project_id], funded[project_id], publication_key, user)
    for project_id in sorted(failed):
        refund_project(
            project=projects[project_id], reason=Refund.Reason.THRESHOLD, kind=FAILED, note=publication_key
        )
    _release_pledges(campaign, publication_key)
    _charge_fees(campaign, publication_key)
    logger.info("campaign.settled campaign=%s key=%s", campaign.slug, publication_key)


@transaction.atomic
def post_pledges(*, campaign: Campaign) -> None:
    """Write in the memo accounts what funders promise. Idempotent; a pledge that grew posts the difference.

    Raises ClosingError when a pledge is smaller than what was posted before.
    """
    pledges = Pledge.objects.filter(pot__campaign=campaign, amount_cents__gt=0).select_related("funder")
    for pledge in pledges.order_by("pk"):
        memo = accounts.pledge(campaign.pk, pledge.pot_id, pledge.funder_id)
        posted = (
            LedgerEntry.objects.filter(
                debit__holder_id=campaign.fund.legal_holder_id,
                debit__code=memo.code,
                transaction__kind="pledge",
            ).aggregate(c=Sum("amount_cents"))["c"]
            or 0
        )
        if pledge.amount_cents < posted:
            raise ClosingError(f"{pledge.funder}: {posted} cents promised before, {pledge.amount_cents} now.")
        if pledge.amount_cents > posted:
            post(
                event_key=f"pledge:{pledge.pk}:{pledge.amount_cents}",
                kind="pledge",
                holder=campaign.fund.legal_holder,
                lines=[
                    (
                        memo,
                        accounts.match_pool(campaign.pk, pledge.pot_id, pledge.funder_id),
                        pledge.amount_cents - posted,
                    )
                ],
                campaign=campaign,
                reason=pledge.agreement_reference,
            )


@transaction.atomic
def refund_project(
    *, project: Project, reason: str = Refund.Reason.CANCELLED, kind: str = FAILED, note: str = "", user=None
) -> int:
    """Order the refund of everything counted for a project, in one go; returns how many orders.

    Posts escrow -> owed to contributors, and the contributions count no more. The worker sends the refunds.
    Nothing left to refund: nothing happens. Raises ClosingError when something stays held.
    """
    campaign = project.campaign
    holder = campaign.fund.legal_holder
    locks.hold_campaign(campaign.pk)
    if _is_funded(project.pk):
        raise ClosingError(f"{project} was settled as funded: it cannot be refunded by this way.")
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH orders AS (
                 INSERT INTO abonde_participation_refund
                   (payment_id, key, amount_cents, reason, state, provider_reference, created_at, next_try_at,
                    attempts, note)
                 SELECT p.id, gen_random_uuid(), coalesce(p.captured_cents, p.amount_cents), %(reason)s, 'created',
                        '', statement_timestamp() + %(shift)s, statement_timestamp() + %(shift)s, 0, ''
                 FROM abonde_participation_payment p
                 JOIN abonde_participation_contribution c ON c.id = p.contribution_id
                 WHERE c.project_id = %(project)s AND c.state = 'counted' AND p.state = 'paid'
                 ORDER BY p.id
                 RETURNING payment_id, amount_cents
               ), due AS (
                 UPDATE abonde_participation_payment p SET state = 'refund_due'
                 FROM orders WHERE p.id = orders.payment_id
                 RETURNING p.contribution_id
               ), gone AS (
                 UPDATE abonde_participation_contribution c
                 SET state = 'refunded', ended_at = statement_timestamp() + %(shift)s, end_reason = %(reason)s
                 FROM due WHERE c.id = due.contribution_id
               )
               SELECT count(*), coalesce(sum(amount_cents), 0)::bigint FROM orders""",
            {"reason": str(reason), "shift": clock_shift(), "project": project.pk},
        )
        number, cents = cursor.fetchone()
    if number:
        again = LedgerTransaction.objects.filter(event_key__startswith=settlement_key(project.pk)).count()
        post(
            event_key=settlement_key(project.pk) + (f":again:{again}" if again else ""),
            kind=kind,
            holder=holder,
            lines=[(accounts.escrow(campaign.pk, project.pk), accounts.refund_due(campaign.pk), cents)],
            campaign=campaign,
            reason=note or str(reason),
            user=user,
        )
    if left := balance_of(holder, accounts.escrow(campaign.pk, project.pk)):
        raise ClosingError(f"{project}: {left} cents stay in escrow; a payment needs a human first.")
    return number


def fee_on(campaign: Campaign, cents: int) -> int:
    """Agreed fee on success, floored to the cent."""
    return cents * campaign.fee_bps // 10_000


# --- Inside ---------------------------------------------------------------------------------------------


def _all_decided(campaign: Campaign, funded: Shares, failed: Sequence[int]) -> None:
    if both := set(funded) & set(failed):
        raise ClosingError(f"Projects both funded and failed: {sorted(both)}.")
    of_campaign = set(Project.objects.filter(campaign=campaign).values_list("pk", flat=True))
    if foreign := (set(funded) | set(failed)) - of_campaign:
        raise ClosingError(f"Projects of another campaign: {sorted(foreign)}.")
    with_money = set(
        Contribution.objects.filter(campaign=campaign, state=Contribution.State.COUNTED)
        .order_by()
        .values_list("project_id", flat=True)
        .distinct()
    )
    if forgotten := {pk for pk in with_money - set(funded) - set(failed) if not is_settled(pk)}:
        raise ClosingError(f"Projects that hold money and have no decision: {sorted(forgotten)}.")


def _still_as_computed(campaign: Campaign, computed_on: Mapping[int, int]) -> None:
    """A payment found, refunded or disputed since the calculation changes every share: compute again."""
    changed = [
        project_id
        for project_id, cents in sorted(computed_on.items())
        if not is_settled(project_id)
        and balance_of(campaign.fund.legal_holder, accounts.escrow(campaign.pk, project_id)) != cents
    ]
    if changed:
        raise ClosingError(f"The money of these projects changed since the calculation: {changed}.")


def _is_funded(project_id: int) -> bool:
    return LedgerTransaction.objects.filter(event_key=settlement_key(project_id), kind=FUNDED).exists()


def _settle_funded(
    campaign: Campaign,
    project: Project,
    shares: Mapping[tuple[Pot, Organisation], int],
    publication_key: str,
    user,
) -> None:
    """Residents' money and match become payable, less the fee; later, only what changed."""
    holder = campaign.fund.legal_holder
    payable = accounts.payable(campaign.pk, project.pk)
    first = not is_settled(project.pk)
    if not first and not _is_funded(project.pk):
        raise ClosingError(f"{project} was refunded: it cannot become funded.")
    lines: list[Line] = []
    if first:
        escrow = accounts.escrow(campaign.pk, project.pk)
        lines.append((escrow, payable, balance_of(holder, escrow)))
    wanted = {(pot.pk, funder.pk): cents for (pot, funder), cents in shares.items()}
    funders = {funder.pk: funder for _, funder in shares}
    given = _given(holder, project)
    for pot_id, funder_id in sorted(wanted.keys() | given.keys()):
        funder = funders.get(funder_id) or Organisation.objects.get(pk=funder_id)
        change = wanted.get((pot_id, funder_id), 0) - given.get((pot_id, funder_id), 0)
        lines += _match_lines(campaign, project, pot_id, funder, change)
    lines = [line for line in lines if line[2]]
    before = _passed_through(holder, payable)
    after = before + sum(cents * ((credit == payable) - (debit == payable)) for debit, credit, cents in lines)
    fee = fee_on(campaign, after) - fee_on(campaign, before)
    income = accounts.fee_income(campaign.pk)
    if fee:
        lines.append((payable, income, fee) if fee > 0 else (income, payable, -fee))
    if not lines:
        return
    try:
        with transaction.atomic():
            post(
                event_key=settlement_key(project.pk)
                if first
                else f"settle:correction:{publication_key}:{project.pk}",
                kind=FUNDED if first else CORRECTED,
                holder=holder,
                lines=lines,
                campaign=campaign,
                reason=publication_key,
                user=user,
            )
    except IntegrityError as error:
        raise ClosingError(f"{project}: {str(error).splitlines()[0]}") from error


def _match_lines(
    campaign: Campaign, project: Project, pot_id: int, funder: Organisation, change: int
) -> list[Line]:
    """Memo, and the call to the funder."""
    holder = campaign.fund.legal_holder
    pool = accounts.match_pool(campaign.pk, pot_id, funder.pk)
    match = accounts.match_of(campaign.pk, pot_id, funder.pk, project.pk)
    pledge = accounts.pledge(campaign.pk, pot_id, funder.pk)
    payable = accounts.payable(campaign.pk, project.pk)
    lines: list[Line] = []
    if change > 0:
        # A correction may need again what the first version released: never more than was promised.
        again = change - balance_of(holder, pool)
        if again > 0:
            promised = (
                Pledge.objects.filter(pot_id=pot_id, funder=funder)
                .values_list("amount_cents", flat=True)
                .first()
                or 0
            )
            if balance_of(holder, pledge) + again > promised:
                raise ClosingError(f"{funder} promised {promised} cents to this pot; {project} needs more.")
            lines.append((pledge, pool, again))
        lines.append((pool, match, change))
    elif change < 0:
        lines += [(match, pool, -change), (pool, pledge, -change)]
    if change:
        owed = accounts.receivable(campaign.pk, funder.pk)
        lines.append((owed, payable, change) if change > 0 else (payable, owed, -change))
    return lines


def _given(holder: Organisation, project: Project) -> dict[tuple[int, int], int]:
    """(pot pk, funder pk) -> cents of match posted for the project so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT split_part(code, ':', 2)::bigint, funder_id, abonde_ledger_balance(id)
               FROM abonde_participation_ledgeraccount
               WHERE holder_id = %s AND kind = 'match' AND project_id = %s""",
            [holder.pk, project.pk],
        )
        return {(pot_id, funder_id): cents for pot_id, funder_id, cents in cursor.fetchall() if cents}


def _passed_through(holder: Organisation, payable: Account) -> int:
    """What settlements have made payable so far, before the fee."""
    income = LedgerAccount.Kind.FEE_INCOME
    kinds = [FUNDED, CORRECTED]
    rows = LedgerEntry.objects.filter(transaction__kind__in=kinds, transaction__holder=holder)
    credited = rows.filter(credit__code=payable.code).exclude(debit__kind=income)
    debited = rows.filter(debit__code=payable.code).exclude(credit__kind=income)
    return (credited.aggregate(c=Sum("amount_cents"))["c"] or 0) - (
        debited.aggregate(c=Sum("amount_cents"))["c"] or 0
    )


def _release_pledges(campaign: Campaign, publication_key: str) -> None:
    """What no project receives goes back to who promised it."""
    holder = campaign.fund.legal_holder
    lines: list[Line] = []
    for pot_id, funder_id in (
        Pledge.objects.filter(pot__campaign=campaign).order_by("pk").values_list("pot_id", "funder_id")
    ):
        pool = accounts.match_pool(campaign.pk, pot_id, funder_id)
        if left := balance_of(holder, pool):
            lines.append((pool, accounts.pledge(campaign.pk, pot_id, funder_id), left))
    if lines:
        post(
            event_key=f"settle:release:{campaign.pk}:{publication_key}",
            kind="release",
            holder=holder,
            lines=lines,
            campaign=campaign,
            reason=publication_key,
        )


def _charge_fees(campaign: Campaign, publication_key: str) -> None:
    """Providers' fees so far become the debt of who bears them."""
    holder = campaign.fund.legal_holder
    fees = accounts.fees(campaign.pk)
    total = balance_of(holder, fees)
    if total > 0:
        post(
            event_key=f"settle:fees:{campaign.pk}:{publication_key}",
            kind="fees_charged",
            holder=holder,
            lines=[(accounts.sponsor(campaign.pk), fees, total)],
            campaign=campaign,
            reason=publication_key,
        )
