"""From the bell to a published result that a stranger verifies. Figures computed by hand (spec fundmatch/1).

First turn, everybody alive. Linear « cea »: raws 300, 300, 81, 10 €, 691 € for 600 €, so each × 600/691.
Quadratic « fonds »: raws 9 600, 1 200, 648, 10 €; Abris is held at 700 €, the rest share 300 € (× 300/1858).
Doyenne (8.69 + 1.61 + 10 = 20.30 € of 2 000 €) is the worst funded and leaves.
Second turn: cea × 600/681 gives 264.32, 264.32, 71.36; fonds × 300/1848 gives 194.81 and 105.19.
Bancs (859.13 € of 1 600 €, 1 200 € needed) leaves. Cour, at 257.55 € for 300 €, would have left without that.
Third turn: cea is ample (300 + 81 €); fonds: Abris 700 €, Cour the other 300 €.
"""

import subprocess
import sys

import pytest
from django.core.files.storage import storages
from wagtail.models import Site

from defis.models import Decision, Project
from fundmatch.models import Allocation, MatchRun, Publication
from fundmatch.services import close_campaign, publish_results, sign_run
from fundmatch.shares import content_digest, shares_of
from participation.ledger import accounts
from participation.ledger.services import balance_of
from participation.notifications.models import Message
from participation.payments.models import Refund

pytestmark = pytest.mark.django_db


def sign_both(run: MatchRun, agents) -> MatchRun:
    content = content_digest(run, shares_of(run))
    sign_run(run=run, user=agents["communication"], content_sha256=content)
    sign_run(run=run, user=agents["foundation"], content_sha256=content)
    return run


def publish(closed_round, agents) -> Publication:
    campaign, _projects = closed_round
    run = sign_both(close_campaign(campaign=campaign), agents)
    return publish_results(run=run, user=agents["communication"])


def test_shares_are_those_computed_by_hand(closed_round):
    campaign, projects = closed_round
    run = close_campaign(campaign=campaign)
    shares = {projects_by(projects)[ref]: row for ref, row in run.result["projects"].items()}
    assert shares["Abris"]["match_cents"] == {"cea": 30_000, "fonds": 70_000}
    assert shares["Cour"]["match_cents"] == {"cea": 8_100, "fonds": 30_000}
    assert shares["Abris"]["total_cents"] == 140_000
    assert shares["Cour"]["total_cents"] == 46_200
    assert not shares["Bancs"]["funded"] and not shares["Doyenne"]["funded"]
    assert [
        (projects_by(projects)[e["project"]], e["base_cents"], e["needed_cents"])
        for e in run.result["eliminated"]
    ] == [
        ("Doyenne", 2_030, 150_000),
        ("Bancs", 85_913, 120_000),
    ]
    assert run.result["pots"]["cea"]["unspent_cents"] == 21_900
    funders = run.result["pots"]["fonds"]["funders"]
    paid = {
        name: {projects_by(projects)[r]: c for r, c in f["projects"].items()} for name, f in funders.items()
    }
    assert paid == {
        "acme": {"Abris": 52_500, "Cour": 22_500},
        "banque-du-rhin": {"Abris": 17_500, "Cour": 7_500},
    }


def projects_by(projects) -> dict[str, str]:
    return {project.reference: title for title, project in projects.items()}


def test_publication_is_one_consistent_state(closed_round, agents):
    campaign, projects = closed_round
    publication = publish(closed_round, agents)
    campaign.refresh_from_db()
    assert campaign.published_at == publication.published_at
    by_project = {}
    for cell in Allocation.objects.filter(publication=publication).select_related("project", "funder"):
        by_project.setdefault(cell.project.title, {})[cell.funder.name] = cell.amount_cents
    authority = campaign.fund.authority.name
    assert by_project == {
        "Abris": {authority: 30_000, "Acme": 52_500, "Banque du Rhin": 17_500},
        "Cour": {authority: 8_100, "Acme": 22_500, "Banque du Rhin": 7_500},
    }
    statuses = {p.title: p.status for p in Project.objects.filter(campaign=campaign)}
    assert statuses == {
        "Abris": "funded",
        "Bancs": "not_funded",
        "Cour": "funded",
        "Doyenne": "not_funded",
    }
    assert set(Decision.objects.filter(kind="outcome").values_list("project__title", "outcome")) == {
        ("Abris", "yes"),
        ("Bancs", "no"),
        ("Cour", "yes"),
        ("Doyenne", "no"),
    }
    refunds = Refund.objects.filter(payment__contribution__campaign=campaign)
    assert sorted(refunds.values_list("amount_cents", flat=True)) == [500, 500, *[10_000] * 4]
    holder = campaign.fund.legal_holder
    assert balance_of(holder, accounts.payable(campaign.pk, projects["Cour"].pk)) == 46_200
    assert balance_of(holder, accounts.payable(campaign.pk, projects["Abris"].pk)) == 140_000
    assert balance_of(holder, accounts.refund_due(campaign.pk)) == 41_000
    for project in projects.values():
        assert balance_of(holder, accounts.escrow(campaign.pk, project.pk)) == 0


def test_everybody_concerned_gets_one_mail(closed_round, agents):
    campaign, _projects = closed_round
    publication = publish(closed_round, agents)
    mails = Message.objects.filter(key__startswith=f"results:{campaign.reference}:1:")
    assert mails.filter(kind="results_contributor").count() == 25 + 4 + 9 + 2
    assert mails.filter(kind="results_holder").count() == 4
    assert publish_results(run=publication.run, user=agents["foundation"]) == publication
    assert mails.count() == 44


def test_the_results_page_appears_with_the_publication(closed_round, agents, client):
    campaign, _projects = closed_round
    Site.objects.get_or_create(is_default_site=True)
    publish(closed_round, agents)
    response = client.get(f"/resultats/{campaign.slug}/")
    assert response.status_code == 200
    text = response.content.decode().replace("\u00a0", " ")
    for words in ("Abris", "1 400 €", "462 €", "Acme", "410 €"):
        assert words in text


def test_a_stranger_verifies_the_dossier_without_django(closed_round, agents, tmp_path, client):
    campaign, _projects = closed_round
    publication = publish(closed_round, agents)
    response = client.get(f"/resultats/{campaign.slug}/v1/dossier.zip")
    path = tmp_path / "dossier.zip"
    path.write_bytes(b"".join(response.streaming_content))
    done = subprocess.run(
        [sys.executable, "-m", "fundmatch", "verify", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identical" in done.stdout
    assert publication.result_sha256 in done.stdout
    assert storages["private"].exists(publication.dossier)
