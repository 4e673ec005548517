"""After the publication: what each project is paid, what each funder is asked, and the proof that it was done."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext as _

from defis.models import Campaign, Holder, Organisation, Pledge, Pot, Project
from participation.ledger import accounts
from participation.ledger.accounts import Account
from participation.ledger.models import LedgerTransaction
from participation.ledger.services import balance_of, post
from participation.notifications.words import euros


class PayoutRefused(Exception):
    """This payment cannot be recorded; the message is for the treasurer."""


@dataclass(frozen=True)
class Share:
    """Match money of one funder by one pot (cents)."""

    project: Project
    pot: Pot
    funder: Organisation
    cents: int


@dataclass(frozen=True)
class PayoutSheet:
    """What one funded project receives (cents): contributions and each pot, less the agreed fee."""

    project: Project
    contributions_cents: int
    shares: list[Share]
    fee_cents: int
    paid_cents: int

    @property
    def total_cents(self) -> int:
        return self.contributions_cents + sum(s.cents for s in self.shares) - self.fee_cents

    @property
    def left_cents(self) -> int:
        return self.total_cents - self.paid_cents


@dataclass(frozen=True)
class PaymentCall:
    """What one funder is asked to pay for a campaign (cents), and what stays with it of its promise."""

    funder: Organisation
    promised_cents: int
    shares: list[Share]
    received_cents: int

    @property
    def called_cents(self) -> int:
        return sum(s.cents for s in self.shares)

    @property
    def left_cents(self) -> int:
        return self.called_cents - self.received_cents

    @property
    def unspent_cents(self) -> int:
        return self.promised_cents - self.called_cents


def payout_sheets(campaign: Campaign) -> list[PayoutSheet]:
    """One sheet per funded project, from the ledger alone. Constant number of queries."""
    flows = _flows(campaign)
    shares = _shares(campaign)
    projects = {
        p.pk: p
        for p in Project.objects.filter(campaign=campaign).select_related("holder").order_by("title", "pk")
    }
    sheets = []
    for pk, project in projects.items():
        code = accounts.payable(campaign.pk, pk).code
        into = {debit: cents for (debit, credit), cents in flows.items() if credit == code}
        out = {credit: cents for (debit, credit), cents in flows.items() if debit == code}
        if not into:
            continue
        income = accounts.fee_income(campaign.pk).code
        sheets.append(
            PayoutSheet(
                project=project,
                contributions_cents=into.get(accounts.escrow(campaign.pk, pk).code, 0),
                shares=[s for s in shares if s.project.pk == pk],
                fee_cents=out.get(income, 0) - into.get(income, 0),
                paid_cents=out.get(accounts.bank().code, 0),
            )
        )
    return sheets


def payment_calls(campaign: Campaign) -> list[PaymentCall]:
    """One call per funder that promised something, from the ledger and the agreements."""
    flows = _flows(campaign)
    shares = _shares(campaign)
    promised: dict[int, int] = defaultdict(int)
    funders: dict[int, Organisation] = {}
    for pledge in Pledge.objects.filter(pot__campaign=campaign).select_related("funder"):
        promised[pledge.funder_id] += pledge.amount_cents
        funders[pledge.funder_id] = pledge.funder
    return [
        PaymentCall(
            funder=funder,
            promised_cents=promised[pk],
            shares=[s for s in shares if s.funder.pk == pk],
            received_cents=flows.get((accounts.bank().code, accounts.receivable(campaign.pk, pk).code), 0),
        )
        for pk, funder in sorted(funders.items(), key=lambda item: item[1].name)
    ]


@transaction.atomic
def record_payout(*, project: Project, cents: int, proof: str, user, note: str = "") -> LedgerTransaction:
    """The holder of the money paid the holder of the project; `proof` names the bank transfer.

    Never before the decision, never more than due, never from an empty bank account, never to a group without
    legal existence. The same proof again changes nothing. Raises PayoutRefused.
    """
    holder = project.holder
    if holder.legal_form == Holder.LegalForm.GROUP or not (holder.siret or holder.rna):
        raise PayoutRefused(_("%(name)s has no SIRET or RNA: it cannot be paid.") % {"name": holder.name})
    campaign = project.campaign
    return _record(
        campaign=campaign,
        event=f"payout:{project.pk}:{_clean(proof)}",
        kind="payout",
        debit=accounts.payable(campaign.pk, project.pk),
        credit=accounts.bank(),
        cents=cents,
        proof=proof,
        note=note,
        user=user,
    )


@transaction.atomic
def record_funder_payment(
    *, campaign: Campaign, funder: Organisation, cents: int, proof: str, user, note: str = ""
) -> LedgerTransaction:
    """A funder paid what it was asked. Never more than called. Raises PayoutRefused."""
    return _record(
        campaign=campaign,
        event=f"funder:{campaign.pk}:{funder.pk}:{_clean(proof)}",
        kind="funder_payment",
        debit=accounts.bank(),
        credit=accounts.receivable(campaign.pk, funder.pk),
        cents=cents,
        proof=proof,
        note=note,
        user=user,
    )


@transaction.atomic
def record_sponsor_payment(
    *, campaign: Campaign, cents: int, proof: str, user, note: str = ""
) -> LedgerTransaction:
    """Who bears the providers' fees paid them. Never more than owed. Raises PayoutRefused."""
    owed = balance_of(campaign.fund.legal_holder, accounts.sponsor(campaign.pk))
    event = f"sponsor:{campaign.pk}:{_clean(proof)}"
    if cents > owed and not LedgerTransaction.objects.filter(event_key=event).exists():
        raise PayoutRefused(_("Only %(owed)s of fees are owed.") % {"owed": euros(owed)})
    return _record(
        campaign=campaign,
        event=event,
        kind="sponsor_payment",
        debit=accounts.bank(),
        credit=accounts.sponsor(campaign.pk),
        cents=cents,
        proof=proof,
        note=note,
        user=user,
    )


