"""Counter slips, statements of providers, payouts and receipts."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from openpyxl import load_workbook

from defis.clock import database_now, shifted_clock
from participation.contributions.closing import closing, settle_campaign
from participation.contributions.models import Contribution
from participation.contributions.offline import (
    OfflineGift,
    OfflineRefused,
    confirm_offline_contributions,
    record_offline_contributions,
    refuse_offline_contributions,
)
from participation.contributions.selectors import project_funding
from participation.ledger import accounts
from participation.ledger.chain import broken_links, seal_days
from participation.ledger.models import LedgerTransaction
from participation.ledger.payouts import (
    PayoutRefused,
    call_rows,
    payment_calls,
    payout_rows,
    payout_sheets,
    record_correction,
    record_funder_payment,
    record_payout,
)
from participation.ledger.services import balance_of, post
from participation.payments.models import Payment, StatementLine
from participation.payments.port import SettlementKind, SettlementLine
from participation.payments.reconciliation import (
    as_csv,
    as_xlsx,
    explain_line,
    missing_lines,
    reconcile,
    statement_rows,
)
from participation.payments.refunds import order_refund, run_refunds
from participation.payments.settlement import settle_payment
from participation.receipts.models import FiscalReceipt
from participation.receipts.selectors import contribution_receipt, eligible_payments, yearly_totals
from participation.receipts.services import DonorIdentity, ReceiptRefused, cancel_receipt, issue_receipt
from participation.schedules import register_schedules
from tests.money import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("proven")]
AFTER = timedelta(days=41)


@pytest.fixture
def campaign(provider, settings):
    settings.ABONDE_PAYMENT_PROVIDERS = {
        "memory": {"ADAPTER": "tests.money.world.MemoryProvider"},
        "offline": {"ADAPTER": "participation.payments.providers.offline.OfflineProvider"},
        "allowance": {"ADAPTER": "participation.payments.providers.allowance.AllowanceProvider"},
    }
    made = world.campaign()
    for _ in range(2):
        world.project(made, goal_cents=2_000)
    return made


@pytest.fixture
def provider_of(campaign):
    from participation.payments.port import provider_for

    return provider_for("memory")


@pytest.fixture
def agents(django_user_model):
    return [django_user_model.objects.create(username=name) for name in ("anne", "bilal")]


def give(project, provider, cents=2_000):
    payment = world.start(world.resident(project.campaign), project, cents)
    provider.pay(payment)
    return settle_payment(payment)


# --- At the counter ---------------------------------------------------------------------------------------


def slip(campaign, agents, gifts, **fields):
    return record_offline_contributions(
        **{
            "campaign": campaign,
            "label": "Bordereau 1",
            "gifts": gifts,
            "control_count": len(gifts),
            "control_cents": sum(g.amount_cents for g in gifts),
            "received_on": date(2026, 11, 20),
            "user": agents[0],
            **fields,
        }
    )


def test_cash_counts_once_a_second_agent_has_confirmed(campaign, agents):
    project = campaign.projects.first()
    batch = slip(
        campaign,
        agents,
        [
            OfflineGift(project=project, amount_cents=1_500, name="Mme Klein"),
            OfflineGift(project=project, amount_cents=500),
        ],
    )
    assert project_funding([project])[project.pk].citizens_cents == 0
    for _ in range(2):
        confirm_offline_contributions(batch=batch, user=agents[1])
    funding = project_funding([project])[project.pk]
    assert (funding.citizens_cents, funding.donors) == (2_000, 2)
    assert not Contribution.objects.filter(matchable=True).exists()
    assert balance_of(campaign.fund.legal_holder, accounts.clearing("offline")) == 2_000


def test_nobody_confirms_her_own_slip_and_totals_must_agree(campaign, agents):
    gifts = [OfflineGift(project=campaign.projects.first(), amount_cents=1_500)]
    with pytest.raises(OfflineRefused, match="control"):
        slip(campaign, agents, gifts, control_cents=1_501)
    batch = slip(campaign, agents, gifts)
    with pytest.raises(OfflineRefused, match="same_person"):
        confirm_offline_contributions(batch=batch, user=agents[0])
    with pytest.raises(OfflineRefused, match="label_used"):
        slip(campaign, agents, gifts)
    refuse_offline_contributions(batch=batch, user=agents[1])
    confirm_offline_contributions(batch=batch, user=agents[1])
    assert set(Contribution.objects.values_list("state", flat=True)) == {"failed"}


def test_an_envelope_is_given_without_a_card(campaign):
    campaign.collection_provider, campaign.allowance_cents = "allowance", 2_000
    type(campaign).objects.filter(pk=campaign.pk).update(rules_frozen_at=None)
    type(campaign).objects.filter(pk=campaign.pk).update(
        collection_provider="allowance", allowance_cents=2_000
    )
    type(campaign).objects.filter(pk=campaign.pk).update(rules_frozen_at=campaign.rules_frozen_at)
    project = campaign.projects.first()
    payment = world.start(world.resident(project.campaign), project, 2_000)
    assert payment.state == "paid"
    assert project_funding([project])[project.pk].citizens_cents == 2_000
    order_refund(payment=payment, reason="residency")
    assert run_refunds() == {"done": 1}


# --- Statements -------------------------------------------------------------------------------------------


def line_of(payment, **fields):
    return SettlementLine(
        **{
            "line_id": f"txn_{payment.pk}",
            "kind": SettlementKind.PAYMENT,
            "gross_cents": payment.amount_cents,
            "fee_cents": 30,
            "net_cents": payment.amount_cents - 30,
            "at": payment.paid_at,
            "available_on": payment.paid_at + timedelta(days=3),
            "our_key": payment.key,
            **fields,
        }
    )


def test_planted_errors_are_found(campaign, provider_of, agents):
    project = campaign.projects.first()
    right, wrong, absent = (give(project, provider_of, cents) for cents in (1_000, 1_200, 1_400))
    foreign = replace(line_of(right), line_id="txn_foreign", our_key=None, gross_cents=777, net_cents=747)
    payout = SettlementLine(
        line_id="po_1",
        kind=SettlementKind.PAYOUT,
        gross_cents=-500,
        fee_cents=0,
        net_cents=-500,
        at=right.paid_at,
    )
    provider_of.lines = [
        line_of(right),
        # One cent less than what we were told.
        line_of(wrong, gross_cents=1_199, net_cents=1_169),
        foreign,
        payout,
    ]
    holder = campaign.fund.legal_holder
    period = {"since": right.paid_at - timedelta(days=1), "until": absent.paid_at + timedelta(days=3)}
    for _ in range(2):
        run = reconcile(provider="memory", holder=holder, **period)
        assert (run.matched, run.differences, run.surplus, run.missing) == (2, 1, 1, 1)
    [gap] = missing_lines(provider="memory", holder=holder, **period)
    assert gap.payment == absent
    assert balance_of(holder, accounts.suspense()) == 777 - 1
    assert balance_of(holder, accounts.bank()) == 500
    # What we say the provider holds is now what its own lines add up to, plus the missing one.
    assert balance_of(holder, accounts.clearing("memory")) == (1_000 + 1_199 + 777 - 500 - 90) + 1_400
    right.refresh_from_db()
    assert (right.fee_cents, right.credited_on) == (30, (right.paid_at + timedelta(days=3)).date())

    rows = list(
        statement_rows(StatementLine.objects.all(), missing_lines(provider="memory", holder=holder, **period))
    )
    assert len(rows) == 6
    assert as_csv(rows).count("\r\n") == 6
    sheet = load_workbook(BytesIO(as_xlsx(rows, "memory"))).active
    assert sheet.max_row == 6
    assert 11.99 in [cell.value for cell in sheet["D"]]

    line = StatementLine.objects.get(line_id="txn_foreign")
    with pytest.raises(ValueError, match="explanation"):
        explain_line(line=line, user=agents[0], explanation=" ")
    explain_line(
        line=line, user=agents[0], explanation="Don hors campagne", account=accounts.fee_income(campaign.pk)
    )
    assert balance_of(holder, accounts.suspense()) == -1


def test_a_statement_brings_what_no_webhook_told(campaign, provider_of):
    payment = world.start(world.resident(campaign), campaign.projects.first(), 1_000)
    provider_of.pay(payment)
    provider_of.lines = [
        line_of(payment, at=database_now() - timedelta(seconds=1), available_on=None)
        if payment.paid_at
        else SettlementLine(
            line_id="t",
            kind=SettlementKind.PAYMENT,
            gross_cents=1_000,
            fee_cents=0,
            net_cents=1_000,
            at=database_now(),
            our_key=payment.key,
        )
    ]
    run = reconcile(
        provider="memory",
        holder=campaign.fund.legal_holder,
        since=database_now() - timedelta(hours=1),
        until=database_now() + timedelta(hours=1),
    )
    assert (run.matched, run.surplus) == (1, 0)
    assert Payment.objects.get().state == "paid"


def test_a_cell_that_looks_like_a_formula_stays_text():
    assert as_csv([["=1+1", "ok", -2.5]]) == "'=1+1;ok;-2.5\r\n"


# --- Payouts ----------------------------------------------------------------------------------------------


@pytest.fixture
def published(campaign, provider_of):
    first, second = campaign.projects.order_by("pk")
    give(first, provider_of, 2_000)
    give(second, provider_of, 300)
    pledge = world.pledge(campaign, 5_000)
    with shifted_clock(AFTER), closing(campaign) as closed:
        settle_campaign(
            campaign=closed,
            funded={first.pk: {(pledge.pot, pledge.funder): 1_500}},
            failed=[second.pk],
            publication_key="v1",
        )
    return first, pledge


def test_sheets_and_calls_are_what_the_ledger_says(campaign, published):
    first, pledge = published
    [sheet] = payout_sheets(campaign)
    assert (sheet.contributions_cents, sheet.total_cents, sheet.left_cents) == (2_000, 3_500, 3_500)
    [call] = payment_calls(campaign)
    assert (call.promised_cents, call.called_cents, call.unspent_cents) == (5_000, 1_500, 3_500)
    assert [row[-1] for row in payout_rows([sheet])][1:] == [20.0, 15.0, 35.0, 0.0]
    assert [row[-1] for row in call_rows([call])][1:] == [15.0, 15.0, 0.0, 35.0]


def test_nobody_is_paid_twice_nor_more_nor_from_an_empty_account(campaign, published, agents):
    first, pledge = published
    pay = {"project": first, "user": agents[0]}
    with pytest.raises(PayoutRefused, match="SIRET"):
        record_payout(cents=3_500, proof="VIR 1", **pay)
    first.holder.siret = "12345678900011"
    first.holder.save()
    with pytest.raises(PayoutRefused, match="bank would be overdrawn"):
        record_payout(cents=3_500, proof="VIR 1", **pay)
    record_funder_payment(campaign=campaign, funder=pledge.funder, cents=1_500, proof="CHQ 9", user=agents[0])
    with pytest.raises(PayoutRefused, match="overdrawn"):
        record_funder_payment(
            campaign=campaign, funder=pledge.funder, cents=1, proof="CHQ 10", user=agents[0]
        )
    post(
        event_key="transfer",
        kind="transfer",
        holder=campaign.fund.legal_holder,
        lines=[(accounts.bank(), accounts.clearing("memory"), 2_000)],
    )
    for _ in range(2):
        record_payout(cents=3_500, proof="VIR 1", **pay)
    [sheet] = payout_sheets(campaign)
    assert (sheet.paid_cents, sheet.left_cents) == (3_500, 0)
    with pytest.raises(PayoutRefused):
        record_payout(cents=1, proof="VIR 2", **pay)


def test_an_entry_by_hand_needs_a_reason(campaign, agents):
    entry = {
        "holder": campaign.fund.legal_holder,
        "debit": accounts.provider_fees(),
        "credit": accounts.suspense(),
        "cents": 5,
        "user": agents[0],
    }
    with pytest.raises(PayoutRefused, match="raison"):
        record_correction(reference="E1", reason="", **entry)
    made = record_correction(reference="E1", reason="Frais oubliés", **entry)
    assert (made.reason, made.posted_by) == ("Frais oubliés", agents[0])


# --- Fiscal receipts --------------------------------------------------------------------------------------

DONOR = DonorIdentity(name="Jeanne Muller", address="1 rue du Port, 67000 Strasbourg")


@pytest.fixture
def acquired(campaign, published):
    """A payment of a funded, eligible project, credited on the holder's account on 31 December."""
    first, _ = published
    issuer = campaign.fund.legal_holder
    issuer.siret, issuer.address = "12345678900011", "Strasbourg"
    issuer.save()
    first.status, first.receipt_eligible, first.receipt_reason = (
        "funded",
        True,
        "Intérêt général, environnement",
    )
    first.save()
    payment = Payment.objects.get(contribution__project=first)
    payment.credited_on = date(2026, 12, 31)
    payment.save()
    return payment


