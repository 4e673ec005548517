"""Editors' screens: euros typed, frozen rules asked, exports that cannot bite."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.timezone import localtime
from wagtail.models import ModelLogEntry

from defis.clock import database_now
from defis.models import Campaign, Fund, FundRole, Organisation, Pledge, Pot, Project, Role, RuleChange
from defis.services import freeze_rules
from tests.defis.world import World, make_world

pytestmark = pytest.mark.django_db


def campaign_data(campaign: Campaign, **changes) -> dict:
    def moment(value) -> str:
        return localtime(value).strftime("%Y-%m-%d %H:%M:%S") if value else ""

    data = {
        "fund": campaign.fund_id,
        "name": campaign.name,
        "slug": campaign.slug,
        "defis": [d.pk for d in campaign.defis.all()],
        "submissions_open_at": moment(campaign.submissions_open_at),
        "submissions_close_at": moment(campaign.submissions_close_at),
        "opens_at": moment(campaign.opens_at),
        "closes_at": moment(campaign.closes_at),
        "results_at": moment(campaign.results_at),
        "min_contribution_cents": "1",
        "max_contribution_cents": "1000",
        "max_per_person_cents": "1000",
        "goal_min_cents": "5000",
        "goal_max_cents": "20 000",
        "duration_min_days": "45",
        "duration_max_days": "60",
        "threshold_numerator": "3",
        "threshold_denominator": "4",
        "threshold_base": "total",
        "fee_bps": "0",
        "minimum_age": "18",
        "residency_methods": ["declaration"],
        "identity_providers": ["franceconnect"],
        "collection_provider": "simulated",
        "allowance_cents": "",
    }
    return data | changes


def edit(client, campaign: Campaign, **changes):
    return client.post(
        reverse("abonde_campaigns:edit", args=[campaign.pk]), campaign_data(campaign, **changes)
    )


def test_euros_are_typed_and_cents_are_stored(client, submissions):
    client.force_login(submissions.member(Role.COMMUNICATION))
    page = client.get(reverse("abonde_campaigns:edit", args=[submissions.campaign.pk])).content.decode()
    assert 'value="5000"' in page and "500000" not in page
    assert edit(client, submissions.campaign, max_contribution_cents="250,50").status_code == 302
    submissions.campaign.refresh_from_db()
    assert submissions.campaign.max_contribution_cents == 25_050
    wrong = edit(client, submissions.campaign, max_contribution_cents="beaucoup")
    assert "Écrivez un montant en euros" in wrong.content.decode()


def test_a_new_campaign_belongs_to_ones_own_fund(client, submissions):
    elsewhere = make_world("Ailleurs")
    client.force_login(submissions.member(Role.COMMUNICATION))
    add = reverse("abonde_campaigns:add")
    assert elsewhere.fund.name not in client.get(add).content.decode()
    data = campaign_data(submissions.campaign, slug="nouvelle", name="Nouvelle")
    client.post(add, data | {"fund": elsewhere.fund.pk})
    assert not Campaign.objects.filter(slug="nouvelle").exists()
    client.post(add, data)
    assert Campaign.objects.get(slug="nouvelle").fund == submissions.fund


def test_a_frozen_rule_is_asked_with_reasons_then_signed_by_somebody_else(client, world):
    editor, signer = world.member(Role.COMMUNICATION), world.member(Role.FOUNDATION)
    campaign = freeze_rules(campaign=world.campaign)
    client.force_login(editor)
    assert edit(client, campaign, name="Nouveau nom").status_code == 302
    campaign.refresh_from_db()
    refused = edit(client, campaign, max_per_person_cents="2000")
    assert "Dites pourquoi les règles changent" in refused.content.decode()
    assert (
        edit(client, campaign, max_per_person_cents="2000", reason="Les habitants le demandent.").status_code
        == 302
    )
    campaign.refresh_from_db()
    assert (campaign.name, campaign.max_per_person_cents) == ("Nouveau nom", 100_000)
    change = RuleChange.objects.get()
    assert change.changes == {"campaign": {"max_per_person_cents": 200_000}}
    screen = reverse("abonde_defis_admin:rule_change", args=[change.pk])
    assert "Signer" not in client.get(screen).content.decode()
    client.post(screen, {"sign": "1"})
    change.refresh_from_db()
    assert change.state == RuleChange.State.ASKED
    client.force_login(signer)
    assert "Signer et changer les règles" in client.get(screen).content.decode()
    client.post(screen, {"sign": "1"})
    campaign.refresh_from_db()
    assert (campaign.rules_version, campaign.max_per_person_cents) == (2, 200_000)
    actions = set(ModelLogEntry.objects.values_list("action", flat=True))
    assert {"abonde.rules.ask", "abonde.rules.change", "abonde.campaign.freeze"} <= actions


def money_data(world: World, **changes) -> dict:
    pot, pledge = world.pot, Pledge.objects.filter(pot=world.pot).earliest("pk")
    data = {
        "pots-TOTAL_FORMS": "2",
        "pots-INITIAL_FORMS": "1",
        "pots-0-id": pot.pk,
        "pots-0-name": pot.name,
        "pots-0-slug": pot.slug,
        "pots-0-rule": "linear",
        "pots-0-ratio_numerator": "1",
        "pots-0-ratio_denominator": "1",
        "pots-0-order": "prorata",
        "pots-0-mode": "saturate",
        "pots-0-cap_per_donor_cents": "",
        "pots-0-cap_per_project_cents": "",
        "pots-0-min_donor_cents": "0",
        "pots-0-min_donors": "0",
        "pots-0-pledges-TOTAL_FORMS": "2",
        "pots-0-pledges-INITIAL_FORMS": "1",
        "pots-0-pledges-0-id": pledge.pk,
        "pots-0-pledges-0-pot": pot.pk,
        "pots-0-pledges-0-funder": pledge.funder_id,
        "pots-0-pledges-0-amount_cents": "50000",
        "pots-0-pledges-0-signed_on": "01/02/2026",
        "pots-1-ratio_numerator": "1",
        "pots-1-ratio_denominator": "1",
        "pots-1-order": "prorata",
        "pots-1-mode": "saturate",
        "pots-1-min_donor_cents": "0",
        "pots-1-min_donors": "0",
        "pots-1-pledges-TOTAL_FORMS": "1",
        "pots-1-pledges-INITIAL_FORMS": "0",
    }
    return data | changes


def test_pots_and_pledges_are_written_on_one_screen(client, submissions):
    client.force_login(submissions.member(Role.FINANCE))
    screen = reverse("abonde_defis_admin:campaign_money", args=[submissions.campaign.pk])
    assert client.get(screen).status_code == 200
    data = money_data(
        submissions,
        **{
            "pots-0-cap_per_project_cents": "4 000",
            "pots-0-pledges-1-funder": submissions.authority.pk,
            "pots-0-pledges-1-amount_cents": "12 000,50",
            "pots-1-name": "Fonds des habitants",
            "pots-1-slug": "fonds",
            "pots-1-rule": "quadratic",
            "pots-1-pledges-0-funder": submissions.company.pk,
            "pots-1-pledges-0-amount_cents": "900",
        },
    )
    assert client.post(screen, data).status_code == 302
    submissions.pot.refresh_from_db()
    assert submissions.pot.cap_per_project_cents == 400_000
    assert Pledge.objects.get(funder=submissions.authority).amount_cents == 1_200_050
    assert Pledge.objects.get(pot=Pot.objects.get(slug="fonds")).amount_cents == 90_000
    wrong = client.post(screen, money_data(submissions, **{"pots-0-pledges-0-amount_cents": "-1"}))
    assert "plus grand que 0" in wrong.content.decode()


def test_frozen_money_is_asked_not_written(client, world):
    freeze_rules(campaign=world.campaign)
    client.force_login(world.member(Role.FINANCE))
    screen = reverse("abonde_defis_admin:campaign_money", args=[world.campaign.pk])
    change = {"pots-0-pledges-0-amount_cents": "60000"}
    assert "Dites pourquoi" in client.post(screen, money_data(world, **change)).content.decode()
    client.post(screen, money_data(world, **change, reason="La banque donne plus."))
    assert Pledge.objects.get().amount_cents == 5_000_000
    asked = RuleChange.objects.get().changes
    assert asked == {"pledges": {"collectivite": {str(world.company.pk): 6_000_000}}}


def test_public_money_into_an_endowment_fund_is_refused_on_screen(client, submissions):
    endowment = Organisation.objects.create(name="Dotation", kind=Organisation.Kind.ENDOWMENT)
    Fund.objects.filter(pk=submissions.fund.pk).update(legal_holder=endowment)
    client.force_login(submissions.member(Role.FINANCE))
    data = money_data(
        submissions,
        **{"pots-0-pledges-1-funder": submissions.authority.pk, "pots-0-pledges-1-amount_cents": "10"},
    )
    screen = reverse("abonde_defis_admin:campaign_money", args=[submissions.campaign.pk])
    assert "ne peut pas recevoir d’argent public" in client.post(screen, data).content.decode()
    assert Pledge.objects.count() == 1


def test_the_list_of_projects_filters_and_exports_without_formulas(client, world):
    world.make_project(title='=cmd|"/c calc"!A1', goal_cents=700_000)
    world.make_project(title="Le four", status=Project.Status.CANCELLED)
    client.force_login(world.member(Role.AUDITOR))
    index = reverse("abonde_projects:index")
    assert "Le four" in client.get(index, {"q": "four"}).content.decode()
    only = client.get(index, {"status": "cancelled"}).content.decode()
    assert "Le four" in only and "calc" not in only
    answer = client.get(index, {"export": "csv"})
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert any(cell.startswith("'=cmd") for row in rows for cell in row)
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    assert ModelLogEntry.objects.filter(action="abonde.export").count() == 1
    assert client.get(index, {"export": "xlsx"}).status_code == 200


def test_a_projects_goal_is_frozen_with_the_rules(client, world):
    project = world.make_project()
    freeze_rules(campaign=world.campaign)
    client.force_login(world.member(Role.COMMUNICATION))
    data = {
        "campaign": world.campaign.pk,
        "defi": world.defi.pk,
        "holder": project.holder.pk,
        "title": "Titre corrigé",
        "summary": project.summary,
        "commune": project.commune.pk,
        "goal_cents": "1",
    }
    assert client.post(reverse("abonde_projects:edit", args=[project.pk]), data).status_code == 302
    project.refresh_from_db()
    assert (project.title, project.goal_cents) == ("Titre corrigé", 1_000_000)


def test_a_new_fund_begins_with_its_groups(client, world):
    client.force_login(User.objects.create_superuser("racine"))
    data = {
        "name": "Fonds neuf",
        "slug": "fonds-neuf",
        "territory": world.territory.pk,
        "foundation": world.foundation.pk,
        "authority": world.authority.pk,
        "legal_holder": world.foundation.pk,
    }
    assert client.post(reverse("abonde_funds:add"), data).status_code == 302
    assert FundRole.objects.filter(fund__slug="fonds-neuf").count() == 6


def test_today_says_what_waits(client, submissions):
    submissions.make_project(title="À lire", status=Project.Status.SUBMITTED)
    client.force_login(submissions.member(Role.FOUNDATION))
    said = client.get(reverse("wagtailadmin_home")).content.decode()
    assert "1 projet à évaluer" in said and submissions.campaign.name in said


def test_a_campaign_is_announced_from_its_desk(client):
    world = make_world(announced_at=None, opens_at=database_now() + timedelta(days=5))
    client.force_login(world.member(Role.COMMUNICATION))
    client.post(reverse("abonde_defis_admin:campaign_announce", args=[world.campaign.pk]))
    world.campaign.refresh_from_db()
    assert world.campaign.announced_at is not None


@pytest.mark.parametrize(
    "name",
    [
        "campaigns",
        "projects",
        "holders",
        "defis_records",
        "funds",
        "organisations",
        "territories",
        "communes",
    ],
)
def test_every_list_and_form_opens(client, world, name):
    world.make_project()
    client.force_login(User.objects.create_superuser("racine"))
    assert client.get(reverse(f"abonde_{name}:index")).status_code == 200
    assert client.get(reverse(f"abonde_{name}:add")).status_code == 200