@transaction.atomic
def record_correction(
    *, holder: Organisation, debit: Account, credit: Account, cents: int, reference: str, reason: str, user
) -> LedgerTransaction:
    """A treasurer's own entry: only with a reason and a reference, never over an account's limits.

    Raises PayoutRefused.
    """
    if not reason.strip():
        raise PayoutRefused(_("An entry by hand needs a reason."))
    try:
        with transaction.atomic():
            return post(
                event_key=f"correction:{holder.pk}:{_clean(reference)}",
                kind="correction",
                holder=holder,
                lines=[(debit, credit, cents)],
                reason=reason.strip(),
                user=user,
            )
    except IntegrityError as error:
        raise PayoutRefused(str(error).splitlines()[0]) from error


# --- Exports --------------------------------------------------------------------------------------------


def payout_rows(sheets: Iterable[PayoutSheet]) -> Iterator[list]:
    """Header, then one row per project and source; amounts in euros."""
    yield [
        _("Project"), _("Reference"), _("Holder"), "SIRET", "RNA", _("Source"), _("Funder"), _("Amount"),
    ]  # fmt: skip
    for sheet in sheets:
        carrier = sheet.project.holder
        begin = [sheet.project.title, sheet.project.reference, carrier.name, carrier.siret, carrier.rna]
        yield [*begin, _("Contributions of residents"), "", sheet.contributions_cents / 100]
        for share in sheet.shares:
            yield [*begin, share.pot.name, share.funder.name, share.cents / 100]
        if sheet.fee_cents:
            yield [*begin, _("Agreed fee"), "", -sheet.fee_cents / 100]
        yield [*begin, _("To be paid"), "", sheet.total_cents / 100]
        yield [*begin, _("Paid"), "", sheet.paid_cents / 100]


def call_rows(calls: Iterable[PaymentCall]) -> Iterator[list]:
    """Header, then one row per funder, pot and project; amounts in euros."""
    yield [_("Funder"), _("Pot"), _("Project"), _("Reference"), _("Amount")]
    for call in calls:
        for share in call.shares:
            yield [
                call.funder.name,
                share.pot.name,
                share.project.title,
                share.project.reference,
                share.cents / 100,
            ]
        yield [call.funder.name, _("To be paid"), "", "", call.called_cents / 100]
        yield [call.funder.name, _("Received"), "", "", call.received_cents / 100]
        yield [call.funder.name, _("Left of the promise"), "", "", call.unspent_cents / 100]


# --- Inside ---------------------------------------------------------------------------------------------


def _record(
    *,
    campaign: Campaign,
    event: str,
    kind: str,
    debit: Account,
    credit: Account,
    cents: int,
    proof: str,
    note: str,
    user,
) -> LedgerTransaction:
    if cents <= 0:
        raise PayoutRefused(_("The amount must be more than zero."))
    try:
        with transaction.atomic():
            return post(
                event_key=event,
                kind=kind,
                holder=campaign.fund.legal_holder,
                lines=[(debit, credit, cents)],
                campaign=campaign,
                reason=" – ".join(filter(None, [proof.strip(), note.strip()])),
                user=user,
            )
    except IntegrityError as error:
        raise PayoutRefused(str(error).splitlines()[0]) from error


def _clean(proof: str) -> str:
    if not proof.strip():
        raise PayoutRefused(_("Give the reference of the bank transfer."))
    return " ".join(proof.split())[:120]


def _flows(campaign: Campaign) -> dict[tuple[str, str], int]:
    """(debit code, credit code) -> cents, over the campaign's payable and receivable accounts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH mine AS (
                 SELECT id FROM abonde_participation_ledgeraccount
                 WHERE holder_id = %s AND campaign_id = %s AND kind IN ('payable', 'receivable')
               )
               SELECT d.code, c.code, sum(e.amount_cents)::bigint FROM (
                 SELECT debit_id, credit_id, amount_cents FROM abonde_participation_ledgerentry
                   WHERE debit_id IN (SELECT id FROM mine)
                 UNION ALL
                 SELECT debit_id, credit_id, amount_cents FROM abonde_participation_ledgerentry
                   WHERE credit_id IN (SELECT id FROM mine) AND debit_id NOT IN (SELECT id FROM mine)
               ) e
               JOIN abonde_participation_ledgeraccount d ON d.id = e.debit_id
               JOIN abonde_participation_ledgeraccount c ON c.id = e.credit_id GROUP BY 1, 2""",
            [campaign.fund.legal_holder_id, campaign.pk],
        )
        return {(debit, credit): cents for debit, credit, cents in cursor.fetchall()}


def _shares(campaign: Campaign) -> list[Share]:
    """Match posted per project, pot and funder, zero cells left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT project_id, split_part(code, ':', 2)::bigint, funder_id, abonde_ledger_balance(id)
               FROM abonde_participation_ledgeraccount
               WHERE holder_id = %s AND campaign_id = %s AND kind = 'match' AND project_id IS NOT NULL
               ORDER BY project_id, 2, funder_id""",
            [campaign.fund.legal_holder_id, campaign.pk],
        )
        rows = [row for row in cursor.fetchall() if row[3]]
    projects = Project.objects.select_related("holder").in_bulk({row[0] for row in rows})
    pots = Pot.objects.in_bulk({row[1] for row in rows})
    funders = Organisation.objects.in_bulk({row[2] for row in rows})
    return [Share(projects[p], pots[t], funders[f], cents) for p, t, f, cents in rows]
