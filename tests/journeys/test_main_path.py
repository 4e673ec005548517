"""From an amount to a verified publication, in a browser, against real processes.

Hand figures (in euros). Linear pot of the authority: 1 for 1, budget 60. Quadratic pot: budget 30 (acme 20, banque 10).

    Abris  goal 100, threshold 75:  Claire 16, José 16, Henri 4   S = 4+4+2 = 10, C = 36, raw = 10² − 36 = 64
    Bancs  goal 200, threshold 150: Amina 9, Joseph 4             S = 3+2 = 5,    C = 13, raw = 5² − 13 = 12

    First: linear 36 and 13 (49 ≤ 60); quadratic λ = 30/76, so Bancs has at most 13 + 13 + 4.74 < 150: removed,
    refunded 9 and 4. Then: linear 36; quadratic 64 against 30: 30. Abris receives 36 + 36 + 30 = 102.
    The 30 are 20 of acme and 10 of banque. Lucie lives in Lyon: she cannot give.
"""

import json
import re
import subprocess
import sys
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db.models import Sum
from playwright.sync_api import Browser, Page, expect
from wagtail.models import Page as WagtailPage
from wagtail.models import Site

from defis.clock import database_now
from defis.models import Campaign, Commune, FundIndexPage, FundPage, Project, ProjectIndexPage, ProjectPage
from defis.services.funds import create_fund_groups
from defis.services.rulechanges import ask_rule_change, change_rules
from fundmatch.models import Allocation, ResultsIndexPage
from participation.contributions.models import Contribution
from participation.ledger import accounts
from participation.ledger.services import balance_of
from participation.payments.models import Payment, Refund
from tests.fundmatch.rounds import make_campaign, make_pot, make_project, open_campaign
from tests.journeys.running import ROOT, RunningSite, running_site
from theme.models import HomePage

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

GIFTS = [
    ("claire", "abris", "16", "67600"),
    ("jose", "abris", "16,00", "67600"),
    ("amina", "bancs", "9", "67600"),
    ("joseph", "bancs", "4", "67600"),
    ("henri", "abris", "4", "67600"),
]


