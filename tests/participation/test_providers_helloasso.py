# ruff: noqa: F811 - fixtures are imported, then named as arguments
"""What is HelloAsso's alone: no keys, silent pages, second factors, senders known by their address."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import responses

from participation.payments.port import (
    NeedsHuman,
    PaymentState,
    ProviderUnavailable,
    RefundRequest,
    RefundState,
    StartRequest,
    WebhookAuth,
    WebhookRejected,
)
from participation.payments.providers.helloasso import HelloAssoProvider
from tests.standin_payments import PaymentStandin, _payment_standin_process, payment_standin  # noqa: F401

# HelloAsso.Api.V5.Models.Enums.PaymentState, PaymentCashOutState and OperationState, as published.
PAYMENT_STATES = """Pending Authorized Refused Unknown Registered Error Refunded Refunding Waiting Canceled
    Contested WaitingBankValidation WaitingBankWithdraw Abandoned WaitingAuthentication AuthorizedPreprod
    Corrected Deleted Inconsistent NoDonation Init""".split()
CASH_OUT_STATES = """MoneyIn CantTransferReceiverFull Transfered Refunded Refunding
    WaitingForCashOutConfirmation CashedOut Unknown Contested TransferInProgress""".split()
OPERATION_STATES = "Unknown Init Processing Processed Error InternalError Refused Aborted Canceled".split()
API = "https://api.helloasso.test"
KEY = uuid4()


def provider_at(url: str, **more) -> HelloAssoProvider:
    return HelloAssoProvider(
        **{
            "client_id": "simulated-client",
            "client_secret": "simulated-secret",
            "organization": "fondation-demo",
            "api_base": url,
            "read_seconds": 2,
            **more,
        }
    )


@pytest.fixture
def provider(payment_standin: PaymentStandin) -> HelloAssoProvider:
    return provider_at(f"{payment_standin.url}/helloasso")


def request() -> StartRequest:
    return StartRequest(
        key=uuid4(),
        amount_cents=2000,
        reference="AB12",
        title="Un verger partagé",
        return_url="http://127.0.0.1:8000/retour/",
    )


def paid(provider, standin):
    asked = request()
    started = provider.start(asked)
    standin.pay(asked.key)
    return asked, provider.fetch(started.provider_reference)


def order(asked, snapshot, cents=2000, **more) -> RefundRequest:
    return RefundRequest(
        key=uuid4(),
        payment_key=asked.key,
        provider_reference=snapshot.provider_reference,
        provider_payment=snapshot.provider_payment,
        amount_cents=cents,
        **more,
    )


@pytest.fixture
def scripted():
    """HelloAsso's answers written by hand, from the shapes of its OpenAPI."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        wire.post(
            f"{API}/oauth2/token", json={"access_token": "t", "expires_in": 1799, "token_type": "bearer"}
        )
        yield wire


def payment(**more) -> dict:
    return {
        "id": 55,
        "amount": 2000,
        "date": "2026-05-17T10:02:17.5731733+02:00",
        "state": "Authorized",
        "cashOutState": "MoneyIn",
        **more,
    }


def answer_intent(wire, *payments: dict) -> None:
    wire.get(
        f"{API}/v5/organizations/fondation-demo/checkout-intents/12",
        json={
            "id": 12,
            "redirectUrl": "https://www.helloasso.com/x",
            "metadata": {"abonde_payment": str(KEY), "abonde_cents": 2000},
            "order": {"id": 9, "payments": list(payments)},
        },
    )


@pytest.mark.parametrize("state", PAYMENT_STATES)
def test_every_state_has_one_meaning_and_money_is_only_there_when_it_says_so(scripted, state):
    answer_intent(scripted, payment(state=state))
    said = provider_at(API).fetch("12")
    holding = {"Authorized", "Refunding", "Refunded", "Contested"}
    waiting = {"Pending", "Waiting", "WaitingBankValidation", "WaitingBankWithdraw", "WaitingAuthentication"}
    ended = {"Refused", "Canceled", "Abandoned"}
    if state in holding:
        assert said.state == PaymentState.PAID
    elif state in waiting:
        assert said.state == PaymentState.PENDING
    elif state in ended:
        assert said.state in {PaymentState.FAILED, PaymentState.EXPIRED}
    elif state == "Init":
        assert said.state == PaymentState.CREATED
    else:
        assert said.state == PaymentState.UNKNOWN, "a human must look"
    assert (said.paid_at is not None) == (said.state == PaymentState.PAID)
    assert said.disputed == (state == "Contested")


