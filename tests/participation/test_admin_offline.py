"""The counter's journal: one agent enters, another confirms, the auditor reads."""

import pytest

from defis.models import Role
from participation.contributions.models import Contribution, OfflineBatch
from participation.contributions.selectors import project_funding
from tests.money import world
from tests.participation.money_world import ADAPTERS, ROOT, has_text, login, stranger, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("proven")]
COUNTERS = {Role.COUNTER, Role.FINANCE, Role.ADMINISTRATOR}


@pytest.fixture
def campaign(settings):
    settings.ABONDE_PAYMENT_PROVIDERS = ADAPTERS
    return world.campaign(projects=1)


@pytest.fixture
def project(campaign):
    return campaign.projects.get()


def slip(project, *amounts, count="2", total="25", **fields):
    """What the form sends: 20 € of Mme Klein and 5 € of nobody, unless told otherwise."""
    amounts = amounts or ("20", "5")
    data = {
        "label": "Bordereau 1",
        "received_on": "20/11/2026",
        "control_count": count,
        "control_cents": total,
        "lines-TOTAL_FORMS": str(len(amounts) + 1),
        "lines-INITIAL_FORMS": "0",
    }
    for rank, amount in enumerate(amounts):
        data[f"lines-{rank}-project"] = str(project.pk)
        data[f"lines-{rank}-amount"] = amount
    data["lines-0-name"] = "Mme Klein"
    return {**data, **fields}


@pytest.mark.parametrize("role", [*Role, None])
def test_who_opens_the_journal(campaign, role):
    client = login(role, campaign.fund)
    for path in ["guichet/", f"guichet/{campaign.slug}/"]:
        assert (client.get(ROOT + path).status_code == 200) is (role in COUNTERS | {Role.AUDITOR})
    entering = client.get(f"{ROOT}guichet/{campaign.slug}/saisir/").status_code
    assert (entering == 200) is (role in COUNTERS)


def test_a_slip_is_entered_by_one_and_confirmed_by_another(campaign, project):
    one, two = login(Role.COUNTER, campaign.fund), login(Role.FINANCE, campaign.fund)
    journal = f"{ROOT}guichet/{campaign.slug}/"
    entered = one.post(f"{journal}saisir/", slip(project))
    batch = OfflineBatch.objects.get()
    sheet = f"{journal}{batch.pk}/"
    assert entered["Location"] == sheet
    assert (batch.control_count, batch.control_cents, batch.recorded_by) == (2, 2_500, one.user)
    assert project_funding([project])[project.pk].citizens_cents == 0
    # Not by herself, button or no button.
    assert 'value="confirm"' not in one.get(sheet).content.decode()
    one.post(sheet, {"act": "confirm", "total": "25"})
    # It waits on the second agent's first screen; another total than hers is refused.
    assert sheet in two.get("/admin/").content.decode()
    assert sheet not in one.get("/admin/").content.decode()
    two.post(sheet, {"act": "confirm", "total": "24"})
    assert project_funding([project])[project.pk].citizens_cents == 0
    two.post(sheet, {"act": "confirm", "total": "25,00 €"})
    funding = project_funding([project])[project.pk]
    assert (funding.citizens_cents, funding.donors) == (2_500, 2)
    batch.refresh_from_db()
    assert batch.confirmed_by == two.user
    assert not Contribution.objects.filter(matchable=True).exists()
    # Confirmed: nothing more can be done to it.
    two.post(sheet, {"act": "refuse"})
    assert set(Contribution.objects.values_list("state", flat=True)) == {"counted"}
    receipts = two.get(f"{sheet}recus/")
    first = Contribution.objects.order_by("pk").first()
    assert has_text(receipts, "Mme Klein", "20 €", first.reference, campaign.fund.legal_holder.name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"total": "26"},
        {"count": "3"},
        {"received_on": "31/31/2026"},
        {"label": ""},
        {"lines-1-amount": ""},
        {"lines-1-amount": "cinq"},
        {"lines-1-project": "999999"},
    ],
)
def test_a_slip_that_does_not_add_up_is_not_entered(campaign, project, wrong):
    agent = login(Role.COUNTER, campaign.fund)
    known = {name: wrong.pop(name) for name in ("total", "count") if name in wrong}
    answer = agent.post(f"{ROOT}guichet/{campaign.slug}/saisir/", slip(project, **known, **wrong))
    assert answer.status_code == 422
    assert "Mme Klein" in answer.content.decode()
    assert not OfflineBatch.objects.exists()
    assert not Contribution.objects.exists()


def test_more_lines_keep_what_was_typed(campaign, project):
    agent = login(Role.COUNTER, campaign.fund)
    answer = agent.post(f"{ROOT}guichet/{campaign.slug}/saisir/", slip(project, more="1"))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="Mme Klein"' in page
    assert 'name="lines-7-amount"' in page
    assert not OfflineBatch.objects.exists()


def test_the_same_slip_is_not_entered_twice(campaign, project):
    agent = login(Role.COUNTER, campaign.fund)
    for expected in (302, 422):
        answer = agent.post(f"{ROOT}guichet/{campaign.slug}/saisir/", slip(project))
        assert answer.status_code == expected
    assert OfflineBatch.objects.count() == 1


def test_a_refused_slip_counts_for_nothing_and_for_ever(campaign, project):
    one, two = login(Role.COUNTER, campaign.fund), login(Role.COUNTER, campaign.fund)
    one.post(f"{ROOT}guichet/{campaign.slug}/saisir/", slip(project))
    sheet = f"{ROOT}guichet/{campaign.slug}/{OfflineBatch.objects.get().pk}/"
    two.post(sheet, {"act": "refuse"})
    two.post(sheet, {"act": "confirm", "total": "25"})
    assert set(Contribution.objects.values_list("state", flat=True)) == {"failed"}
    assert OfflineBatch.objects.get().confirmed_at is None
    assert two.get(f"{sheet}recus/").status_code == 404


def test_givers_are_not_shown_to_the_auditor_nor_to_other_funds(campaign, project):
    agent, auditor = login(Role.COUNTER, campaign.fund), login(Role.AUDITOR, campaign.fund)
    agent.post(f"{ROOT}guichet/{campaign.slug}/saisir/", slip(project))
    sheet = f"{ROOT}guichet/{campaign.slug}/{OfflineBatch.objects.get().pk}/"
    assert "Mme Klein" in words(agent.get(sheet))
    assert "Mme Klein" not in words(auditor.get(sheet))
    assert auditor.post(sheet, {"act": "confirm", "total": "25"}).status_code == 404
    away = login(Role.COUNTER, stranger().fund)
    assert away.get(sheet).status_code == 404
    assert away.post(sheet, {"act": "refuse"}).status_code == 404
    assert set(Contribution.objects.values_list("state", flat=True)) == {"started"}
