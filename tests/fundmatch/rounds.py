"""A small real round for tests: a trio's fund, two pots, four projects, money captured and in the ledger."""

import itertools
import uuid
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from defis.clock import database_now
from defis.models import (
    Campaign,
    Commune,
    Defi,
    Fund,
    FundRole,
    Holder,
    Organisation,
    Pledge,
    Pot,
    Project,
    Territory,
)
from defis.services import announce_campaign, freeze_rules
from participation.contributions.models import Contribution
from participation.identity.models import Person, Voter, VoterMembership
from participation.ledger import accounts
from participation.ledger.services import Posting, post_many
from participation.payments.models import Payment

_numbers = itertools.count(1)
_communes = itertools.count(67_000)

# Numbers with right check digits, of nobody in particular (the second follows La Poste's own rule).
SIRET_AUTHORITY = "73282932000074"
SIRET_HOLDER = "35600000000048"


def organisation(kind: str, **fields) -> Organisation:
    return Organisation.objects.create(**{"name": f"Organisation {next(_numbers)}", "kind": kind, **fields})


def make_campaign(**fields) -> Campaign:
    """A campaign whose bell rang a minute ago, rules not frozen yet, without pots nor projects."""
    number = next(_numbers)
    territory = Territory.objects.create(name=f"Ried {number}", slug=f"ried-{number}")
    territory.communes.add(
        Commune.objects.create(
            insee=f"{next(_communes):05d}", name=f"Ried-{number}", sort_name=f"ried-{number}", department="67"
        )
    )
    foundation = organisation("foundation", name=f"Fondation du Ried {number}")
    authority = organisation("authority", name=f"Collectivité du Ried {number}", siret=SIRET_AUTHORITY)
    fund = Fund.objects.create(
        name=f"Fonds du Ried {number}",
        slug=f"fonds-du-ried-{number}",
        territory=territory,
        foundation=foundation,
        authority=authority,
        legal_holder=foundation,
        mandate_reference="Convention 2026-1",
    )
    now = database_now()
    return Campaign.objects.create(
        **{
            "fund": fund,
            "name": f"Édition {number}",
            "slug": f"edition-{number}",
            "opens_at": now - timedelta(days=50),
            "closes_at": now - timedelta(minutes=1),
            "results_at": now + timedelta(days=10),
            "residency_methods": ["declaration"],
            "identity_providers": ["franceconnect"],
            "goal_min_cents": 1,
            "goal_max_cents": 10_000_000,
            **fields,
        }
    )


def make_project(campaign: Campaign, title: str, goal_cents: int, **fields) -> Project:
    number = next(_numbers)
    defi, _ = Defi.objects.get_or_create(slug="nature", defaults={"name": "Nature"})
    campaign.defis.add(defi)
    holder = Holder.objects.create(
        name=f"Association {title} {number}",
        legal_form="association",
        email=f"porteur{number}@example.org",
        **{"siret": SIRET_HOLDER, **fields.pop("holder", {})},
    )
    return Project.objects.create(
        **{
            "campaign": campaign,
            "defi": defi,
            "holder": holder,
            "title": title,
            "slug": f"{title.lower().replace(' ', '-')}-{number}",
            "summary": f"{title}.",
            "goal_cents": goal_cents,
            "status": Project.Status.PRESELECTED,
            **fields,
        }
    )


def make_pot(campaign: Campaign, slug: str, rule: str, pledges: dict[str, tuple[str, int]], **fields) -> Pot:
    """`pledges`: funder name -> (legal kind, cents)."""
    pot = Pot.objects.create(campaign=campaign, slug=slug, name=slug.capitalize(), rule=rule, **fields)
    for name, (kind, cents) in pledges.items():
        funder = campaign.fund.authority
        if kind != "authority":
            funder, _ = Organisation.objects.get_or_create(name=name, defaults={"kind": kind})
        Pledge.objects.create(
            pot=pot,
            funder=funder,
            amount_cents=cents,
            agreement_reference=f"Convention {slug}",
            signed_on=database_now().date(),
        )
    return pot


def open_campaign(campaign: Campaign) -> Campaign:
    """Announce it and freeze its rules, as an opening does."""
    announce_campaign(campaign=campaign)
    return freeze_rules(campaign=campaign)


def make_person(campaign: Campaign) -> tuple[Person, Voter]:
    return make_people(campaign, 1)[0]