@pytest.fixture
def territory(transactional_db, settings) -> Campaign:
    """A trio, two pots, two projects, their pages, and people to run them."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    now = database_now()
    campaign = make_campaign(
        name="Campagne d'essai",
        slug="essai",
        opens_at=now - timedelta(days=1),
        closes_at=now + timedelta(days=49),
        results_at=now + timedelta(days=60),
        min_contribution_cents=100,
        max_contribution_cents=20_000,
        max_per_person_cents=20_000,
        collection_provider="simulated",
        minimum_age=18,
    )
    campaign.fund.territory.communes.add(
        Commune.objects.create(
            insee="67462", name="Sélestat", sort_name="selestat", department="67", postal_codes=["67600"]
        )
    )
    Commune.objects.create(
        insee="69383", name="Lyon 3e", sort_name="lyon 3e", department="69", postal_codes=["69003"]
    )
    projects = [
        make_project(campaign, "Abris", 10_000, slug="abris"),
        make_project(campaign, "Bancs", 20_000, slug="bancs"),
    ]
    make_pot(campaign, "collectivite", "linear", {"ville": ("authority", 6_000)})
    make_pot(campaign, "fonds", "quadratic", {"Acme": ("company", 2_000), "Banque": ("bank", 1_000)})
    open_campaign(campaign)
    _pages(campaign, projects)
    groups = create_fund_groups(fund=campaign.fund)
    for name, role in (("camille", "communication"), ("ferdinand", "foundation")):
        user = get_user_model().objects.create_user(name, password="secret", first_name=name.title())
        user.groups.add(groups[role])
    return campaign


def _pages(campaign: Campaign, projects: list[Project]) -> None:
    root = WagtailPage.get_first_root_node()
    home = root.add_child(
        instance=HomePage(title="Accueil", slug="accueil", heading="Donnez", introduction="<p>Donnez.</p>")
    )
    Site.objects.update(root_page=home)
    index = home.add_child(instance=ProjectIndexPage(title="Projets", slug="projets"))
    for project in projects:
        index.add_child(instance=ProjectPage(title=project.title, slug=project.slug, project=project))
    funds = home.add_child(instance=FundIndexPage(title="Fonds", slug="fonds"))
    funds.add_child(instance=FundPage(title="Fonds", slug="fonds", fund=campaign.fund))
    home.add_child(instance=ResultsIndexPage(title="Résultats", slug="resultats"))


@pytest.fixture
def site(territory, tmp_path, settings) -> RunningSite:
    with running_site(tmp_path, settings) as running:
        yield running


def watched(browser: Browser, site: RunningSite, width: int = 1280) -> tuple[Page, list[str]]:
    """A page of a fresh visitor, and what its console complains about on our own site."""
    context = browser.new_context(
        locale="fr-FR", viewport={"width": width, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in {"error", "warning"} and page.url.startswith(site.url)
            else None
        ),
    )
    return page, complaints


def sign_in_as(page: Page, site: RunningSite, who: str) -> None:
    page.locator("main").get_by_role("link", name=re.compile("simulation")).or_(
        page.locator("main").get_by_role("button", name=re.compile("simulation"))
    ).first.click()
    assert page.url.startswith(site.identity)
    page.locator(f"[value={who}]").first.click()


def give(page: Page, site: RunningSite, who: str, project: str, amount: str, postal_code: str) -> None:
    """Amount, sign-in, residence, check, the provider's own page, and the truth on ours."""
    page.goto(f"{site.url}/projets/{project}/")
    page.locator("main").get_by_role("link", name="Contribuer à ce projet").first.click()
    page.locator("input[name=montant]").fill(amount)
    page.get_by_role("button", name="Continuer").click()
    sign_in_as(page, site, who)
    page.locator("input[name=code_postal]").fill(postal_code)
    page.locator("form:has(input[name=code_postal]) button").first.click()
    page.locator("input[name=commune]").first.check()
    page.locator("input[name=honour]").check()
    page.locator("form:has(input[name=honour]) button").last.click()
    expect(page).to_have_url(re.compile("/verifier/"))
    page.get_by_role("button", name=re.compile("^Payer")).click()
    assert page.url.startswith(site.payment), page.url
    page.get_by_role("button", name=re.compile("^Payer")).click()
    expect(page.locator("h1")).to_have_text(re.compile("Votre contribution est enregistrée"))
    assert page.url.startswith(f"{site.url}/contributions/")


def agent(browser: Browser, site: RunningSite, name: str) -> Page:
    page, _ = watched(browser, site)
    page.goto(f"{site.url}/admin/login/")
    page.locator("input[name=username]").fill(name)
    page.locator("input[name=password]").fill("secret")
    page.locator("form button[type=submit]").first.click()
    expect(page).to_have_url(re.compile(r"/admin/$"))
    return page


def ring_the_bell(campaign: Campaign) -> None:
    """Bring the closing forward the legal way (two people, a reason), then let the clock do it."""
    people = {user.username: user for user in get_user_model().objects.all()}
    change = ask_rule_change(
        campaign=campaign,
        changes={"campaign": {"closes_at": (database_now() + timedelta(seconds=2)).isoformat()}},
        reason="La collecte d'essai s'arrête aujourd'hui.",
        user=people["camille"],
    )
    change_rules(change=change, signed_by=people["ferdinand"])
    campaign.refresh_from_db()
    while database_now() < campaign.closes_at:
        time.sleep(0.05)


