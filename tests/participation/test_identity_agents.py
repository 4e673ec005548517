"""Agents of the administration: Wagtail groups by an allow-list, and by nothing else."""

import pytest
from django.contrib.auth.models import Group

from participation.identity import services
from participation.identity.models import Person
from participation.identity.problems import SignInRefused
from participation.identity.providers import provider_named

pytestmark = pytest.mark.django_db


@pytest.fixture
def proconnect(settings):
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "proconnect": {
            "ISSUER": "https://pro.example.org/api/v2",
            "CLIENT_ID": "a",
            "CLIENT_SECRET": "b",
            "GROUPS_CLAIM": "siret",
            "GROUPS": {"21670462300011": ["Communication"]},
        }
    }
    for name in ("Communication", "Finance"):
        Group.objects.get_or_create(name=name)
    return provider_named("proconnect")


CLAIMS = {"given_name": "Odile", "usual_name": "Weiss", "email": "odile.weiss@example.org"}


def names(person):
    return sorted(person.user.groups.values_list("name", flat=True))


def test_an_agent_of_a_listed_employer_enters_her_group(proconnect):
    person = services.sign_in(provider=proconnect, subject="1", claims={**CLAIMS, "siret": "21670462300011"})
    assert names(person) == ["Communication"] and person.user.email == "odile.weiss@example.org"
    assert not person.user.is_staff and not person.user.is_superuser
    assert person.display_name == "Odile Weiss"


@pytest.mark.parametrize("siret", ["99999999999999", "", None, ["Communication"], {"Communication": 1}])
def test_anybody_else_gets_no_account(proconnect, siret):
    with pytest.raises(SignInRefused) as refusal:
        services.sign_in(provider=proconnect, subject="1", claims={**CLAIMS, "siret": siret})
    assert refusal.value.problem.code == "not_allowed" and not Person.objects.exists()


def test_who_leaves_loses_the_group_of_the_list_and_keeps_the_one_given_by_hand(proconnect, settings):
    settings.ABONDE_IDENTITY_PROVIDERS["proconnect"]["GROUPS"]["21680066900013"] = ["Finance"]
    proconnect = provider_named("proconnect")
    person = services.sign_in(provider=proconnect, subject="1", claims={**CLAIMS, "siret": "21670462300011"})
    person.user.groups.add(Group.objects.get_or_create(name="Par un humain")[0])
    services.sign_in(provider=proconnect, subject="1", claims={**CLAIMS, "siret": "21680066900013"})
    assert names(person) == ["Finance", "Par un humain"]


def test_keycloak_roles_come_from_a_mapped_claim_only(settings):
    Group.objects.get_or_create(name="Communication")
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "keycloak": {
            "ISSUER": "https://id.example.org/realms/agents",
            "CLIENT_ID": "a",
            "CLIENT_SECRET": "b",
            "AUDIENCE": "agents",
            "GROUPS_CLAIM": "realm_access.roles",
            "GROUPS": {"abonde-communication": ["Communication"]},
        }
    }
    provider = provider_named("keycloak")
    claims = {"given_name": "Odile", "realm_access": {"roles": ["admin", "abonde-communication"]}}
    assert names(services.sign_in(provider=provider, subject="1", claims=claims)) == ["Communication"]
    with pytest.raises(SignInRefused):
        services.sign_in(provider=provider, subject="2", claims={"realm_access": {"roles": ["admin"]}})


def test_each_site_has_its_own_client(settings):
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "franceconnect": {
            "ISSUER": "https://fc.example.org/api/v2",
            "CLIENT_ID": "selestat",
            "CLIENT_SECRET": "s",
            "SITES": {"colmar.example.org": {"CLIENT_ID": "colmar", "CLIENT_SECRET": "c"}},
        }
    }
    assert provider_named("franceconnect", "selestat.example.org").client_id == "selestat"
    colmar = provider_named("franceconnect", "colmar.example.org")
    assert (colmar.client_id, colmar.client_secret) == ("colmar", "c")
    assert "secret" not in repr(colmar)


def test_agents_find_their_way_in_on_the_login_page_and_residents_do_not(client, proconnect):
    page = client.get("/admin/login/?next=/admin/abonde/").content.decode()
    assert 'href="/connexion/proconnect/?next=%2Fadmin%2Fabonde%2F"' in page
    assert "proconnect" not in client.get("/connexion/").content.decode()
    assert "/connexion/proconnect/" in client.get("/connexion/?next=/admin/").content.decode()


def test_a_provider_without_a_secret_is_left_out_and_breaks_nothing(client, settings):
    settings.ABONDE_IDENTITY_PROVIDERS = {
        "franceconnect": {"ISSUER": "https://x.example.org", "CLIENT_ID": "a"}
    }
    assert client.get("/connexion/").status_code == 200
    assert client.get("/connexion/franceconnect/").status_code == 404


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"CLIENT_SECRET": ""}, "CLIENT_SECRET"),
        ({"SIGN_ALGO": "HS256"}, "asymmetric"),
        ({"CLIENT_SECRETT": "x"}, "CLIENT_SECRETT"),
        ({"KIND": "saml"}, "KIND"),
    ],
)
def test_a_wrong_setting_is_named(settings, change, word):
    from django.core.exceptions import ImproperlyConfigured

    block = {"ISSUER": "https://fc.example.org/api/v2", "CLIENT_ID": "a", "CLIENT_SECRET": "b", **change}
    settings.ABONDE_IDENTITY_PROVIDERS = {"franceconnect": block}
    with pytest.raises(ImproperlyConfigured, match=word):
        provider_named("franceconnect")
