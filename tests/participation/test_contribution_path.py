"""The contribution path through its pages: what a resident sees, and what is written when."""

import re
import uuid
from datetime import timedelta

import pytest
from django.core import signing
from django.test import Client

from defis.clock import shifted_clock
from defis.models import Campaign, Project
from participation.contributions.models import Contribution
from participation.contributions.services import start_contribution
from participation.ledger.models import LedgerTransaction
from participation.payments.models import Payment
from tests.participation import identity_world as world
from tests.participation import path_world as path
from tests.participation.path_world import (
    PATH,
    browser_of,
    choose,
    field_error,
    pay,
    resident,
    seal_on,
    words,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(provider):
    return path.open_campaign()


@pytest.fixture
def project(campaign):
    return path.project_of(campaign)


@pytest.fixture
def claire(project):
    return resident()


@pytest.fixture
def browser(claire):
    return browser_of(claire)


def nothing_written() -> bool:
    return not (
        Contribution.objects.exists() or Payment.objects.exists() or LedgerTransaction.objects.exists()
    )


# --- The way ------------------------------------------------------------------------------------------


def test_the_whole_way_from_nobody_to_a_counted_contribution(settings, provider, project):
    """Amount, FranceConnect (a new session key), residence, check, payment, return: counted once."""
    browser = Client()
    with world.franceconnect(settings):
        page = browser.get(PATH)
        assert page.status_code == 200 and "De 1 € à 100 €." in words(page)
        assert choose(browser, "20,50")["Location"] == f"{PATH}connexion/"
        step = browser.get(f"{PATH}connexion/")
        assert "20,50 €" in words(step) and "Jardin" in words(step)
        before = browser.session.session_key
        back = world.sign_in(browser, "claire", next=f"{PATH}residence/")
        assert back["Location"] == f"{PATH}residence/" and browser.session.session_key != before
        residence = browser.get(back["Location"])
    assert residence["Location"].startswith("/residence/alsace-centrale/?campagne=printemps&next=")
    form = {
        "code_postal": "67600",
        "version": "2026-11",
        "commune": world.Commune.objects.get(insee=world.SELESTAT).pk,
        "honour": "on",
        "next": f"{PATH}verifier/",
        "campagne": "printemps",
    }
    declared = browser.post("/residence/alsace-centrale/", form)
    assert declared["Location"] == f"{PATH}verifier/"
    check = browser.get(declared["Location"])
    for said in (
        "20,50 €",
        "Fondation du Ried",
        "Payer 20,50 €",
        "nous vous remboursons en entier",
        "Pas de frais",
    ):
        assert said in words(check), said
    assert nothing_written()

    leaving = pay(browser)
    contribution = Contribution.objects.get()
    payment = contribution.payments.get()
    assert leaving["Location"] == payment.redirect_url == f"https://pay.example/{payment.provider_reference}"
    assert (contribution.amount_cents, contribution.state, contribution.public_name) == (2050, "started", "")

    provider.pay(payment)
    returned = browser.get(f"/paiement/retour/{payment.key}/")
    status = browser.get(returned["Location"])
    assert "Merci ! Votre contribution est enregistrée" in words(status)
    assert "1 personne a donné 20,50 € sur 5 000 €" in words(status)
    contribution.refresh_from_db()
    assert contribution.state == "counted"
    # The amount is not proposed a second time.
    assert 'value="20,50"' not in browser.get(PATH).content.decode()


def test_the_name_is_shown_only_to_who_asks(browser):
    choose(browser, "20", afficher="oui", nom_public="  Claire   M. ")
    assert "Le nom « Claire M. »." in words(browser.get(f"{PATH}verifier/"))
    pay(browser)
    assert Contribution.objects.get().public_name == "Claire M."


def test_a_name_written_and_not_chosen_stays_private(browser):
    choose(browser, "20", nom_public="Claire")
    pay(browser)
    assert Contribution.objects.get().public_name == ""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Écrivez le nom à montrer, ou choisissez de ne pas le montrer."),
        ("a" * 81, "Ce nom est trop long : 80 caractères au plus."),
        ("Claire\u202emoc", "Écrivez ce nom avec des lettres seulement."),
        ("https://exemple.org", "Écrivez un nom, pas une adresse."),
    ],
)
def test_a_name_that_cannot_be_shown_is_refused_next_to_its_field(browser, name, sentence):
    response = choose(browser, "20", afficher="oui", nom_public=name)
    assert response.status_code == 422
    assert field_error(response, "nom_public") == sentence