def make_people(campaign: Campaign, count: int) -> list[tuple[Person, Voter]]:
    """Residents who may vote in the campaign."""
    numbers = [next(_numbers) for _ in range(count)]
    people = Person.objects.bulk_create(
        Person(display_name=f"Habitante {n}", email=f"habitante{n}@example.org") for n in numbers
    )
    voters = Voter.objects.bulk_create(Voter(campaign=campaign, digest=uuid.uuid4().hex) for _ in people)
    VoterMembership.objects.bulk_create(
        VoterMembership(voter=voter, campaign=campaign, person=person)
        for person, voter in zip(people, voters, strict=True)
    )
    return list(zip(people, voters, strict=True))


def give(
    campaign: Campaign,
    project: Project,
    cents: int,
    who: tuple[Person, Voter] | None = None,
    *,
    matchable=True,
) -> Contribution:
    """A captured contribution with its payment and its ledger entry, as a settlement writes them."""
    return give_many(campaign, project, cents, [who or make_person(campaign)], matchable=matchable)[0]


def give_many(
    campaign: Campaign, project: Project, cents: int, people: list[tuple[Person, Voter]], *, matchable=True
) -> list[Contribution]:
    """The same gift by many people, in a handful of statements."""
    now = campaign.closes_at - timedelta(days=2)
    contributions = Contribution.objects.bulk_create(
        Contribution(
            campaign=campaign,
            project=project,
            voter=voter,
            person=person,
            amount_cents=cents,
            matchable=matchable,
            created_at=now,
        )
        for person, voter in people
    )
    payments = Payment.objects.bulk_create(
        Payment(
            contribution=contribution,
            provider=campaign.collection_provider,
            provider_reference=f"co_{uuid.uuid4().hex[:16]}",
            amount_cents=cents,
            created_at=now,
        )
        for contribution in contributions
    )
    Payment.objects.filter(pk__in=[p.pk for p in payments]).update(
        state="paid", paid_at=now, captured_cents=cents
    )
    given = Contribution.objects.filter(pk__in=[c.pk for c in contributions])
    given.update(state="counted", counted_at=now)
    post_many(
        holder=campaign.fund.legal_holder,
        postings=[
            Posting(
                event_key=f"payment:{payment.key}:paid",
                kind="payment",
                lines=[
                    (accounts.clearing(payment.provider), accounts.escrow(campaign.pk, project.pk), cents)
                ],
                campaign_id=campaign.pk,
                payment_id=payment.pk,
            )
            for payment in payments
        ],
    )
    return list(given.order_by("pk"))


def make_user(campaign: Campaign, *roles: str, **fields):
    """An agent with these roles for the campaign's fund, who may enter the admin."""
    number = next(_numbers)
    user = get_user_model().objects.create_user(
        username=f"agent{number}", password="x", first_name="Agent", last_name=str(number), **fields
    )
    group = Group.objects.create(name=f"Groupe {number}")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    for role in roles:
        FundRole.objects.create(fund=campaign.fund, group=group, role=role)
    user.groups.add(group)
    return user


def make_round(**fields) -> tuple[Campaign, dict[str, Project]]:
    """The round whose figures test_close_and_publish.py computes by hand; closed, nothing calculated yet.

    Abris    goal 1 200 €  25 residents × 16 €  = 400 €
    Bancs    goal 1 600 €   4 residents × 100 € = 400 €
    Cour     goal   400 €   9 residents × 9 €   =  81 €
    Doyenne  goal 2 000 €   2 residents × 5 €   =  10 €
    """
    campaign = make_campaign(**fields)
    projects = {
        "Abris": make_project(campaign, "Abris", 120_000),
        "Bancs": make_project(campaign, "Bancs", 160_000),
        "Cour": make_project(campaign, "Cour", 40_000),
        "Doyenne": make_project(campaign, "Doyenne", 200_000),
    }
    make_pot(campaign, "cea", "linear", {"": ("authority", 60_000)}, cap_per_project_cents=30_000)
    make_pot(
        campaign,
        "fonds",
        "quadratic",
        {"Acme": ("company", 75_000), "Banque du Rhin": ("bank", 25_000)},
        cap_per_project_cents=70_000,
    )
    campaign = open_campaign(campaign)
    for title, people, cents in (
        ("Abris", 25, 1_600),
        ("Bancs", 4, 10_000),
        ("Cour", 9, 900),
        ("Doyenne", 2, 500),
    ):
        give_many(campaign, projects[title], cents, make_people(campaign, people))
    return campaign, projects