@pytest.mark.parametrize("state", CASH_OUT_STATES)
def test_every_cash_out_state_says_whether_the_money_has_left(scripted, state):
    answer_intent(scripted, payment(cashOutState=state))
    said = provider_at(API).fetch("12")
    expected = {"CashedOut": True, "Refunded": None, "Refunding": None, "Unknown": None, "Contested": None}
    assert said.paid_out is expected.get(state, False)
    assert said.state == PaymentState.PAID


@pytest.mark.parametrize("state", OPERATION_STATES)
def test_every_state_of_a_refund_has_one_meaning(scripted, state):
    operation = {"id": 3, "amount": 2000, "status": state, "meta": {"createdAt": "2026-05-18T10:00:00Z"}}
    scripted.get(f"{API}/v5/payments/55", json=payment(refundOperations=[operation]))
    (said,) = provider_at(API).find_refunds("12", provider_payment="55")
    known = {"Processed": RefundState.DONE, "Processing": RefundState.IN_TRANSIT, "Init": RefundState.PENDING}
    known |= dict.fromkeys(("Refused", "Aborted", "Canceled"), RefundState.FAILED)
    assert said.state == known.get(state, RefundState.UNKNOWN)


def test_a_new_cash_out_word_goes_to_a_human(scripted):
    answer_intent(scripted, payment(cashOutState="SomethingNew"))
    assert provider_at(API).fetch("12").state == PaymentState.UNKNOWN


def test_the_sandbox_s_own_authorisation_counts_only_in_the_sandbox(scripted):
    answer_intent(scripted, payment(state="AuthorizedPreprod"))
    assert provider_at(API).fetch("12").state == PaymentState.UNKNOWN
    assert provider_at(API, sandbox=True).fetch("12").state == PaymentState.PAID


def test_a_tip_to_helloasso_is_not_the_project_s_money(scripted):
    answer_intent(scripted, payment(amount=2300, amountTip=300, items=[{"id": 1, "shareAmount": 2000}]))
    assert provider_at(API).fetch("12").amount_cents == 2000


def test_an_order_of_several_payments_goes_to_a_human(scripted):
    answer_intent(scripted, payment(), payment(id=56))
    assert provider_at(API).fetch("12").state == PaymentState.UNKNOWN


def test_the_time_of_payment_is_read_with_its_offset(scripted):
    answer_intent(scripted, payment())
    assert provider_at(API).fetch("12").paid_at == datetime(2026, 5, 17, 8, 2, 17, 573173, tzinfo=UTC)


def test_an_answer_without_whole_cents_is_no_answer(scripted):
    answer_intent(scripted, payment(amount=20.5))
    with pytest.raises(ProviderUnavailable):
        provider_at(API).fetch("12")


# --- Access -------------------------------------------------------------------------------------------
def test_one_token_serves_many_calls_and_a_dead_one_is_replaced_once(provider, payment_standin):
    asked, snapshot = paid(provider, payment_standin)
    payment_standin.misbehave("token", "error_before", times=None)
    assert provider.fetch(snapshot.provider_reference).state == PaymentState.PAID
    payment_standin.tell("expire_tokens")
    with pytest.raises(ProviderUnavailable):
        provider.fetch(snapshot.provider_reference)
    payment_standin.http.delete(f"{payment_standin.url}/_control/faults", timeout=5)
    assert provider.fetch(snapshot.provider_reference).state == PaymentState.PAID


def test_wrong_credentials_are_for_a_human(payment_standin):
    with pytest.raises(NeedsHuman):
        provider_at(f"{payment_standin.url}/helloasso", client_secret="wrong").start(request())


