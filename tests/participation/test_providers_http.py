# ruff: noqa: F811 - fixtures are imported, then named as arguments
"""The two doors of the site: what a provider posts, and where a browser comes back to."""

import hashlib
import hmac
import json
import time
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django_q.models import OrmQ

from config.payments import payment_page_origins, payment_providers
from participation.contributions.services import start_contribution
from participation.payments.models import Payment, ProviderEvent
from participation.payments.port import provider_for
from participation.payments.webhooks import handle_events
from tests.money import world
from tests.standin_payments import PaymentStandin, _payment_standin_process, payment_standin  # noqa: F401

HOOK = "/paiement/simulated/webhook/"


def signed(**event) -> dict:
    body = json.dumps(
        {"id": "evt_1", "type": "payment.paid", "payment": "pay_1", "key": "", **event}
    ).encode()
    at = str(int(time.time()))
    digest = hmac.new(b"simulated-webhook-secret", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "data": body,
        "content_type": "application/json",
        "headers": {"X-Simulated-Signature": f"t={at},v1={digest}"},
    }


@pytest.fixture
def wired(settings, payment_standin: PaymentStandin) -> PaymentStandin:
    """The site, set to talk to the stand-in's process."""
    own = settings.ABONDE_PAYMENT_PROVIDERS
    settings.ABONDE_PAYMENT_PROVIDERS = {
        **own,
        "simulated": {**own["simulated"], "BASE_URL": payment_standin.url, "NOTIFY_URL": ""},
    }
    payment_standin.tell("webhooks", enabled=False)
    return payment_standin


def started() -> Payment:
    campaign = world.campaign(projects=1, collection_provider="simulated")
    person = world.person()
    world.voter(person, campaign)
    contribution = start_contribution(
        person=person,
        project=campaign.projects.get(),
        amount_cents=2000,
        idempotency_key=uuid4(),
    )
    return contribution.payments.get()


# --- Webhook ------------------------------------------------------------------------------------------
def test_a_signed_message_is_kept_once_and_queued_whatever_the_number_of_deliveries(client, db):
    assert [client.post(HOOK, **signed()).status_code for _ in range(3)] == [200, 200, 200]
    event = ProviderEvent.objects.get()
    assert (event.provider, event.event_id, event.deliveries) == ("simulated", "evt_1", 3)
    assert OrmQ.objects.count() == 1


@pytest.mark.parametrize("headers", [{}, {"X-Simulated-Signature": "t=1,v1=0"}])
def test_a_forged_message_gets_400_and_leaves_no_trace(client, db, headers):
    answer = client.post(HOOK, data=signed()["data"], content_type="application/json", headers=headers)
    assert answer.status_code == 400
    assert answer.content
    assert not ProviderEvent.objects.exists()


def test_a_signed_message_that_makes_no_sense_gets_400(client, db):
    body = b"[1, 2"
    at = str(int(time.time()))
    digest = hmac.new(b"simulated-webhook-secret", at.encode() + b"." + body, hashlib.sha256).hexdigest()
    answer = client.post(
        HOOK, data=body, content_type="text/plain", headers={"X-Simulated-Signature": f"t={at},v1={digest}"}
    )
    assert answer.status_code == 400


def test_only_configured_providers_have_a_door(client, db):
    assert client.post("/paiement/stripe/webhook/", **signed()).status_code == 404
    assert client.post("/paiement/offline/webhook/", **signed()).status_code == 400
    assert client.get(HOOK).status_code == 405


def test_a_message_of_several_megabytes_is_turned_away(client, db):
    answer = client.post(HOOK, data=b"x" * 3_000_000, content_type="application/json")
    assert answer.status_code == 413


def test_the_door_asks_for_no_csrf_token_and_opens_no_session(db):
    from django.test import Client

    answer = Client(enforce_csrf_checks=True).post(HOOK, **signed())
    assert answer.status_code == 200
    assert not answer.cookies


