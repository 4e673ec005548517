# ruff: noqa: F811 - fixtures are imported, then named as arguments
"""Fault by fault, against the payment stand-in in its own process. The numbers are those of the money brief.

The bank's own totals judge the ledger; after each test the fifteen invariants hold (conftest).
"""

import os
import signal
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, connections

from defis.clock import database_now, shifted_clock
from defis.models import Project
from participation.contributions.closing import (
    ClosingError,
    closing,
    refund_project,
    settle_campaign,
    settle_open_payments,
    snapshot,
)
from participation.contributions.models import Contribution
from participation.contributions.problems import ContributionRefused
from participation.contributions.selectors import payment_of, project_funding
from participation.contributions.services import abandon_contribution, start_contribution
from participation.ledger import accounts, locks
from participation.ledger.models import LedgerTransaction
from participation.ledger.selectors import balances
from participation.ledger.services import balance_of
from participation.notifications.models import Message
from participation.payments.models import Payment, ProviderEvent, Refund
from participation.payments.poller import check_open_payments
from participation.payments.port import WebhookRejected, provider_for
from participation.payments.reconciliation import reconcile
from participation.payments.refunds import complete_by_hand, order_refund, run_refunds
from participation.payments.settlement import intake_webhook, settle_payment
from participation.payments.webhooks import handle_event, handle_events
from tests.money import world
from tests.money.world import race, resident, start
from tests.standin_payments import _payment_standin_process, payment_standin, receiver  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db(transaction=True)
AFTER = timedelta(days=41)


@pytest.fixture
def bank(payment_standin, settings):
    """The stand-in, configured as our provider; it sends nothing by itself."""
    settings.ABONDE_PAYMENT_PROVIDERS = {
        "simulated": {
            "ADAPTER": "participation.payments.providers.simulated.SimulatedProvider",
            "BASE_URL": payment_standin.url,
            "API_KEY": "simulated-key",
            "WEBHOOK_SECRETS": ["simulated-webhook-secret"],
            "READ_SECONDS": 2,
        }
    }
    payment_standin.tell("webhooks", enabled=False)
    return payment_standin


@pytest.fixture
def campaign(bank):
    return world.campaign(projects=2, collection_provider="simulated")


@pytest.fixture
def project(campaign):
    return campaign.projects.order_by("pk").first()


@pytest.fixture
def listening(bank, receiver, settings):
    """A door of ours to which the stand-in sends its messages."""
    settings.PUBLIC_ORIGIN = receiver.url.removesuffix("/hook/")
    bank.tell("webhooks", enabled=True)
    return receiver


def held(campaign, account):
    return balance_of(campaign.fund.legal_holder, account)


def clearing(campaign):
    return held(campaign, accounts.clearing("simulated"))


def paid(project, bank, cents=2_000):
    payment = start(resident(project.campaign), project, cents)
    bank.pay(payment.key)
    return settle_payment(payment)


def same_as_bank(campaign, bank):
    """What we believe the provider holds is what it holds."""
    totals = bank.totals()
    assert clearing(campaign) == totals["captured_cents"] - totals["refunded_cents"] - totals["fee_cents"]


# --- 1 to 6: messages ---------------------------------------------------------------------------------------


def test_01_a_webhook_ten_times_in_a_row_and_ten_times_at_once(project, bank, listening):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key)
    message = next(m for m in listening.wait_for(1))

    def deliver():
        for event in intake_webhook("simulated", message.headers, message.body):
            handle_event(event.pk)

    for _ in range(10):
        deliver()
    assert [r for r in race([deliver] * 10) if isinstance(r, Exception)] == []
    assert ProviderEvent.objects.get().deliveries == 20
    assert LedgerTransaction.objects.filter(kind="payment").count() == 1
    same_as_bank(project.campaign, bank)


def test_02_messages_in_any_order_end_in_the_same_state(project, bank, listening):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key)
    bank.tell("refund", payment=str(payment.key))
    messages = list(listening.wait_for(2))
    for message in reversed(messages):
        for event in intake_webhook("simulated", message.headers, message.body):
            handle_event(event.pk)
    assert Payment.objects.get().state == "refunded"
    assert project_funding([project])[project.pk].citizens_cents == 0
    same_as_bank(project.campaign, bank)


def test_03_a_webhook_that_never_comes_is_replaced_by_the_poller(project, bank):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key)
    assert check_open_payments() == 0
    with shifted_clock(timedelta(minutes=3)):
        assert check_open_payments() == 1
        assert check_open_payments() == 0
    assert Payment.objects.get().state == "paid"


