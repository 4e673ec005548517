"""One human is one voter: two accounts, twenty hands, a linked account, an erased account."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from participation.contributions import services as contributions
from participation.contributions.closing import snapshot
from participation.contributions.models import Contribution
from participation.contributions.problems import ContributionRefused
from participation.contributions.selectors import left_for
from participation.identity import services
from participation.identity.models import FederatedIdentity, Person, Voter
from participation.identity.providers import provider_named
from participation.payments.port import provider_for
from participation.payments.settlement import settle_payment
from tests.money import world as money

ISSUERS = {
    "franceconnect": "https://fc.example.org/api/v2",
    "keycloak": "https://id.example.org/realms/ville",
}
CLAIRE = {
    "given_name": "Claire Angèle",
    "family_name": "Müller",
    "birthdate": "1986-05-14",
    "gender": "female",
    "birthplace": "67482",
    "birthcountry": "99100",
}
# The town's register writes her name its own way.
CLAIRE_AT_KEYCLOAK = {**CLAIRE, "given_name": "CLAIRE-ANGELE", "family_name": "MULLER"}


@pytest.fixture(autouse=True)
def two_providers(settings):
    settings.ABONDE_IDENTITY_PROVIDERS = {
        name: {"ISSUER": issuer, "CLIENT_ID": "a", "CLIENT_SECRET": "b", "TRUST_PIVOT": True}
        for name, issuer in ISSUERS.items()
    }
    settings.ABONDE_PAYMENT_PROVIDERS = {"memory": {"ADAPTER": "tests.money.world.MemoryProvider"}}


def account(provider: str, subject: str, **claims) -> Person:
    return services.sign_in(provider=provider_named(provider), subject=subject, claims=claims)


def give(person, project, cents=2_000) -> Contribution:
    return contributions.start_contribution(
        person=person, project=project, amount_cents=cents, idempotency_key=uuid.uuid4()
    )


def paid(contribution) -> Contribution:
    payment = contribution.payments.get()
    provider_for("memory").pay(payment)
    settle_payment(payment)
    contribution.refresh_from_db()
    assert contribution.state == "counted"
    return contribution


@pytest.fixture
def project(transactional_db):
    campaign = money.campaign(projects=2, max_contribution_cents=5_000, max_per_person_cents=5_000)
    return campaign.projects.first()


def test_two_providers_that_give_the_pivot_share_one_ceiling(project):
    first = account("franceconnect", "fc-1", **CLAIRE)
    second = account("keycloak", "kc-1", **CLAIRE_AT_KEYCLOAK)
    assert first != second
    give(first, project, 3_000)
    assert left_for(second, project.campaign) == 5_000  # nothing is known of the second before it gives
    with pytest.raises(ContributionRefused):
        give(second, project, 2_100)
    give(second, project, 2_000)
    assert left_for(first, project.campaign) == left_for(second, project.campaign) == 0


def test_without_the_pivot_two_accounts_are_two_voters(project):
    """What a campaign prevents by accepting one provider only."""
    for provider in ISSUERS:
        person = account(provider, "x", given_name="Claire", family_name="Muller")
        give(person, project, 5_000)
    assert Voter.objects.count() == 2


def _twenty_hands(project, people):
    def attempt(number):
        try:
            return give(people[number % 2], project, 1_000)
        except ContributionRefused:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        return [made for made in pool.map(attempt, range(20)) if made]


def test_twenty_concurrent_attempts_through_two_accounts_stay_under_the_ceiling(project):
    people = [account("franceconnect", "fc-1", **CLAIRE), account("keycloak", "kc-1", **CLAIRE_AT_KEYCLOAK)]
    assert len(_twenty_hands(project, people)) == 5
    assert sum(Contribution.objects.values_list("amount_cents", flat=True)) == 5_000


def test_the_same_twenty_pass_the_ceiling_without_the_voters_lock(project, monkeypatch):
    """Proof that the test above can fail."""

    def unlocked(*, person_id, campaign_id):
        row = Voter.objects.filter(memberships__person=person_id, memberships__campaign=campaign_id).first()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05)")
        return row and (row.merged_into_id or row.pk)

    monkeypatch.setattr("participation.ledger.locks.hold_voter_of", unlocked)
    people = [account("franceconnect", "fc-1", **CLAIRE), account("keycloak", "kc-1", **CLAIRE_AT_KEYCLOAK)]
    for person in people:
        services.voter_for(person=person, campaign=project.campaign)
    assert len(_twenty_hands(project, people)) > 5


def test_an_erased_account_comes_back_to_what_it_had_given(project):
    person = account("franceconnect", "fc-1", given_name="Claire", family_name="Muller")
    give(person, project, 4_000)
    person.identities.all().delete()
    Contribution.objects.update(person=None)
    person.delete()
    again = account("franceconnect", "fc-1", given_name="Claire", family_name="Muller")
    assert again.pk != person.pk
    with pytest.raises(ContributionRefused):
        give(again, project, 1_001)
    give(again, project, 1_000)


def test_an_erased_account_is_recognised_at_the_other_provider_too(project):
    person = account("franceconnect", "fc-1", **CLAIRE)
    give(person, project, 5_000)
    person.identities.all().delete()
    Contribution.objects.update(person=None)
    person.delete()
    with pytest.raises(ContributionRefused):
        give(account("keycloak", "kc-1", **CLAIRE_AT_KEYCLOAK), project, 100)


def test_a_pivot_that_comes_later_joins_what_was_apart(project):
    """The authority widens the scopes during the campaign: the next sign-in tells who was twice there."""
    bare = account("franceconnect", "fc-1", given_name="Claire", family_name="Muller")
    full = account("keycloak", "kc-1", **CLAIRE_AT_KEYCLOAK)
    give(bare, project, 3_000)
    give(full, project, 2_000)
    assert left_for(bare, project.campaign) == 2_000
    account("franceconnect", "fc-1", **CLAIRE)
    assert left_for(bare, project.campaign) == left_for(full, project.campaign) == 0


def test_linked_accounts_are_one_voter_and_one_donor_in_the_sharing(project):
    kept = account("franceconnect", "fc-1", given_name="Claire")
    absorbed = account("keycloak", "kc-1", given_name="Claire")
    for person in (kept, absorbed):
        paid(give(person, project, 2_000))
    assert len({row[0] for row in snapshot(project.campaign).rows}) == 2
    person = services.join_accounts(kept=kept, absorbed=absorbed)
    assert left_for(person, project.campaign) == 1_000
    with pytest.raises(ContributionRefused):
        give(person, project, 1_001)
    shared = snapshot(project.campaign)
    assert [row[1:] for row in shared.rows] == [(project.pk, 4_000, True)]
    assert {held.project_id: held.donors for held in shared.projects}[project.pk] == 1
    assert Contribution.objects.filter(person=person).count() == 2
    # Both ways in now open the same account.
    assert account("keycloak", "kc-1", given_name="Claire") == person


def test_after_the_bell_what_was_shared_stays_as_it_was_shared(project):
    kept, absorbed = account("franceconnect", "fc-1"), account("keycloak", "kc-1")
    for person in (kept, absorbed):
        paid(give(person, project, 2_000))
    campaign = project.campaign
    campaign.closes_at = (
        campaign.opens_at.replace(microsecond=0) + (campaign.closes_at - campaign.opens_at) / 10
    )
    campaign.save(update_fields=["closes_at"])
    services.join_accounts(kept=kept, absorbed=absorbed)
    assert len({row[0] for row in snapshot(campaign).rows}) == 2


def test_an_account_with_rights_in_the_administration_is_not_absorbed(project):
    kept, absorbed = account("franceconnect", "fc-1"), account("keycloak", "kc-1")
    absorbed.user.is_superuser = True
    absorbed.user.save()
    with pytest.raises(services.SignInRefused):
        services.join_accounts(kept=kept, absorbed=absorbed)
    assert Person.objects.count() == 2


def test_digests_of_two_campaigns_cannot_be_compared(project):
    person = account("franceconnect", "fc-1", **CLAIRE)
    other = money.campaign(projects=1)
    digests = {
        services.voter_for(person=person, campaign=campaign).digest for campaign in (project.campaign, other)
    }
    assert len(digests) == 2 and not digests & set(
        FederatedIdentity.objects.values_list("pivot_digest", flat=True)
    )
