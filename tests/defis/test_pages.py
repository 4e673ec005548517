"""What the public reads, through HTTP."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Locale, PageViewRestriction

from defis.clock import database_now
from defis.models import Campaign, Decision, Pledge, Pot, Project, ProjectPage
from tests.defis.world import make_world

pytestmark = pytest.mark.django_db


def text(response) -> str:
    """What is read, without tags, with ordinary spaces."""
    said = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", said.replace("\u00a0", " ").replace("\u202f", " ").replace("&#x27;", "'"))


def titles(response) -> list[str]:
    return re.findall(r'class="pb-card__title"><a href="[^"]*">([^<]*)', response.content.decode())


def count_queries(client, url: str) -> int:
    client.get(url)  # what lives longer than a request is loaded once
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


# --- List ---------------------------------------------------------------------------------------------


def test_the_list_shows_public_projects_only(client, world, tree):
    shown = world.make_project(title="Le four du village")
    hidden = world.make_project(title="Pas encore", status=Project.Status.SUBMITTED)
    tree.add_project(shown)
    tree.add_project(hidden)
    tree.add_project(world.make_project(title="Brouillon de page"), live=False)
    response = client.get("/projets/")
    assert titles(response) == ["Le four du village"]
    assert "1 projet." in text(response)


def test_filters_combine_and_can_be_removed_one_by_one(client, world, tree):
    communes = {c.name: c for c in world.territory.communes.all()}
    tree.add_project(world.make_project(title="Le jardin partagé", commune=communes["Sélestat"]))
    tree.add_project(world.make_project(title="Le café répit", commune=communes["Colmar"]))
    assert titles(client.get("/projets/", {"lieu": "Sélestat"})) == ["Le jardin partagé"]
    assert len(titles(client.get("/projets/", {"lieu": "CC de Rivière"}))) == 2
    assert titles(client.get("/projets/", {"q": "CAFE repit"})) == ["Le café répit"]
    assert titles(client.get("/projets/", {"defi": world.defi.slug, "etat": "open", "q": "jardin"})) == [
        "Le jardin partagé"
    ]
    nothing = client.get("/projets/", {"lieu": "Colmar", "q": "jardin"})
    assert titles(nothing) == []
    assert "Aucun projet ne correspond." in text(nothing)
    assert "Enlever le filtre « Colmar »" in text(nothing)
    assert 'href="/projets/?q=jardin"' in nothing.content.decode()
    assert 'role="status"' in nothing.content.decode()


def test_hostile_filters_are_only_words(client, world, tree):
    tree.add_project(world.make_project())
    for query in (
        {"q": "<script>alert(1)</script>"},
        {"lieu": "' OR 1=1"},
        {"page": "-3"},
        {"tri": "x", "ordre": "%00"},
    ):
        response = client.get("/projets/", query)
        assert response.status_code == 200
        assert "<script>alert" not in response.content.decode()


def test_the_order_is_drawn_by_lot_stable_for_a_visitor_and_kept_across_pages(client, world, tree):
    for _ in range(30):
        tree.add_project(world.make_project())
    first = titles(client.get("/projets/", REMOTE_ADDR="10.0.0.1"))
    assert first == titles(client.get("/projets/", REMOTE_ADDR="10.0.0.1"))
    orders = {tuple(titles(client.get("/projets/", REMOTE_ADDR=f"10.0.0.{n}"))) for n in range(6)}
    assert len(orders) > 1
    page = client.get("/projets/", REMOTE_ADDR="10.0.0.1").content.decode()
    following = re.search(r'href="(\?[^"]*page=2[^"]*)"', page)[1].replace("&amp;", "&")
    second = titles(client.get(f"/projets/{following}", REMOTE_ADDR="10.9.9.9"))
    assert len(first) == 24 and len(second) == 6 and not set(first) & set(second)


def test_other_orders(client, world, tree):
    now = database_now()
    for name, days in (("Bêta", 20), ("alpha", 5), ("Gamma", 12)):
        tree.add_project(world.make_project(title=name, closes_at=now + timedelta(days=days)))
    assert titles(client.get("/projets/", {"tri": "nom"})) == ["alpha", "Bêta", "Gamma"]
    assert titles(client.get("/projets/", {"tri": "fin"})) == ["alpha", "Gamma", "Bêta"]
    assert titles(client.get("/projets/", {"tri": "recent"})) == ["Gamma", "alpha", "Bêta"]
    assert len(titles(client.get("/projets/", {"tri": "seuil"}))) == 3


def test_an_empty_list_says_so(client, tree):
    assert "Aucun projet n'est encore publié." in text(client.get("/projets/")).replace("’", "'")


def test_the_list_costs_eight_queries_at_most_for_2_and_for_60_projects_with_pictures(client, world, tree):
    image = get_image_model().objects.create(title="Dessin", file=get_test_image_file())
    for _ in range(2):
        tree.add_project(world.make_project(), image=image)
    few = count_queries(client, "/projets/")
    assert few <= 8
    for _ in range(58):
        tree.add_project(world.make_project(), image=image)
    assert count_queries(client, "/projets/") == few
    assert count_queries(client, "/projets/?tri=seuil&q=projet&page=2") <= few + 1


def test_a_picture_is_shown_at_the_size_of_the_card(client, world, tree):
    image = get_image_model().objects.create(title="Dessin", file=get_test_image_file())
    tree.add_project(world.make_project(), image=image)
    first, second = (
        re.search(r'<img src="([^"]*)" width="480"', client.get("/projets/").content.decode()) for _ in "12"
    )
    assert first and second and first[1] == second[1]


# --- Project ------------------------------------------------------------------------------------------


def page_of(world, tree, **fields) -> ProjectPage:
    return tree.add_project(world.make_project(**fields))


def test_an_open_project_says_what_it_asks_and_until_when(client, world, tree):
    said = text(client.get(page_of(world, tree, title="Le jardin des voisins").url))
    assert "Le jardin des voisins" in said
    assert "0 € sur 10 000 €" in said
    assert "7 500 €" in said  # three quarters of 10 000
    assert "À quoi sert l’argent" in said
    assert "Matériel" in said


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Project.Status.CANCELLED, "Ce projet est annulé."),
        (Project.Status.NOT_FUNDED, "remboursées en entier"),
        (Project.Status.FUNDED, "Le projet est financé"),
    ],
)
def test_each_end_has_its_sentence(client, world, tree, status, sentence):
    page = page_of(world, tree, status=status)
    Decision.objects.create(
        project=page.project,
        kind="cancellation",
        outcome="no",
        reason="Le terrain est vendu.",
        decided_at=database_now(),
    )
    said = text(client.get(page.url))
    assert sentence in said
    assert "Le terrain est vendu." in said
    assert "simulator" not in said


def test_before_and_after_the_collection(client, world, tree):
    page = page_of(world, tree)
    now = database_now()
    Campaign.objects.filter(pk=world.campaign.pk).update(opens_at=now + timedelta(days=2))
    assert "La collecte ouvre le" in text(client.get(page.url))
    Campaign.objects.filter(pk=world.campaign.pk).update(
        opens_at=now - timedelta(days=9), closes_at=now - timedelta(seconds=1)
    )
    said = text(client.get(page.url))
    assert "La collecte est finie." in said
    assert 'name="montant"' not in client.get(page.url).content.decode()


def test_a_jury_decision_is_not_public_before_the_selection(client, world, tree):
    page = page_of(world, tree, status=Project.Status.SUBMITTED)
    Decision.objects.create(
        project=page.project,
        kind="preselection",
        outcome="no",
        reason="Secret du jury.",
        decided_at=database_now(),
    )
    assert "Secret du jury." not in text(client.get(page.url))


def test_the_project_page_costs_the_same_with_more_rows(client, world, tree):
    page = page_of(world, tree)
    few = count_queries(client, page.url)
    for _ in range(20):
        page.project.budget_lines.create(label="Ligne", amount_cents=100)
        world.make_project()
    assert count_queries(client, page.url) == few <= 10


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("10", "Avec 10 € de vous, le projet avance"),
        ("abc", "Écrivez un montant en euros, par exemple 20."),
        ("0,5", "Le montant doit être entre 1 € et 1 000 €."),
        ("5000", "Le montant doit être entre 1 € et 1 000 €."),
    ],
)
def test_the_simulator_answers_the_same_with_and_without_script(client, world, tree, typed, sentence):
    page = page_of(world, tree)
    assert sentence in text(client.get(page.url, {"montant": typed}))
    answer = client.get(f"{page.url}simuler/", {"montant": typed})
    assert sentence in answer.json()["sentence"].replace("\u00a0", " ")
    assert answer.status_code == (200 if answer.json()["ok"] else 400)


def test_unknown_projects_answer_404(client, tree):
    assert client.get("/projets/nulle-part/").status_code == 404
    assert client.get("/projets/nulle-part/simuler/").status_code == 404


def test_a_restricted_section_stays_restricted(client, world, tree):
    page = page_of(world, tree)
    PageViewRestriction.objects.create(page=tree.projects, restriction_type=PageViewRestriction.LOGIN)
    assert client.get(page.url).status_code == 302
    assert client.get("/projets/").status_code == 302


def test_an_alias_keeps_the_restrictions_of_its_source(client, world, tree):
    page = page_of(world, tree)
    alias = page.create_alias(parent=tree.home, update_slug="copie")
    assert client.get(alias.url).status_code == 200
    PageViewRestriction.objects.create(page=page, restriction_type=PageViewRestriction.LOGIN)
    assert client.get(alias.url).status_code == 302


def test_two_languages_share_one_project(client, world, tree):
    page = page_of(world, tree)
    german = Locale.objects.create(language_code="de")
    for ancestor in (tree.home, tree.projects):
        ancestor.copy_for_translation(german).save_revision().publish()
    twin = page.copy_for_translation(german)
    twin.title = "Der Nachbarschaftsgarten"
    twin.save_revision().publish()
    assert twin.project_id == page.project_id
    response = client.get(twin.url)
    assert response.status_code == 200 and "Der Nachbarschaftsgarten" in text(response)
    copy = ProjectPage(title="x", slug="x", project=page.project, locale=page.locale)
    with pytest.raises(ValidationError), override("fr"):
        copy.clean()


@pytest.mark.parametrize(
    "mode", ["", "coming", "open", "reached", "closed", "funded", "not_funded", "cancelled"]
)
def test_editors_preview_every_state(world, tree, mode):
    page = page_of(world, tree)
    response = page.make_preview_request(preview_mode=mode)
    assert response.status_code == 200


# --- Défi, fund, home ---------------------------------------------------------------------------------


def test_a_challenge_tells_its_rules_calendar_and_projects(client, world, tree):
    page_of(world, tree, title="Le four du village")
    page = tree.add_defi(world, question="Comment vivre mieux ?")
    tree.add_fund(world)
    response = client.get(page.url)
    said = text(response)
    for sentence in (
        "Comment vivre mieux ?",
        "La collecte est ouverte.",
        "Ouvert à tous.",
        "Le four du village",
    ):
        assert sentence in said
    assert 'aria-current="step"' in response.content.decode()
    assert f"/fonds/{world.fund.slug}/" in response.content.decode()


def test_a_fund_tells_who_pays_and_works_an_example_out(client, world, tree):
    page = tree.add_fund(world)
    said = text(client.get(page.url))
    assert world.company.name in said
    assert "50 000 €" in said
    # For 20 € given, 1 for 1: 40 € for the project.
    assert "40 €" in said
    assert "Sélestat" in said and "CC de Rivière" in said


def test_a_quadratic_fund_shows_that_people_count_more_than_amounts(client, world, tree):
    pot = Pot.objects.create(campaign=world.campaign, slug="fonds", name="Fonds", rule="quadratic")
    Pledge.objects.create(
        pot=pot, funder=world.company, amount_cents=100_000, signed_on=database_now().date()
    )
    said = text(client.get(tree.add_fund(world).url))
    # 10 people x 5 €: (10·√500)² − 5 000 cents = 450 €; one person alone: 0.
    assert "50 € donnés, aide appelée : 450 €" in said
    assert "50 € donnés, aide appelée : 0 €" in said


def test_home_shows_the_campaign_of_the_moment(client, world, tree):
    page_of(world, tree, title="Le four du village")
    said = text(client.get("/"))
    assert world.campaign.name in said and "Le four du village" in said


def test_empty_indexes_say_so(client, tree):
    assert client.get("/defis/").status_code == client.get("/fonds/").status_code == 200


def test_a_fund_without_an_announced_campaign_says_nothing_of_it(client, tree):
    world = make_world(announced_at=None)
    said = text(client.get(tree.add_fund(world).url))
    assert world.campaign.name not in said


def test_pages_are_readable_by_somebody_signed_in(client, world, tree):
    client.force_login(User.objects.create_user("habitante"))
    assert client.get(page_of(world, tree).url).status_code == 200