# --- Bad amounts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Écrivez un montant en euros, par exemple 20."),
        ("   ", "Écrivez un montant en euros, par exemple 20."),
        ("vingt", "Écrivez un montant en euros, par exemple 20."),
        ("20 euros de plus", "Écrivez un montant en euros, par exemple 20."),
        ("1e3", "Écrivez un montant en euros, par exemple 20."),
        ("-5", "Écrivez un montant plus grand que 0."),
        ("0", "Le montant doit être entre 1 € et 100 €."),
        ("0,99", "Le montant doit être entre 1 € et 100 €."),
        ("100,01", "Le montant doit être entre 1 € et 100 €."),
        ("99999999999999999999", "Ce montant est trop grand."),
        ("20,505", "Écrivez au plus deux chiffres après la virgule, par exemple 20,50."),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_bad_amount_is_refused_next_to_its_field_and_nothing_is_kept(
    browser, project, typed, sentence, known
):
    browser = browser if known else Client()
    response = choose(browser, typed)
    assert response.status_code == 422
    said = field_error(response, "montant")
    assert said == sentence
    assert re.search(r"<title>\s*Erreur\s:", response.content.decode())
    assert f'href="#id_montant">{said}' in response.content.decode().replace("\xa0", " ")
    assert nothing_written() and "abonde_contribution" not in browser.session


@pytest.mark.parametrize("typed", ["20", "20,00", "20.00", " 20 € ", "20\xa0€"])
def test_the_usual_ways_of_writing_an_amount_are_understood(browser, typed):
    assert choose(browser, typed).status_code == 302
    assert "Payer 20 €" in words(browser.get(f"{PATH}verifier/"))


def test_more_than_what_is_left_says_what_is_left(browser, provider):
    for amount in ("100", "50"):
        choose(browser, amount)
        pay(browser)
    page = browser.get(PATH)
    assert "Vous pouvez encore donner 50 €." in words(page)
    response = choose(browser, "50,01")
    assert (response.status_code, field_error(response, "montant")) == (
        422,
        "Vous pouvez encore donner 50 €.",
    )
    assert choose(browser, "50").status_code == 302


def test_somebody_who_chose_before_signing_in_learns_what_is_left_at_the_check(claire, project):
    first = browser_of(claire)
    for amount in ("100", "60"):
        choose(first, amount)
        pay(first)
    visitor = Client()
    choose(visitor, "50")
    visitor.force_login(claire.user, backend="django.contrib.auth.backends.ModelBackend")
    # force_login is a sign-in without our own view: the session is the same one.
    choose_again = visitor.get(f"{PATH}verifier/")
    assert choose_again.status_code == 422
    assert field_error(choose_again, "montant") == "Vous pouvez encore donner 40 €."
    assert Contribution.objects.count() == 2


def test_the_ceiling_taken_by_another_tab_is_seen_at_the_last_button(browser, claire, project):
    choose(browser, "100")
    seal = seal_on(browser)
    for _ in range(2):
        start_contribution(person=claire, project=project, amount_cents=7_500, idempotency_key=uuid.uuid4())
    response = pay(browser, seal)
    assert (response.status_code, field_error(response, "montant")) == (
        422,
        "Vous pouvez encore donner 50 €.",
    )
    assert Contribution.objects.count() == 2


# --- Twice ----------------------------------------------------------------------------------------------


def test_a_double_click_and_the_back_button_are_one_contribution(browser, provider):
    choose(browser, "20")
    seal = seal_on(browser)
    first, second = pay(browser, seal), pay(browser, seal)
    assert first["Location"] == second["Location"]
    # Back from the payment page to the check page, as the browser shows it again.
    assert pay(browser)["Location"] == first["Location"]
    assert Contribution.objects.count() == Payment.objects.count() == provider.calls["start"] == 1


def test_back_and_again_after_paying_leads_to_the_status_not_to_a_second_payment(browser, provider):
    choose(browser, "20")
    seal = seal_on(browser)
    pay(browser, seal)
    payment = Payment.objects.get()
    provider.pay(payment)
    browser.get(f"/paiement/retour/{payment.key}/")
    again = pay(browser, seal)
    assert again["Location"] == f"/contributions/{payment.contribution.reference}/"
    assert Payment.objects.count() == 1


def test_two_tabs_each_pay_what_they_showed(browser):
    choose(browser, "20")
    first_tab = seal_on(browser)
    choose(browser, "30")
    second_tab = seal_on(browser)
    pay(browser, first_tab)
    assert Contribution.objects.get().amount_cents == 2_000
    pay(browser, second_tab)
    assert sorted(Contribution.objects.values_list("amount_cents", flat=True)) == [2_000, 3_000]
    # And each only once.
    pay(browser, first_tab), pay(browser, second_tab)
    assert Contribution.objects.count() == 2


