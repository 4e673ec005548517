"""After paying: status, receipt, my contributions; each true as far as the provider has said."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from defis.clock import database_now, shifted_clock
from participation.contributions.models import Contribution
from participation.contributions.telling import tell
from participation.contributions.views import following
from participation.payments.models import Payment
from participation.payments.port import PaymentState
from tests.participation import path_world as path
from tests.participation.path_world import PATH, browser_of, choose, pay, resident, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_cache():
    cache.clear()


@pytest.fixture
def project(provider):
    return path.project_of(path.open_campaign())


@pytest.fixture
def browser(project):
    return browser_of(resident())


@pytest.fixture
def payment(browser):
    """20 € started, the payment page opened, nothing paid yet."""
    choose(browser, "20", afficher="oui", nom_public="Claire")
    pay(browser)
    return Payment.objects.select_related("contribution").get()


def status(browser: Client, payment: Payment, query: str = ""):
    return browser.get(f"/contributions/{payment.contribution.reference}/{query}")


def state(browser: Client, payment: Payment) -> str:
    return browser.get(f"/contributions/{payment.contribution.reference}/etat/").json()["state"]


def paid(browser: Client, payment: Payment, provider, **fields) -> Payment:
    provider.pay(payment, **fields)
    browser.get(f"/paiement/retour/{payment.key}/")
    payment.refresh_from_db()
    return payment


def test_coming_back_without_the_providers_word_confirms_nothing(browser, payment):
    back = browser.get(f"/paiement/retour/{payment.key}/")
    page = browser.get(back["Location"])
    assert "Votre paiement n’est pas encore confirmé" in words(page) and "Merci" not in words(page)
    assert payment.redirect_url in page.content.decode()
    assert state(browser, payment) == "created"


def test_the_page_learns_of_the_payment_by_itself_and_by_its_button(browser, payment, provider):
    assert state(browser, payment) == "created"
    provider.pay(payment)
    # The provider was asked less than five seconds ago: the page does not ask again.
    asked = provider.calls["fetch"]
    assert state(browser, payment) == "created" and provider.calls["fetch"] == asked
    cache.clear()
    assert state(browser, payment) == "counted"
    assert "Merci !" in words(status(browser, payment))


def test_the_refresh_button_works_without_a_script(browser, payment, provider):
    provider.pay(payment)
    page = status(browser, payment).content.decode()
    action = re.search(r'action="([^"]+/actualiser/)"', page).group(1)
    answer = browser.post(action, follow=True)
    assert "Merci !" in words(answer)


def test_the_page_waits_with_the_very_word_that_its_script_compares(browser, payment):
    for query in ("", "?abandon=1"):
        page = status(browser, payment, query).content.decode()
        address, shown = re.search(r'data-pb-poll="([^"]+)" data-pb-state="([^"]+)"', page).groups()
        assert browser.get(address).json()["state"] == shown


def test_giving_up_is_said_and_believed_when_the_provider_agrees(browser, payment, provider):
    back = browser.get(f"/paiement/retour/{payment.key}/?abandon=1")
    page = browser.get(back["Location"])
    assert "Votre contribution n’est pas enregistrée" in words(page)
    reference = payment.contribution.reference
    browser.post(f"/contributions/{reference}/arreter/")
    # The page can still be paid at the provider: the resident's word alone ends nothing.
    assert Contribution.objects.get().state == "started"
    provider.charge_of(payment).state = PaymentState.EXPIRED
    browser.post(f"/contributions/{reference}/arreter/")
    assert Contribution.objects.get().state == "abandoned"
    ended = status(browser, payment)
    assert "Le paiement n’a pas été fait. Vous n’avez pas été débité." in words(ended)
    assert f'href="{PATH}"' in ended.content.decode()


@pytest.mark.parametrize(
    ("answer", "code", "title"),
    [
        (PaymentState.PENDING, "pending", "Nous attendons la réponse de la banque"),
        (PaymentState.FAILED, "failed", "Le paiement n’a pas marché"),
        (PaymentState.EXPIRED, "abandoned", "Votre contribution n’est pas enregistrée"),
    ],
)
def test_each_word_of_the_provider_has_its_page(browser, payment, provider, answer, code, title):
    provider.charge_of(payment).state = answer
    page = browser.get(browser.get(f"/paiement/retour/{payment.key}/")["Location"])
    assert f'data-state="{code}"' in page.content.decode() and title in words(page)
    assert "Merci" not in words(page)
    waits = "data-pb-poll" in page.content.decode()
    assert waits is (code == "pending")


def test_another_amount_than_ours_is_never_said_to_be_recorded(browser, payment, provider):
    paid(browser, payment, provider, amount_cents=1_900)
    page = status(browser, payment)
    assert "Nous vérifions votre paiement" in words(page) and "Merci" not in words(page)


def test_a_refund_tells_why_and_where_it_is(browser, payment, provider, project):
    with shifted_clock(project.campaign.closes_at - database_now() + timedelta(seconds=1)):
        paid(browser, payment, provider, at=project.campaign.closes_at)
    page = words(status(browser, payment))
    assert "Nous remboursons votre contribution" in page and "après la fin de la collecte" in page
    payment.refunds.update(state="done", done_at=database_now())
    page = words(status(browser, payment))
    assert "Nous avons remboursé 20 €. Le délai dépend de votre banque : comptez 5 à 10 jours." in page


def test_what_is_mine_does_not_exist_for_others(browser, payment, provider):
    paid(browser, payment, provider)
    other = browser_of(resident())
    reference = payment.contribution.reference
    for tail in ("", "etat/", "recu/", "recu.pdf"):
        address = f"/contributions/{reference}/{tail}"
        assert other.get(address).status_code == 404, tail
        anonymous = Client().get(address)
        assert anonymous.status_code == 302 and anonymous["Location"].startswith("/connexion/?next=")
    for tail in ("actualiser/", "arreter/"):
        assert other.post(f"/contributions/{reference}/{tail}").status_code == 404
    assert Contribution.objects.get().state == "counted"
    assert reference not in words(other.get("/mes-contributions/"))


def test_the_receipt_says_who_what_to_whom_and_that_it_is_not_fiscal(browser, payment, provider):
    reference = payment.contribution.reference
    before = browser.get(f"/contributions/{reference}/recu/")
    assert before["Location"] == f"/contributions/{reference}/"
    paid(browser, payment, provider)
    page = words(browser.get(f"/contributions/{reference}/recu/"))
    for said in (
        reference,
        "Claire Muller",
        "Jardin",
        "Les Voisins",
        "20 €",
        "Fondation du Ried",
        str(payment.key),
    ):
        assert said in page, said
    assert "Ce reçu n’est pas un reçu fiscal." in page


def test_the_pdf_is_the_same_receipt_when_the_site_can_make_one(browser, payment, provider, monkeypatch):
    paid(browser, payment, provider)
    address = f"/contributions/{payment.contribution.reference}/recu.pdf"
    monkeypatch.setattr(following, "can_make_pdf", lambda: False)
    assert browser.get(address).status_code == 404
    assert "PDF" not in words(browser.get(address.replace(".pdf", "/")))
    pytest.importorskip("weasyprint", reason="the extra [pdf] is not installed")
    monkeypatch.undo()
    made = browser.get(address)
    assert made.content.startswith(b"%PDF-") and made["Content-Type"] == "application/pdf"


def test_my_contributions_add_up_and_name_each_state(browser, payment, provider):
    paid(browser, payment, provider)
    choose(browser, "30,50")
    pay(browser)
    page = browser.get("/mes-contributions/")
    text = words(page)
    assert "20 € Donné en tout" in text or re.search(r"Donné en tout 20 €", text)
    # 200 € less 20 € given and 30,50 € on their way.
    assert "149,50 €" in text
    assert "enregistrée, collecte en cours" in text and "non confirmée" in text
    assert page.content.decode().count("/recu/") == 1


def test_an_empty_list_says_what_to_do(project):
    page = browser_of(resident()).get("/mes-contributions/")
    assert "Vous n’avez pas encore contribué." in words(page)


def test_the_list_takes_the_same_queries_for_one_and_for_six(
    browser, django_assert_max_num_queries, django_assert_num_queries
):
    choose(browser, "1")
    pay(browser)
    browser.get("/mes-contributions/")
    with CaptureQueriesContext(connection) as captured:
        browser.get("/mes-contributions/")
        one = len(captured)
    for _ in range(5):
        choose(browser, "1")
        pay(browser)
    with django_assert_num_queries(one):
        browser.get("/mes-contributions/")
    assert one <= 16
    with django_assert_max_num_queries(14):
        browser.get(f"/contributions/{Contribution.objects.first().reference}/")


def test_a_status_exists_for_every_state_of_a_payment(browser, payment):
    """No state of the model is left without words."""
    for code in Payment.State.values:
        payment.state = code
        told = tell(payment.contribution, payment)
        assert told.title and told.text, code
