"""Who may sign, correct and publish; in which order; what a correction may and may not do."""

import pytest
import rounds

from defis.services import Refused
from fundmatch.checks import blocking, run_checks
from fundmatch.models import Allocation
from fundmatch.services import (
    calculate_again,
    close_campaign,
    override_share,
    publish_results,
    sign_run,
    withdraw_override,
)
from fundmatch.shares import content_digest, shares_of
from participation.contributions.models import Contribution
from participation.ledger import accounts
from participation.ledger.services import balance_of
from participation.notifications.models import Message
from participation.payments.models import Payment

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(closed_round):
    campaign, _projects = closed_round
    return close_campaign(campaign=campaign)


def content(run):
    return content_digest(run, shares_of(run))


def code_of(refusal) -> str:
    return refusal.value.code


@pytest.mark.parametrize(
    ("role", "side"),
    [
        ("communication", "authority"),
        ("administrator", "authority"),
        ("foundation", "foundation"),
        ("finance", None),
        ("auditor", None),
        ("funder", None),
        ("counter", None),
    ],
)
def test_each_role_signs_for_its_side_or_not_at_all(run, agents, role, side):
    if side is None:
        with pytest.raises(Refused) as refusal:
            sign_run(run=run, user=agents[role], content_sha256=content(run))
        assert code_of(refusal) == "role"
    else:
        assert sign_run(run=run, user=agents[role], content_sha256=content(run)).side == side


@pytest.mark.parametrize("role", ["finance", "auditor", "funder", "counter"])
def test_who_only_looks_cannot_publish_nor_correct_nor_calculate(run, agents, role, closed_round):
    campaign, projects = closed_round
    for side in ("communication", "foundation"):
        sign_run(run=run, user=agents[side], content_sha256=content(run))
    with pytest.raises(Refused) as refusal:
        publish_results(run=run, user=agents[role])
    assert code_of(refusal) == "role"
    with pytest.raises(Refused) as refusal:
        override_share(
            run=run,
            project=projects["Cour"],
            pot=campaign.pots.get(slug="cea"),
            amount_cents=1,
            reason="x",
            user=agents[role],
        )
    assert code_of(refusal) == "role"
    with pytest.raises(Refused) as refusal:
        calculate_again(campaign=campaign, reason="x", user=agents[role])
    assert code_of(refusal) == "role"


def test_a_role_of_another_fund_does_not_count(run):
    stranger = rounds.make_user(rounds.make_campaign(), "foundation", "communication", "administrator")
    with pytest.raises(Refused) as refusal:
        sign_run(run=run, user=stranger, content_sha256=content(run))
    assert code_of(refusal) == "role"


def test_one_person_with_both_roles_signs_once(run, closed_round, agents):
    campaign, _projects = closed_round
    both = rounds.make_user(campaign, "communication", "foundation")
    sign_run(run=run, user=both, content_sha256=content(run))
    with pytest.raises(Refused) as refusal:
        sign_run(run=run, user=both, content_sha256=content(run), side="foundation")
    assert code_of(refusal) == "same_person"
    with pytest.raises(Refused) as refusal:
        sign_run(run=run, user=agents["administrator"], content_sha256=content(run))
    assert code_of(refusal) == "side_signed"


def test_nobody_signs_what_changed_since_it_was_read(run, closed_round, agents):
    campaign, projects = closed_round
    read = content(run)
    override_share(
        run=run,
        project=projects["Cour"],
        pot=campaign.pots.get(slug="fonds"),
        amount_cents=29_000,
        reason="Devis revu",
        user=agents["foundation"],
    )
    with pytest.raises(Refused) as refusal:
        sign_run(run=run, user=agents["foundation"], content_sha256=read)
    assert code_of(refusal) == "stale"


def test_publication_before_both_signatures_is_refused(run, agents):
    with pytest.raises(Refused) as refusal:
        publish_results(run=run, user=agents["foundation"])
    assert code_of(refusal) == "unsigned"
    sign_run(run=run, user=agents["foundation"], content_sha256=content(run))
    with pytest.raises(Refused) as refusal:
        publish_results(run=run, user=agents["foundation"])
    assert code_of(refusal) == "unsigned"


@pytest.mark.parametrize(
    ("title", "pot", "cents", "code"),
    [
        ("Abris", "fonds", 70_001, "cap"),
        ("Abris", "cea", 30_001, "cap"),
        ("Cour", "fonds", 30_001, "budget"),
        ("Cour", "fonds", 13_799, "threshold"),
        ("Cour", "fonds", 30_000, "amount"),
        ("Bancs", "fonds", 100, "project"),
    ],
)
def test_a_correction_stays_within_the_rules(run, closed_round, agents, title, pot, cents, code):
    """Cour: 81 € + 81 € + share must reach 300 €, so its share of « fonds » is 138 € at least."""
    campaign, projects = closed_round
    with pytest.raises(Refused) as refusal:
        override_share(
            run=run,
            project=projects[title],
            pot=campaign.pots.get(slug=pot),
            amount_cents=cents,
            reason="Essai",
            user=agents["communication"],
        )
    assert code_of(refusal) == code