def test_behind_a_proxy_the_sender_is_who_the_proxy_says_last(client, db, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.ABONDE_PAYMENT_PROVIDERS = {
        "helloasso": {
            "ADAPTER": "participation.payments.providers.helloasso.HelloAssoProvider",
            "CLIENT_ID": "a",
            "CLIENT_SECRET": "b",
            "ORGANIZATION": "c",
            "NOTIFIER_IPS": ["51.138.206.200"],
        }
    }
    body = json.dumps({"eventType": "Payment", "data": {"id": 1}})
    for forwarded, status in (("51.138.206.200", 200), ("51.138.206.200, 203.0.113.9", 400)):
        answer = client.post(
            "/paiement/helloasso/webhook/",
            data=body,
            content_type="application/json",
            headers={"X-Forwarded-For": forwarded},
        )
        assert answer.status_code == status


# --- From a click to money counted ----------------------------------------------------------------------
def test_a_webhook_leads_to_counted_money(client, wired, transactional_db):
    payment = started()
    wired.pay(payment.key)
    client.post(HOOK, **signed(id="evt_9", payment=payment.provider_reference, key=str(payment.key)))
    assert handle_events() == 1
    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    payment.contribution.refresh_from_db()
    assert payment.contribution.state == "counted"
    assert ProviderEvent.objects.get().handled_at is not None


def test_a_browser_coming_back_settles_and_lands_on_the_status_page(client, wired, transactional_db):
    payment = started()
    wired.pay(payment.key)
    answer = client.get(f"/paiement/retour/{payment.key}/")
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"/contributions/{payment.contribution.reference}/",
    )
    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID


def test_a_browser_coming_back_without_paying_pays_nothing(client, wired, transactional_db):
    payment = started()
    answer = client.get(f"/paiement/retour/{payment.key}/?abandon=1")
    assert answer["Location"] == f"/contributions/{payment.contribution.reference}/?abandon=1"
    payment.refresh_from_db()
    assert payment.state in Payment.OPEN


def test_a_browser_comes_back_in_its_own_language(client, wired, transactional_db):
    payment = started()
    person = payment.contribution.person
    person.language = "de"
    person.save()
    assert client.get(f"/paiement/retour/{payment.key}/")["Location"].startswith("/de/contributions/")


def test_a_browser_coming_back_while_the_provider_is_down_still_lands(client, wired, transactional_db):
    payment = started()
    wired.misbehave("fetch", "error_before", times=None)
    assert client.get(f"/paiement/retour/{payment.key}/").status_code == 302
    payment.refresh_from_db()
    assert payment.state in Payment.OPEN


def test_an_unknown_return_address_is_not_found(client, db):
    assert client.get(f"/paiement/retour/{uuid4()}/").status_code == 404


@pytest.mark.parametrize("fault", [None, "duplicate", "bad_signature"])
def test_the_stand_in_s_own_messages_reach_the_site_and_count_once(
    settings, live_server, wired, transactional_db, fault
):
    providers = settings.ABONDE_PAYMENT_PROVIDERS
    settings.ABONDE_PAYMENT_PROVIDERS = {
        **providers,
        "simulated": {**providers["simulated"], "NOTIFY_URL": live_server.url + HOOK},
    }
    settings.PUBLIC_ORIGIN = live_server.url
    wired.tell("webhooks", enabled=True)
    payment = started()
    if fault:
        wired.misbehave("webhook", fault, count=10)
    wired.pay(payment.key)
    if fault == "bad_signature":
        assert wired.flush(0.5)["delivered"] == 0
        assert not ProviderEvent.objects.exists()
        return
    assert wired.flush()["waiting"] == 0
    assert ProviderEvent.objects.get().deliveries == (10 if fault else 1)
    handle_events()
    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    assert payment.ledger_transactions.filter(kind="payment").count() == 1


# --- Registry and settings ------------------------------------------------------------------------------
def test_a_provider_that_is_not_configured_is_named_in_the_error():
    with pytest.raises(ImproperlyConfigured, match="lydia"):
        provider_for("lydia")


class Environment(dict):
    """The two readings that the settings make of the environment."""

    def __call__(self, name, default=None):
        return self.get(name, default)

    def list(self, name, default=None):
        return self[name].split(",") if name in self else default

    def int(self, name, default=None):
        return int(self.get(name, default))


def test_no_stand_in_on_a_real_site_and_only_what_has_keys():
    real = payment_providers(Environment(), simulation=False, standin="http://127.0.0.1:8020", origin="x")
    assert set(real) == {"offline", "allowance"}
    keys = Environment(STRIPE_SECRET_KEY="sk_live", STRIPE_WEBHOOK_SECRETS="whsec_1,whsec_2")
    real = payment_providers(keys, simulation=False, standin="", origin="x")
    assert real["stripe"]["WEBHOOK_SECRETS"] == ["whsec_1", "whsec_2"]
    assert payment_page_origins(real) == ["https://checkout.stripe.com"]


def test_the_form_may_lead_to_the_payment_page():
    assert django_settings.ABONDE_STANDIN_PSP in django_settings.ABONDE_FORM_ACTIONS
