"""Taking one's data, being forgotten, and what time forgets: the books stay right."""

import json
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from defis.clock import shifted_clock
from participation.contributions.models import Contribution
from participation.contributions.problems import ContributionRefused
from participation.contributions.selectors import left_for
from participation.contributions.services import start_contribution
from participation.identity import services
from participation.identity.models import FederatedIdentity, Person, Voter
from participation.identity.privacy import ErasureWaits, erase_person, retention
from participation.identity.providers import provider_named
from participation.ledger.proof import prove
from participation.notifications.models import Message
from participation.payments.port import provider_for
from participation.payments.settlement import settle_payment
from participation.residency.letters import print_batch, request_letter
from participation.residency.models import ResidencyLetter, ResidencyProof
from participation.residency.services import declare_residence, withdraw_proof
from tests.money import world as money
from tests.participation import identity_world as world

CLAIMS = {
    "given_name": "Claire",
    "family_name": "Muller",
    "email": "claire@example.org",
    "birthdate": "1986-05-14",
}


@pytest.fixture
def project(transactional_db, settings):
    settings.ABONDE_PAYMENT_PROVIDERS = {"memory": {"ADAPTER": "tests.money.world.MemoryProvider"}}
    campaign = money.campaign(projects=1, max_contribution_cents=5_000, max_per_person_cents=5_000)
    campaign.fund.territory.communes.update(postal_codes=["67600"])
    return campaign.projects.get()


def arrive() -> Person:
    return services.sign_in(provider=provider_named("franceconnect"), subject="fc-1", claims=CLAIMS)


def declare(person, project):
    territory = project.campaign.fund.territory
    return declare_residence(
        person=person, territory=territory, commune=territory.communes.get(), postal_code="67600"
    )


def give(person, project, cents=3_000, *, pay=True):
    contribution = start_contribution(
        person=person,
        project=project,
        amount_cents=cents,
        idempotency_key=uuid.uuid4(),
        public_name="Claire M.",
    )
    if pay:
        provider_for("memory").pay(contribution.payments.get())
        settle_payment(contribution.payments.get())
    return contribution


@pytest.fixture
def resident(project):
    person = arrive()
    declare(person, project)
    give(person, project)
    return person


def test_the_export_holds_everything_and_nobody_else(resident, project):
    other = services.sign_in(
        provider=provider_named("franceconnect"), subject="fc-2", claims={"email": "other@example.org"}
    )
    give(other, project)
    client = Client()
    client.force_login(resident.user)
    response = client.get("/mes-donnees/export.json")
    assert "attachment" in response["Content-Disposition"]
    data = json.loads(response.content)
    assert (
        data["identity"]["name"] == "Claire Muller"
        and data["identity"]["ways_to_sign_in"][0]["subject"] == "fc-1"
    )
    assert data["residence"]["proofs"][0]["postal_code"] == "67600"
    assert [c["amount_cents"] for c in data["contributions"]] == [3_000]
    assert data["contributions"][0]["payments"][0]["state"] == "paid"
    assert "other@example.org" not in response.content.decode() and "fc-2" not in response.content.decode()


def test_an_erasure_from_the_page_forgets_the_person_and_keeps_the_books(resident, project):
    client = Client()
    client.force_login(resident.user)
    assert client.post("/mes-donnees/effacer/").status_code == 422
    assert client.post("/mes-donnees/effacer/", {"sure": "on"}).status_code == 302
    assert client.get("/mes-donnees/").status_code == 302
    resident.refresh_from_db()
    assert (resident.display_name, resident.email, resident.user) == ("", "", None) and resident.erased_at
    assert not FederatedIdentity.objects.exists() and not ResidencyProof.objects.exists()
    assert not Message.objects.filter(to="claire@example.org").exists()
    contribution = Contribution.objects.get()
    assert (contribution.person, contribution.public_name) == (None, "")
    assert (contribution.amount_cents, contribution.state) == (3_000, "counted")
    assert Voter.objects.count() == 1 and all(line.ok for line in prove())


def test_whoever_comes_back_finds_the_ceiling_as_it_was(resident, project):
    erase_person(person=resident)
    again = arrive()
    assert again.pk != resident.pk
    with pytest.raises(ContributionRefused):
        give(again, project, 2_001)
    give(again, project, 2_000)
    assert left_for(again, project.campaign) == 0


def test_a_payment_on_its_way_makes_an_erasure_wait(resident, project):
    give(resident, project, 1_000, pay=False)
    with pytest.raises(ErasureWaits):
        erase_person(person=resident)
    resident.refresh_from_db()
    assert resident.erased_at is None


def test_a_refused_declaration_cannot_be_washed_by_an_erasure(resident, project):
    withdraw_proof(proof=resident.residency_proofs.get(), result="refused", reason="Ailleurs.", by=None)
    with pytest.raises(ErasureWaits):
        erase_person(person=resident)


def test_an_editor_is_not_forgotten_by_a_click(resident):
    resident.user.groups.add(Group.objects.create(name="Communication"))
    client = Client()
    client.force_login(resident.user)
    assert client.post("/mes-donnees/effacer/", {"sure": "on"}).status_code == 422
    assert Person.objects.get(pk=resident.pk).erased_at is None


def test_an_erasure_asked_by_letter(resident):
    call_command("erase_person", str(resident.public_id), stdout=StringIO())
    assert Person.objects.get().erased_at
    for unknown in (str(resident.public_id), "not-an-identifier"):
        with pytest.raises(CommandError):
            call_command("erase_person", unknown)


def test_a_dry_run_counts_and_changes_nothing(resident, project, settings):
    project.campaign.published_at = project.campaign.closes_at
    project.campaign.save()
    with shifted_clock(timedelta(days=settings.ABONDE_RETENTION_DAYS + 400)):
        out = StringIO()
        call_command("apply_retention", "--dry-run", stdout=out)
        assert "1 people would be forgotten" in out.getvalue()
        assert Person.objects.get().erased_at is None and ResidencyProof.objects.count() == 1
        assert retention(dry_run=False)["people"] == 1
    assert Person.objects.get().erased_at and Contribution.objects.get().amount_cents == 3_000


def test_nobody_is_forgotten_in_a_campaign_that_is_not_published(resident, settings):
    with shifted_clock(timedelta(days=settings.ABONDE_RETENTION_DAYS + 400)):
        assert retention(dry_run=False)["people"] == 0


def test_the_street_of_an_unused_letter_is_forgotten(resident, project):
    territory = project.campaign.fund.territory
    request_letter(
        person=resident, territory=territory, commune=territory.communes.get(), postal_code="67600",
        recipient="Claire", street="1 rue des Clefs",
    )  # fmt: skip
    print_batch(territory=territory, by=None)
    with shifted_clock(timedelta(days=89)):
        retention(dry_run=False)
        assert ResidencyLetter.objects.get().street
    with shifted_clock(timedelta(days=91)):
        retention(dry_run=False)
        assert not ResidencyLetter.objects.get().street


@pytest.mark.parametrize("path", ["/mes-donnees/", "/mes-donnees/export.json", "/mes-donnees/effacer/"])
def test_pages_of_a_person_are_hers_alone(db, path):
    response = Client().get(path)
    assert response.status_code == 302 and response["Location"].startswith("/connexion/?next=")


def test_answers_about_a_person_are_never_cached(db, settings, client):
    with world.franceconnect(settings):
        world.sign_in(client, "claire")
    for path in ("/mes-donnees/", "/mes-donnees/export.json", "/connexion/?next=/x/"):
        assert "no-store" in client.get(path)["Cache-Control"]
