# ruff: noqa: F811 - fixtures are imported, then named as arguments
"""One suite for every payment provider: what the money core may rely on, whoever the provider is.

The three that speak HTTP are tried against the stand-in's process; counter and envelope against our tables.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from participation.contributions.models import Contribution
from participation.payments.models import Payment, Refund
from participation.payments.port import (
    NeedsHuman,
    PaymentProvider,
    PaymentState,
    ProviderRefused,
    ProviderUnavailable,
    RefundMode,
    RefundRequest,
    RefundSnapshot,
    RefundState,
    SettlementKind,
    Snapshot,
    Started,
    StartRequest,
    UnknownReference,
    WebhookAuth,
    WebhookRejected,
)
from participation.payments.providers.allowance import AllowanceProvider
from participation.payments.providers.helloasso import HelloAssoProvider
from participation.payments.providers.offline import OfflineProvider
from participation.payments.providers.simulated import SimulatedProvider
from participation.payments.providers.stripe import StripeProvider
from tests.money import world
from tests.standin_payments import (  # noqa: F401
    PaymentStandin,
    Receiver,
    _payment_standin_process,
    payment_standin,
    receiver,
)

PATIENCE = 0.6  # seconds an adapter waits here; a silent stand-in is silent for longer
LIVE = {RefundState.PENDING, RefundState.IN_TRANSIT, RefundState.DONE}


@dataclass
class Bench:
    """One adapter and the hands that act around it."""

    provider: PaymentProvider
    face: str = ""
    standin: PaymentStandin | None = None

    @property
    def can(self):
        return self.provider.capabilities

    def request(self, cents: int = 2000) -> StartRequest:
        request = StartRequest(
            key=uuid4(),
            amount_cents=cents,
            reference=uuid4().hex[:8].upper(),
            title="Un four à pain pour le village",
            return_url="http://127.0.0.1:8000/paiement/retour/x/",
            cancel_url="http://127.0.0.1:8000/paiement/retour/x/?abandon=1",
            email="camille@example.org",
        )
        if self.standin is None:
            write_payment(self.provider.name, request)
        return request

    def pays(self, request: StartRequest, card: str = "accepted") -> None:
        """The payer, the bank, or the second person at the counter."""
        if self.standin:
            self.standin.pay(request.key, card)
        elif self.provider.name == "offline":
            Payment.objects.filter(key=request.key).update(paid_at=timezone.now())

    def paid(self, cents: int = 2000) -> tuple[StartRequest, Started, Snapshot]:
        request = self.request(cents)
        started = self.provider.start(request)
        self.pays(request)
        return request, started, self.fetch(request, started)

    def fetch(self, request: StartRequest, started: Started) -> Snapshot:
        return self.provider.fetch(started.provider_reference, key=request.key)

    def order(self, request: StartRequest, snapshot: Snapshot, cents: int, **more) -> RefundRequest:
        return RefundRequest(
            key=uuid4(),
            payment_key=request.key,
            provider_reference=snapshot.provider_reference,
            provider_payment=snapshot.provider_payment,
            amount_cents=cents,
            **more,
        )

    def refund(self, order: RefundRequest) -> RefundSnapshot:
        """The call and, for the providers that are our own tables, what the money core writes after it."""
        if self.can.refunds == RefundMode.OFFLINE and not Refund.objects.filter(key=order.key).exists():
            with pytest.raises(NeedsHuman) as asked:
                self.provider.refund(order)
            assert str(asked.value.sentence)
            write_refund(order)
            return self.provider.refund(order)
        answer = self.provider.refund(order)
        if self.standin is None:
            write_refund(order)
        return answer

    def settled(self, snapshot: Snapshot) -> list[RefundSnapshot]:
        if self.standin:
            self.standin.advance()
        return self.provider.find_refunds(
            snapshot.provider_reference, provider_payment=snapshot.provider_payment
        )


def write_payment(provider: str, request: StartRequest) -> Payment:
    """What start_contribution has committed before the provider hears of it."""
    campaign = world.campaign()
    project = world.project(campaign)
    person = world.person()
    contribution = Contribution.objects.create(
        campaign=campaign,
        project=project,
        voter=world.voter(person, campaign),
        person=person,
        amount_cents=request.amount_cents,
        created_at=timezone.now(),
    )
    return Payment.objects.create(
        contribution=contribution,
        provider=provider,
        key=request.key,
        amount_cents=request.amount_cents,
        created_at=timezone.now(),
    )


def write_refund(order: RefundRequest) -> None:
    Refund.objects.get_or_create(
        key=order.key,
        defaults={
            "payment": Payment.objects.get(key=order.payment_key),
            "amount_cents": order.amount_cents,
            "reason": "other",
            "state": "done",
            "created_at": timezone.now(),
            "done_at": timezone.now(),
        },
    )


def simulated(standin: PaymentStandin, **options) -> SimulatedProvider:
    return SimulatedProvider(
        base_url=standin.url,
        api_key="simulated-key",
        webhook_secrets=["simulated-webhook-secret"],
        read_seconds=PATIENCE,
        **options,
    )


def stripe(standin: PaymentStandin, **options) -> StripeProvider:
    return StripeProvider(
        api_base=f"{standin.url}/stripe",
        read_seconds=PATIENCE,
        **{"secret_key": "sk_test_simulated", "webhook_secrets": ["whsec_simulated"], **options},
    )


def helloasso(standin: PaymentStandin, **options) -> HelloAssoProvider:
    return HelloAssoProvider(
        api_base=f"{standin.url}/helloasso",
        read_seconds=PATIENCE,
        **{
            "client_id": "simulated-client",
            "client_secret": "simulated-secret",
            "organization": "fondation-demo",
            "signature_keys": ["simulated-signature-key"],
            **options,
        },
    )


OVER_HTTP: dict[str, Callable[[PaymentStandin], PaymentProvider]] = {
    "simulated": simulated,
    "stripe": stripe,
    "helloasso": helloasso,
}


@pytest.fixture(params=[*OVER_HTTP, "offline", "allowance"])
def bench(request, db) -> Bench:
    if request.param == "offline":
        return Bench(OfflineProvider())
    if request.param == "allowance":
        return Bench(AllowanceProvider())
    standin = request.getfixturevalue("payment_standin")
    return Bench(OVER_HTTP[request.param](standin), request.param, standin)


@pytest.fixture(params=list(OVER_HTTP))
def remote(request) -> Bench:
    standin = request.getfixturevalue("payment_standin")
    return Bench(OVER_HTTP[request.param](standin), request.param, standin)


# --- Happy path ---------------------------------------------------------------------------------------
def test_each_provider_honours_the_port(bench):
    assert isinstance(bench.provider, PaymentProvider)
    assert bench.can.min_cents >= 1
    assert bench.can.call_seconds >= 20


def test_a_redirection_is_given_exactly_when_it_is_declared(bench):
    started = bench.provider.start(bench.request())
    assert bool(started.redirect_url) == bench.can.needs_redirect
    assert started.provider_reference
    assert (started.state == PaymentState.PAID) == (bench.provider.name == "allowance")


def test_nothing_is_paid_before_somebody_pays(bench):
    if bench.provider.name == "allowance":
        pytest.skip("an envelope is paid at once")
    request = bench.request()
    snapshot = bench.fetch(request, bench.provider.start(request))
    assert snapshot.state in {PaymentState.CREATED, PaymentState.PENDING}
    assert (snapshot.amount_cents, snapshot.currency, snapshot.our_key) == (2000, "EUR", request.key)
    assert snapshot.paid_at is None


def test_what_is_paid_is_told_with_amount_currency_key_and_time(bench):
    before = datetime.now(UTC) - timedelta(seconds=2)
    request, started, snapshot = bench.paid(1234)
    assert snapshot.state == PaymentState.PAID
    assert (snapshot.amount_cents, snapshot.currency, snapshot.our_key) == (1234, "EUR", request.key)
    assert snapshot.provider_reference == started.provider_reference
    assert before <= snapshot.paid_at <= datetime.now(UTC)
    assert snapshot.paid_at.utcoffset() == timedelta(0)
    assert (snapshot.refunded_cents, snapshot.disputed) == (0, False)


def test_asking_any_number_of_times_changes_nothing(bench):
    request, started, first = bench.paid()
    assert [bench.fetch(request, started) for _ in range(3)] == [first] * 3


def test_starting_twice_takes_money_once(bench):
    request = bench.request()
    first, second = bench.provider.start(request), bench.provider.start(request)
    if bench.can.idempotency:
        assert first == second
    bench.pays(request)  # the payer was only ever shown one page
    if bench.standin:
        assert bench.standin.totals(bench.face)["captured_cents"] == 2000


def test_an_unknown_reference_is_said_to_be_unknown(bench):
    unknown = {"stripe": "cs_test_" + "0" * 24, "simulated": "pay_" + "0" * 24, "helloasso": "19999"}
    for reference in (unknown.get(bench.face, str(uuid4())), "no-such-thing"):
        with pytest.raises(UnknownReference) as said:
            bench.provider.fetch(reference)
        assert str(said.value.sentence)


# --- Refunds ------------------------------------------------------------------------------------------
def test_a_full_refund_gives_every_cent_back(bench):
    request, started, snapshot = bench.paid()
    answer = bench.refund(bench.order(request, snapshot, 2000))
    assert answer.amount_cents == 2000
    assert answer.state in LIVE
    found = bench.settled(snapshot)
    assert [(one.amount_cents, one.state) for one in found] == [(2000, RefundState.DONE)]
    assert found[0].provider_reference == answer.provider_reference
    after = bench.fetch(request, started)
    assert (after.state, after.amount_cents, after.refunded_cents) == (PaymentState.PAID, 2000, 2000)


def test_the_same_refund_asked_twice_moves_money_once(bench):
    request, started, snapshot = bench.paid()
    order = bench.order(request, snapshot, 2000)
    first, again = bench.refund(order), bench.refund(order)
    assert again.provider_reference == first.provider_reference
    assert sum(one.amount_cents for one in bench.settled(snapshot)) == 2000


def test_more_than_was_captured_never_goes_back(bench):
    request, _started, snapshot = bench.paid()
    with pytest.raises(ProviderRefused):
        bench.provider.refund(bench.order(request, snapshot, 2001))
    done = bench.refund(bench.order(request, snapshot, 2000))
    with pytest.raises(ProviderRefused):
        bench.provider.refund(
            bench.order(request, snapshot, 1, known_references=frozenset({done.provider_reference}))
        )
    assert sum(one.amount_cents for one in bench.settled(snapshot)) == 2000


def test_partial_refunds_add_up_and_stop_at_the_captured_amount(bench):
    assert bench.can.partial_refunds
    request, started, snapshot = bench.paid(1000)
    known: set[str] = set()
    for cents in (300, 700):
        answer = bench.refund(bench.order(request, snapshot, cents, known_references=frozenset(known)))
        known.add(answer.provider_reference)
        bench.settled(snapshot)
    with pytest.raises(ProviderRefused):
        bench.provider.refund(bench.order(request, snapshot, 1, known_references=frozenset(known)))
    assert sorted(one.amount_cents for one in bench.settled(snapshot)) == [300, 700]
    assert bench.fetch(request, started).refunded_cents == 1000


def test_what_was_not_paid_cannot_be_refunded(remote):
    request = remote.request()
    started = remote.provider.start(request)
    with pytest.raises(ProviderRefused):
        remote.provider.refund(
            RefundRequest(
                key=uuid4(),
                payment_key=request.key,
                provider_reference=started.provider_reference,
                amount_cents=100,
            )
        )
    assert remote.standin.totals(remote.face)["refunds"] == 0


def test_refunds_are_found_without_the_charge_reference(remote):
    request, _started, snapshot = remote.paid()
    remote.refund(remote.order(request, snapshot, 500))
    found = remote.provider.find_refunds(snapshot.provider_reference)
    assert [one.amount_cents for one in found] == [500]


def test_a_refund_made_at_the_provider_s_console_is_seen_and_is_not_ours(remote):
    request, _started, snapshot = remote.paid()
    remote.standin.tell("refund", payment=str(request.key), cents=2000)
    (found,) = remote.provider.find_refunds(
        snapshot.provider_reference, provider_payment=snapshot.provider_payment
    )
    assert (found.amount_cents, found.our_key) == (2000, None)
    with pytest.raises((ProviderRefused, NeedsHuman)):
        remote.provider.refund(remote.order(request, snapshot, 1))


def test_a_refund_may_come_back(remote):
    request, _started, snapshot = remote.paid()
    remote.standin.misbehave("refund", "pending_then_failed", seconds=60)
    assert remote.provider.refund(remote.order(request, snapshot, 2000)).state in LIVE - {RefundState.DONE}
    (found,) = remote.settled(snapshot)
    assert found.state == RefundState.FAILED
    assert found.failure
    assert remote.fetch(request, Started(provider_reference=snapshot.provider_reference)).refunded_cents == 0


def test_a_refund_waits_while_the_balance_is_too_low(remote):
    request, _started, snapshot = remote.paid()
    remote.standin.misbehave("refund", "low_balance")
    assert remote.provider.refund(remote.order(request, snapshot, 2000)).state == RefundState.PENDING
    (found,) = remote.settled(snapshot)
    assert (found.state, found.amount_cents) == (RefundState.DONE, 2000)


# --- Other ends of a payment --------------------------------------------------------------------------
def test_a_refused_card_is_not_a_payment_and_another_may_follow(remote):
    request = remote.request()
    started = remote.provider.start(request)
    remote.pays(request, "refused")
    assert remote.fetch(request, started).state == PaymentState.CREATED
    remote.pays(request, "accepted")
    assert remote.fetch(request, started).state == PaymentState.PAID


@pytest.mark.parametrize(
    ("card", "end"), [("pending", PaymentState.PAID), ("pending_refused", PaymentState.FAILED)]
)
def test_a_bank_that_takes_its_time_is_waited_for(remote, card, end):
    request = remote.request()
    started = remote.provider.start(request)
    remote.pays(request, card)
    waiting = remote.fetch(request, started)
    assert waiting.paid_at is None
    # HelloAsso shows nothing before the money is there, and nothing for ever when it never comes.
    silent = remote.face == "helloasso"
    assert waiting.state == (PaymentState.CREATED if silent else PaymentState.PENDING)
    remote.standin.advance()
    expected = PaymentState.CREATED if silent and end == PaymentState.FAILED else end
    assert remote.fetch(request, started).state == expected


def test_an_abandoned_page_ends_without_money(remote):
    request = remote.request()
    started = remote.provider.start(request)
    remote.pays(request, "abandoned")
    silent = remote.face == "helloasso"
    assert remote.fetch(request, started).state == (PaymentState.CREATED if silent else PaymentState.EXPIRED)
    assert remote.can.page_minutes is not None


@pytest.mark.parametrize(
    ("fault", "differs"),
    [("wrong_amount", "amount_cents"), ("wrong_currency", "currency"), ("wrong_reference", "our_key")],
)
def test_a_capture_that_is_not_what_was_asked_shows(remote, fault, differs):
    if remote.face == "helloasso" and fault == "wrong_currency":
        pytest.skip("HelloAsso knows the euro only")
    request = remote.request()
    started = remote.provider.start(request)
    remote.standin.misbehave("capture", fault, cents=1900)
    remote.pays(request)
    said = remote.fetch(request, started)
    assert said.state == PaymentState.PAID
    assert (
        getattr(said, differs) != {"amount_cents": 2000, "currency": "EUR", "our_key": request.key}[differs]
    )


def test_a_state_nobody_has_heard_of_goes_to_a_human(remote):
    request = remote.request()
    started = remote.provider.start(request)
    remote.standin.misbehave("capture", "raw_state", raw_state="SomethingNew")
    remote.pays(request)
    said = remote.fetch(request, started)
    assert said.state == PaymentState.UNKNOWN
    assert "SomethingNew" in said.raw_state


def test_a_dispute_shows_and_blocks_refunds_until_it_is_won(remote):
    request, started, snapshot = remote.paid()
    remote.standin.tell("dispute", payment=str(request.key))
    disputed = remote.fetch(request, started)
    assert (disputed.state, disputed.disputed) == (PaymentState.PAID, True)
    with pytest.raises(ProviderRefused):
        remote.provider.refund(remote.order(request, snapshot, 2000))
    remote.standin.tell("dispute", payment=str(request.key), outcome="won")
    assert remote.fetch(request, started).disputed is False


# --- When the provider misbehaves -----------------------------------------------------------------------
CALL_FAULTS = ["error_before", "error_after", "timeout_after", "close_after", "garbage", "rate_limited"]


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_a_start_without_a_clear_answer_is_unknown_and_may_be_asked_again(remote, fault):
    request = remote.request()
    remote.standin.misbehave("start", fault, seconds=PATIENCE * 2, retry_after=7)
    with pytest.raises(ProviderUnavailable) as said:
        remote.provider.start(request)
    assert str(said.value.sentence)
    if fault == "rate_limited":
        assert said.value.retry_after == 7
    started = remote.provider.start(replace(request, attempt=1))
    remote.pays(request)
    remote.standin.advance()
    assert remote.fetch(request, started).state == PaymentState.PAID
    assert remote.standin.totals(remote.face)["captured_cents"] == 2000


@pytest.mark.parametrize("fault", ["error_before", "timeout_before", "garbage", "rate_limited"])
def test_a_provider_that_does_not_answer_is_not_a_no(remote, fault):
    request, started, _snapshot = remote.paid()
    remote.standin.misbehave("fetch", fault, seconds=PATIENCE * 2)
    with pytest.raises(ProviderUnavailable):
        remote.fetch(request, started)
    assert remote.fetch(request, started).state == PaymentState.PAID


def recover(provider: PaymentProvider, order: RefundRequest) -> RefundSnapshot:
    """What the money core does after a refund without a clear answer: look, and only then act again."""
    for found in provider.find_refunds(order.provider_reference, provider_payment=order.provider_payment):
        if found.our_key == order.key or (found.our_key is None and found.amount_cents == order.amount_cents):
            return found
    return provider.refund(replace(order, attempt=order.attempt + 1))


@pytest.mark.parametrize("fault", CALL_FAULTS)
def test_a_refund_without_a_clear_answer_is_never_made_twice(remote, fault):
    request, _started, snapshot = remote.paid()
    order = remote.order(request, snapshot, 2000)
    remote.standin.misbehave("refund", fault, seconds=PATIENCE * 2)
    with pytest.raises(ProviderUnavailable):
        remote.provider.refund(order)
    assert recover(remote.provider, order).amount_cents == 2000
    totals = remote.standin.totals(remote.face)
    assert (totals["refunds"], totals["refunded_cents"]) == (1, 2000)


@pytest.mark.parametrize("fault", ["error_after", "timeout_after", "close_after"])
def test_even_insisting_without_looking_gives_back_once(remote, fault):
    request, _started, snapshot = remote.paid()
    order = remote.order(request, snapshot, 2000)
    remote.standin.misbehave("refund", fault, seconds=PATIENCE * 2)
    for _try in range(3):
        try:
            remote.provider.refund(order)
        except ProviderUnavailable:
            continue
    assert remote.standin.totals(remote.face)["refunded_cents"] == 2000


def test_a_provider_killed_and_restarted_remembers(remote):
    request, started, snapshot = remote.paid()
    remote.standin.restart()
    assert remote.fetch(request, started).state == PaymentState.PAID
    answer = remote.provider.refund(remote.order(request, snapshot, 2000))
    assert answer.amount_cents == 2000


def test_an_absent_provider_is_unavailable(remote):
    request, started, snapshot = remote.paid()
    remote.standin.kill()
    try:
        for call in (
            lambda: remote.provider.start(remote.request()),
            lambda: remote.fetch(request, started),
            lambda: remote.provider.refund(remote.order(request, snapshot, 1)),
            lambda: remote.provider.find_refunds(
                snapshot.provider_reference, provider_payment=snapshot.provider_payment
            ),
            lambda: list(remote.provider.settlements(datetime(2026, 1, 1, tzinfo=UTC), datetime.now(UTC))),
        ):
            with pytest.raises(ProviderUnavailable):
                call()
    finally:
        remote.standin.start()


# --- Webhooks -----------------------------------------------------------------------------------------
def messages_of_a_payment(remote: Bench, receiver: Receiver) -> tuple[StartRequest, Snapshot]:
    remote.standin.tell("webhooks", face=remote.face, url=receiver.url)
    request, _started, snapshot = remote.paid()
    remote.standin.flush()
    receiver.wait_for(1)
    return request, snapshot


def test_an_authentic_webhook_names_the_payment_to_look_at(remote, receiver):
    request, snapshot = messages_of_a_payment(remote, receiver)
    for message in receiver.messages:
        (hint,) = remote.provider.parse_webhook(message.headers, message.body)
        assert hint.our_key == request.key
        assert hint.event_id
        assert snapshot.provider_payment == hint.provider_payment or (
            snapshot.provider_reference == hint.provider_reference
        )
        assert "camille@example.org" not in str(hint.payload)


def test_the_same_message_has_the_same_number_and_others_do_not(remote, receiver):
    request, _snapshot = messages_of_a_payment(remote, receiver)
    first = len(receiver.messages)
    remote.standin.tell("redeliver", payment=str(request.key), times=2)
    receiver.wait_for(first * 3)
    numbers = [
        remote.provider.parse_webhook(message.headers, message.body)[0].event_id
        for message in receiver.messages
    ]
    assert len(set(numbers)) == first


@pytest.mark.parametrize("forgery", ["body", "signature", "no_signature", "other_secret"])
def test_a_forged_webhook_is_rejected(remote, receiver, forgery):
    messages_of_a_payment(remote, receiver)
    headers, body = dict(receiver.messages[0].headers), receiver.messages[0].body
    signed = next(name for name in headers if "signature" in name.lower())
    if forgery == "body":
        body = body.replace(b"{", b'{"amount": 1, ', 1)
    elif forgery == "signature":
        headers[signed] = headers[signed][:-1] + ("0" if headers[signed][-1] != "0" else "1")
    elif forgery == "no_signature":
        del headers[signed]
    else:
        remote.standin.misbehave("webhook", "bad_signature", times=None)
        messages_of_a_payment(remote, receiver)
        headers, body = receiver.messages[-1].headers, receiver.messages[-1].body
    with pytest.raises(WebhookRejected) as said:
        remote.provider.parse_webhook(headers, body)
    assert str(said.value.sentence)


def test_an_old_message_played_again_is_rejected(remote, receiver):
    if remote.face == "helloasso":
        pytest.skip("HelloAsso signs no date: a replay is only a hint to look again")
    remote.standin.misbehave("webhook", "stale", times=None)
    messages_of_a_payment(remote, receiver)
    with pytest.raises(WebhookRejected):
        remote.provider.parse_webhook(receiver.messages[0].headers, receiver.messages[0].body)


def test_a_provider_without_webhooks_believes_none(bench):
    if bench.can.webhook_auth != WebhookAuth.NONE:
        pytest.skip("has webhooks")
    with pytest.raises(WebhookRejected):
        bench.provider.parse_webhook({}, b"{}")


# --- Books --------------------------------------------------------------------------------------------
def test_settlement_lines_tell_each_movement_and_add_up_to_the_balance(remote):
    since = datetime.now(UTC) - timedelta(minutes=1)
    request, _started, snapshot = remote.paid(3000)
    other, _started, _snapshot = remote.paid(1500)
    order = remote.order(request, snapshot, 1000)
    refund = remote.provider.refund(order)
    remote.settled(snapshot)
    lines = list(remote.provider.settlements(since, datetime.now(UTC) + timedelta(minutes=1)))
    assert [(line.kind, line.gross_cents) for line in lines] == [
        (SettlementKind.PAYMENT, 3000),
        (SettlementKind.PAYMENT, 1500),
        (SettlementKind.REFUND, -1000),
    ]
    assert all(line.net_cents == line.gross_cents - line.fee_cents for line in lines)
    assert sum(line.net_cents for line in lines) == remote.standin.totals(remote.face)["balance_cents"]
    assert len({line.line_id for line in lines}) == 3
    assert lines[0].provider_payment == snapshot.provider_payment
    assert lines[2].provider_refund == refund.provider_reference
    if remote.face != "helloasso":
        assert [line.our_key for line in lines[:2]] == [request.key, other.key]
        assert lines[2].our_refund_key == order.key
        assert remote.provider.balance() == remote.standin.totals(remote.face)["balance_cents"]


def test_settlement_lines_of_another_period_are_left_out(remote):
    remote.paid()
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert list(remote.provider.settlements(tomorrow, tomorrow + timedelta(days=1))) == []


def test_a_provider_without_an_account_says_so(bench):
    if bench.can.settlements:
        pytest.skip("has an account")
    with pytest.raises(NeedsHuman):
        list(bench.provider.settlements(datetime.now(UTC), datetime.now(UTC)))
    assert bench.provider.balance() is None


def test_two_providers_of_the_same_table_do_not_see_each_other(db):
    request = Bench(OfflineProvider()).request()
    with transaction.atomic(), pytest.raises(UnknownReference):
        AllowanceProvider().fetch(str(request.key))