def test_a_payment_already_begun_is_told_before_another(browser):
    choose(browser, "20")
    pay(browser)
    assert "Vous avez déjà un paiement de 20 € en cours pour ce projet" in words(browser.get(PATH))


def test_nobody_pays_twice_while_the_bank_has_not_answered(browser, provider):
    choose(browser, "20")
    pay(browser)
    Payment.objects.update(state="pending")
    choose(browser, "20")
    response = pay(browser)
    assert response.status_code == 409 and "Ne payez pas une deuxième fois" in words(response)
    assert Contribution.objects.count() == 1


# --- Sessions and people ----------------------------------------------------------------------------------


def test_an_expired_session_pays_nothing_and_keeps_the_amount(browser, project):
    choose(browser, "20")
    seal = seal_on(browser)
    browser.logout()
    response = pay(browser, seal)
    assert response["Location"] == f"{PATH}connexion/"
    step = browser.get(response["Location"])
    assert "Votre session est finie. Rien n’a été payé." in words(step) and "20 €" in words(step)
    assert nothing_written()


def test_the_check_page_without_an_amount_starts_again(browser):
    response = browser.get(f"{PATH}verifier/", follow=True)
    assert response.redirect_chain[-1][0] == PATH
    assert "Choisissez un montant pour commencer." in words(response)


def test_what_another_person_left_on_a_shared_computer_is_not_paid(browser, claire):
    choose(browser, "20")
    seal = seal_on(browser)
    other = browser_of(resident())
    response = pay(other, seal)
    assert response["Location"] == f"{PATH}verifier/"
    assert "Une autre personne s’est connectée" in words(other.get(f"{PATH}verifier/"))
    assert nothing_written()


@pytest.mark.parametrize(
    "seal",
    ["", "nonsense", "a:b:c", signing.dumps(["x"], salt="abonde.contribution")],
    ids=["empty", "nonsense", "three parts", "another content"],
)
def test_a_forged_seal_pays_nothing(browser, seal):
    choose(browser, "20")
    response = browser.post(f"{PATH}payer/", {"sceau": seal})
    assert response["Location"] == f"{PATH}verifier/"
    assert nothing_written()


def test_a_seal_of_another_project_pays_nothing(browser, campaign):
    world.make_project(campaign, "verger")
    choose(browser, "20")
    seal = seal_on(browser)
    assert (
        browser.post("/contribuer/verger/payer/", {"sceau": seal})["Location"]
        == "/contribuer/verger/verifier/"
    )
    assert nothing_written()


def test_a_sign_in_given_up_keeps_the_amount_and_records_nothing(settings, project):
    browser = Client()
    with world.franceconnect(settings):
        choose(browser, "20")
        page = world.sign_in(browser, "claire", "access_denied", next=f"{PATH}residence/")
        assert "Vous avez arrêté la connexion." in words(page)
        assert "20 €" in words(browser.get(f"{PATH}connexion/"))
    assert nothing_written()


def test_signing_out_leads_back_to_the_sign_in_step(browser):
    choose(browser, "20")
    anonymous = Client()
    choose(anonymous, "20")
    for step in ("residence", "verifier"):
        assert anonymous.get(f"{PATH}{step}/")["Location"] == f"{PATH}connexion/"


def test_a_resident_of_elsewhere_never_reaches_the_payment(project):
    browser = browser_of(resident(lives_here=False))
    choose(browser, "20")
    assert browser.get(f"{PATH}verifier/")["Location"] == f"{PATH}residence/"
    assert browser.get(f"{PATH}residence/")["Location"].startswith("/residence/alsace-centrale/")
    elsewhere = browser.get("/residence/alsace-centrale/", {"code_postal": "69003", "campagne": "printemps"})
    assert elsewhere.status_code == 422
    assert nothing_written()


def test_a_residence_withdrawn_meanwhile_stops_the_payment(browser, claire):
    choose(browser, "20")
    seal = seal_on(browser)
    claire.residency_proofs.update(result="revoked")
    assert pay(browser, seal)["Location"] == f"{PATH}residence/"
    assert nothing_written()


@pytest.mark.parametrize(
    ("who", "code"),
    [({"age": 16}, "age"), ({"age": None}, "age_unknown"), ({"provider": "keycloak"}, "provider")],
)
def test_somebody_whom_the_campaign_is_not_for_is_told_why(project, who, code):
    browser = browser_of(resident(**who))
    choose(browser, "20")
    page = browser.get(f"{PATH}residence/")
    assert page.status_code == 403 and f'data-problem="{code}"' in page.content.decode()
    assert "Rien n’a été enregistré et rien n’a été payé." in words(page)
    assert nothing_written()


