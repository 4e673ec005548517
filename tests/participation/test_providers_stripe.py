# ruff: noqa: F811 - fixtures are imported, then named as arguments
"""What is Stripe's alone: its words, its idempotency, its events."""

import hashlib
import hmac
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from participation.payments.port import (
    NeedsHuman,
    PaymentState,
    ProviderRefused,
    ProviderUnavailable,
    RefundRequest,
    StartRequest,
    WebhookRejected,
)
from participation.payments.providers.stripe import StripeProvider, session_state
from tests.standin_payments import PaymentStandin, _payment_standin_process, payment_standin  # noqa: F401


@pytest.fixture
def provider(payment_standin: PaymentStandin) -> StripeProvider:
    return StripeProvider(
        secret_key="sk_test_simulated",
        webhook_secrets=["whsec_simulated"],
        api_base=f"{payment_standin.url}/stripe",
        read_seconds=2,
    )


def request(**more) -> StartRequest:
    return StartRequest(
        **{
            "key": uuid4(),
            "amount_cents": 5000,
            "reference": "AB12",
            "title": "Une haie au bord de la Zorn",
            "return_url": "http://127.0.0.1:8000/retour/",
            **more,
        }
    )


def paid(provider, standin):
    asked = request()
    started = provider.start(asked)
    standin.pay(asked.key)
    return asked, provider.fetch(started.provider_reference)


def order(asked, snapshot, cents=5000, **more) -> RefundRequest:
    return RefundRequest(
        **{
            "key": uuid4(),
            "payment_key": asked.key,
            "provider_reference": snapshot.provider_reference,
            "provider_payment": snapshot.provider_payment,
            "amount_cents": cents,
            **more,
        }
    )


# Session status, payment status, intent status → ours; after Stripe's reference of both objects.
@pytest.mark.parametrize(
    ("session", "payment", "intent", "ours"),
    [
        ("open", "unpaid", "", PaymentState.CREATED),
        ("open", "unpaid", "requires_payment_method", PaymentState.CREATED),
        ("open", "unpaid", "requires_action", PaymentState.CREATED),
        ("open", "unpaid", "processing", PaymentState.PENDING),
        ("complete", "unpaid", "processing", PaymentState.PENDING),
        ("complete", "paid", "succeeded", PaymentState.PAID),
        ("complete", "unpaid", "requires_payment_method", PaymentState.FAILED),
        ("complete", "unpaid", "canceled", PaymentState.FAILED),
        ("expired", "unpaid", "", PaymentState.EXPIRED),
        ("expired", "unpaid", "canceled", PaymentState.EXPIRED),
        ("complete", "paid", "processing", PaymentState.UNKNOWN),
        ("complete", "no_payment_required", "", PaymentState.UNKNOWN),
        ("complete", "unpaid", "requires_capture", PaymentState.UNKNOWN),
        ("complete", "unpaid", "invented", PaymentState.UNKNOWN),
        ("invented", "unpaid", "", PaymentState.UNKNOWN),
    ],
)
def test_each_word_of_stripe_has_one_meaning(session, payment, intent, ours):
    assert session_state({"status": session, "payment_status": payment}, {"status": intent}) == ours


def test_a_key_used_for_another_amount_is_refused(provider, payment_standin):
    asked = request()
    provider.start(asked)
    with pytest.raises(ProviderRefused):
        provider.start(replace(asked, amount_cents=6000))


def test_a_500_is_replayed_for_its_key_and_another_attempt_gets_through(provider, payment_standin):
    asked, snapshot = paid(provider, payment_standin)
    mine = order(asked, snapshot)
    payment_standin.misbehave("refund", "error_before")
    for _try in range(3):
        with pytest.raises(ProviderUnavailable):
            provider.refund(mine)
    assert provider.find_refunds(snapshot.provider_reference) == []
    assert provider.refund(replace(mine, attempt=1)).our_key == mine.key
    assert payment_standin.totals("stripe")["refunded_cents"] == 5000


def test_a_key_is_forgotten_after_a_day_so_only_looking_protects(provider, payment_standin):
    asked, snapshot = paid(provider, payment_standin)
    mine = order(asked, snapshot, 2000)
    provider.refund(mine)
    provider.refund(mine)
    assert payment_standin.totals("stripe")["refunded_cents"] == 2000
    payment_standin.tell("clock", offset_seconds=25 * 3600)
    assert [one.our_key for one in provider.find_refunds(snapshot.provider_reference)] == [mine.key]
    provider.refund(mine)
    assert payment_standin.totals("stripe")["refunded_cents"] == 4000, "the trap that find_refunds avoids"


