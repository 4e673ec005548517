"""Agents' screens: each role sees its own territory's people, and nothing of the others'."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from wagtail.models import ModelLogEntry

from defis.clock import database_now
from defis.models import Commune, Fund, FundRole, Role, Territory
from participation.identity.models import Person
from participation.residency.counters import open_ticket
from participation.residency.letters import request_letter
from participation.residency.models import LetterBatch, ResidencyProof, ResidentList
from participation.residency.services import current_proof, declare_residence
from tests.participation import identity_world as world

pytestmark = pytest.mark.django_db
ROOT = "/admin/abonde/residence/"


@pytest.fixture
def territory():
    made = world.make_territory()
    world.make_campaign(made)
    return made


def login(role: Role | None, name: str = "agent", fund: Fund | None = None) -> Client:
    user = User.objects.create_user(name)
    group = Group.objects.create(name=name)
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    user.groups.add(group)
    if role:
        FundRole.objects.create(fund=fund or Fund.objects.get(), group=group, role=role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def claire(territory):
    return Person.objects.create(display_name="Claire Muller", email="claire@example.org")


SCREENS = {
    "": {Role.COUNTER, Role.ADMINISTRATOR, Role.AUDITOR},
    "guichet/": {Role.COUNTER, Role.ADMINISTRATOR},
    "lettres/": {Role.COUNTER, Role.ADMINISTRATOR},
    "listes/": {Role.ADMINISTRATOR},
    "controles/": {Role.ADMINISTRATOR, Role.AUDITOR},
    "preuves/": {Role.ADMINISTRATOR, Role.AUDITOR},
}


@pytest.mark.parametrize("role", [*Role, None])
def test_who_opens_which_screen(territory, role):
    client = login(role)
    for path, allowed in SCREENS.items():
        answer = client.get(ROOT + path)
        # Wagtail sends whoever may not back to its home page.
        assert (answer.status_code == 200) is (role in allowed), (path, role, answer.status_code)
    menu = client.get("/admin/").content.decode()
    assert (ROOT in menu) is (role in SCREENS[""])


def test_people_of_another_territory_do_not_exist(territory, claire):
    away = Territory.objects.create(name="Ailleurs", slug="ailleurs")
    theirs = Fund.objects.get()
    mine = Fund.objects.create(
        name="Fonds d'ailleurs",
        slug="ailleurs",
        territory=away,
        foundation=theirs.foundation,
        authority=theirs.authority,
        legal_holder=theirs.legal_holder,
    )
    ticket = open_ticket(person=claire, territory=territory)
    batch = LetterBatch.objects.create(territory=territory, printed_at=database_now())
    client = login(Role.ADMINISTRATOR, fund=mine)
    assert client.get(f"{ROOT}guichet/{ticket.pk}/").status_code == 404
    assert client.get(f"{ROOT}guichet/", {"numero": ticket.ticket}).status_code == 404
    assert client.post(f"{ROOT}lettres/{territory.pk}/imprimer/").status_code == 404
    assert client.post(f"{ROOT}lettres/lot/{batch.pk}/reimprimer/").status_code == 404
    assert claire.display_name not in client.get(f"{ROOT}preuves/").content.decode()


def test_the_counter_from_the_number_to_the_proof(territory, claire):
    ticket = open_ticket(person=claire, territory=territory)
    one, two = login(Role.COUNTER, "one"), login(Role.ADMINISTRATOR, "two")
    sheet = one.get(f"{ROOT}guichet/", {"numero": ticket.ticket.lower()})["Location"]
    assert claire.email not in one.get(sheet).content.decode()
    commune = Commune.objects.get(insee=world.SELESTAT)
    form = {"act": "see", "commune": commune.pk, "postal_code": "67600", "seen": "on", "age_seen": "18"}
    assert one.post(sheet, {**form, "seen": ""}).status_code == 200
    assert one.post(sheet, form).status_code == 302
    # The same agent finds no button, and a forged one does nothing.
    assert 'value="confirm"' not in one.get(sheet).content.decode()
    one.post(sheet, {"act": "confirm"})
    assert current_proof(claire, territory) is None
    assert two.post(sheet, {"act": "confirm"}).status_code == 302
    assert current_proof(claire, territory).method == "counter"
    actions = set(ModelLogEntry.objects.values_list("action", flat=True))
    assert {"abonde.residence.see", "abonde.residence.confirm"} <= actions


def test_a_print_out_shows_each_code_once(territory, claire):
    commune = Commune.objects.get(insee=world.SELESTAT)
    request_letter(
        person=claire,
        territory=territory,
        commune=commune,
        postal_code="67600",
        recipient="Claire",
        street="1 rue",
    )
    client = login(Role.COUNTER)
    first = client.post(f"{ROOT}lettres/{territory.pk}/imprimer/").content.decode()
    codes = re.findall(r'class="code">([A-Z2-9]{4}-[A-Z2-9]{4})<', first)
    assert len(codes) == 1 and "67600 SÉLESTAT" in first
    # Printed: nothing waits any more.
    assert client.post(f"{ROOT}lettres/{territory.pk}/imprimer/").status_code == 302
    again = client.post(f"{ROOT}lettres/lot/{LetterBatch.objects.get().pk}/reimprimer/").content.decode()
    assert codes[0] not in again and 'class="code"' in again


def test_a_list_is_imported_and_removed(territory):
    client = login(Role.ADMINISTRATOR)
    form = {"territory": territory.pk, "label": "Délibération 12", "days": 100}
    wrong = SimpleUploadedFile("a.csv", b"nom;prenom;date_naissance\nMuller;Claire;hier\n")
    answer = client.post(f"{ROOT}listes/", {**form, "file": wrong})
    assert answer.status_code == 422 and "date_naissance" in answer.content.decode()
    binary = SimpleUploadedFile("a.csv", b"\xff\xfe\x00")
    assert client.post(f"{ROOT}listes/", {**form, "file": binary}).status_code == 422
    good = SimpleUploadedFile("a.csv", b"nom;prenom;date_naissance\nMuller;Claire;1986-05-14\n")
    assert client.post(f"{ROOT}listes/", {**form, "file": good}).status_code == 302
    held = ResidentList.objects.get()
    assert client.post(f"{ROOT}listes/{held.pk}/oublier/").status_code == 302
    assert not ResidentList.objects.exists()


def test_a_proof_is_revoked_with_a_reason_only(territory, claire):
    commune = Commune.objects.get(insee=world.SELESTAT)
    proof = declare_residence(person=claire, territory=territory, commune=commune, postal_code="67600")
    head, reader = login(Role.ADMINISTRATOR, "head"), login(Role.AUDITOR, "reader")
    reader.post(f"{ROOT}preuves/", {"proof": proof.pk, "reason": "Parce que."})
    head.post(f"{ROOT}preuves/", {"proof": proof.pk, "reason": " "})
    assert current_proof(claire, territory) == proof
    head.post(f"{ROOT}preuves/", {"proof": proof.pk, "reason": "A déménagé."})
    assert ResidencyProof.objects.get().result == "revoked"


def test_an_auditor_reads_draws_and_makes_none(territory):
    client = login(Role.AUDITOR)
    assert 'name="size"' not in client.get(f"{ROOT}controles/").content.decode()
    campaign = territory.funds.get().campaigns.get()
    client.post(
        f"{ROOT}controles/", {"campaign": campaign.pk, "size": 1, "days": int(timedelta(days=15).days)}
    )
    assert not campaign.residency_audits.exists()
