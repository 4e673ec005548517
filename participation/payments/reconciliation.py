"""The provider's books against ours, line by line. Every cent is matched, or waits in suspense with a date and an owner."""

import csv
import io
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _
from openpyxl import Workbook

from defis.clock import database_now
from defis.models import Organisation
from participation.ledger import accounts
from participation.ledger.accounts import Account
from participation.ledger.services import Line, post
from participation.payments.models import Payment, Reconciliation, Refund, StatementLine
from participation.payments.port import CURRENCY, SettlementKind, SettlementLine, provider_for
from participation.payments.settlement import settle_payment

logger = logging.getLogger("abonde.money")
State = StatementLine.State

# A provider books a movement this long after it happened, at most.
BOOKING_DELAY = timedelta(days=2)


@dataclass(frozen=True)
class Missing:
    """Money that we believe moved and that the provider's books do not have."""

    payment: Payment
    refund: Refund | None
    cents: int
    at: datetime


def reconcile(
    *, provider: str, holder: Organisation, since: datetime, until: datetime, user=None
) -> Reconciliation:
    """Read the provider's movements booked in [since, until) and match each with a payment or a refund of ours.

    Fees and transfers to the bank are posted; another amount than ours, or a line we know nothing of, goes to
    suspense until a human explains it. Safe to repeat: a line is posted once. Raises ProviderUnavailable,
    NeedsHuman (a provider without statements).
    """
    lines = list(provider_for(provider).settlements(since, until))
    _catch_up(provider, lines)
    with transaction.atomic():
        known = set(
            StatementLine.objects.filter(
                provider=provider, line_id__in=[line.line_id for line in lines]
            ).values_list("line_id", flat=True)
        )
        for line in lines:
            if line.line_id not in known:
                known.add(line.line_id)
                _keep(provider, holder, line)
        ours = StatementLine.objects.filter(
            provider=provider, holder=holder, booked_at__gte=since, booked_at__lt=until
        )
        run = Reconciliation.objects.create(
            provider=provider,
            holder=holder,
            since=since,
            until=until,
            made_at=database_now(),
            made_by=user,
            matched=ours.filter(state__in=[State.MATCHED, State.EXPLAINED]).count(),
            differences=ours.filter(state=State.DIFFERENT).count(),
            surplus=ours.filter(state=State.SURPLUS).count(),
            missing=sum(1 for _ in missing_lines(provider=provider, holder=holder, since=since, until=until)),
        )
    logger.info(
        "reconciliation provider=%s matched=%s differences=%s surplus=%s missing=%s",
        provider,
        run.matched,
        run.differences,
        run.surplus,
        run.missing,
    )
    return run


def missing_lines(
    *, provider: str, holder: Organisation, since: datetime, until: datetime
) -> Iterator[Missing]:
    """Captures and refunds of ours in [since, until − 2 days) without a line: the provider had time to book them."""
    until -= BOOKING_DELAY
    payments = (
        Payment.objects.filter(
            provider=provider,
            contribution__campaign__fund__legal_holder=holder,
            captured_cents__isnull=False,
            paid_at__gte=since,
            paid_at__lt=until,
        )
        .exclude(statement_lines__kind=SettlementKind.PAYMENT)
        .select_related("contribution")
    )
    for payment in payments.order_by("paid_at"):
        yield Missing(payment, None, payment.captured_cents or 0, payment.paid_at or since)
    refunds = (
        Refund.objects.filter(
            payment__provider=provider,
            payment__contribution__campaign__fund__legal_holder=holder,
            state=Refund.State.DONE,
            done_at__gte=since,
            done_at__lt=until,
        )
        .exclude(provider_reference="")
        .exclude(statement_lines__kind=SettlementKind.REFUND)
        .select_related("payment__contribution")
    )
    for refund in refunds.order_by("done_at"):
        yield Missing(refund.payment, refund, -refund.amount_cents, refund.done_at or since)