def test_receipts_follow_each_other_without_a_gap(acquired, campaign):
    first = issue_receipt(payment=acquired, donor=DONOR, signed_by="Le trésorier")
    assert (first.label, first.form, first.articles, first.amount_cents) == (
        "2026-000001",
        "11580*05",
        "200",
        2_000,
    )
    with pytest.raises(IntegrityError, match="valid receipt"), transaction.atomic():
        issue_receipt(payment=acquired, donor=DONOR, signed_by="Le trésorier")
    cancel_receipt(receipt=first, reason="Nom mal écrit")
    second = issue_receipt(payment=acquired, donor=DONOR, signed_by="Le trésorier")
    assert second.label == "2026-000002"
    assert yearly_totals(campaign.fund.legal_holder) == [
        {"year": 2026, "receipts": 1, "cents": 2_000, "cancelled": 1}
    ]
    assert contribution_receipt(acquired.contribution).fiscal_receipts == [second]
    with pytest.raises(IntegrityError, match="does not follow"), transaction.atomic():
        FiscalReceipt.objects.create(
            **{
                f.name: getattr(second, f.name)
                for f in FiscalReceipt._meta.fields
                if f.name not in {"id", "number"}
            },
            number=9,
        )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"receipt_eligible": False}, "eligible"),
        ({"status": "not_funded"}, "outcome"),
    ],
)
def test_no_receipt_without_a_human_decision_and_success(acquired, change, code):
    project = acquired.contribution.project
    for name, value in change.items():
        setattr(project, name, value)
    project.save()
    with pytest.raises(ReceiptRefused) as refusal:
        issue_receipt(payment=acquired, donor=DONOR, signed_by="X")
    assert refusal.value.code == code


