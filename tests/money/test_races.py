"""Everybody at once: one effect each, and the same race goes wrong when the lock is taken out."""

import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection

from defis.clock import database_now
from defis.models import Campaign
from participation.contributions.closing import closing, settle_campaign, snapshot
from participation.contributions.models import Contribution
from participation.contributions.problems import ContributionRefused
from participation.contributions.services import start_contribution
from participation.ledger import accounts, locks
from participation.ledger.models import LedgerTransaction
from participation.ledger.services import balance_of
from participation.payments.models import Payment, ProviderEvent, Refund
from participation.payments.settlement import intake_webhook, settle_payment
from participation.payments.webhooks import handle_event
from tests.money import world
from tests.money.world import race, resident, start, unproven

pytestmark = pytest.mark.django_db(transaction=True)


def errors(results):
    return [result for result in results if isinstance(result, Exception)]


# --- One human, one ceiling -------------------------------------------------------------------------------


def _gifts_at_once(monkeypatch=None):
    campaign = world.campaign(projects=1, max_contribution_cents=10_000, max_per_person_cents=10_000)
    person, project = resident(campaign), campaign.projects.get()
    if monkeypatch:
        monkeypatch.setattr(locks, "hold_voter_of", _seen_without_lock)
    results = race(
        [
            lambda: start_contribution(
                person=person, project=project, amount_cents=1_000, idempotency_key=uuid.uuid4()
            )
            for _ in range(16)
        ]
    )
    assert all(isinstance(e, ContributionRefused) and e.code == "nothing_left" for e in errors(results))
    return sum(Contribution.objects.values_list("amount_cents", flat=True))


def _seen_without_lock(*, person_id, campaign_id):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT voter_id, pg_sleep(0.05) FROM abonde_participation_votermembership WHERE person_id = %s",
            [person_id],
        )
        return cursor.fetchone()[0]


def test_one_human_never_gives_more_than_the_ceiling(provider):
    assert _gifts_at_once() == 10_000


@unproven
def test_without_the_voters_lock_she_does(provider, monkeypatch):
    # Everybody sums before anybody has inserted.
    original = __import__("participation.contributions.services", fromlist=["_insert"])._insert

    def slow(*args, **kwargs):
        time.sleep(0.1)
        return original(*args, **kwargs)

    monkeypatch.setattr("participation.contributions.services._insert", slow)
    assert _gifts_at_once(monkeypatch) > 10_000


def test_a_double_click_is_one_contribution_and_one_page(provider):
    campaign = world.campaign(projects=1)
    person, project, key = resident(campaign), campaign.projects.get(), uuid.uuid4()
    results = race(
        [
            lambda: start_contribution(
                person=person, project=project, amount_cents=1_000, idempotency_key=key
            )
            for _ in range(6)
        ]
    )
    assert errors(results) == []
    assert {result.pk for result in results} == {Contribution.objects.get().pk}
    assert len(provider.charges) == 1
    assert provider.calls["start"] == 1


# --- The same webhook, ten times at once ------------------------------------------------------------------


def _webhook_ten_times(provider):
    campaign = world.campaign(projects=1)
    payment = start(resident(campaign), campaign.projects.get())
    provider.pay(payment)
    body = f"evt_1 {payment.provider_reference}".encode()

    def deliver():
        for event in intake_webhook("memory", {}, body):
            handle_event(event.pk)
        return settle_payment(payment)

    return campaign, payment, race([deliver for _ in range(10)], workers=10)


def test_a_webhook_delivered_ten_times_at_once_has_one_effect(provider):
    campaign, payment, results = _webhook_ten_times(provider)
    assert errors(results) == []
    event = ProviderEvent.objects.get()
    assert event.deliveries == 10
    assert event.handled_at is not None
    assert LedgerTransaction.objects.count() == 1
    assert (
        balance_of(campaign.fund.legal_holder, accounts.escrow(campaign.pk, payment.contribution.project_id))
        == 2_000
    )
    assert Payment.objects.get().state == "paid"


@unproven
def test_without_the_payments_lock_the_ten_run_over_each_other(provider, monkeypatch):
    def unlocked(payment_id):
        payment = Payment.objects.select_related(
            "contribution__campaign__fund__legal_holder", "contribution__project", "contribution__person"
        ).get(pk=payment_id)
        time.sleep(0.1)
        return payment

    applied = []
    monkeypatch.setattr(locks, "hold_payment", unlocked)
    captured = __import__("participation.payments.settlement", fromlist=["_captured"])._captured
    monkeypatch.setattr(
        "participation.payments.settlement._captured",
        lambda *args: (applied.append(1), captured(*args)),
    )
    _webhook_ten_times(provider)
    # The event key of the ledger still saves the money; without it, ten captures would be posted.
    assert len(applied) > 1


