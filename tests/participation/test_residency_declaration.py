"""The declaration on honour, through its page, and what it allows."""

from datetime import timedelta

import pytest
from django.test import Client

from defis.clock import shifted_clock
from defis.models import Commune
from participation.identity.models import Person
from participation.residency.models import ResidencyProof
from participation.residency.services import current_proof, declare_residence, eligibility, withdraw_proof
from tests.participation import identity_world as world

pytestmark = pytest.mark.django_db
PAGE = "/residence/alsace-centrale/"


@pytest.fixture
def territory():
    return world.make_territory()


@pytest.fixture
def resident(settings, client, territory):
    """Claire, signed in with `client`."""
    world.make_campaign(territory)
    with world.franceconnect(settings):
        world.sign_in(client, "claire")
    return Person.objects.get()


def test_the_page_asks_to_sign_in_first(territory):
    response = Client().get(PAGE + "?next=/contribuer/jardin/")
    assert (
        response["Location"]
        == "/connexion/?next=%2Fresidence%2Falsace-centrale%2F%3Fnext%3D%2Fcontribuer%2Fjardin%2F"
    )


def test_one_postal_code_offers_every_commune_that_has_it(client, resident):
    page = client.get(PAGE, {"code_postal": "67 600"}).content.decode()
    assert "Sélestat" in page and "Scherwiller" in page and "Colmar" not in page


def test_a_declaration_is_dated_versioned_and_leads_back(client, resident, territory):
    commune = Commune.objects.get(insee=world.SELESTAT)
    form = {
        "code_postal": "67600",
        "version": "2026-11",
        "commune": commune.pk,
        "honour": "on",
        "next": "/contribuer/jardin/",
    }
    response = client.post(PAGE, form)
    assert response["Location"] == "/contribuer/jardin/"
    proof = current_proof(resident, territory)
    assert (proof.method, proof.commune, proof.postal_code) == ("declaration", commune, "67600")
    assert proof.statement_version == "2026-11" and proof.expires_at - proof.checked_at == timedelta(days=365)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"honour": ""}, "honour"),
        ({"commune": ""}, "commune"),
        ({"commune": "999999"}, "commune"),
        ({"code_postal": "6760"}, "code_postal"),
        ({"code_postal": ""}, "code_postal"),
        ({"version": "2020-01"}, "__all__"),
        # A commune that exists, with a postal code of another one.
        ({"code_postal": "68000"}, "commune"),
    ],
)
def test_a_declaration_that_is_not_complete_proves_nothing(client, resident, territory, change, field):
    commune = Commune.objects.get(insee=world.SELESTAT)
    form = {"code_postal": "67600", "version": "2026-11", "commune": commune.pk, "honour": "on", **change}
    response = client.post(PAGE, form)
    assert response.status_code == 422 and field in response.context["form"].errors
    assert 'class="pb-errors"' in response.content.decode()
    assert current_proof(resident, territory) is None


@pytest.mark.parametrize("code", ["69003", "75001"])
def test_a_resident_of_elsewhere_is_told_so_kindly(client, resident, territory, code):
    response = client.get(PAGE, {"code_postal": code})
    assert response.status_code == 422 and response.context["elsewhere"] == code
    assert not ResidencyProof.objects.exists()


def declare(person, territory, insee=world.SELESTAT, postal_code="67600"):
    commune = Commune.objects.get(insee=insee)
    return declare_residence(person=person, territory=territory, commune=commune, postal_code=postal_code)


def test_eligibility_names_the_first_thing_that_is_missing(resident, territory):
    campaign = world.make_campaign(territory, "automne", minimum_age=18)
    assert eligibility(person=resident, campaign=campaign).code == "residence"
    declare(resident, territory)
    assert eligibility(person=resident, campaign=campaign).ok


def test_a_new_declaration_takes_the_place_of_the_old_one(resident, territory):
    first, second = declare(resident, territory), declare(resident, territory, world.COLMAR, "68000")
    first.refresh_from_db()
    assert (first.result, second.result) == ("revoked", "accepted")
    assert current_proof(resident, territory) == second


def test_a_proof_ends(resident, territory):
    campaign = world.make_campaign(territory, "automne")
    declare(resident, territory)
    with shifted_clock(timedelta(days=364)):
        assert eligibility(person=resident, campaign=campaign).ok
    with shifted_clock(timedelta(days=366)):
        assert eligibility(person=resident, campaign=campaign).code == "residence_expired"


def test_a_refused_declaration_cannot_be_declared_again(client, resident, territory):
    campaign = world.make_campaign(territory, "automne")
    withdraw_proof(proof=declare(resident, territory), result="refused", reason="Habite ailleurs.", by=None)
    assert eligibility(person=resident, campaign=campaign).code == "residence_refused"
    commune = Commune.objects.get(insee=world.SELESTAT)
    form = {"code_postal": "67600", "version": "2026-11", "commune": commune.pk, "honour": "on"}
    response = client.post(PAGE, form)
    assert response.status_code == 422 and current_proof(resident, territory) is None


def test_a_campaign_that_asks_for_a_letter_does_not_take_a_declaration(client, resident, territory):
    campaign = world.make_campaign(territory, "stricte", residency_methods=["letter"])
    declare(resident, territory)
    assert eligibility(person=resident, campaign=campaign).code == "residence_method"
    commune = Commune.objects.get(insee=world.SELESTAT)
    form = {
        "code_postal": "67600",
        "version": "2026-11",
        "commune": commune.pk,
        "honour": "on",
        "campagne": "stricte",
    }
    assert client.post(PAGE, form).status_code == 403


def test_age_and_way_of_signing_in_come_before_residence(settings, territory):
    adults = world.make_campaign(territory, "adultes", minimum_age=18)
    keycloak_only = world.make_campaign(territory, "mairie", identity_providers=["keycloak"])
    settings.ABONDE_IDENTITY_PROVIDERS = {
        **settings.ABONDE_IDENTITY_PROVIDERS,
        "keycloak": {"ISSUER": "https://id.example.org/realms/ville", "CLIENT_ID": "a", "CLIENT_SECRET": "b"},
    }
    with world.franceconnect(settings):
        world.sign_in(Client(), "zoe")
    zoe = Person.objects.get()
    assert eligibility(person=zoe, campaign=adults).code == "age"
    assert eligibility(person=zoe, campaign=keycloak_only).code == "provider"
    zoe.proved_age_at = None
    assert eligibility(person=zoe, campaign=adults).code == "age_unknown"
