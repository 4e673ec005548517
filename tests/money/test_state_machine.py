"""Anything, in any order: the invariants hold after every step (Hypothesis looks for the order that breaks one)."""

import itertools
import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from defis.clock import database_now, shifted_clock
from defis.models import Campaign, Project
from participation.contributions.closing import closing, settle_campaign, settle_open_payments, snapshot
from participation.contributions.problems import ContributionRefused
from participation.contributions.selectors import project_funding
from participation.contributions.statistics import refresh_statistics
from participation.ledger.proof import prove
from participation.payments.models import Payment
from participation.payments.port import (
    PaymentState,
    ProviderUnavailable,
    RefundSnapshot,
    RefundState,
    provider_for,
)
from participation.payments.refunds import RefundRefused, order_refund, run_refunds
from participation.payments.settlement import settle_payment
from tests.money import world

AFTER = timedelta(days=41)
amounts = st.integers(100, 60_000)
picks = st.integers(0, 50)


def block():
    """A transaction that the services take for the test's own: theirs count as the outermost."""
    atomic = transaction.atomic()
    atomic._from_testcase = True
    return atomic


class Crash(Exception):
    """The process dies here; what was not committed is lost."""


class Money(RuleBasedStateMachine):
    """One campaign of two projects, a pledge, a provider without keys that forgets nothing."""

    def __init__(self):
        super().__init__()
        self.block = block()
        self.block.__enter__()
        provider_for.__globals__["_build"].cache_clear()
        self.provider = provider_for("memory")
        self.provider.__init__(idempotency=False)
        self.campaign = world.campaign(
            max_contribution_cents=50_000, max_per_person_cents=100_000, threshold_numerator=None
        )
        self.projects = [world.project(self.campaign) for _ in range(2)]
        self.people = [world.resident(self.campaign) for _ in range(3)]
        self.pledge = world.pledge(self.campaign, 30_000)
        self.closed = False
        self.hours = itertools.count(1)

    def teardown(self):
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    def moment(self):
        return shifted_clock((AFTER if self.closed else timedelta(0)) + timedelta(hours=next(self.hours)))

    def payment(self, pick):
        payments = list(Payment.objects.order_by("pk").select_related("contribution"))
        return payments[pick % len(payments)] if payments else None

    # --- What people and the provider do ----------------------------------------------------------------

    @rule(person=picks, project=picks, cents=amounts)
    def contribute(self, person, project, cents):
        with self.moment():
            try:
                world.start(self.people[person % 3], self.projects[project % 2], cents)
            except ContributionRefused as refusal:
                assert refusal.code in {
                    "outside_limits",
                    "above_left",
                    "nothing_left",
                    "closed",
                    "project_not_open",
                }

    @rule(pick=picks, late=st.booleans(), fee=st.integers(0, 99))
    def pay(self, pick, late, fee):
        payment = self.payment(pick)
        if payment and payment.provider_reference:
            charge = self.provider.charge_of(payment)
            if charge.state != PaymentState.PAID:
                at = self.campaign.closes_at + timedelta(hours=1) if late else database_now()
                self.provider.pay(payment, at=at, fee_cents=fee)

    @rule(
        pick=picks, state=st.sampled_from([PaymentState.PENDING, PaymentState.FAILED, PaymentState.EXPIRED])
    )
    def not_pay(self, pick, state):
        payment = self.payment(pick)
        if payment and self.provider.charge_of(payment).state != PaymentState.PAID:
            self.provider.charge_of(payment).state = state

    @rule(pick=picks, times=st.integers(1, 3))
    def webhook(self, pick, times):
        payment = self.payment(pick)
        if payment:
            with self.moment():
                for _ in range(times):
                    settle_payment(payment)

    @rule(pick=picks)
    def crash_while_settling(self, pick):
        """Everything is written but the commit."""
        payment = self.payment(pick)
        if payment:
            with self.moment(), pytest.raises(Crash), block():
                settle_payment(payment)
                raise Crash

    @rule(pick=picks, cents=st.none() | amounts)
    def refund_at_the_console(self, pick, cents):
        payment = self.payment(pick)
        if payment is None:
            return
        charge = self.provider.charge_of(payment)
        returned = sum(r.amount_cents for r in charge.refunds if r.state != RefundState.FAILED)
        cents = min(cents or charge.amount_cents, charge.amount_cents - returned)
        if charge.state == PaymentState.PAID and cents > 0 and not charge.disputed:
            charge.refunds.append(
                RefundSnapshot(
                    provider_reference=f"re_console_{uuid.uuid4().hex[:8]}",
                    state=RefundState.DONE,
                    amount_cents=cents,
                    done_at=database_now(),
                )
            )

    @rule(pick=picks)
    def dispute(self, pick):
        payment = self.payment(pick)
        if payment:
            charge = self.provider.charge_of(payment)
            if charge.state == PaymentState.PAID and not charge.refunds:
                charge.disputed = True

    # --- What we do -------------------------------------------------------------------------------------

    @rule(pick=picks)
    def order(self, pick):
        payment = self.payment(pick)
        if payment:
            with self.moment():
                try:
                    order_refund(payment=payment, reason="other")
                except RefundRefused:
                    pass

    @rule(fails=st.sampled_from(["", "before", "after"]))
    def refund(self, fails):
        def fail(request, when):
            if when == fails:
                raise ProviderUnavailable("timeout")

        self.provider.fail_refund = fail
        with self.moment():
            run_refunds()

    @rule()
    def crash_while_refunding(self):
        """The provider gave the money back; we died before writing it."""

        def die(request, when):
            if when == "after":
                raise Crash

        self.provider.fail_refund = die
        with self.moment():
            try:
                with block():
                    run_refunds(limit=1)
            except Crash:
                pass

    @rule()
    def worker(self):
        refresh_statistics()

    @precondition(lambda self: not self.closed)
    @rule()
    def close_and_publish(self):
        with shifted_clock(AFTER):
            settle_open_payments(self.campaign)
            with closing(self.campaign) as closed:
                taken = snapshot(closed)
                if not taken.ok:
                    return
                totals = {p.project_id: p.citizens_cents for p in taken.projects}
                funded = {pk: {} for pk, cents in totals.items() if cents >= 10_000}
                for pk in list(funded)[:1]:
                    funded[pk] = {(self.pledge.pot, self.pledge.funder): min(totals[pk], 30_000)}
                settle_campaign(
                    campaign=closed,
                    funded=funded,
                    failed=[pk for pk in totals if pk not in funded],
                    publication_key="v1",
                    computed_on=totals,
                )
                Campaign.objects.filter(pk=closed.pk).update(published_at=database_now())
                Project.objects.filter(pk__in=funded).update(status=Project.Status.FUNDED)
        self.closed = True

    # --- What always holds ------------------------------------------------------------------------------

    @invariant()
    def fifteen_invariants(self):
        assert [str(proof) for proof in prove() if not proof.ok] == []

    @invariant()
    def nobody_gets_back_more_than_she_gave(self):
        for charge in self.provider.charges.values():
            assert (
                sum(r.amount_cents for r in charge.refunds if r.state != RefundState.FAILED)
                <= charge.amount_cents
            )

    @invariant()
    def pages_show_what_is_held(self):
        funding = project_funding(self.projects)
        assert all(f.citizens_cents >= 0 for f in funding.values())


@pytest.mark.django_db
def test_the_invariants_hold_after_any_sequence(provider):
    run_state_machine_as_test(
        Money,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def refund_whose_answer_is_lost():
    """A gift, its refund, an answer that never came after the money had left, and the next run of the worker."""
    machine = Money()
    try:
        machine.contribute(person=0, project=0, cents=5_000)
        machine.pay(pick=0, late=False, fee=0)
        machine.webhook(pick=0, times=1)
        machine.order(pick=0)
        machine.refund(fails="after")
        machine.refund(fails="")
        machine.nobody_gets_back_more_than_she_gave()
        machine.fifteen_invariants()
    finally:
        machine.teardown()


@pytest.mark.django_db
def test_the_machine_sees_a_refund_that_is_not_looked_up_before_it_is_repeated(provider, monkeypatch):
    """The machine is worth something: without the look before the act, somebody is paid twice, and it says so."""
    refund_whose_answer_is_lost()
    monkeypatch.setattr("participation.payments.refunds_run.find_ours", lambda provider, claimed: None)
    with pytest.raises(AssertionError):
        refund_whose_answer_is_lost()