def test_no_receipt_before_the_money_is_on_the_account(acquired):
    assert list(eligible_payments(acquired.contribution.campaign.fund.legal_holder)) == [acquired]
    Payment.objects.filter(pk=acquired.pk).update(credited_on=None)
    with pytest.raises(ReceiptRefused, match="date"):
        issue_receipt(payment=acquired, donor=DONOR, signed_by="X")
    assert list(eligible_payments(acquired.contribution.campaign.fund.legal_holder)) == []


# --- The books --------------------------------------------------------------------------------------------


def test_a_rewritten_past_shows(campaign, provider_of):
    from django.db import connection

    give(campaign.projects.first(), provider_of)
    [seal] = seal_days()
    assert broken_links(recompute=True) == []
    assert seal_days() == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE abonde_participation_ledgertransaction DISABLE TRIGGER abonde_append_only"
        )
        cursor.execute(
            "UPDATE abonde_participation_ledgertransaction SET kind = 'payment ' WHERE kind = 'payment'"
        )
    assert any("not those that were sealed" in line for line in broken_links(recompute=True))
    with pytest.raises(CommandError, match="Invariant 10"):
        call_command("prove_ledger")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE abonde_participation_ledgertransaction SET kind = 'payment' WHERE kind = 'payment '"
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE abonde_participation_ledgertransaction ENABLE TRIGGER abonde_append_only")
    assert broken_links(recompute=True) == []
    with shifted_clock(timedelta(days=1)):
        give(campaign.projects.first(), provider_of, 700)
        [next_seal] = seal_days()
    assert next_seal.previous_sha256 == seal.sha256


