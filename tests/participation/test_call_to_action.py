"""The table that decides the one button of a project page."""

import re
from dataclasses import replace

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import translation

from defis.funding import Funding
from participation.contributions.call_to_action import call_to_action
from participation.contributions.panels import project_panels
from participation.contributions.states import ADDRESSES, KNOWN, OPEN, SITUATIONS, gallery_states
from participation.payments.models import Payment
from tests.participation import path_world as path
from tests.participation.path_world import browser_of, choose, pay, resident

# Situation: code, button, where it leads, how loud, sentence. The sentences are the study's, word for word.
TABLE = [
    ("a-venir", "coming", "", "", "none",
     "La collecte ouvre le 2 mars 2027 à 9 h. Vous pouvez déjà lire les projets."),
    ("anonyme", "anonymous", "Contribuer à ce projet", "#contribuer", "primary",
     "Vous pourrez vous connecter à l’étape suivante."),
    ("residence-inconnue", "unverified", "Vérifier que j’habite ici : Alsace", "#residence", "primary",
     "Il faut habiter dans ce territoire : Alsace. Sinon votre contribution ne compte pas."
     " La vérification est gratuite. Elle prend 2 minutes."),
    ("verifiee", "verified", "Contribuer à ce projet", "#contribuer", "primary",
     "Vous pouvez encore donner 150 € dans cette campagne."),
    ("a-donne", "given", "Donner plus", "#contribuer", "secondary",
     "Merci ! Vous avez donné 20 € le 3 mars 2027. Chaque personne compte une fois."
     " Donner plus augmente votre montant, pas le nombre de soutiens."),
    ("plafond", "limit", "Mes contributions", "#mes-contributions", "link",
     "Vous avez atteint la limite de 200 € pour cette campagne. Merci !"),
    ("non-eligible", "ineligible", "Comprendre pourquoi", "#contribuer", "link",
     "Vous ne pouvez pas contribuer à cette campagne. Il faut avoir 18 ans."),
    ("paiement-en-attente", "pending", "Voir l’état de mon paiement", "#7K2M9QXWPC", "primary",
     "Votre banque n’a pas encore répondu. Ne payez pas une deuxième fois."),
    ("paiement-commence", "unfinished", "Finir ou arrêter mon paiement", "#7K2M9QXWPC", "primary",
     "Vous avez commencé un paiement de 20 €. Il n’est pas fini : votre contribution n’est pas enregistrée."),
    ("paiement-echoue", "failed", "Réessayer", "#contribuer", "primary",
     "Le paiement n’a pas marché. Vous n’avez pas été débité."),
    ("seuil-atteint", "verified_threshold", "Contribuer à ce projet", "#contribuer", "primary",
     "Le seuil est atteint : le projet recevra l’argent."
     " Vous pouvez encore l’aider jusqu’au 4 mai 2027 à 20 h."
     " Vous pouvez encore donner 150 € dans cette campagne."),
    ("objectif-atteint", "verified_goal", "Contribuer à ce projet", "#contribuer", "primary",
     "L’objectif est atteint. Vous pouvez encore aider le projet jusqu’au 4 mai 2027 à 20 h."
     " Vous pouvez encore donner 150 € dans cette campagne."),
    ("objectif-ferme", "goal", "Découvrir d’autres projets", "#projets", "secondary",
     "L’objectif est atteint. La collecte de ce projet est finie."),
    ("fermee", "closed", "", "", "none",
     "La collecte est finie. Nous vérifions les comptes. Votre argent est en sécurité."
     " Les résultats arrivent le 12 mai 2027."),
    ("finance", "funded", "", "", "none", "Le projet est financé : 9 840 €."),
    ("finance-j-ai-donne", "funded", "Mes contributions", "#mes-contributions", "secondary",
     "Le projet est financé : 9 840 €."),
    ("non-finance", "not_funded", "Voir les autres projets", "#projets", "secondary",
     "Le projet n’a pas atteint 7 500 €. Toutes les personnes sont remboursées en entier."),
    ("rembourse", "refunded", "Voir mon remboursement", "#7K2M9QXWPC", "primary",
     "Nous avons remboursé 20 € le 3 mars 2027, sur le moyen de paiement utilisé."
     " Le délai dépend de votre banque : comptez 5 à 10 jours."),
    ("remboursement-en-cours", "refunded", "Voir mon remboursement", "#7K2M9QXWPC", "primary",
     "Nous vous remboursons 20 €. Vous n’avez rien à faire."),
    ("annule", "cancelled", "Voir les autres projets", "#projets", "secondary",
     "Ce projet est annulé. Toutes les personnes sont remboursées en entier."),
    ("propose", "proposed", "", "", "none", "Ce projet ne reçoit pas de contributions."),
]  # fmt: skip