# --- Time and projects ------------------------------------------------------------------------------------


def test_one_second_late_is_late_on_every_step(browser, campaign):
    choose(browser, "20")
    seal = seal_on(browser)
    with shifted_clock(campaign.closes_at - world.database_now() + timedelta(seconds=1)):
        response = pay(browser, seal)
        assert response.status_code == 409
        assert "La collecte est finie." in words(response)
        assert "Rien n’a été enregistré et rien n’a été payé." in words(response)
        assert choose(browser, "20").status_code == 409
        assert "Montant" not in words(browser.get(PATH))
    assert nothing_written()


def test_before_the_opening_the_page_says_when(project, campaign):
    Campaign.objects.update(opens_at=world.database_now() + timedelta(days=2))
    page = Client().get(PATH)
    assert page.status_code == 200 and "La collecte ouvre le" in words(page)
    assert choose(Client(), "20").status_code == 409


def test_paid_one_second_after_the_bell_is_refunded_and_said(browser, provider, campaign):
    choose(browser, "20")
    pay(browser)
    payment = Payment.objects.get()
    provider.pay(payment, at=campaign.closes_at)
    with shifted_clock(campaign.closes_at - world.database_now() + timedelta(seconds=1)):
        status = browser.get(browser.get(f"/paiement/retour/{payment.key}/")["Location"])
    assert "Votre paiement est arrivé après la fin de la collecte : il ne compte pas." in words(status)
    assert "Nous vous remboursons 20 € en entier." in words(status)
    assert Contribution.objects.get().state == "refunded"


@pytest.mark.parametrize("status", ["draft", "submitted", "not_selected", "withdrawn"])
def test_a_project_that_is_not_public_does_not_exist(project, status):
    Project.objects.update(status=status)
    assert Client().get(PATH).status_code == 404
    assert choose(Client()).status_code == 404


def test_a_project_cancelled_meanwhile_takes_no_money(browser, project):
    choose(browser, "20")
    seal = seal_on(browser)
    Project.objects.update(status="cancelled")
    response = pay(browser, seal)
    assert response.status_code == 409 and "Ce projet est annulé." in words(response)
    assert nothing_written()


def test_new_rules_are_shown_before_paying(browser, campaign):
    choose(browser, "20")
    seal = seal_on(browser)
    Campaign.objects.update(rules_version=2)
    response = pay(browser, seal)
    assert response["Location"] == f"{PATH}verifier/"
    page = words(browser.get(f"{PATH}verifier/"))
    assert "Les règles de la campagne ont changé. Rien n’a été payé." in page and "version 2" in page
    assert nothing_written()


# --- The provider -----------------------------------------------------------------------------------------


def test_a_provider_that_does_not_answer_is_asked_again_with_the_same_key(browser, provider):
    choose(browser, "20")
    provider.down = True
    response = pay(browser)
    assert response.status_code == 503 and response["Retry-After"]
    assert "Le site de paiement ne répond pas. Vous n’avez rien payé." in words(response)
    provider.down = False
    again = re.search(r'name="sceau" value="([^"]+)"', response.content.decode()).group(1)
    assert pay(browser, again)["Location"].startswith("https://pay.example/")
    assert Contribution.objects.count() == Payment.objects.count() == 1


# --- Private, and cheap -----------------------------------------------------------------------------------


def test_no_step_may_be_kept_by_a_cache(browser):
    choose(browser, "20")
    for step in ("", "verifier/"):
        assert "no-store" in browser.get(PATH + step)["Cache-Control"]


def test_each_step_takes_few_queries_whatever_the_number_of_projects(
    browser, campaign, django_assert_max_num_queries
):
    for number in range(5):
        world.make_project(campaign, f"autre-{number}")
    choose(browser, "1")
    seal = seal_on(browser)
    # The first gift of somebody makes the voter, once per campaign.
    with django_assert_max_num_queries(45):
        pay(browser, seal)
    choose(browser, "20")
    seal = seal_on(browser)
    # Six are the header's and the footer's; checking and paying ask again who may give, and how much.
    for step, most in (("", 14), ("verifier/", 18)):
        with django_assert_max_num_queries(most):
            assert browser.get(PATH + step).status_code == 200
    with django_assert_max_num_queries(18):
        assert pay(browser, seal).status_code == 302
    anonymous = Client()
    with django_assert_max_num_queries(8):
        assert anonymous.get(PATH).status_code == 200
