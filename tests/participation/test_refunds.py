"""Giving money back: orders, runs, failures, and the provider's own console."""

import uuid
from datetime import timedelta

import pytest

from defis.clock import database_now, shifted_clock
from participation.contributions.closing import refund_project
from participation.contributions.selectors import payment_of, project_funding
from participation.contributions.services import start_contribution
from participation.ledger import accounts
from participation.ledger.services import balance_of, post
from participation.notifications.models import Message
from participation.payments.models import Payment, Refund
from participation.payments.port import (
    NeedsHuman,
    ProviderRefused,
    ProviderUnavailable,
    RefundSnapshot,
    RefundState,
)
from participation.payments.refunds import (
    RefundRefused,
    complete_by_hand,
    coverage,
    look_at_refunds,
    order_refund,
    refund_progress,
    run_refunds,
)
from participation.payments.settlement import settle_payment
from tests.money import world

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("proven")]


@pytest.fixture(params=[True, False], ids=["with keys", "without keys"])
def provider(provider, request):
    """The same behaviour from a provider with idempotency keys and from one without."""
    provider.__init__(idempotency=request.param)
    return provider


@pytest.fixture
def project(provider):
    return world.campaign(projects=1).projects.get()


def paid(project, provider, cents=2_000):
    person = world.person()
    world.voter(person, project.campaign)
    contribution = start_contribution(
        person=person, project=project, amount_cents=cents, idempotency_key=uuid.uuid4()
    )
    payment = payment_of(contribution)
    provider.pay(payment)
    return settle_payment(payment)


def due(project):
    return balance_of(project.campaign.fund.legal_holder, accounts.refund_due(project.campaign_id))


def test_a_refund_is_ordered_sent_and_done(project, provider, django_user_model):
    payment = paid(project, provider)
    refund = order_refund(payment=payment, reason="residency", note="contrôle")
    assert due(project) == 2_000
    assert run_refunds() == {"done": 1}
    refund.refresh_from_db()
    payment.refresh_from_db()
    assert (refund.state, payment.state, payment.contribution.state) == ("done", "refunded", "refunded")
    assert due(project) == 0
    assert provider.returned() == 2_000
    assert project_funding([project])[project.pk].citizens_cents == 0
    assert {m.kind for m in Message.objects.all()} == {
        "contribution_confirmed",
        "refund_started",
        "refund_done",
    }


def test_a_refund_is_ordered_once(project, provider):
    payment = paid(project, provider)
    assert order_refund(payment=payment, reason="other") == order_refund(payment=payment, reason="other")
    run_refunds()
    with pytest.raises(RefundRefused):
        order_refund(payment=payment, reason="other")
    assert provider.calls["refund"] == 1


def test_never_more_than_what_was_captured(project, provider):
    payment = paid(project, provider)
    with pytest.raises(RefundRefused):
        order_refund(payment=payment, reason="other", amount_cents=2_001)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unanswered_refund_is_looked_up_before_it_is_asked_again(project, provider, when):
    order_refund(payment=paid(project, provider), reason="other")

    def fail(request, at):
        if at == when:
            raise ProviderUnavailable("timeout")

    provider.fail_refund = fail
    assert run_refunds() == {"waiting": 1}
    assert run_refunds() == {}
    provider.fail_refund = lambda request, at: None
    looks = provider.calls["find_refunds"]
    with shifted_clock(timedelta(minutes=15)):
        assert run_refunds() == {"done": 1}
    assert provider.calls["find_refunds"] > looks
    assert provider.returned() == 2_000


def test_too_many_requests_are_waited_for(project, provider):
    order_refund(payment=paid(project, provider), reason="other")

    def refuse(request, at):
        raise ProviderUnavailable("429", retry_after=20)

    provider.fail_refund = refuse
    assert run_refunds() == {"waiting": 1}
    provider.fail_refund = lambda request, at: None
    with shifted_clock(timedelta(seconds=30)):
        assert run_refunds() == {"done": 1}


@pytest.mark.parametrize("error", [NeedsHuman("mfa"), ProviderRefused("charge_too_old")])
def test_what_a_program_may_not_do_waits_for_the_treasurer(project, provider, error, django_user_model):
    payment = paid(project, provider)
    refund = order_refund(payment=payment, reason="other")

    def refuse(request, at):
        raise error

    provider.fail_refund = refuse
    assert run_refunds() == {"manual": 1}
    assert run_refunds() == {}
    refund.refresh_from_db()
    user = django_user_model.objects.create(username="finance")
    with pytest.raises(RefundRefused):
        complete_by_hand(refund=refund, user=user, proof=" ")
    holder = project.campaign.fund.legal_holder
    post(
        event_key="payout",
        kind="payout",
        holder=holder,
        lines=[(accounts.bank(), accounts.clearing("memory"), 2_000)],
    )
    complete_by_hand(refund=refund, user=user, proof="Virement 2026-117")
    payment.refresh_from_db()
    assert payment.state == "refunded"
    assert due(project) == 0
    assert balance_of(holder, accounts.bank()) == 0


