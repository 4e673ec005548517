"""Starting a contribution and settling its payment, through the services."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from defis.clock import database_now, shifted_clock
from defis.models import Campaign, Project
from participation.contributions.problems import ContributionRefused
from participation.contributions.selectors import contributions_of, left_for, payment_of, project_funding
from participation.contributions.services import abandon_contribution, start_contribution
from participation.ledger import accounts
from participation.ledger.models import LedgerTransaction
from participation.ledger.services import balance_of
from participation.notifications.models import Message
from participation.payments.models import Payment
from participation.payments.port import PaymentState
from participation.payments.settlement import settle_payment
from tests.money import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("proven")]


@pytest.fixture
def campaign(provider):
    return world.campaign(projects=2, max_per_person_cents=100_000, max_contribution_cents=50_000)


@pytest.fixture
def project(campaign):
    return campaign.projects.order_by("pk").first()


@pytest.fixture
def person(campaign):
    made = world.person()
    world.voter(made, campaign)
    return made


def start(person, project, cents=2_000, key=None):
    return start_contribution(
        person=person, project=project, amount_cents=cents, idempotency_key=key or uuid.uuid4()
    )


def give(person, project, provider, cents=2_000, **fields):
    contribution = start(person, project, cents)
    payment = payment_of(contribution)
    provider.pay(payment, **fields)
    return settle_payment(payment)


def escrow_of(project):
    return balance_of(project.campaign.fund.legal_holder, accounts.escrow(project.campaign_id, project.pk))


def test_a_contribution_leads_to_the_providers_page(person, project):
    contribution = start(person, project)
    payment = payment_of(contribution)
    assert contribution.state == "started"
    assert payment.redirect_url == f"https://pay.example/{payment.provider_reference}"
    assert project_funding([project])[project.pk].citizens_cents == 0


def test_starting_takes_at_most_eight_statements(person, project):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        start(person, project)
    assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) <= 8


def test_a_paid_contribution_counts_once_however_often_the_provider_is_asked(person, project, provider):
    payment = give(person, project, provider)
    for _ in range(3):
        settle_payment(payment)
    assert payment.contribution.state == "counted"
    assert escrow_of(project) == 2_000
    assert LedgerTransaction.objects.count() == 1
    assert project_funding([project])[project.pk].citizens_cents == 2_000
    assert project_funding([project])[project.pk].donors == 1
    assert [m.kind for m in Message.objects.all()] == ["contribution_confirmed"]


def test_the_same_key_is_the_same_contribution(person, project, provider):
    key = uuid.uuid4()
    first, second = start(person, project, key=key), start(person, project, key=key)
    assert first.pk == second.pk
    assert provider.calls["start"] == 1
    assert left_for(person, project.campaign) == 98_000


def test_a_key_serves_one_amount_only(person, project):
    key = uuid.uuid4()
    start(person, project, key=key)
    with pytest.raises(ContributionRefused, match="key_reused"):
        start(person, project, 2_001, key=key)


@pytest.mark.parametrize(
    ("cents", "code"),
    [(99, "outside_limits"), (50_001, "outside_limits"), (-1, "outside_limits"), (0, "outside_limits")],
)
def test_amounts_outside_the_limits_are_refused(person, project, cents, code):
    with pytest.raises(ContributionRefused) as refusal:
        start(person, project, cents)
    assert refusal.value.code == code
    assert payment_count() == 0


def payment_count():
    return Payment.objects.count()


def test_what_is_left_counts_payments_in_progress(person, project):
    start(person, project, 50_000)
    start(person, project, 49_000)
    with pytest.raises(ContributionRefused) as refusal:
        start(person, project, 1_001)
    assert refusal.value.code == "above_left"
    assert "10" in refusal.value.message
    assert left_for(person, project.campaign) == 1_000


def test_an_abandoned_payment_gives_its_place_back(person, project, provider):
    contribution = start(person, project, 50_000)
    provider.charge_of(payment_of(contribution)).state = PaymentState.EXPIRED
    assert abandon_contribution(contribution=contribution).state == "abandoned"
    assert left_for(person, project.campaign) == 100_000


def test_giving_up_is_not_believed_while_the_provider_may_capture(person, project):
    contribution = start(person, project, 50_000)
    assert abandon_contribution(contribution=contribution).state == "started"
    assert left_for(person, project.campaign) == 50_000


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"opens_at": timedelta(days=1)}, "not_open"),
        ({"closes_at": timedelta(seconds=-1)}, "closed"),
        ({"announced_at": None}, "not_open"),
        ({"rules_frozen_at": None}, "rules_not_frozen"),
    ],
)
def test_a_campaign_refuses_outside_its_time(provider, fields, code):
    now = database_now()
    campaign = world.campaign(
        projects=1, **{k: v and now + v if v is not None else None for k, v in fields.items()}
    )
    person = world.person()
    world.voter(person, campaign)
    with pytest.raises(ContributionRefused) as refusal:
        start(person, campaign.projects.get())
    assert refusal.value.code == code


def test_a_projects_own_dates_and_status_are_respected(person, campaign):
    now = database_now()
    early = world.project(campaign, closes_at=now - timedelta(hours=1))
    cancelled = world.project(campaign, status=Project.Status.CANCELLED)
    for project, code in [(early, "closed"), (cancelled, "project_not_open")]:
        with pytest.raises(ContributionRefused) as refusal:
            start(person, project)
        assert refusal.value.code == code


def test_a_project_that_stops_at_its_goal_stops(person, campaign, provider):
    project = world.project(campaign, goal_cents=2_000, stops_at_goal=True)
    give(person, project, provider, 2_000)
    with pytest.raises(ContributionRefused, match="goal_reached"):
        start(person, project, 100)


def test_an_unreachable_provider_takes_nothing_and_the_same_key_tries_again(person, project, provider):
    key = uuid.uuid4()
    provider.down = True
    with pytest.raises(ContributionRefused, match="provider_unavailable"):
        start(person, project, key=key)
    provider.down = False
    contribution = start(person, project, key=key)
    assert payment_of(contribution).redirect_url
    assert len(provider.charges) == 1


# --- What the provider says -------------------------------------------------------------------------------


def test_money_captured_at_the_bell_is_late_and_goes_back(person, project, provider):
    contribution = start(person, project)
    payment = payment_of(contribution)
    provider.pay(payment, at=project.campaign.closes_at)
    with shifted_clock(project.campaign.closes_at - database_now() + timedelta(minutes=1)):
        settled = settle_payment(payment)
    assert settled.state == "refund_due"
    assert settled.contribution.state == "refunded"
    refund = settled.refunds.get()
    assert (refund.reason, refund.amount_cents, refund.state) == ("late", 2_000, "created")
    holder = project.campaign.fund.legal_holder
    assert balance_of(holder, accounts.refund_due(project.campaign_id)) == 2_000
    assert escrow_of(project) == 0
    assert [m.kind for m in Message.objects.all()] == ["refund_late"]


def test_money_captured_a_second_before_the_bell_counts_even_if_we_learn_it_after(person, project, provider):
    contribution = start(person, project)
    payment = payment_of(contribution)
    provider.pay(payment, at=project.campaign.closes_at - timedelta(seconds=1))
    with shifted_clock(project.campaign.closes_at - database_now() + timedelta(hours=1)):
        assert settle_payment(payment).contribution.state == "counted"


@pytest.mark.parametrize(
    "difference", [{"amount_cents": 100}, {"our_key": uuid.uuid4()}, {"amount_cents": 9_999}]
)
def test_what_differs_from_our_intent_goes_to_a_human(person, project, provider, difference):
    payment = give(person, project, provider, **difference)
    assert payment.state == "review"
    assert payment.note
    assert payment.contribution.state == "started"
    assert escrow_of(project) == 0
    holder = project.campaign.fund.legal_holder
    expected = difference.get("amount_cents", 2_000)
    assert balance_of(holder, accounts.suspense()) == expected
    settle_payment(payment)
    assert balance_of(holder, accounts.suspense()) == expected


def test_another_currency_is_not_posted_as_euros(person, project, provider):
    payment = give(person, project, provider, currency="USD")
    assert payment.state == "review"
    assert LedgerTransaction.objects.count() == 0


def test_an_unknown_state_goes_to_a_human_and_may_still_be_paid(person, project, provider):
    contribution = start(person, project)
    payment = payment_of(contribution)
    provider.charge_of(payment).state = PaymentState.UNKNOWN
    assert settle_payment(payment).state == "review"
    provider.pay(payment)
    assert settle_payment(payment).state == "paid"


def test_a_failed_payment_says_so_and_takes_nothing(person, project, provider):
    contribution = start(person, project)
    payment = payment_of(contribution)
    provider.charge_of(payment).state = PaymentState.FAILED
    settled = settle_payment(payment)
    assert (settled.state, contributions_of(person).get().state) == ("failed", "failed")
    assert [m.kind for m in Message.objects.all()] == ["payment_failed"]


def test_a_payment_that_failed_and_was_captured_after_all_counts_within_the_ceiling(
    person, project, provider
):
    contribution = start(person, project, 50_000)
    payment = payment_of(contribution)
    provider.charge_of(payment).state = PaymentState.EXPIRED
    settle_payment(payment)
    give(person, project, provider, 40_000)
    provider.pay(payment)
    assert settle_payment(payment).contribution.state == "counted"
    assert escrow_of(project) == 90_000


def test_a_payment_that_revives_over_the_ceiling_goes_back(person, project, provider):
    contribution = start(person, project, 50_000)
    payment = payment_of(contribution)
    provider.charge_of(payment).state = PaymentState.EXPIRED
    settle_payment(payment)
    give(person, project, provider, 50_000)
    give(person, project, provider, 10_000)
    provider.pay(payment)
    settled = settle_payment(payment)
    assert settled.state == "refund_due"
    assert escrow_of(project) == 60_000


def test_a_replayed_message_after_a_refund_confirms_nothing(person, project, provider):
    payment = give(person, project, provider)
    Payment.objects.filter(pk=payment.pk).update(state="refunded")
    assert settle_payment(payment).state == "refunded"
    assert LedgerTransaction.objects.count() == 1


def test_fees_are_the_funds_affair(person, project, provider):
    give(person, project, provider, fee_cents=55)
    holder = project.campaign.fund.legal_holder
    assert escrow_of(project) == 2_000
    assert balance_of(holder, accounts.clearing("memory")) == 1_945
    assert balance_of(holder, accounts.fees(project.campaign_id)) == 55


def test_a_dispute_before_the_decision_takes_the_money_out_of_the_project(person, project, provider):
    payment = give(person, project, provider)
    provider.charge_of(payment).disputed = True
    for _ in range(2):
        assert settle_payment(payment).state == "disputed"
    assert escrow_of(project) == 0
    assert contributions_of(person).get().state == "refunded"
    assert balance_of(project.campaign.fund.legal_holder, accounts.clearing("memory")) == 0


def test_lists_and_totals_take_a_constant_number_of_queries(
    person, campaign, provider, django_assert_num_queries
):
    projects = list(campaign.projects.all())
    for project in projects:
        give(person, project, provider)
    with django_assert_num_queries(1):
        assert {f.citizens_cents for f in project_funding(projects).values()} == {2_000}
    with django_assert_num_queries(3):
        assert [c.payments.all()[0].state for c in contributions_of(person)] == ["paid", "paid"]


def test_the_first_gift_after_the_opening_freezes_the_rules_that_nobody_froze(provider):
    """Opening waits for no schedule: with a green checklist, the first resident's gift does it."""
    campaign = world.campaign(projects=1, rules_frozen_at=None, rules_sha256="")
    Campaign.objects.filter(pk=campaign.pk).update(
        residency_methods=["declaration"], identity_providers=["franceconnect"]
    )
    pledge = world.pledge(campaign, 10_000)
    pledge.signed_on = database_now().date()
    pledge.save()
    person = world.person()
    world.voter(person, campaign)
    start_contribution(
        person=person, project=campaign.projects.get(), amount_cents=1_000, idempotency_key=uuid.uuid4()
    )
    campaign.refresh_from_db()
    assert campaign.rules_frozen_at is not None
    assert len(campaign.rules_sha256) == 64