def said(text: str) -> str:
    return text.replace("\xa0", " ")


@pytest.mark.parametrize(
    ("name", "code", "label", "url", "kind", "line"), TABLE, ids=[row[0] for row in TABLE]
)
def test_each_situation_has_its_button_and_its_sentence(name, code, label, url, kind, line):
    with translation.override("fr"):
        action = call_to_action(SITUATIONS[name], ADDRESSES)
    assert (action.code, said(action.label), action.url, action.kind) == (code, label, url, kind)
    assert said(action.line) == line


def test_the_table_covers_every_situation_of_the_gallery():
    assert {row[0] for row in TABLE} == set(SITUATIONS)


def test_the_campaign_speaks_before_the_project_and_the_project_before_the_person():
    pending = replace(KNOWN, pending="7K2M9QXWPC")
    assert call_to_action(replace(OPEN, state="closed", standing=pending), ADDRESSES).code == "closed"
    assert call_to_action(replace(OPEN, state="cancelled", standing=pending), ADDRESSES).code == "cancelled"
    # Money under way is told before a ceiling, a failure or a goal.
    for other in (
        replace(OPEN, standing=replace(pending, left_cents=0)),
        replace(OPEN, standing=replace(pending, failed="X")),
        replace(OPEN, goal_reached=True, closed_by_goal=True, standing=pending),
    ):
        assert call_to_action(other, ADDRESSES).code == "pending"


def test_no_situation_shows_more_than_one_button():
    with translation.override("fr"):
        for state in gallery_states(RequestFactory().get("/")):
            html = render_to_string(state.template, state.context)
            assert len(re.findall(r"<a\b", html)) <= 1, state.code


# --- The facts, from the database ---------------------------------------------------------------------------


@pytest.fixture
def project(provider, db):
    return path.project_of(path.open_campaign())


def code_for(project, browser: Client) -> str:
    request = RequestFactory().get("/")
    request.COOKIES = {name: cookie.value for name, cookie in browser.cookies.items()}
    request.session = browser.session
    if "_auth_user_id" in request.session:
        request.user = path.get_user_model().objects.get(pk=request.session["_auth_user_id"])
    return project_panels(request, project, Funding())[0].action.code


def test_the_button_follows_a_person_along_her_way(project, provider):
    assert code_for(project, Client()) == "anonymous"
    newcomer = resident(lives_here=False)
    assert code_for(project, browser_of(newcomer)) == "unverified"
    assert code_for(project, browser_of(resident(age=16))) == "ineligible"
    browser = browser_of(resident())
    assert code_for(project, browser) == "verified"
    choose(browser, "100")
    pay(browser)
    assert code_for(project, browser) == "unfinished"
    Payment.objects.update(state="pending")
    assert code_for(project, browser) == "pending"
    payment = Payment.objects.get()
    provider.pay(payment)
    browser.get(f"/paiement/retour/{payment.key}/")
    assert code_for(project, browser) == "given"
    choose(browser, "100")
    pay(browser)
    second = Payment.objects.exclude(pk=payment.pk).get()
    provider.pay(second)
    browser.get(f"/paiement/retour/{second.key}/")
    assert code_for(project, browser) == "limit"


def test_a_person_is_told_of_her_own_refund_only(project, provider):
    browser, other = browser_of(resident()), browser_of(resident())
    choose(browser, "20")
    pay(browser)
    payment = Payment.objects.get()
    provider.pay(payment, at=project.campaign.closes_at)
    with path.world_clock_after(project.campaign):
        browser.get(f"/paiement/retour/{payment.key}/")
    type(project).objects.update(status="not_funded")
    project.refresh_from_db()
    assert code_for(project, browser) == "refunded"
    assert code_for(project, other) == "not_funded"
    assert code_for(project, Client()) == "not_funded"


def test_the_button_of_a_stranger_takes_one_query(project, django_assert_num_queries):
    funding = Funding()
    request = RequestFactory().get("/")
    with django_assert_num_queries(1):
        project_panels(request, project, funding)