# --- Refunds ------------------------------------------------------------------------------------------
def test_a_second_factor_is_for_a_human_and_moves_nothing(provider, payment_standin):
    asked, snapshot = paid(provider, payment_standin)
    payment_standin.misbehave("refund", "mfa", times=None)
    with pytest.raises(NeedsHuman) as said:
        provider.refund(order(asked, snapshot))
    assert said.value.code == "second_factor"
    assert "HelloAsso" in str(said.value.sentence)
    assert payment_standin.totals("helloasso")["refunds"] == 0
    # The treasurer does it in HelloAsso's own office: the next try recognises it.
    payment_standin.tell("refund", payment=str(asked.key))
    assert provider.refund(order(asked, snapshot)).amount_cents == 2000
    assert payment_standin.totals("helloasso")["refunds"] == 1


def test_a_refund_of_another_amount_that_nobody_ordered_stops_ours(provider, payment_standin):
    asked, snapshot = paid(provider, payment_standin)
    payment_standin.tell("refund", payment=str(asked.key), cents=500)
    with pytest.raises(NeedsHuman) as said:
        provider.refund(order(asked, snapshot, 1500))
    assert said.value.code == "unexplained_refund"
    (stranger,) = provider.find_refunds(snapshot.provider_reference)
    known = frozenset({stranger.provider_reference})
    assert provider.refund(order(asked, snapshot, 1500, known_references=known)).amount_cents == 1500


def test_no_campaign_opens_before_helloasso_has_told_its_refund_window():
    assert provider_at(API).capabilities.refund_window_days == 0
    assert provider_at(API, refund_window_days=90).capabilities.refund_window_days == 90


def test_money_paid_out_shows_in_the_books(provider, payment_standin):
    since = datetime.now(UTC) - timedelta(minutes=1)
    _asked, snapshot = paid(provider, payment_standin)
    payment_standin.tell("payout", face="helloasso")
    assert provider.fetch(snapshot.provider_reference).paid_out is True
    assert len(list(provider.settlements(since, datetime.now(UTC) + timedelta(minutes=1)))) >= 1


def test_many_payments_come_by_pages(provider, payment_standin):
    since = datetime.now(UTC) - timedelta(minutes=1)
    for _one in range(105):
        asked = request()
        provider.start(asked)
        payment_standin.pay(asked.key)
    lines = list(provider.settlements(since, datetime.now(UTC) + timedelta(minutes=1)))
    assert sum(line.gross_cents for line in lines) == 105 * 2000


# --- Messages -----------------------------------------------------------------------------------------
BODY = json.dumps(
    {
        "eventType": "Payment",
        "data": {
            "id": 55,
            "state": "Authorized",
            "order": {"id": 9, "checkoutIntentId": 12},
            "payer": {"email": "camille@example.org", "lastName": "Weber"},
        },
        "metadata": {"abonde_payment": str(KEY)},
    }
).encode()


def test_without_a_signature_key_only_helloasso_s_address_is_heard():
    provider = provider_at(API, notifier_ips=["51.138.206.200"])
    assert provider.capabilities.webhook_auth == WebhookAuth.IP
    (hint,) = provider.parse_webhook({}, BODY, remote_ip="51.138.206.200")
    assert (hint.provider_reference, hint.provider_payment, hint.our_key) == ("12", "55", KEY)
    assert "Weber" not in str(hint.payload)
    for stranger in ("51.138.206.201", ""):
        with pytest.raises(WebhookRejected):
            provider.parse_webhook({}, BODY, remote_ip=stranger)


def test_with_a_signature_key_the_address_is_not_enough():
    provider = provider_at(API, signature_keys=["k"], notifier_ips=["51.138.206.200"])
    with pytest.raises(WebhookRejected):
        provider.parse_webhook({}, BODY, remote_ip="51.138.206.200")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"eventType": "Payment", "data": null}', b"\xff"])
def test_a_message_that_cannot_be_read_is_rejected(body):
    with pytest.raises(WebhookRejected):
        provider_at(API, notifier_ips=["x"]).parse_webhook({}, body, remote_ip="x")


def test_messages_about_forms_are_left():
    body = json.dumps({"eventType": "Form", "data": {"id": 1}}).encode()
    assert provider_at(API, notifier_ips=["x"]).parse_webhook({}, body, remote_ip="x") == []
