"""The bell and what follows: snapshot, settlement of what was decided, corrections."""

import uuid
from datetime import timedelta

import pytest

from defis.clock import database_now, shifted_clock
from participation.contributions.closing import (
    ClosingError,
    closing,
    settle_campaign,
    settle_open_payments,
    snapshot,
)
from participation.contributions.selectors import payment_of
from participation.contributions.services import start_contribution
from participation.ledger import accounts
from participation.ledger.models import LedgerTransaction
from participation.ledger.selectors import balances
from participation.ledger.services import balance_of
from participation.payments.models import Refund
from participation.payments.refunds import run_refunds
from participation.payments.settlement import settle_payment
from tests.money import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("proven")]
AFTER = timedelta(days=41)


@pytest.fixture
def campaign(provider):
    made = world.campaign(fee_bps=300)
    for _ in range(2):
        world.project(made, goal_cents=5_000)
    return made


def give(project, provider, cents, person=None):
    campaign = project.campaign
    if person is None:
        person = world.person()
        world.voter(person, campaign)
    contribution = start_contribution(
        person=person, project=project, amount_cents=cents, idempotency_key=uuid.uuid4()
    )
    payment = payment_of(contribution)
    provider.pay(payment)
    settle_payment(payment)
    return person


def held(campaign, account):
    return balance_of(campaign.fund.legal_holder, account)


def test_nothing_closes_before_the_bell(campaign):
    with pytest.raises(ClosingError, match="still open"), closing(campaign):
        pass


def test_the_snapshot_is_what_the_ledger_holds(campaign, provider):
    first, second = campaign.projects.order_by("pk")
    person = give(first, provider, 2_000)
    give(first, provider, 500, person)
    give(first, provider, 1_000)
    give(second, provider, 300, person)
    with shifted_clock(AFTER), closing(campaign) as closed:
        taken = snapshot(closed)
        in_order = snapshot(closed, in_time_order=True)
    voter = person.memberships.get().voter_id
    assert taken.ok
    assert [r for r in taken.rows if r[0] == voter] == [
        (voter, first.pk, 2_500, True),
        (voter, second.pk, 300, True),
    ]
    assert [r[2] for r in in_order.rows] == [2_000, 500, 1_000, 300]
    assert [(p.citizens_cents, p.donors, p.escrow_cents) for p in taken.projects] == [
        (3_500, 2, 3_500),
        (300, 1, 300),
    ]


def test_a_payment_that_may_still_be_captured_blocks_the_closing(campaign, provider):
    first, _ = campaign.projects.order_by("pk")
    person = world.person()
    world.voter(person, campaign)
    contribution = start_contribution(
        person=person, project=first, amount_cents=1_000, idempotency_key=uuid.uuid4()
    )
    with shifted_clock(AFTER), closing(campaign) as closed:
        assert not snapshot(closed).ok
    provider.pay(payment_of(contribution), at=campaign.closes_at - timedelta(minutes=1))
    with shifted_clock(AFTER):
        assert settle_open_payments(campaign) == 0
        with closing(campaign) as closed:
            assert snapshot(closed).ok
            assert len(snapshot(closed).rows) == 1


@pytest.fixture
def played(campaign, provider):
    """One project funded with 40 €, one failed with 10 €, one company that promised 30 €."""
    first, second = campaign.projects.order_by("pk")
    give(first, provider, 2_500)
    give(first, provider, 1_500)
    give(second, provider, 1_000)
    return campaign, first, second, world.pledge(campaign, 3_000)


def settle(campaign, funded, failed, key="v1"):
    with shifted_clock(AFTER), closing(campaign) as closed:
        settle_campaign(campaign=closed, funded=funded, failed=failed, publication_key=key)