def test_04_a_browser_that_returns_proves_nothing(project, bank):
    payment = start(resident(project.campaign), project)
    assert settle_payment(payment).state == "created"
    assert project_funding([project])[project.pk].citizens_cents == 0


@pytest.mark.parametrize("kind", ["bad_signature", "stale"])
def test_05_a_message_of_somebody_else_is_not_even_kept(project, bank, listening, kind):
    payment = start(resident(project.campaign), project)
    bank.misbehave("webhook", kind, times=None)
    bank.pay(payment.key)
    message = listening.wait_for(1)[0]
    with pytest.raises(WebhookRejected):
        intake_webhook("simulated", message.headers, message.body)
    assert ProviderEvent.objects.count() == 0


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("wrong_amount", {"cents": 100}),
        ("wrong_amount", {"cents": 5_000}),
        ("wrong_currency", {"currency": "CHF"}),
        ("wrong_reference", {"key": str(uuid.uuid4())}),
        ("raw_state", {"raw_state": "corrected"}),
    ],
)
def test_06_what_differs_from_the_intent_waits_for_a_human_and_can_go_back(project, bank, kind, details):
    payment = start(resident(project.campaign), project)
    bank.misbehave("capture", kind, **details)
    bank.pay(payment.key)
    settled = settle_payment(payment)
    assert settled.state == "review"
    assert project_funding([project])[project.pk].citizens_cents == 0
    if settled.captured_cents is not None:
        refund = order_refund(payment=settled, reason="other", note="montant différent")
        assert refund.amount_cents == settled.captured_cents
        assert held(project.campaign, accounts.suspense()) == 0


# --- 7: kill -9 between any two steps -----------------------------------------------------------------------

_parents_connections = []


def crash_at(step, job):
    """Do the job in a child process that kills itself (SIGKILL) at the named step; True if it died there."""
    pid = os.fork()
    if pid == 0:
        # The parent's session is not ours to close: keep the object, open another.
        _parents_connections.append(connections["default"].connection)
        connections["default"].connection = None
        os.environ["ABONDE_FAILPOINT"] = step
        try:
            job()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("step", ["start.committed", "start.answered", "start.recorded"])
def test_07_a_crash_while_starting_loses_nothing_and_opens_one_page(project, bank, step):
    person, key = resident(project.campaign), uuid.uuid4()
    order = {"person": person, "project": project, "amount_cents": 2_000, "idempotency_key": key}
    assert crash_at(step, lambda: start_contribution(**order))
    assert Contribution.objects.count() == 1
    with shifted_clock(timedelta(minutes=2)):
        payment = payment_of(start_contribution(**order))
    assert payment.redirect_url
    bank.pay(payment.key)
    assert settle_payment(payment).state == "paid"
    assert bank.totals()["paid"] == 1
    same_as_bank(project.campaign, bank)


def test_07_a_crash_while_starting_and_nobody_comes_back(project, bank):
    person = resident(project.campaign)
    assert crash_at("start.committed", lambda: start(person, project))
    with shifted_clock(timedelta(hours=2)):
        check_open_payments()
    assert (Payment.objects.get().state, Contribution.objects.get().state) == ("expired", "abandoned")


@pytest.mark.parametrize("step", ["settle.fetched", "settle.written", "settle.committed"])
def test_07_a_crash_while_settling_counts_once(project, bank, step):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key)
    assert crash_at(step, lambda: settle_payment(payment))
    assert settle_payment(payment).state == "paid"
    assert Message.objects.filter(kind="contribution_confirmed").count() == 1
    same_as_bank(project.campaign, bank)


@pytest.mark.parametrize(
    "step", ["refund.claimed", "refund.called", "refund.called:2", "refund.written", "refund.recorded"]
)
def test_07_a_crash_while_refunding_refunds_once(project, bank, step):
    for cents in (1_000, 2_000, 3_000):
        paid(project, bank, cents)
    refund_project(project=project)
    assert crash_at(step, run_refunds)
    # Nobody else touches them before the lease ends.
    before = bank.totals()["refunded_cents"]
    run_refunds()
    assert bank.totals()["refunded_cents"] == before
    with shifted_clock(timedelta(minutes=10)):
        run_refunds()
    assert bank.totals()["refunded_cents"] == 6_000
    assert set(Refund.objects.values_list("state", flat=True)) == {"done"}
    assert set(Payment.objects.values_list("state", flat=True)) == {"refunded"}
    same_as_bank(project.campaign, bank)


