"""Rules freeze at opening, and then change only in public: by the services, and by SQL too."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from defis.clock import database_now
from defis.models import (
    Campaign,
    Decision,
    Fund,
    Organisation,
    Pledge,
    Pot,
    RuleChange,
    RulesVersion,
)
from defis.rules import digest, opening_checklist, rules_of
from defis.services import (
    Refused,
    announce_campaign,
    ask_rule_change,
    change_rules,
    ensure_rules_frozen,
    freeze_rules,
    refuse_rule_change,
)
from tests.defis.world import make_world


@contextmanager
def refused_by_database(constraint: str):
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        yield
    assert caught.value.__cause__.diag.constraint_name == constraint


def sql(statement: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def two_people() -> tuple[User, User]:
    return User.objects.create_user("agent"), User.objects.create_user("signataire")


@pytest.mark.django_db
def test_freezing_writes_the_digest_of_what_is_stored_and_is_idempotent(world):
    frozen = freeze_rules(campaign=world.campaign)
    again = freeze_rules(campaign=world.campaign)
    version = RulesVersion.objects.get(campaign=world.campaign)
    assert frozen.rules_sha256 == again.rules_sha256 == version.sha256 == digest(rules_of(world.campaign))
    assert version.rules["pots"][0]["pledges"] == {world.company.name: 5_000_000}


@pytest.mark.django_db
def test_a_campaign_that_is_not_ready_does_not_freeze(world):
    Campaign.objects.filter(pk=world.campaign.pk).update(identity_providers=[])
    with pytest.raises(Refused) as refusal:
        freeze_rules(campaign=world.campaign)
    assert refusal.value.code == "checklist"
    assert not RulesVersion.objects.exists()


@pytest.mark.django_db
def test_rules_do_not_freeze_before_opening(submissions):
    with pytest.raises(Refused) as refusal:
        ensure_rules_frozen(campaign=submissions.campaign)
    assert refusal.value.code == "not_open"


@pytest.mark.django_db
def test_the_first_look_after_the_hour_freezes_the_rules(client, world, tree):
    page = tree.add_project(world.make_project())
    assert client.get(page.url).status_code == 200
    world.campaign.refresh_from_db()
    assert world.campaign.rules_frozen_at is not None


@pytest.mark.django_db
def test_the_command_freezes_what_is_due_and_leaves_the_rest(world, submissions, capsys):
    call_command("freeze_due_rules")
    assert world.campaign.slug in capsys.readouterr().out
    assert list(Campaign.objects.filter(rules_frozen_at__isnull=False)) == [world.campaign]


@pytest.mark.django_db
def test_announcing_keeps_its_first_date(submissions):
    Campaign.objects.filter(pk=submissions.campaign.pk).update(announced_at=None)
    first = announce_campaign(campaign=submissions.campaign)
    assert announce_campaign(campaign=submissions.campaign).announced_at == first.announced_at


SILENT_CHANGES = [
    "UPDATE abonde_defis_campaign SET closes_at = closes_at + interval '1 day'",
    "UPDATE abonde_defis_campaign SET max_per_person_cents = 999999999",
    "UPDATE abonde_defis_campaign SET threshold_numerator = NULL",
    "UPDATE abonde_defis_campaign SET rules_frozen_at = NULL",
    "UPDATE abonde_defis_campaign SET rules_version = rules_version + 1, fee_bps = 100",
    "UPDATE abonde_defis_campaign SET rules_sha256 = 'x'",
    "UPDATE abonde_defis_pot SET cap_per_project_cents = 1",
    "UPDATE abonde_defis_pledge SET amount_cents = amount_cents + 1",
    "DELETE FROM abonde_defis_pledge",
    "INSERT INTO abonde_defis_pot_projects (pot_id, project_id)"
    " SELECT pot.id, project.id FROM abonde_defis_pot pot, abonde_defis_project project",
    "UPDATE abonde_defis_project SET goal_cents = 1",
]


@pytest.mark.django_db(transaction=True)
def test_sql_cannot_change_a_frozen_rule_in_silence_nor_history_at_all():
    world = make_world()
    project = world.make_project()
    agent, signer = two_people()
    campaign = freeze_rules(campaign=world.campaign)
    Decision.objects.create(
        project=project, kind="preselection", outcome="yes", reason="Utile.", decided_at=database_now()
    )
    for statement in SILENT_CHANGES:
        with refused_by_database("abonde_rules_frozen"):
            sql(statement)
    change = ask_rule_change(
        campaign=campaign, changes={"campaign": {"fee_bps": 5}}, reason="Oubli.", user=agent
    )
    change_rules(change=change, signed_by=signer)
    for statement in SILENT_CHANGES:  # a second version does not open the door either
        with refused_by_database("abonde_rules_frozen"):
            sql(statement)
    for statement in (
        "UPDATE abonde_defis_rulesversion SET sha256 = 'y'",
        "DELETE FROM abonde_defis_rulesversion",
    ):
        with refused_by_database("abonde_rulesversion_append_only"):
            sql(statement)
    for statement in (
        "UPDATE abonde_defis_decision SET reason = 'autre'",
        "DELETE FROM abonde_defis_decision",
        "TRUNCATE abonde_defis_decision",
    ):
        with refused_by_database("abonde_decision_immutable"):
            sql(statement)
    # Words, agreements and dates that bind nobody stay free.
    sql("UPDATE abonde_defis_campaign SET name = 'Autre nom', results_at = now()")
    sql("UPDATE abonde_defis_pledge SET agreement_reference = 'A-2026-4'")
    sql("UPDATE abonde_defis_project SET title = 'Un titre corrigé', status = 'cancelled'")


@pytest.mark.django_db
def test_a_second_signature_changes_the_rules_and_keeps_the_old_version():
    world = make_world()
    agent, signer = two_people()
    old = freeze_rules(campaign=world.campaign)
    later = old.closes_at + timedelta(days=7)
    change = ask_rule_change(
        campaign=old,
        changes={
            "campaign": {"closes_at": later.isoformat(), "max_per_person_cents": 200_000},
            "pots": {"collectivite": {"cap_per_project_cents": 400_000}},
            "pledges": {"collectivite": {str(world.company.pk): 6_000_000}},
        },
        reason="Une panne a fermé le site 7 jours.",
        user=agent,
    )
    with pytest.raises(Refused) as refusal:
        change_rules(change=change, signed_by=agent)
    assert refusal.value.code == "same_person"
    new = change_rules(change=change, signed_by=signer)
    assert (new.rules_version, new.closes_at) == (2, later)
    assert Pledge.objects.get().amount_cents == 6_000_000
    versions = list(RulesVersion.objects.order_by("version"))
    assert [v.version for v in versions] == [1, 2]
    assert versions[0].sha256 == old.rules_sha256 != new.rules_sha256 == digest(rules_of(new))
    assert versions[1].rules["closes_at"].startswith(later.strftime("%Y-%m-%dT"))


@pytest.mark.django_db
def test_a_signed_change_that_breaks_a_constraint_changes_nothing():
    world = make_world()
    agent, signer = two_people()
    campaign = freeze_rules(campaign=world.campaign)
    change = ask_rule_change(
        campaign=campaign,
        changes={"campaign": {"min_contribution_cents": 10**9}},
        reason="Essai.",
        user=agent,
    )
    with pytest.raises(Refused) as refusal:
        change_rules(change=change, signed_by=signer)
    assert refusal.value.code == "invalid"
    campaign.refresh_from_db()
    assert campaign.rules_version == 1
    assert RulesVersion.objects.count() == 1
    assert refuse_rule_change(change=change, user=agent).state == RuleChange.State.REFUSED


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "reason", "code"),
    [
        ({"campaign": {"fee_bps": 1}}, "  ", "reason"),
        ({"campaign": {"name": "x"}}, "Parce que.", "unknown_rule"),
        ({}, "Parce que.", "empty"),
    ],
)
def test_a_change_needs_reasons_and_a_rule(world, changes, reason, code):
    with pytest.raises(Refused) as refusal:
        ask_rule_change(campaign=world.campaign, changes=changes, reason=reason, user=two_people()[0])
    assert refusal.value.code == code


@pytest.mark.django_db
def test_an_endowment_fund_takes_no_public_money(world):
    endowment = Organisation.objects.create(name="Fonds de dotation", kind=Organisation.Kind.ENDOWMENT)
    pledge = Pledge(pot=world.pot, funder=world.authority, amount_cents=100)
    Fund.objects.filter(pk=world.fund.pk).update(legal_holder=endowment)
    pledge.pot = Pot.objects.get(pk=world.pot.pk)
    with pytest.raises(ValidationError) as refusal:
        pledge.full_clean()
    assert "funder" in refusal.value.message_dict
    with refused_by_database("abonde_endowment_takes_no_public_money"):
        pledge.save()
    Fund.objects.filter(pk=world.fund.pk).update(legal_holder=world.foundation)
    pledge.save()
    with refused_by_database("abonde_endowment_takes_no_public_money"):
        Fund.objects.filter(pk=world.fund.pk).update(legal_holder=endowment)
    with refused_by_database("abonde_endowment_takes_no_public_money"):
        Organisation.objects.filter(pk=world.foundation.pk).update(kind=Organisation.Kind.ENDOWMENT)
    fund = Fund.objects.get(pk=world.fund.pk)
    fund.legal_holder = endowment
    with pytest.raises(ValidationError) as refusal:
        fund.full_clean()
    assert "legal_holder" in refusal.value.message_dict


@pytest.mark.django_db
def test_the_checklist_names_what_is_missing(world):
    Pledge.objects.all().delete()
    red = {check.code for check in opening_checklist(world.campaign) if not check.ok}
    assert red == {"pledges"}


@pytest.mark.django_db(transaction=True)
def test_two_workers_freeze_once():
    import threading

    from django.db import connections

    world = make_world()
    barrier, versions = threading.Barrier(2), []

    def freeze() -> None:
        barrier.wait()
        versions.append(freeze_rules(campaign=world.campaign).rules_sha256)
        connections.close_all()

    threads = [threading.Thread(target=freeze) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(versions) == 2 and len(set(versions)) == 1
    assert RulesVersion.objects.count() == 1
    assert Client().get("/proposer/").status_code == 200