def test_a_publication_pays_refunds_and_releases(played, provider):
    campaign, first, second, pledge = played
    settle(campaign, {first.pk: {(pledge.pot, pledge.funder): 2_000}}, [second.pk])
    # 40 € of residents and 20 € of the company, less 3 %.
    assert held(campaign, accounts.payable(campaign.pk, first.pk)) == 6_000 - 180
    assert held(campaign, accounts.fee_income(campaign.pk)) == 180
    assert held(campaign, accounts.receivable(campaign.pk, pledge.funder_id)) == 2_000
    assert held(campaign, accounts.match_of(campaign.pk, pledge.pot_id, pledge.funder_id, first.pk)) == 2_000
    assert held(campaign, accounts.pledge(campaign.pk, pledge.pot_id, pledge.funder_id)) == 2_000
    assert held(campaign, accounts.match_pool(campaign.pk, pledge.pot_id, pledge.funder_id)) == 0
    assert held(campaign, accounts.escrow(campaign.pk, first.pk)) == 0
    assert held(campaign, accounts.escrow(campaign.pk, second.pk)) == 0
    assert held(campaign, accounts.refund_due(campaign.pk)) == 1_000
    with shifted_clock(AFTER):
        assert run_refunds() == {"done": 1}
    assert held(campaign, accounts.refund_due(campaign.pk)) == 0
    assert held(campaign, accounts.clearing("memory")) == 4_000


def test_the_same_publication_twice_posts_nothing_more(played):
    campaign, first, second, pledge = played
    for _ in range(2):
        settle(campaign, {first.pk: {(pledge.pot, pledge.funder): 2_000}}, [second.pk])
    settled = balances(campaign.fund.legal_holder)
    settle(campaign, {first.pk: {(pledge.pot, pledge.funder): 2_000}}, [second.pk], key="v2")
    assert balances(campaign.fund.legal_holder) == settled
    assert LedgerTransaction.objects.filter(kind="settle_funded").count() == 1
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("corrected", [2_700, 500, 0])
def test_a_correction_posts_the_difference(played, corrected):
    campaign, first, second, pledge = played
    settle(campaign, {first.pk: {(pledge.pot, pledge.funder): 2_000}}, [second.pk])
    shares = {(pledge.pot, pledge.funder): corrected} if corrected else {}
    settle(campaign, {first.pk: shares}, [second.pk], key="v2")
    total = 4_000 + corrected
    assert held(campaign, accounts.payable(campaign.pk, first.pk)) == total - total * 3 // 100
    assert held(campaign, accounts.receivable(campaign.pk, pledge.funder_id)) == corrected
    assert held(campaign, accounts.pledge(campaign.pk, pledge.pot_id, pledge.funder_id)) == corrected


def test_a_funder_never_gives_more_than_it_promised(played):
    campaign, first, second, pledge = played
    with pytest.raises(ClosingError, match="promised 3000"):
        settle(campaign, {first.pk: {(pledge.pot, pledge.funder): 3_001}}, [second.pk])
    settle(campaign, {first.pk: {(pledge.pot, pledge.funder): 2_000}}, [second.pk])
    with pytest.raises(ClosingError, match="promised 3000"):
        settle(campaign, {first.pk: {(pledge.pot, pledge.funder): 3_001}}, [second.pk], key="v2")


def test_nobody_is_forgotten_nor_decided_twice(played):
    campaign, first, second, pledge = played
    with pytest.raises(ClosingError, match="no decision"):
        settle(campaign, {first.pk: {}}, [])
    with pytest.raises(ClosingError, match="both"):
        settle(campaign, {first.pk: {}, second.pk: {}}, [second.pk])
    settle(campaign, {first.pk: {}}, [second.pk])
    with pytest.raises(ClosingError, match="was refunded"):
        settle(campaign, {first.pk: {}, second.pk: {}}, [], key="v2")
    with pytest.raises(ClosingError, match="settled as funded"):
        settle(campaign, {}, [first.pk, second.pk], key="v3")


def test_money_that_arrives_after_the_decision_goes_back(played, provider):
    campaign, first, second, pledge = played
    person = world.person()
    world.voter(person, campaign)
    payment = payment_of(
        start_contribution(person=person, project=first, amount_cents=700, idempotency_key=uuid.uuid4())
    )
    settle(campaign, {first.pk: {}}, [second.pk])
    provider.pay(payment, at=database_now())
    with shifted_clock(AFTER):
        assert settle_payment(payment).state == "refund_due"
        assert run_refunds() == {"done": 2}
    assert held(campaign, accounts.payable(campaign.pk, first.pk)) == 4_000 - 120