def test_the_fee_and_the_charge_s_own_time_are_told(provider, payment_standin):
    asked = request()
    started = provider.start(asked)
    payment_standin.pay(asked.key, at="2026-03-29T01:30:00+00:00")
    snapshot = provider.fetch(started.provider_reference)
    assert snapshot.paid_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert snapshot.fee_cents == 100  # 1.5 % of 50 € and 25 cents


def test_a_page_closes_when_asked_within_what_stripe_allows(provider, payment_standin):
    now = datetime.now(UTC)
    for wish in (timedelta(minutes=1), timedelta(hours=2), timedelta(days=40)):
        asked = request(asked_at=now, expires_at=now + wish)
        assert provider.start(asked) == provider.start(asked)


def test_a_wrong_secret_key_is_for_a_human(payment_standin):
    stranger = StripeProvider(
        secret_key="sk_test_wrong", webhook_secrets=[], api_base=f"{payment_standin.url}/stripe"
    )
    with pytest.raises(NeedsHuman):
        stranger.start(request())


def test_too_small_an_amount_is_refused_with_stripe_s_code(provider):
    with pytest.raises(ProviderRefused) as said:
        provider.start(request(amount_cents=49))
    assert said.value.code == "amount_too_small"


def test_a_dispute_that_was_lost_stays_one(provider, payment_standin):
    asked, snapshot = paid(provider, payment_standin)
    payment_standin.tell("dispute", payment=str(asked.key))
    payment_standin.tell("dispute", payment=str(asked.key), outcome="lost")
    assert provider.fetch(snapshot.provider_reference).disputed


SECRET = "whsec_simulated"


# --- Messages signed here, by the published rule --------------------------------------------------------
def signed(event: dict, secret: str = SECRET, at: int | None = None) -> tuple[dict, bytes]:
    body = json.dumps(event).encode()
    at = at or int(time.time())
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={at},v1={digest}"}, body


def event(kind: str, thing: dict) -> dict:
    return {"id": "evt_1", "object": "event", "type": kind, "created": 1, "data": {"object": thing}}


def test_events_of_no_interest_are_heard_and_left(provider):
    assert (
        provider.parse_webhook(*signed(event("customer.created", {"id": "cus_1", "object": "customer"})))
        == []
    )


def test_a_dispute_event_leads_to_its_payment(provider):
    thing = {"id": "dp_1", "object": "dispute", "payment_intent": "pi_77", "metadata": {}}
    (hint,) = provider.parse_webhook(*signed(event("charge.dispute.created", thing)))
    assert (hint.provider_payment, hint.our_key) == ("pi_77", None)


def test_secrets_may_overlap_while_they_are_changed(provider, payment_standin):
    provider.webhook_secrets = ["whsec_new", "whsec_simulated"]
    thing = {"id": "pi_1", "object": "payment_intent", "metadata": {}}
    for secret in provider.webhook_secrets:
        assert provider.parse_webhook(*signed(event("payment_intent.succeeded", thing), secret))
    with pytest.raises(WebhookRejected):
        provider.parse_webhook(*signed(event("payment_intent.succeeded", thing), "whsec_old"))


@pytest.mark.parametrize("shift", [-301, -3600])
def test_a_message_older_than_five_minutes_is_rejected(provider, shift):
    thing = {"id": "pi_1", "object": "payment_intent"}
    headers, body = signed(event("payment_intent.succeeded", thing), at=int(time.time()) + shift)
    with pytest.raises(WebhookRejected):
        provider.parse_webhook(headers, body)


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"\xff\xfe"])
def test_a_signed_message_that_is_not_an_event_is_rejected(provider, body):
    at = int(time.time())
    digest = hmac.new(b"whsec_simulated", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    with pytest.raises(WebhookRejected):
        provider.parse_webhook({"Stripe-Signature": f"t={at},v1={digest}"}, body)


def test_without_a_secret_nobody_is_believed(payment_standin):
    careless = StripeProvider(secret_key="sk", webhook_secrets=[])
    with pytest.raises(WebhookRejected):
        careless.parse_webhook(*signed(event("payment_intent.succeeded", {"id": "pi_1"})))