# --- 8: the provider stumbles -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["error_before", "error_after", "timeout_after", "close_after", "garbage"])
def test_08_a_stumble_at_the_start_is_one_page_in_the_end(project, bank, kind):
    person, key = resident(project.campaign), uuid.uuid4()
    order = {"person": person, "project": project, "amount_cents": 2_000, "idempotency_key": key}
    bank.misbehave("start", kind, seconds=3)
    with pytest.raises(ContributionRefused) as refusal:
        start_contribution(**order)
    assert refusal.value.code == "provider_unavailable"
    payment = payment_of(start_contribution(**order))
    bank.pay(payment.key)
    assert settle_payment(payment).state == "paid"
    assert bank.totals()["paid"] == 1


@pytest.mark.parametrize("kind", ["error_before", "error_after", "timeout_after", "close_after", "garbage"])
def test_08_a_stumble_at_a_refund_gives_back_once(project, bank, kind):
    order_refund(payment=paid(project, bank), reason="other")
    bank.misbehave("refund", kind, seconds=3)
    assert run_refunds() == {"waiting": 1}
    with shifted_clock(timedelta(minutes=10)):
        assert run_refunds() == {"done": 1}
    assert bank.totals()["refunded_cents"] == 2_000
    same_as_bank(project.campaign, bank)


def test_08_a_provider_that_does_not_answer_changes_nothing(project, bank):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key)
    bank.misbehave("fetch", "error_before")
    assert settle_payment(payment).state == "created"
    assert settle_payment(payment).state == "paid"


# --- 9 to 11: people and the bell ---------------------------------------------------------------------------


def test_09_back_button_and_two_tabs_are_one_payment(project, bank):
    person, key = resident(project.campaign), uuid.uuid4()
    order = {"person": person, "project": project, "amount_cents": 2_000, "idempotency_key": key}
    assert len({r.pk for r in race([lambda: start_contribution(**order)] * 4, workers=4)}) == 1
    bank.pay(Payment.objects.get().key)
    settle_payment(Payment.objects.get())
    again = start_contribution(**order)
    assert again.state == "counted"
    assert bank.totals()["paid"] == 1


def test_09_giving_up_and_starting_again(project, bank):
    person = resident(project.campaign)
    payment = start(person, project)
    bank.pay(payment.key, card="abandoned")
    assert abandon_contribution(contribution=payment.contribution).state == "abandoned"
    assert start(person, project).state == "created"


def test_10_captured_after_the_bell_goes_back_with_a_letter(project, bank):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key, at=(project.campaign.closes_at + timedelta(seconds=1)).isoformat())
    with shifted_clock(AFTER):
        assert settle_payment(payment).state == "refund_due"
        assert run_refunds() == {"done": 1}
    assert bank.totals()["refunded_cents"] == 2_000
    assert Message.objects.filter(kind="refund_late").count() == 1


def test_11_closed_twice_by_two_workers(campaign, project, bank):
    paid(project, bank)

    def close():
        with shifted_clock(AFTER), closing(campaign) as closed:
            settle_campaign(campaign=closed, funded={}, failed=[project.pk], publication_key="v1")

    assert [r for r in race([close, close], workers=2) if isinstance(r, Exception)] == []
    assert Refund.objects.count() == 1


# --- 12 to 14: refunds that resist --------------------------------------------------------------------------


def test_12_a_storm_of_refunds_with_faults_and_a_restart_in_the_middle(campaign, project, bank):
    """Small here; the mass is in the benchmark. Random 429, 500, cuts, and both sides die once."""
    amounts = [100 + i for i in range(60)]
    for cents in amounts:
        paid(project, bank, cents)
    refund_project(project=project)
    for kind in ("rate_limited", "error_before", "error_after", "close_after"):
        bank.misbehave("refund", kind, times=None, rate=0.1, seed=7, retry_after=0)
    assert crash_at("refund.called:20", lambda: run_refunds(batch=10))
    bank.restart()
    for kind in ("rate_limited", "error_after"):
        bank.misbehave("refund", kind, times=None, rate=0.1, seed=11, retry_after=0)
    for hours in range(1, 12):
        with shifted_clock(timedelta(hours=hours)):
            run_refunds(batch=7, workers=3)
    assert set(Refund.objects.values_list("state", flat=True)) == {"done"}
    assert bank.totals()["refunded_cents"] == sum(amounts)
    assert bank.totals()["refunds"] == len(amounts)
    same_as_bank(campaign, bank)