def test_the_proof_prints_fifteen_lines_with_figures(campaign, provider_of, published, capsys):
    call_command("prove_ledger", campaign=campaign.slug)
    out = capsys.readouterr().out
    assert [line.split(".")[0].strip() for line in out.splitlines() if ". ok" in line] == [
        str(n) for n in range(1, 16)
    ]
    assert "promised 5000, given 1500" in out
    assert out.rstrip().endswith("Every invariant holds.")


def test_finance_is_told_the_night_the_books_are_wrong(campaign, provider_of, agents):
    from django.contrib.auth.models import Group

    from defis.models import FundRole, Project
    from participation.notifications.models import Message
    from participation.payments.tasks import prove_ledger

    assert prove_ledger() == "Every invariant holds."
    agents[0].email = "finance@example.org"
    agents[0].save()
    group = Group.objects.create(name="Finances")
    agents[0].groups.add(group)
    FundRole.objects.create(fund=campaign.fund, group=group, role="finance")
    give(campaign.projects.first(), provider_of, 1_000)
    with shifted_clock(AFTER), closing(campaign) as closed:
        # Below its threshold: a human must see it.
        settle_campaign(
            campaign=closed, funded={campaign.projects.first().pk: {}}, failed=[], publication_key="v1"
        )
    for _ in range(2):
        with pytest.raises(RuntimeError, match="reach their threshold"):
            prove_ledger()
    message = Message.objects.get(kind="ledger_wrong")
    assert (message.to, "1000 cents of 2000" in message.text) == ("finance@example.org", True)
    Project.objects.update(goal_cents=1_000)


def test_jobs_are_scheduled_once(db):
    assert len(register_schedules()) == 9
    assert register_schedules() == []
    assert LedgerTransaction.objects.count() == 0
    assert timezone.is_aware(datetime.now(UTC))