@transaction.atomic
def explain_line(
    *, line: StatementLine, user, explanation: str, account: Account | None = None
) -> StatementLine:
    """A human says what a line was. What it left in suspense goes to `account`, when one is named.

    Without an account the cents stay in the suspense balance, explained. Raises ValueError (nothing to explain,
    no explanation).
    """
    held = StatementLine.objects.select_for_update().select_related("holder").get(pk=line.pk)
    if held.state not in StatementLine.OPEN:
        raise ValueError(f"{held} does not wait for an explanation.")
    if not explanation.strip():
        raise ValueError("An explanation is needed.")
    if account is not None and held.suspense_cents:
        cents = held.suspense_cents
        suspense = accounts.suspense()
        post(
            event_key=f"statement:{held.provider}:{held.line_id}:explained",
            kind="explained",
            holder=held.holder,
            lines=[(suspense, account, cents) if cents > 0 else (account, suspense, -cents)],
            reason=explanation,
            user=user,
        )
    held.state, held.explanation, held.owner, held.explained_at = (
        State.EXPLAINED,
        explanation.strip(),
        user,
        database_now(),
    )
    held.save(update_fields=["state", "explanation", "owner", "explained_at"])
    return held


# --- Exports --------------------------------------------------------------------------------------------


def statement_rows(lines: Iterable[StatementLine], missing: Iterable[Missing] = ()) -> Iterator[list]:
    """Header, then one row per line and per missing movement; amounts in euros with a decimal point."""
    yield [
        _("Booked on"), _("Line"), _("Kind"), _("Gross"), _("Fee"), _("Net"), _("Transfer"), _("Contribution"),
        _("State"), _("In suspense"), _("Note"), _("Owner"), _("Explanation"),
    ]  # fmt: skip
    for line in lines:
        yield [
            line.booked_at.date().isoformat(),
            line.line_id,
            line.kind,
            _euros(line.gross_cents),
            _euros(line.fee_cents),
            _euros(line.net_cents),
            line.payout,
            line.payment.contribution.reference if line.payment else "",
            line.get_state_display(),
            _euros(line.suspense_cents),
            line.note,
            str(line.owner or ""),
            line.explanation,
        ]
    for gap in missing:
        yield [
            gap.at.date().isoformat(), "", _("refund") if gap.refund else _("payment"), _euros(gap.cents), "", "", "",
            gap.payment.contribution.reference, _("missing at the provider"), "", "", "", "",
        ]  # fmt: skip