@pytest.mark.parametrize("kind", ["low_balance", "mfa"])
def test_12_no_money_or_a_second_factor_waits_and_is_done_later(
    campaign, project, bank, kind, django_user_model
):
    payment = paid(project, bank)
    refund = order_refund(payment=payment, reason="other")
    bank.misbehave("refund", kind)
    run_refunds()
    refund.refresh_from_db()
    if refund.state == "manual":
        bank.tell("refund", payment=str(payment.key))
        settle_payment(payment)
    else:
        bank.advance()
        with shifted_clock(timedelta(hours=3)):
            run_refunds()
    refund.refresh_from_db()
    assert refund.state == "done"
    assert bank.totals()["refunded_cents"] == 2_000
    same_as_bank(campaign, bank)


def test_13_a_refund_that_fails_at_the_bank_is_done_by_hand(campaign, project, bank, django_user_model):
    refund = order_refund(payment=paid(project, bank), reason="other")
    bank.misbehave("refund", "pending_then_failed")
    run_refunds()
    bank.advance()
    with shifted_clock(timedelta(hours=3)):
        run_refunds()
    refund.refresh_from_db()
    assert refund.state == "manual"
    treasurer = django_user_model.objects.create(username="finance")
    with pytest.raises(Exception, match="overdrawn"):
        complete_by_hand(refund=refund, user=treasurer, proof="VIR 1")
    complete_by_hand(refund=refund, user=treasurer, proof="VIR 1", account=accounts.clearing("guichet"))
    assert Payment.objects.get().state == "refunded"
    assert held(campaign, accounts.refund_due(campaign.pk)) == 0


def test_14_a_dispute_before_the_close(campaign, project, bank):
    payment = paid(project, bank)
    bank.tell("dispute", payment=str(payment.key))
    assert settle_payment(payment).state == "disputed"
    assert project_funding([project])[project.pk].citizens_cents == 0


def test_14_a_dispute_after_success_is_the_funds_loss(campaign, project, bank):
    Project.objects.filter(pk=project.pk).update(goal_cents=2_000)
    payment = paid(project, bank)
    with shifted_clock(AFTER), closing(campaign) as closed:
        settle_campaign(campaign=closed, funded={project.pk: {}}, failed=[], publication_key="v1")
    bank.tell("dispute", payment=str(payment.key))
    settle_payment(payment)
    assert held(campaign, accounts.disputes(campaign.pk)) == 2_000
    assert held(campaign, accounts.payable(campaign.pk, project.pk)) == 2_000


def test_14_a_dispute_while_the_refund_is_ordered(campaign, project, bank):
    payment = paid(project, bank)
    order_refund(payment=payment, reason="other")
    bank.tell("dispute", payment=str(payment.key))
    settle_payment(payment)
    assert run_refunds() == {}
    assert bank.totals()["refunded_cents"] == 0
    assert held(campaign, accounts.refund_due(campaign.pk)) == 0


# --- 15 to 24 -----------------------------------------------------------------------------------------------


def test_15_a_pledge_is_spent_once_by_two_projects_at_once(campaign, bank):
    first, second = campaign.projects.order_by("pk")
    type(first).objects.update(goal_cents=1_000)
    for project in (first, second):
        paid(project, bank, 1_000)
    pledge = world.pledge(campaign, 1_500)

    def settle():
        with shifted_clock(AFTER), closing(campaign) as closed:
            settle_campaign(
                campaign=closed,
                funded={p.pk: {(pledge.pot, pledge.funder): 1_000} for p in (first, second)},
                failed=[],
                publication_key="v1",
            )

    assert all(isinstance(r, ClosingError) for r in race([settle, settle], workers=2))
    assert "payable" not in "".join(balances(campaign.fund.legal_holder))


def test_18_the_database_goes_away_while_the_provider_succeeds(project, bank, monkeypatch):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key)

    def gone(payment_id):
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(locks, "hold_payment", gone)
        with pytest.raises(OperationalError):
            settle_payment(payment)
    with shifted_clock(timedelta(minutes=10)):
        check_open_payments()
    assert Payment.objects.get().state == "paid"


