# ruff: noqa: F811 - fixtures are imported, then named as arguments
"""The Stripe adapter judged by localstripe, which somebody else wrote.

It knows PaymentIntents, refunds and signed messages; it has no Checkout Sessions nor disputes, accepts
refunds larger than the charge and ignores idempotency keys. Only what it gets right is asked of it here.
"""

import fcntl
import socket
import subprocess
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from participation.payments.port import (
    NeedsHuman,
    PaymentState,
    ProviderUnavailable,
    RefundRequest,
    RefundState,
    UnknownReference,
    WebhookRejected,
)
from participation.payments.providers.stripe import StripeProvider
from tests.standin_payments import Receiver, receiver  # noqa: F401

pytestmark = [pytest.mark.peer]

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[1] / ".cache" / "localstripe"
SECRET = "whsec_of_the_judge"
# Its own command listens on every interface and keeps a file in /tmp: neither is wanted.
ON_LOOPBACK = """
import socket, sys
from aiohttp import web
from localstripe.resources import store
from localstripe.server import app
store.dump_to_disk = lambda: None
web.run_app(app, sock=socket.socket(fileno=int(sys.argv[1])), print=None)
"""


def installed() -> Path:
    """Its virtualenv, made once and kept; skips when there is no way to install it."""
    python = HOME / "bin" / "python"
    HOME.parent.mkdir(exist_ok=True)
    with (HOME.parent / "localstripe.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (
            not python.exists()
            or subprocess.run(
                [python, "-c", "import localstripe"], capture_output=True, check=False
            ).returncode
        ):
            venv.create(HOME, with_pip=True, clear=True)
            done = subprocess.run(
                [python, "-m", "pip", "install", "-q", "-r", HERE / "localstripe-requirements.txt"],
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            if done.returncode:
                pytest.skip(f"localstripe 1.15.10 cannot be installed here: {done.stderr.strip()[-200:]}")
    return python


@pytest.fixture(scope="module")
def judge() -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = subprocess.Popen(
            [installed(), "-c", ON_LOOPBACK, str(listening.fileno())], pass_fds=[listening.fileno()]
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            try:
                requests.get(f"{url}/js.stripe.com/v3/", timeout=1)
                break
            except requests.RequestException:
                time.sleep(0.1)
        yield url
        process.terminate()
        process.wait(10)


@pytest.fixture
def provider(judge: str) -> StripeProvider:
    return StripeProvider(
        secret_key="sk_test_judge", webhook_secrets=[SECRET], api_base=judge, read_seconds=5
    )


def paid(provider: StripeProvider, cents: int = 2000, card: str = "pm_card_visa"):
    """A payment made by hand at the judge, with the metadata that our sessions put on their intents."""
    key = uuid4()
    intent = provider.client.v1.payment_intents.create(
        {
            "amount": cents,
            "currency": "eur",
            "payment_method": card,
            "confirm": True,
            "metadata": {"abonde_payment": str(key)},
        }
    )
    return key, intent.id


def order(key, intent: str, cents: int) -> RefundRequest:
    return RefundRequest(
        key=uuid4(), payment_key=key, provider_reference="", provider_payment=intent, amount_cents=cents
    )


def test_a_confirmed_intent_reads_as_paid_with_its_own_time(provider):
    key, intent = paid(provider)
    found = provider.client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}).to_dict()
    found.setdefault("amount_received", found["amount"])  # the judge leaves it out
    session = {
        "id": "cs_1",
        "status": "complete",
        "payment_status": "paid",
        "amount_total": 2000,
        "currency": "eur",
        "metadata": {"abonde_payment": str(key)},
    }
    said = provider._snapshot(session, found)
    assert (said.state, said.amount_cents, said.currency, said.our_key) == (
        PaymentState.PAID,
        2000,
        "EUR",
        key,
    )
    assert said.provider_payment == intent
    assert abs(said.paid_at.timestamp() - time.time()) < 60


def test_refunds_in_full_and_in_parts_are_made_and_found(provider):
    key, intent = paid(provider, 3000)
    first, second = order(key, intent, 1000), order(key, intent, 2000)
    answers = [provider.refund(one) for one in (first, second)]
    assert [(one.state, one.amount_cents, one.our_key) for one in answers] == [
        (RefundState.DONE, 1000, first.key),
        (RefundState.DONE, 2000, second.key),
    ]
    found = provider.find_refunds("", provider_payment=intent)
    assert {one.provider_reference for one in found} == {one.provider_reference for one in answers}
    assert sum(one.amount_cents for one in found) == 3000


def test_another_payment_s_refunds_are_not_mixed_in(provider):
    key, intent = paid(provider)
    _other_key, other = paid(provider)
    provider.refund(order(key, intent, 2000))
    assert provider.find_refunds("", provider_payment=other) == []


def test_what_the_judge_does_not_know_is_unknown(provider):
    for call in (
        lambda: provider.refund(order(uuid4(), "pi_" + "0" * 24, 100)),
        lambda: provider.fetch("cs_test_" + "0" * 24),
    ):
        with pytest.raises(UnknownReference):
            call()


def test_its_messages_carry_a_signature_that_we_accept(provider, judge, receiver: Receiver):
    hook = {"url": receiver.url, "secret": SECRET}
    requests.post(f"{judge}/_config/webhooks/abonde", json=hook, timeout=5).raise_for_status()
    key, intent = paid(provider)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not any(
        intent in message.body.decode() for message in receiver.messages
    ):
        time.sleep(0.1)
    hints = {
        hint.kind: hint
        for message in receiver.messages
        for hint in provider.parse_webhook(message.headers, message.body)
        if hint.provider_payment == intent
    }
    assert hints["payment_intent.succeeded"].our_key == key
    stranger = StripeProvider(secret_key="sk", webhook_secrets=["whsec_other"])
    with pytest.raises(WebhookRejected):
        stranger.parse_webhook(receiver.messages[0].headers, receiver.messages[0].body)


def test_a_key_it_does_not_accept_is_for_a_human(judge):
    stranger = StripeProvider(secret_key="not-a-key", webhook_secrets=[], api_base=judge)
    with pytest.raises((NeedsHuman, ProviderUnavailable)):
        stranger.refund(order(uuid4(), "pi_1", 100))
