"""Letter, counter, list, provider attribute: each from asking to refusal, expiry and revocation."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from defis.clock import database_now, shifted_clock
from defis.models import Commune, Fund, FundRole, Role
from participation.identity import services as identity
from participation.identity.models import Person
from participation.identity.providers import provider_named
from participation.residency import counters, letters, lists
from participation.residency.models import ResidencyLetter, ResidencyProof, ResidentListEntry
from participation.residency.services import ResidenceRefused, current_proof, eligibility, withdraw_proof
from tests.participation import identity_world as world

pytestmark = pytest.mark.django_db
PAGE = "/residence/alsace-centrale/"
METHODS = ["letter", "counter", "list", "attribute"]


@pytest.fixture
def territory():
    return world.make_territory()


@pytest.fixture
def campaign(territory):
    return world.make_campaign(territory, residency_methods=METHODS)


@pytest.fixture
def resident(settings, client, campaign):
    """Claire, signed in with `client`."""
    with world.franceconnect(settings):
        world.sign_in(client, "claire")
    return Person.objects.get()


def agent(role: Role, name: str) -> User:
    user = User.objects.create_user(name)
    group, _ = Group.objects.get_or_create(name=f"{role}")
    FundRole.objects.get_or_create(fund=Fund.objects.get(), group=group, role=role)
    user.groups.add(group)
    return user


# --- Letter ---------------------------------------------------------------------------------------------
ADDRESS = {
    "recipient": "Claire Muller",
    "street": "12 rue des Clefs",
    "code_postal": "67600",
    "commune": "SELESTAT",
    "next": "/contribuer/jardin/",
}


def ask(client, **change):
    return client.post(PAGE + "lettre/", {**ADDRESS, **change})


def test_a_letter_from_the_request_to_the_proof(client, resident, territory, campaign):
    assert ask(client).status_code == 302
    assert eligibility(person=resident, campaign=campaign).code == "residence"
    _batch, printed = letters.print_batch(territory=territory, by=None)
    assert [p.letter.street for p in printed] == ["12 rue des Clefs"]
    # As a hand writes it.
    response = client.post(
        PAGE + "code/", {"code": printed[0].code.lower().replace("-", " "), "next": "/contribuer/jardin/"}
    )
    assert response["Location"] == "/contribuer/jardin/"
    proof = current_proof(resident, territory)
    assert (proof.method, proof.commune.insee) == ("letter", world.SELESTAT)
    letter = ResidencyLetter.objects.get()
    assert (letter.recipient, letter.street, letter.code_digest) == ("", "", "")
    assert eligibility(person=resident, campaign=campaign).ok


def test_the_code_is_not_in_the_database(client, resident, territory):
    ask(client)
    _batch, [printed] = letters.print_batch(territory=territory, by=None)
    stored = ResidencyLetter.objects.values_list("code_digest", flat=True).get()
    assert len(stored) == 64 and printed.code.replace("-", "") not in stored


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"commune": "Strasbourg"}, "commune"),
        ({"code_postal": "69003", "commune": "Lyon"}, "code_postal"),
        ({"street": ""}, "street"),
        ({"recipient": " "}, "recipient"),
    ],
)
def test_an_address_that_cannot_be_is_not_written_to(client, resident, change, field):
    response = ask(client, **change)
    assert response.status_code == 422 and field in response.context["form"].errors
    assert not ResidencyLetter.objects.exists()


def test_five_wrong_codes_end_the_letter_and_the_right_one_comes_too_late(client, resident, territory):
    ask(client)
    _batch, [printed] = letters.print_batch(territory=territory, by=None)
    for _attempt in range(5):
        assert client.post(PAGE + "code/", {"code": "AAAA-AAAA"}).status_code == 422
    assert client.post(PAGE + "code/", {"code": printed.code}).status_code == 422
    assert current_proof(resident, territory) is None


def test_the_code_of_somebody_else_proves_nothing(client, resident, territory, settings):
    other = Client()
    with world.franceconnect(settings):
        world.sign_in(other, "henri")
    for browser in (client, other):
        ask(browser)
    _batch, printed = letters.print_batch(territory=territory, by=None)
    theirs = next(p.code for p in printed if p.letter.person != resident)
    assert client.post(PAGE + "code/", {"code": theirs}).status_code == 422


def test_a_code_ends_and_another_letter_can_be_asked_for(client, resident, territory):
    ask(client)
    _batch, [printed] = letters.print_batch(territory=territory, by=None)
    with shifted_clock(timedelta(days=61)):
        assert client.post(PAGE + "code/", {"code": printed.code}).status_code == 422
        assert ask(client).status_code == 302


def test_a_lost_print_out_is_printed_again_with_other_codes(client, resident, territory):
    ask(client)
    batch, [lost] = letters.print_batch(territory=territory, by=None)
    [again] = letters.print_again(batch=batch, by=None)
    assert lost.code != again.code
    assert client.post(PAGE + "code/", {"code": lost.code}).status_code == 422
    assert client.post(PAGE + "code/", {"code": again.code}).status_code == 302


def test_one_letter_at_a_time_and_three_a_year(client, resident, territory):
    for _letter in range(3):
        assert ask(client).status_code == 302
        assert ask(client).status_code == 422
        client.post(PAGE + "lettre/", {"cancel": "1"})
    assert ask(client).status_code == 422


def test_attempts_are_limited_whatever_the_method(client, resident):
    codes = [client.post(PAGE + "liste/").status_code for _ in range(21)]
    assert codes[:20] == [422] * 20 and codes[20] == 429


# --- Counter --------------------------------------------------------------------------------------------
@pytest.fixture
def ticket(client, resident, territory):
    client.post(PAGE + "guichet/")
    return ResidencyProof.objects.get()


def see(ticket, by, **options):
    commune = Commune.objects.get(insee=world.COLMAR)
    return counters.record_sight(ticket=ticket, commune=commune, postal_code="68000", by=by, **options)


def test_two_agents_see_and_confirm(client, resident, territory, campaign, ticket):
    assert ticket.ticket in client.get(PAGE).content.decode()
    one, two = agent(Role.COUNTER, "one"), agent(Role.ADMINISTRATOR, "two")
    spoken = f" {ticket.ticket[:5].lower()}-{ticket.ticket[5:]} "
    assert counters.ticket_numbered(spoken, [territory]) == ticket
    see(ticket, one)
    assert eligibility(person=resident, campaign=campaign).code == "residence_pending"
    counters.confirm_sight(ticket=ticket, by=two)
    assert current_proof(resident, territory).method == "counter"
    assert eligibility(person=resident, campaign=campaign).ok


def test_one_agent_alone_proves_nothing(territory, ticket):
    one = agent(Role.COUNTER, "one")
    see(ticket, one)
    with pytest.raises(ResidenceRefused) as refusal:
        counters.confirm_sight(ticket=ticket, by=one)
    assert refusal.value.code == "same_agent"


@pytest.mark.parametrize("role", [Role.COMMUNICATION, Role.FINANCE, Role.AUDITOR, Role.FUNDER])
def test_other_roles_neither_see_nor_confirm(ticket, role):
    with pytest.raises(ResidenceRefused):
        see(ticket, agent(role, "other"))


def test_nothing_is_confirmed_before_it_was_seen(ticket):
    with pytest.raises(ResidenceRefused) as refusal:
        counters.confirm_sight(ticket=ticket, by=agent(Role.ADMINISTRATOR, "two"))
    assert refusal.value.code == "not_seen"


def test_a_ticket_ends(territory, ticket):
    with shifted_clock(timedelta(days=61)), pytest.raises(ResidenceRefused):
        counters.ticket_numbered(ticket.ticket, [territory])


def test_papers_that_prove_nothing_are_turned_down_with_a_reason(resident, territory, campaign, ticket):
    counters.turn_down(ticket=ticket, by=agent(Role.COUNTER, "one"), reason="Facture de 2019.")
    assert eligibility(person=resident, campaign=campaign).code == "residence_refused"


def test_an_age_seen_at_the_counter_counts(resident, territory, ticket):
    adults = world.make_campaign(territory, "adultes", minimum_age=18, residency_methods=["counter"])
    Person.objects.update(proved_age=None, proved_age_at=None)
    see(ticket, agent(Role.COUNTER, "one"), age_seen=18)
    counters.confirm_sight(ticket=ticket, by=agent(Role.ADMINISTRATOR, "two"))
    resident.refresh_from_db()
    assert resident.proved_age == 18 and eligibility(person=resident, campaign=adults).ok


# --- List -----------------------------------------------------------------------------------------------
CLEAR = [
    "nom;prenom;date_naissance\n",
    "Müller;CLAIRE, Angèle;14/05/1986\n",
    "MULLER;Claire;1986-05-14\n",
    "D'Andlau-zu Rhein;Marie-Françoise Odile;1959-02-28\n",
]


def load(territory, rows=CLEAR, days=100):
    until = database_now() + timedelta(days=days)
    return lists.import_list(
        territory=territory, label="Fichier domiciliaire", lines=rows, by=None, expires_at=until
    )


def test_a_resident_of_the_list_is_found_by_what_she_gave_when_signing_in(client, resident, territory):
    done = load(territory)
    assert (done.kept, done.repeated, done.errors) == (2, 1, [])
    response = client.post(PAGE + "liste/", {"next": "/contribuer/jardin/"})
    assert response["Location"] == "/contribuer/jardin/"
    proof = current_proof(resident, territory)
    assert proof.method == "list" and proof.expires_at < database_now() + timedelta(days=101)


def test_the_list_holds_no_name(territory):
    load(territory)
    assert {len(entry.digest) for entry in ResidentListEntry.objects.all()} == {64}


def test_who_is_not_on_the_list_is_told_so(client, resident, territory):
    load(territory, [CLEAR[0], "Weber;Jean;1970-01-01\n"])
    assert client.post(PAGE + "liste/").status_code == 422 and current_proof(resident, territory) is None


def test_a_list_ends(client, resident, territory):
    load(territory, days=1)
    with shifted_clock(timedelta(days=2)):
        assert client.post(PAGE + "liste/").status_code == 422


def test_a_list_hashed_at_home_under_a_shared_key(client, resident, territory, settings, tmp_path):
    from django.core.management import call_command

    settings.ABONDE_LIST_KEY = "agreed-with-the-town"
    source, hashed = tmp_path / "clear.csv", tmp_path / "hashed.csv"
    source.write_text("".join(CLEAR))
    call_command("hash_resident_list", source, hashed)
    text = hashed.read_text()
    assert "Claire" not in text and text.splitlines()[0] == "digest"
    load(territory, text.splitlines(keepends=True))
    session = client.session
    session["abonde_identity"] |= {
        "list": lists.list_digest(family_name="MULLER", first_name="Claire", birthdate="1986-05-14")
    }
    session.save()
    assert client.post(PAGE + "liste/").status_code == 302


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (["name,birth\n", "x,y\n"], 1),
        ([CLEAR[0], "Muller;Claire;1986\n"], 2),
        ([CLEAR[0], CLEAR[1], ";Claire;1986-05-14\n"], 3),
        (["digest\n", "abc\n"], 2),
        (["nom;prenom;date_naissance\n"], 1),
        ([], 1),
    ],
)
def test_a_wrong_file_is_refused_whole_with_its_lines(territory, rows, line):
    done = load(territory, rows)
    assert done.resident_list is None and done.errors[0][0] == line
    assert not ResidentListEntry.objects.exists()


# --- Provider attribute -----------------------------------------------------------------------------------
@pytest.fixture
def town_accounts(settings):
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "keycloak": {
            "ISSUER": "https://id.example.org/realms/ville",
            "CLIENT_ID": "a",
            "CLIENT_SECRET": "b",
            "RESIDENCE_CLAIM": "address.insee",
        }
    }
    return provider_named("keycloak")


def arrive(provider, value):
    from participation.residency.services import prove_from_claims

    claims = {"given_name": "Claire", "address": {"insee": value}}
    person = identity.sign_in(provider=provider, subject="1", claims=claims)
    prove_from_claims(person=person, provider=provider, claims=claims)
    return person


@pytest.mark.parametrize(
    ("value", "proved"),
    [
        (world.SELESTAT, True),
        ("68000", True),
        # Shared by two communes, both inside.
        ("67600", True),
        ("69383", False),
        ("", False),
        ("99999", False),
    ],
)
def test_an_attribute_that_the_town_checked_proves_residence(
    campaign, territory, town_accounts, value, proved
):
    person = arrive(town_accounts, value)
    assert (current_proof(person, territory) is not None) is proved


def test_a_postal_code_shared_with_a_commune_outside_proves_nothing(campaign, territory, town_accounts):
    outside = Commune.objects.create(
        insee="67999", name="Ailleurs", sort_name="ailleurs", department="67", postal_codes=["67600"]
    )
    assert outside not in territory.communes.all()
    assert current_proof(arrive(town_accounts, "67600"), territory) is None


# --- Revocation -------------------------------------------------------------------------------------------
def test_a_revoked_proof_stops_holding_and_says_why(client, resident, territory, campaign):
    load(territory)
    client.post(PAGE + "liste/")
    proof = current_proof(resident, territory)
    withdraw_proof(proof=proof, result="revoked", reason="A déménagé.", by=None)
    assert eligibility(person=resident, campaign=campaign).code == "residence"
    with pytest.raises(ResidenceRefused):
        withdraw_proof(proof=proof, result="revoked", reason="Encore.", by=None)


def test_a_method_that_the_campaign_does_not_take_has_no_door(client, resident, territory, campaign):
    campaign.residency_methods = ["counter"]
    campaign.save()
    assert client.post(PAGE + "liste/").status_code == 403
    assert ask(client).status_code == 403