def test_residents_of_a_territory_fund_projects_and_the_fund_follows(browser, site, territory, tmp_path):
    # --- Five residents give, at both widths; the console stays clean under the strict policy.
    for number, (who, project, amount, postal_code) in enumerate(GIFTS):
        page, complaints = watched(browser, site, width=(360, 1280)[number % 2])
        give(page, site, who, project, amount, postal_code)
        assert complaints == []
        page.context.close()
    # --- Somebody from elsewhere is told why, and nothing is written.
    page, _ = watched(browser, site)
    page.goto(f"{site.url}/contribuer/abris/")
    page.locator("input[name=montant]").fill("20")
    page.get_by_role("button", name="Continuer").click()
    sign_in_as(page, site, "lucie")
    page.locator("input[name=code_postal]").fill("69003")
    page.locator("form:has(input[name=code_postal]) button").first.click()
    expect(page.locator("main")).to_contain_text("69003")
    assert page.locator("input[name=honour]").count() == 0
    page.goto(f"{site.url}/contribuer/abris/verifier/")
    assert page.get_by_role("button", name=re.compile("^Payer")).count() == 0
    page.context.close()
    assert Contribution.objects.count() == 5
    assert (
        Contribution.objects.filter(state="counted").aggregate(Sum("amount_cents"))["amount_cents__sum"]
        == 4_900
    )
    assert site.bank("totals")["simulated"]["captured_cents"] == 4_900

    # --- The bell rings; the editor calculates, reads, signs; the foundation signs; the editor publishes.
    ring_the_bell(territory)
    editor = agent(browser, site, "camille")
    editor.goto(f"{site.url}/admin/abonde/resultats/essai/")
    editor.locator("form[action$='/calculer/'] button").click()
    editor.locator("form[action$='/signer/'] button").click()
    guarantor = agent(browser, site, "ferdinand")
    guarantor.goto(editor.url)
    guarantor.locator("form[action$='/signer/'] button").click()
    editor.goto(f"{site.url}/admin/abonde/resultats/essai/final/1/publier/")
    editor.locator("main form input[type=text]").last.fill(territory.name)
    editor.locator("main form button.serious").click()
    site.manage("run_refunds")

    # --- In the records.
    abris, bancs = Project.objects.get(slug="abris"), Project.objects.get(slug="bancs")
    assert (abris.status, bancs.status) == ("funded", "not_funded")
    shares = {
        (a.project.slug, a.pot.slug, a.funder.name): a.amount_cents
        for a in Allocation.objects.select_related("project", "pot", "funder")
    }
    authority = territory.fund.authority.name
    assert shares == {
        ("abris", "collectivite", authority): 3_600,
        ("abris", "fonds", "Acme"): 2_000,
        ("abris", "fonds", "Banque"): 1_000,
    }
    # --- In the ledger.
    holder = territory.fund.legal_holder
    assert balance_of(holder, accounts.escrow(territory.pk, abris.pk)) == 0
    assert balance_of(holder, accounts.escrow(territory.pk, bancs.pk)) == 0
    assert balance_of(holder, accounts.refund_due(territory.pk)) == 0
    assert balance_of(holder, accounts.payable(territory.pk, abris.pk)) >= 3_600
    assert "15" in site.manage("prove_ledger")
    # --- At the provider: 9 € and 4 € went back, the rest stayed.
    assert set(Refund.objects.values_list("state", "amount_cents")) == {("done", 900), ("done", 400)}
    refunded = {
        payment.contribution.amount_cents: site.bank("payment", payment=payment.provider_reference)[
            "refunded_cents"
        ]
        for payment in Payment.objects.select_related("contribution")
        if payment.contribution.project_id == bancs.pk
    }
    assert refunded == {900: 900, 400: 400}
    assert site.bank("totals")["simulated"]["refunded_cents"] == 1_300
    # --- On the page, and in the dossier that a stranger checks with Python alone.
    visitor, complaints = watched(browser, site)
    visitor.goto(f"{site.url}/resultats/essai/")
    row = visitor.locator("tr", has=visitor.get_by_role("link", name="Abris"))
    for figure in ("36 €", "30 €", "102 €"):
        expect(row).to_contain_text(figure.replace(" ", "\u00a0"))
    with visitor.expect_download() as download:
        visitor.locator("a[href$='dossier.zip']").first.click()
    dossier = tmp_path / "dossier.zip"
    download.value.save_as(dossier)
    verdict = subprocess.run(
        [sys.executable, "-m", "fundmatch", "verify", dossier], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (verdict.returncode, verdict.stdout.strip().splitlines()[0]) == (0, "identical")
    result = _result_of(dossier)
    assert result["projects"][abris.reference]["total_cents"] == 10_200
    assert result["projects"][bancs.reference]["total_cents"] == 0
    assert result["eliminated"][0]["refund_total_cents"] == 1_300
    # --- And the visitor's own browser says so too.
    visitor.locator("[data-fundmatch-verify]").first.click()
    expect(visitor.locator("[role=status]").first).not_to_be_empty(timeout=15_000)
    assert complaints == []


def _result_of(dossier: Path) -> dict:
    with zipfile.ZipFile(dossier) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("result.json"))
        return json.loads(archive.read(name))
