"""Who reaches what: every role on every screen, for its own fund and for another one."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from wagtail.permissions import policy_registry

from defis.models import Campaign, Fund, FundRole, Holder, Organisation, Project, Role
from defis.permissions import funds_for, has_role, roles_of
from defis.services import ask_rule_change, freeze_rules
from defis.services.funds import create_fund_groups
from tests.defis.world import World, make_member, make_world

pytestmark = pytest.mark.django_db

C, F, U, M, A, G, D = (
    Role.COMMUNICATION,
    Role.FOUNDATION,
    Role.FUNDER,
    Role.FINANCE,
    Role.AUDITOR,
    Role.COUNTER,
    Role.ADMINISTRATOR,
)
ALL = {C, F, U, M, A, G, D}
STAFF = ALL - {U}


def screens(world: World, project: Project, change) -> dict[str, tuple[str, set[Role]]]:
    """Name -> (address, roles of the fund that may look at it)."""
    campaign, fund = world.campaign, world.fund
    return {
        "campaign desk": (reverse("abonde_defis_admin:campaign_desk", args=[campaign.pk]), ALL),
        "campaign form": (reverse("abonde_campaigns:edit", args=[campaign.pk]), {C, D}),
        "campaign history": (reverse("abonde_campaigns:history", args=[campaign.pk]), ALL),
        "money": (reverse("abonde_defis_admin:campaign_money", args=[campaign.pk]), ALL),
        "rule change": (reverse("abonde_defis_admin:rule_change", args=[change.pk]), STAFF),
        "project": (reverse("abonde_projects:inspect", args=[project.pk]), STAFF - {G}),
        "project form": (reverse("abonde_projects:edit", args=[project.pk]), {C, D}),
        "project cancel": (reverse("abonde_defis_admin:project_cancel", args=[project.pk]), {C, D}),
        "project delete": (reverse("abonde_projects:delete", args=[project.pk]), set()),
        "holder": (reverse("abonde_holders:inspect", args=[project.holder.pk]), STAFF - {G}),
        "holder form": (reverse("abonde_holders:edit", args=[project.holder.pk]), {C, D}),
        "challenge form": (reverse("abonde_defis_records:edit", args=[world.defi.pk]), {C, D}),
        "fund": (reverse("abonde_funds:inspect", args=[fund.pk]), ALL),
        "fund form": (reverse("abonde_funds:edit", args=[fund.pk]), {D}),
        "jury sheet": (reverse("abonde_defis_admin:jury_sheet", args=[project.pk]), {F}),
        "jury ranking": (reverse("abonde_defis_admin:jury_ranked", args=[campaign.pk]), {F, A}),
    }


@pytest.fixture
def place():
    world = make_world()
    # The jury reads submitted projects; the others do not mind.
    project = world.make_project(status=Project.Status.SUBMITTED)
    freeze_rules(campaign=world.campaign)
    change = ask_rule_change(
        campaign=world.campaign,
        changes={"campaign": {"fee_bps": 1}},
        reason="Essai.",
        user=User.objects.create_user("demandeur"),
    )
    return world, screens(world, project, change)


def member(world: World, role: Role) -> User:
    return make_member(world.fund, role, organisation=world.company if role == U else None)


@pytest.mark.parametrize("role", sorted(ALL))
def test_each_role_reaches_its_screens_and_no_other(place, role):
    world, table = place
    client = Client()
    client.force_login(member(world, role))
    reached = {name for name, (address, _roles) in table.items() if client.get(address).status_code == 200}
    assert reached == {name for name, (_address, roles) in table.items() if role in roles}


@pytest.mark.parametrize("role", sorted(ALL))
def test_another_funds_objects_do_not_exist(place, role):
    _world, table = place
    elsewhere = make_world("Ailleurs")
    client = Client()
    client.force_login(member(elsewhere, role))
    answers = {name: client.get(address) for name, (address, _roles) in table.items()}
    # 404 where one may use the screen for one's own fund, Wagtail's refusal otherwise: never the object.
    assert {name for name, answer in answers.items() if answer.status_code == 200} == set()
    allowed = {name for name, (_address, roles) in table.items() if role in roles}
    assert {name for name in allowed if answers[name].status_code != 404} == set()


@pytest.mark.parametrize("role", sorted(ALL))
def test_lists_show_ones_own_fund_only(place, role):
    world, _table = place
    elsewhere = make_world("Ailleurs")
    hidden = elsewhere.make_project(title="Projet caché")
    client = Client()
    client.force_login(member(world, role))
    for name in (
        "abonde_campaigns",
        "abonde_projects",
        "abonde_holders",
        "abonde_funds",
        "abonde_defis_records",
    ):
        response = client.get(reverse(f"{name}:index"))
        if response.status_code == 200:
            said = response.content.decode()
            for secret in (
                hidden.title,
                hidden.holder.name,
                elsewhere.campaign.name,
                elsewhere.fund.name,
                elsewhere.defi.name,
            ):
                assert secret not in said, (name, secret)


def test_strangers_and_residents_see_no_admin(place):
    _world, table = place
    for user in (None, User.objects.create_user("habitante")):
        client = Client()
        if user:
            client.force_login(user)
        assert {client.get(address).status_code for address, _roles in table.values()} == {302}


def test_a_superuser_reaches_everything(place):
    _world, table = place
    client = Client()
    client.force_login(User.objects.create_superuser("racine"))
    assert {
        name for name, (address, _roles) in table.items() if client.get(address).status_code != 200
    } == set()


def test_acts_that_change_something_are_refused_to_others(place):
    world, _table = place
    elsewhere = make_world("Ailleurs")
    campaign = world.campaign
    posts = [
        ("abonde_defis_admin:campaign_announce", {}),
        ("abonde_defis_admin:campaign_publish_selection", {"confirmation": campaign.name}),
        ("abonde_defis_admin:campaign_money", {}),
    ]
    for user in (member(elsewhere, D), member(world, A), member(world, U)):
        client = Client()
        client.force_login(user)
        for name, data in posts:
            assert client.post(reverse(name, args=[campaign.pk]), data).status_code == 404, (user, name)


def test_a_funder_sees_its_own_pledge_only(place):
    world, table = place
    other = Organisation.objects.create(name="Banque du Rhin", kind="bank")
    from defis.models import Pledge, Pot

    second = make_world("Second")
    Pledge.objects.create(pot=Pot.objects.get(campaign=second.campaign), funder=other, amount_cents=777_700)
    client = Client()
    client.force_login(make_member(second.fund, U, organisation=second.company))
    said = client.get(
        reverse("abonde_defis_admin:campaign_money", args=[second.campaign.pk])
    ).content.decode()
    assert second.company.name in said
    assert other.name not in said and "7 777" not in said.replace("\u00a0", " ")
    assert table


def test_two_funds_of_the_same_name_have_different_groups():
    one, two = make_world("Même nom"), make_world("Même nom")
    groups = create_fund_groups(fund=one.fund)
    others = create_fund_groups(fund=two.fund)
    assert not {g.pk for g in groups.values()} & {g.pk for g in others.values()}
    assert create_fund_groups(fund=one.fund) == groups
    assert Group.objects.count() >= 12


def test_roles_are_per_fund():
    one, two = make_world("Un"), make_world("Deux")
    user = member(one, C)
    assert roles_of(user, one.fund) == {C}
    assert roles_of(user, two.fund) == set()
    assert list(funds_for(user)) == [one.fund]
    assert not has_role(user, one.fund, F)
    user.is_active = False
    assert roles_of(user, one.fund) == set()
    assert not funds_for(user).exists()


def test_policies_name_who_may(place):
    world, _table = place
    policy = policy_registry.get_by_type(Campaign)
    editor = member(world, C)
    assert editor in policy.users_with_any_permission(["change"])
    assert member(world, A) not in policy.users_with_any_permission(["change"])
    assert policy.user_has_permission_for_instance(editor, "change", world.campaign)
    assert FundRole.objects.filter(fund=world.fund).count() == 6
    free = Holder.objects.create(name="Libre", legal_form="association", email="a@example.org")
    holders = policy_registry.get_by_type(Holder)
    assert holders.user_has_permission_for_instance(editor, "change", free)
    assert not holders.user_has_permission_for_instance(member(world, U), "change", free)
    assert Fund.objects.filter(pk=world.fund.pk).exists()
