"""A receipt's code proves one contribution, and shows no other."""

import json
import subprocess
import sys

import pytest
import rounds

from fundmatch.services import close_campaign, publish_results, sign_run
from fundmatch.shares import content_digest, shares_of
from participation.contributions.models import Contribution

pytestmark = pytest.mark.django_db


@pytest.fixture
def publication(closed_round, agents):
    run = close_campaign(campaign=closed_round[0])
    for role in ("communication", "foundation"):
        sign_run(run=run, user=agents[role], content_sha256=content_digest(run, shares_of(run)))
    return publish_results(run=run, user=agents["communication"])


def test_a_code_opens_its_contribution_into_the_root(publication, client):
    gift = Contribution.objects.filter(campaign=publication.campaign, amount_cents=900).first()
    page = client.get(f"/resultats/{publication.campaign.slug}/recu/", {"code": gift.reference.lower()})
    text = page.content.decode().replace("\u00a0", " ")
    assert page.status_code == 200
    assert "9 €" in text and "Cour" in text and publication.merkle_root in text
    assert page["Cache-Control"] == "private, no-store"


def test_a_refunded_contribution_is_proven_too(publication, client):
    gift = Contribution.objects.filter(campaign=publication.campaign, amount_cents=10_000).first()
    page = client.get(f"/resultats/{publication.campaign.slug}/recu/", {"code": gift.reference})
    assert page.status_code == 200 and "Bancs" in page.content.decode()


def test_an_unknown_code_says_so_and_tells_nothing(publication, client):
    other = rounds.make_round()[0]
    foreign = Contribution.objects.filter(campaign=other).first()
    for code in ("AAAAAAAAAA", foreign.reference, "<script>"):
        page = client.get(f"/resultats/{publication.campaign.slug}/recu/", {"code": code})
        assert page.status_code == 404
        assert "<script>A" not in page.content.decode()


def test_the_receipt_file_is_checked_by_the_command_line(publication, client, tmp_path):
    gift = Contribution.objects.filter(campaign=publication.campaign, amount_cents=1_600).first()
    slug = publication.campaign.slug
    receipt = tmp_path / "recu.json"
    receipt.write_bytes(client.get(f"/resultats/{slug}/recu/{gift.reference}.json").content)
    dossier = tmp_path / "dossier.zip"
    dossier.write_bytes(b"".join(client.get(f"/resultats/{slug}/v1/dossier.zip").streaming_content))
    command = [sys.executable, "-m", "fundmatch", "verify", str(dossier), "--receipt", str(receipt)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    value = json.loads(receipt.read_text())
    receipt.write_text(json.dumps(value | {"cents": value["cents"] + 1}))
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0