def test_a_corrected_share_is_paid_by_the_funders_to_the_cent(run, closed_round, agents):
    """Cour falls from 300 € to 138.01 €: the pot spends 838.01 €, shared 3/4 and 1/4 over its two funders.

    Columns: 838.01 × 3/4 = 628.5075 and 209.5025, so 628.51 (larger remainder) and 209.50. Acme over
    (700, 138.01): 628.51 × 700/838.01 = 525.0019 and 103.5081, so 525.00 and 103.51; the bank pays what is
    left: 175.00 and 34.50.
    """
    campaign, projects = closed_round
    override_share(
        run=run,
        project=projects["Cour"],
        pot=campaign.pots.get(slug="fonds"),
        amount_cents=13_801,
        reason="Le projet coûte moins cher que prévu",
        user=agents["foundation"],
    )
    for role in ("communication", "foundation"):
        sign_run(run=run, user=agents[role], content_sha256=content(run))
    publication = publish_results(run=run, user=agents["communication"])
    cells = {
        (cell.project.title, cell.funder.name): cell.amount_cents
        for cell in Allocation.objects.filter(publication=publication, pot__slug="fonds").select_related(
            "project", "funder"
        )
    }
    assert cells == {
        ("Abris", "Acme"): 52_500,
        ("Cour", "Acme"): 10_351,
        ("Abris", "Banque du Rhin"): 17_500,
        ("Cour", "Banque du Rhin"): 3_450,
    }
    holder = campaign.fund.legal_holder
    assert balance_of(holder, accounts.payable(campaign.pk, projects["Cour"].pk)) == 8_100 + 8_100 + 13_801


def test_a_withdrawn_correction_leaves_the_calculated_share(run, closed_round, agents):
    campaign, projects = closed_round
    before = content(run)
    override = override_share(
        run=run,
        project=projects["Cour"],
        pot=campaign.pots.get(slug="fonds"),
        amount_cents=20_000,
        reason="Essai",
        user=agents["communication"],
    )
    assert content(run) != before
    withdraw_override(override=override, user=agents["communication"])
    assert content(run) == before


def test_a_red_check_blocks_signing_and_says_which(run, closed_round, agents):
    campaign, projects = closed_round
    waiting = rounds.give(campaign, projects["Abris"], 1_600)
    # A contribution captured before the bell that became known after the calculation.
    red = {check.code for check in blocking(run_checks(run, fresh=True))}
    assert {"same_gifts", "statistics", "ledger"} <= red
    with pytest.raises(Refused) as refusal:
        sign_run(run=run, user=agents["foundation"], content_sha256=content(run))
    assert code_of(refusal) == "checks"
    again = calculate_again(campaign=campaign, reason="Un paiement confirmé tard", user=agents["foundation"])
    assert again.number == 2
    assert not blocking(run_checks(again, fresh=True))
    assert again.result["projects"][projects["Abris"].reference]["donors"] == 26
    assert waiting.reference in again.read_references()


def test_an_undecided_payment_blocks(run, closed_round):
    campaign, projects = closed_round
    person, voter = rounds.make_person(campaign)
    contribution = Contribution.objects.create(
        campaign=campaign,
        project=projects["Abris"],
        voter=voter,
        person=person,
        amount_cents=500,
        created_at=campaign.opens_at,
    )
    Payment.objects.create(
        contribution=contribution, provider="simulated", amount_cents=500, created_at=campaign.opens_at
    )
    assert "pending" in {check.code for check in blocking(run_checks(run))}


def test_calculating_again_without_a_change_is_refused(run, closed_round, agents):
    campaign, _projects = closed_round
    with pytest.raises(Refused) as refusal:
        calculate_again(campaign=campaign, reason="Pour voir", user=agents["foundation"])
    assert code_of(refusal) == "unchanged"


def test_a_correction_is_a_new_version_with_a_reason(run, closed_round, agents, client):
    campaign, projects = closed_round
    for role in ("communication", "foundation"):
        sign_run(run=run, user=agents[role], content_sha256=content(run))
    first = publish_results(run=run, user=agents["communication"])
    again = calculate_again(campaign=campaign, reason="Part de Cour à revoir", user=agents["foundation"])
    # Refunded projects are still in the calculation: the same gifts, so the same shares.
    assert again.result["projects"] == run.result["projects"]
    override_share(
        run=again,
        project=projects["Cour"],
        pot=campaign.pots.get(slug="fonds"),
        amount_cents=20_000,
        reason="Devis revu à la baisse",
        user=agents["foundation"],
    )
    for role in ("administrator", "foundation"):
        sign_run(run=again, user=agents[role], content_sha256=content(again))
    with pytest.raises(Refused) as refusal:
        publish_results(run=again, user=agents["communication"])
    assert code_of(refusal) == "reason"
    second = publish_results(run=again, user=agents["communication"], reason="Devis revu à la baisse")
    assert (first.version, second.version) == (1, 2)
    holder = campaign.fund.legal_holder
    assert balance_of(holder, accounts.payable(campaign.pk, projects["Cour"].pk)) == 8_100 + 8_100 + 20_000
    assert balance_of(holder, accounts.payable(campaign.pk, projects["Abris"].pk)) == 140_000
    told = Message.objects.filter(key__startswith=f"results:{campaign.reference}:2:")
    # Only the people of the project that changed: nine residents and its holder.
    assert told.count() == 10
    for version, words in ((1, "462 €"), (2, "362 €")):
        page = client.get(f"/resultats/{campaign.slug}/v{version}/")
        assert words in page.content.decode().replace("\u00a0", " ")
        assert client.get(f"/resultats/{campaign.slug}/v{version}/dossier.zip").status_code == 200
