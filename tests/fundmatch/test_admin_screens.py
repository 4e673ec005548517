"""« Ce qui sera publié » in the admin: who sees what, and the whole way from the bell to the publication."""

import re

import pytest
import rounds

from fundmatch.models import MatchRun, Publication
from fundmatch.services import close_campaign

pytestmark = pytest.mark.django_db

SEES = ["communication", "foundation", "finance", "auditor", "administrator"]
ACTS = ["communication", "foundation", "administrator"]


@pytest.fixture
def run(closed_round):
    return close_campaign(campaign=closed_round[0])


def url(run, *parts: str) -> str:
    return "/".join([f"/admin/abonde/resultats/{run.campaign.slug}/final/{run.number}", *parts, ""])


def text_of(response) -> str:
    return response.content.decode().replace("\u00a0", " ")


@pytest.mark.parametrize("role", [*SEES, "funder", "counter"])
def test_each_role_sees_the_screens_or_they_do_not_exist(run, agents, client, role):
    client.force_login(agents[role])
    base = f"/admin/abonde/resultats/{run.campaign.slug}/"
    screens = [base, f"{base}remboursements/", url(run), url(run, "explications"), url(run, "apercu")]
    screens += [url(run, "courriels"), url(run, "analyse")]
    expected = 200 if role in SEES else 404
    assert [client.get(screen).status_code for screen in screens] == [expected] * len(screens)
    listed = run.campaign.name in text_of(client.get("/admin/abonde/resultats/"))
    assert listed is (role in SEES)


@pytest.mark.parametrize("role", ["finance", "auditor"])
def test_who_reads_changes_nothing(run, agents, client, closed_round, role):
    campaign, projects = closed_round
    client.force_login(agents[role])
    page = text_of(client.get(url(run)))
    assert "/signer/" not in page and "/corriger/" not in page
    posts = [
        f"/admin/abonde/resultats/{campaign.slug}/calculer/",
        url(run, "signer"),
        url(run, "publier"),
        url(run, "corriger", projects["Cour"].reference, "fonds"),
    ]
    for address in posts:
        assert client.post(address, {"amount": "1", "reason": "x", "name": campaign.name}).status_code == 404
    assert run.signatures.count() == run.overrides.count() == Publication.objects.count() == 0


def test_another_fund_s_agent_meets_a_404(run, client):
    client.force_login(rounds.make_user(rounds.make_campaign(), *ACTS))
    for address in (url(run), url(run, "publier"), f"/admin/abonde/resultats/{run.campaign.slug}/"):
        assert client.get(address).status_code == 404
    assert client.post(url(run, "signer"), {"content": "x"}).status_code == 404


def test_the_whole_way_through_the_screens(closed_round, agents, client, django_capture_on_commit_callbacks):
    campaign, projects = closed_round
    base = f"/admin/abonde/resultats/{campaign.slug}/"
    client.force_login(agents["communication"])
    assert "Cour" not in text_of(client.get(base))
    response = client.post(f"{base}calculer/", follow=True)
    page = text_of(response)
    run = MatchRun.objects.get(campaign=campaign)
    # Six payments, 410 €, figures by hand in test_close_and_publish.py.
    for words in (
        "1 400 €",
        "462 €",
        "6 remboursements" if "remboursement" in page else "6 refunds",
        "410 €",
    ):
        assert words in page
    content = re.search(r'name="content" value="([0-9a-f]{64})"', response.content.decode())[1]

    # Typed euros, a reason, then back to the calculated share.
    correct = url(run, "corriger", projects["Cour"].reference, "fonds")
    refused = text_of(client.post(correct, {"amount": "100", "reason": "Trop"}))
    assert run.overrides.count() == 0 and 'role="alert"' in refused
    client.post(correct, {"amount": "250,50", "reason": "Devis revu"})
    assert run.overrides.get().amount_cents == 25_050
    # What was on the first screen is no longer what is there: the old signature form is refused.
    client.post(url(run, "signer"), {"content": content})
    assert run.signatures.count() == 0
    client.post(correct, {"withdraw": "1"})
    assert run.overrides.count() == 0

    client.post(url(run, "signer"), {"content": content})
    client.force_login(agents["foundation"])
    client.post(url(run, "signer"), {"content": content})
    assert {s.side for s in run.signatures.all()} == {"authority", "foundation"}
    client.post(url(run, "publier"), {"name": "autre chose"})
    assert not Publication.objects.exists()
    done = client.post(url(run, "publier"), {"name": campaign.name.upper()}, follow=True)
    assert Publication.objects.get().published_by == agents["foundation"]
    assert "0 / 6" in done.content.decode()


def test_the_difference_with_the_last_version_can_be_filtered(closed_round, agents, client):
    campaign, projects = closed_round
    close_campaign(campaign=campaign)
    rounds.give(campaign, projects["Cour"], 1_000)
    client.force_login(agents["foundation"])
    client.post(f"/admin/abonde/resultats/{campaign.slug}/calculer/", {"reason": "Un paiement confirmé tard"})
    second = MatchRun.objects.get(campaign=campaign, number=2)
    lines = client.get(url(second), {"changements": "1"}).context["lines"]
    # Bancs and Doyenne stay refunded, Abris is at its caps; Cour gets 10 € more, and 10 € of the linear pot.
    assert [line.project.title for line in lines] == ["Cour"]
    assert lines[0].delta_cents == 2_000
    assert len(client.get(url(second)).context["lines"]) == 4


def test_explanations_can_be_read_aloud(run, agents, client):
    client.force_login(agents["auditor"])
    page = text_of(client.get(url(run, "explications")))
    assert page.count("<li>") > 10
    for words in ("400 €", "700 €", "1 400 €"):
        assert words in page


def test_mails_are_counted_before_they_exist(run, agents, client):
    client.force_login(agents["communication"])
    previews = {p.kind: p.count for p in client.get(url(run, "courriels")).context["previews"]}
    assert previews == {"results_contributor": 40, "results_holder": 4}


def test_a_screen_of_ours_has_no_inline_script_nor_style(run, agents, client):
    client.force_login(agents["communication"])
    for screen in (url(run), url(run, "analyse"), url(run, "courriels"), url(run, "publier")):
        main = client.get(screen).content.decode().split('<div class="nice-padding">', 1)[1]
        main = main.split("</main>", 1)[0]
        assert "<script" not in main and "style=" not in main and not re.search(r"\son\w+=", main)