def test_a_refund_that_the_bank_sends_back_waits_for_the_treasurer(project, provider):
    provider.refund_state = RefundState.IN_TRANSIT
    payment = paid(project, provider)
    refund = order_refund(payment=payment, reason="other")
    assert run_refunds() == {"in_transit": 1}
    assert due(project) == 2_000
    provider.settle_refunds(RefundState.FAILED)
    with shifted_clock(timedelta(hours=2)):
        assert run_refunds()["manual"] == 1
    refund.refresh_from_db()
    assert refund.state == "manual"
    assert due(project) == 2_000
    assert "refund_failed" in {m.kind for m in Message.objects.all()}


def test_a_refund_that_comes_back_after_it_was_done_is_owed_again(project, provider):
    payment = paid(project, provider)
    refund = order_refund(payment=payment, reason="other")
    run_refunds()
    provider.settle_refunds(RefundState.FAILED)
    look_at_refunds(payment)
    refund.refresh_from_db()
    assert refund.state == "manual"
    assert Payment.objects.get(pk=payment.pk).state == "refund_due"
    assert due(project) == 2_000


def console_refund(provider, payment, cents):
    provider.charge_of(payment).refunds.append(
        RefundSnapshot(
            provider_reference=f"re_console_{cents}",
            state=RefundState.DONE,
            amount_cents=cents,
            done_at=database_now(),
        )
    )


def test_a_refund_made_at_the_console_closes_the_contribution(project, provider):
    payment = paid(project, provider)
    console_refund(provider, payment, 2_000)
    for _ in range(2):
        assert settle_payment(payment).state == "refunded"
    assert project_funding([project])[project.pk].citizens_cents == 0
    assert balance_of(project.campaign.fund.legal_holder, accounts.clearing("memory")) == 0


def test_a_partial_refund_made_at_the_console_waits_for_a_human(project, provider):
    payment = paid(project, provider)
    console_refund(provider, payment, 500)
    for _ in range(2):
        assert settle_payment(payment).state == "review"
    holder = project.campaign.fund.legal_holder
    assert balance_of(holder, accounts.suspense()) == -500
    assert balance_of(holder, accounts.escrow(project.campaign_id, project.pk)) == 2_000


def test_a_console_refund_of_what_we_were_about_to_refund_goes_back_once(project, provider):
    payment = paid(project, provider)
    order_refund(payment=payment, reason="other")
    console_refund(provider, payment, 2_000)
    settle_payment(payment)
    run_refunds()
    assert provider.returned() == 2_000
    assert due(project) == 0


def test_a_dispute_cancels_a_refund_that_was_not_sent(project, provider):
    payment = paid(project, provider)
    order_refund(payment=payment, reason="other")
    provider.charge_of(payment).disputed = True
    assert settle_payment(payment).state == "disputed"
    assert run_refunds() == {}
    assert due(project) == 0
    assert balance_of(project.campaign.fund.legal_holder, accounts.clearing("memory")) == 0


def test_a_cancelled_project_is_refunded_in_one_go_with_visible_progress(project, provider):
    payments = [paid(project, provider, 1_000 + i) for i in range(7)]
    assert refund_project(project=project) == 7
    assert refund_project(project=project) == 0
    assert due(project) == sum(p.amount_cents for p in payments)
    assert run_refunds(limit=3) == {"done": 3}
    progress = refund_progress(project.campaign)
    assert (progress["done"]["refunds"], progress["created"]["refunds"]) == (3, 4)
    assert progress["total"]["cents"] == sum(p.amount_cents for p in payments)
    assert run_refunds(batch=2) == {"done": 4}
    assert due(project) == 0
    assert provider.returned() == sum(p.amount_cents for p in payments)
    assert set(Refund.objects.values_list("attempts", flat=True)) == {1}


def test_coverage_shows_when_the_provider_holds_too_little(project, provider):
    payment = paid(project, provider)
    paid(project, provider, 1_000)
    [line] = coverage(project.campaign.fund.legal_holder)
    assert (line.held_cents, line.owed_cents, line.is_short) == (3_000, 3_000, False)
    provider.charges.pop(payment.provider_reference)
    [line] = coverage(project.campaign.fund.legal_holder)
    assert line.is_short
    assert line.ratio == pytest.approx(1 / 3)