# --- The last second and the bell -------------------------------------------------------------------------


def _last_second(provider):
    """Ten residents pay just before the bell; the closing starts while their money is being written."""
    campaign = world.campaign(projects=1, closes_at=database_now() + timedelta(seconds=2))
    project = campaign.projects.get()
    payments = [start(resident(campaign), project, 1_000) for _ in range(10)]
    for payment in payments:
        provider.pay(payment, at=campaign.closes_at - timedelta(milliseconds=1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(extract(epoch FROM %s - clock_timestamp()))", [campaign.closes_at])
    taken = []
    begun = threading.Event()

    def close():
        begun.wait(10)
        with closing(campaign) as closed:
            taken.append(snapshot(closed))
            settle_campaign(campaign=closed, funded={}, failed=[project.pk], publication_key="v1")
            Campaign.objects.filter(pk=closed.pk).update(published_at=database_now())

    def pay(payment):
        begun.set()
        return settle_payment(payment)

    results = race([close, *(lambda p=p: pay(p) for p in payments)], workers=11)
    assert errors(results) == []
    counted = sum(cents for _, _, cents, _ in taken[0].rows)
    # What the snapshot saw, to the cent, is what was settled; the others were refunded as late.
    threshold = Refund.objects.filter(reason="threshold").values_list("amount_cents", flat=True)
    late = Refund.objects.filter(reason="late").values_list("amount_cents", flat=True)
    return counted, sum(threshold), sum(late)


def test_ten_last_second_contributions_are_each_in_the_closing_or_given_back(provider):
    counted, settled, late = _last_second(provider)
    assert settled == counted
    assert settled + late == 10_000


@unproven
def test_without_the_campaigns_lock_some_are_in_neither(provider, monkeypatch):
    monkeypatch.setattr(locks, "share_campaign", lambda campaign_id: None)
    monkeypatch.setattr(locks, "hold_campaign", lambda campaign_id, seconds=30: None)
    # The snapshot is taken, then somebody counts, then the settlement refunds more than it saw.
    original = snapshot

    def slow(campaign, **kwargs):
        taken = original(campaign, **kwargs)
        time.sleep(1)
        return taken

    monkeypatch.setattr(f"{__name__}.snapshot", slow)
    counted, settled, late = _last_second(provider)
    assert settled != counted


def _close_twice():
    campaign = world.campaign(projects=2, closes_at=database_now() - timedelta(seconds=1))
    seen = []

    def close():
        with closing(campaign) as closed:
            already = Contribution.objects.filter(campaign=closed, end_reason="closed-by-test").exists()
            seen.append(already)
            time.sleep(0.2)
            if not already:
                Contribution.objects.create(
                    campaign=closed,
                    project=closed.projects.first(),
                    voter=world.voter(world.person(), closed),
                    amount_cents=1,
                    state="failed",
                    end_reason="closed-by-test",
                    created_at=database_now(),
                )

    assert errors(race([close, close], workers=2)) == []
    return Contribution.objects.count()


def test_two_closings_follow_each_other():
    assert _close_twice() == 1


def test_two_closings_overlap_without_the_lock(monkeypatch):
    monkeypatch.setattr(locks, "hold_campaign", lambda campaign_id, seconds=30: None)
    assert _close_twice() == 2


# --- Refunds ----------------------------------------------------------------------------------------------


def test_one_pledge_is_shared_once_by_two_settlements_at_once(provider):
    """Invariant 9 under a race: two campaigns' workers cannot spend the same pledge twice."""
    campaign = world.campaign(closes_at=database_now() + timedelta(seconds=1))
    projects = [world.project(campaign, goal_cents=1_000) for _ in range(2)]
    for project in projects:
        payment = start(resident(campaign), project, 1_000)
        provider.pay(payment)
        settle_payment(payment)
    pledge = world.pledge(campaign, 1_000)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(extract(epoch FROM %s - clock_timestamp()))", [campaign.closes_at])

    def settle(key):
        with closing(campaign) as closed:
            settle_campaign(
                campaign=closed,
                funded={projects[0].pk: {(pledge.pot, pledge.funder): 1_000}, projects[1].pk: {}},
                failed=[],
                publication_key=key,
            )

    assert errors(race([lambda: settle("v1"), lambda: settle("v1")], workers=2)) == []
    holder = campaign.fund.legal_holder
    assert balance_of(holder, accounts.receivable(campaign.pk, pledge.funder_id)) == 1_000
    assert LedgerTransaction.objects.filter(kind="settle_funded").count() == 2