def as_csv(rows: Iterable[list]) -> str:
    """UTF-8 text with semicolons, as French spreadsheets open it; cells that look like formulas are quoted."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerows([[_inert(cell) for cell in row] for row in rows])
    return out.getvalue()


def as_xlsx(rows: Iterable[list], title: str) -> bytes:
    """The same rows as a workbook of one sheet; amounts are numbers."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    for row in rows:
        sheet.append([_inert(cell) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


# --- Inside ---------------------------------------------------------------------------------------------


def _catch_up(provider: str, lines: Iterable[SettlementLine]) -> None:
    """A movement that nobody told us of: ask the provider first, as after a webhook."""
    for line in lines:
        payment, refund = _find(provider, line)
        if payment is None or line.currency != CURRENCY:
            continue
        if (
            payment.captured_cents is None
            or (line.kind == SettlementKind.REFUND and (refund is None or refund.state != Refund.State.DONE))
            or (line.kind == SettlementKind.DISPUTE and payment.state != Payment.State.DISPUTED)
        ):
            payment.provider_reference = payment.provider_reference or line.provider_reference
            settle_payment(payment)


def _keep(provider: str, holder: Organisation, line: SettlementLine) -> StatementLine:
    payment, refund = _find(provider, line)
    suspense, note = 0, ""
    state = State.MATCHED
    clearing = accounts.clearing(provider)
    lines: list[Line] = []
    fee = line.fee_cents
    if line.currency != CURRENCY:
        state, note = State.SURPLUS, f"currency {line.currency}"
        fee = 0
    elif line.kind == SettlementKind.PAYOUT:
        lines += _signed(accounts.bank(), clearing, -line.gross_cents)
    elif line.kind == SettlementKind.FEE:
        lines += _signed(accounts.provider_fees(), clearing, -line.gross_cents)
    else:
        expected = _expected(line.kind, payment, refund)
        if expected is None:
            state, note = State.SURPLUS, "no payment of ours"
            suspense = line.gross_cents
        elif expected != line.gross_cents:
            state, note = State.DIFFERENT, f"{line.gross_cents} cents at the provider, {expected} here"
            suspense = line.gross_cents - expected
        # The provider holds what its books say: ours follow, and the difference is told apart.
        lines += _signed(clearing, accounts.suspense(), suspense)
    if fee and line.kind != SettlementKind.FEE:
        posted = payment.fee_cents if payment is not None and line.kind == SettlementKind.PAYMENT else 0
        campaign = payment.contribution.campaign if payment is not None else None
        where = accounts.fees(campaign.pk) if campaign is not None else accounts.provider_fees()
        lines += _signed(where, clearing, fee - posted)
        if payment is not None and line.kind == SettlementKind.PAYMENT and fee > 0:
            Payment.objects.filter(pk=payment.pk).update(fee_cents=fee)
    kept = StatementLine.objects.create(
        provider=provider,
        holder=holder,
        line_id=line.line_id,
        kind=str(line.kind),
        gross_cents=line.gross_cents,
        fee_cents=line.fee_cents,
        net_cents=line.net_cents,
        booked_at=line.at,
        available_on=line.available_on,
        payout=line.payout,
        payment=payment,
        refund=refund,
        state=state,
        suspense_cents=suspense,
        note=note,
        noticed_at=database_now(),
    )
    if payment is not None and line.kind == SettlementKind.PAYMENT and line.available_on:
        Payment.objects.filter(pk=payment.pk).update(credited_on=line.available_on.date())
    lines = [entry for entry in lines if entry[2]]
    if lines:
        post(
            event_key=f"statement:{provider}:{line.line_id}",
            kind="statement",
            holder=holder,
            lines=lines,
            reason=note or str(line.kind),
        )
    return kept


def _find(provider: str, line: SettlementLine) -> tuple[Payment | None, Refund | None]:
    payments = Payment.objects.select_related("contribution__campaign").filter(provider=provider)
    refund = None
    if line.our_refund_key is not None:
        refund = Refund.objects.filter(key=line.our_refund_key).first()
    if refund is None and line.provider_refund:
        refund = Refund.objects.filter(
            payment__provider=provider, provider_reference=line.provider_refund
        ).first()
    payment = None
    if line.our_key is not None:
        payment = payments.filter(key=line.our_key).first()
    if payment is None and line.provider_reference:
        payment = payments.filter(provider_reference=line.provider_reference).first()
    if payment is None and line.provider_payment:
        payment = payments.filter(provider_payment=line.provider_payment).first()
    if payment is None and refund is not None:
        payment = payments.get(pk=refund.payment_id)
    return payment, refund


def _expected(kind: SettlementKind, payment: Payment | None, refund: Refund | None) -> int | None:
    """Signed cents that our books have for such a line; None when they have nothing."""
    if payment is None:
        return None
    if kind == SettlementKind.PAYMENT:
        return payment.captured_cents
    if kind == SettlementKind.REFUND:
        return -refund.amount_cents if refund is not None and refund.state == Refund.State.DONE else None
    if kind == SettlementKind.DISPUTE and payment.state == Payment.State.DISPUTED:
        return -(payment.captured_cents or payment.amount_cents)
    if kind == SettlementKind.REFUND_FAILURE and refund is not None and refund.state == Refund.State.MANUAL:
        return refund.amount_cents
    return None


def _signed(debit: Account, credit: Account, cents: int) -> list[Line]:
    """A line of that many cents, turned round when negative."""
    return [(debit, credit, cents)] if cents >= 0 else [(credit, debit, -cents)]


def _euros(cents: int) -> float | str:
    # Exact: two decimals of an integer below 10¹³ survive the float of a spreadsheet.
    return round(cents / 100, 2)


def _inert(cell):
    """A name that begins like a formula must not run in the treasurer's spreadsheet."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