def test_19_the_bell_is_an_instant_whatever_the_wall_clock_says(bank):
    """25 October 2026, 03:00 in Paris becomes 02:00: the hour that exists twice holds no trap."""
    bell = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 winter time, an hour after 02:30 summer time
    campaign = world.campaign(
        projects=1,
        collection_provider="simulated",
        opens_at=bell - timedelta(days=30),
        closes_at=bell,
        announced_at=bell - timedelta(days=60),
    )
    project = campaign.projects.get()
    with shifted_clock(bell - timedelta(minutes=1) - database_now()):
        early, late = (start(resident(campaign), project, cents) for cents in (1_000, 2_000))
    bank.pay(early.key, at=(bell - timedelta(minutes=30)).isoformat())
    bank.pay(late.key, at=(bell + timedelta(minutes=30)).isoformat())
    assert settle_payment(early).state == "paid"
    assert settle_payment(late).state == "refund_due"


def test_20_a_backup_of_yesterday_refunds_nobody_twice(campaign, project, bank):
    """The refunds were sent after the backup: restored, we believe that they are still to be sent."""
    for cents in (1_000, 2_000):
        paid(project, bank, cents)
    refund_project(project=project)
    backup = f"{connection.settings_dict['NAME']}_backup"
    _copy_database(connection.settings_dict["NAME"], backup)
    try:
        run_refunds()
        assert bank.totals()["refunded_cents"] == 3_000
        _swap_database(backup, connection.settings_dict["NAME"])
        assert set(Refund.objects.values_list("state", flat=True)) == {"created"}
        run = reconcile(
            provider="simulated",
            holder=campaign.fund.legal_holder,
            since=database_now() - timedelta(days=1),
            until=database_now() + timedelta(days=1),
        )
        assert run.surplus == 0
        run_refunds()
        assert bank.totals()["refunded_cents"] == 3_000
        assert set(Refund.objects.values_list("state", flat=True)) == {"done"}
        same_as_bank(campaign, bank)
    finally:
        _drop_database(backup)


def _maintain(*statements):
    from tests.conftest import _maintenance

    connections["default"].close()
    with _maintenance() as db:
        for statement in statements:
            db.execute(statement)


def _copy_database(source, target):
    _maintain(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY')


def _swap_database(source, target):
    _maintain(
        f'DROP DATABASE "{target}" WITH (FORCE)',
        f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY FILE_COPY',
    )


def _drop_database(name):
    _maintain(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def test_21_the_statement_of_the_bank_agrees_with_the_ledger(campaign, project, bank):
    for cents in (1_000, 2_000):
        paid(project, bank, cents)
    order_refund(payment=Payment.objects.first(), reason="other")
    run_refunds()
    bank.tell("payout", cents=500)
    run = reconcile(
        provider="simulated",
        holder=campaign.fund.legal_holder,
        since=database_now() - timedelta(days=1),
        until=database_now() + timedelta(days=1),
    )
    assert (run.differences, run.surplus, run.missing) == (0, 0, 0)
    assert run.matched >= 4
    assert clearing(campaign) == bank.totals()["balance_cents"]
    assert held(campaign, accounts.bank()) == 500


def test_23_an_erased_giver_leaves_the_ledger_as_it_was(project, bank):
    payment = paid(project, bank)
    person = payment.contribution.person
    before = balances(project.campaign.fund.legal_holder)
    person.delete()
    contribution = Contribution.objects.get()
    assert (contribution.person, contribution.voter_id) == (None, payment.contribution.voter_id)
    assert balances(project.campaign.fund.legal_holder) == before
    order_refund(payment=payment, reason="other")
    assert run_refunds() == {"done": 1}


def test_24_a_message_signed_with_the_former_secret_is_still_understood(project, bank, listening, settings):
    payment = start(resident(project.campaign), project)
    bank.pay(payment.key)
    message = listening.wait_for(1)[0]
    providers = {name: dict(options) for name, options in settings.ABONDE_PAYMENT_PROVIDERS.items()}
    providers["simulated"]["WEBHOOK_SECRETS"] = ["a new one", "simulated-webhook-secret"]
    settings.ABONDE_PAYMENT_PROVIDERS = providers
    [event] = intake_webhook("simulated", message.headers, message.body)
    assert handle_events() == 1
    assert ProviderEvent.objects.get(pk=event.pk).handled_at is not None
    assert Payment.objects.get().state == "paid"


def test_a_closing_asks_the_provider_about_what_is_still_open(campaign, project, bank):
    payment = start(resident(campaign), project)
    bank.pay(payment.key, at=(campaign.closes_at - timedelta(minutes=1)).isoformat())
    with shifted_clock(AFTER):
        assert settle_open_payments(campaign) == 0
        with closing(campaign) as closed:
            assert snapshot(closed).ok
            assert len(snapshot(closed).rows) == 1
    assert provider_for("simulated").balance() is not None
