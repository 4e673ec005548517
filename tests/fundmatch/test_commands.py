"""The bell by the clock, the verification of what is published, and the link under a resident's receipt."""

from datetime import timedelta

import pytest
import rounds
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from defis.clock import database_now, shifted_clock
from defis.services import Refused
from fundmatch.models import MatchRun
from fundmatch.panels import receipt_links
from fundmatch.services import close_campaign, publish_results, sign_run
from fundmatch.shares import content_digest, shares_of
from participation.contributions.models import Contribution

pytestmark = pytest.mark.django_db


def publish(campaign, agents):
    run = close_campaign(campaign=campaign)
    for role in ("communication", "foundation"):
        sign_run(run=run, user=agents[role], content_sha256=content_digest(run, shares_of(run)))
    return publish_results(run=run, user=agents["communication"])


def test_the_bell_rings_by_the_clock_once(capsys):
    campaign, _projects = rounds.make_round(closes_at=database_now() + timedelta(hours=1))
    with pytest.raises(Refused) as refusal:
        close_campaign(campaign=campaign)
    assert refusal.value.code == "too_early"
    call_command("close_due_campaigns")
    assert not MatchRun.objects.exists()
    # One hour and one second later.
    with shifted_clock(timedelta(hours=1, seconds=1)):
        call_command("close_due_campaigns")
        call_command("close_due_campaigns")
    run = MatchRun.objects.get()
    assert run.created_by is None and run.kind == "final"
    assert capsys.readouterr().out.count(run.result_sha256) == 1


def test_what_is_published_verifies(closed_round, agents, capsys):
    campaign, _projects = closed_round
    publish(campaign, agents)
    call_command("verify_publication", campaign.slug)
    assert f"{campaign.slug} v1: identical" in capsys.readouterr().out


def test_a_dossier_that_changed_on_the_disk_is_found(closed_round, agents, capsys):
    campaign, _projects = closed_round
    publication = publish(campaign, agents)
    path = storages["private"].path(publication.dossier)
    with open(path, "r+b") as file:
        file.seek(200)
        file.write(b"\0\0\0\0")
    with pytest.raises(CommandError):
        call_command("verify_publication")
    assert "differs" in capsys.readouterr().out


def test_the_receipt_leads_to_its_proof_once_results_are_public(closed_round, agents, client):
    campaign, _projects = closed_round
    request = RequestFactory().get("/")
    gift = Contribution.objects.filter(campaign=campaign).select_related("campaign").first()
    assert receipt_links(request, gift) == []
    publish(campaign, agents)
    gift = Contribution.objects.select_related("campaign").get(pk=gift.pk)
    [link] = receipt_links(request, gift)
    assert client.get(link.url).status_code == 200
