"""Money in the admin: who reads what, who acts, what an act changes and what it leaves alone."""

import csv
import io
import uuid
from datetime import timedelta

import pytest
from django.core.cache import cache
from openpyxl import load_workbook
from wagtail.models import ModelLogEntry

from defis.clock import database_now, shifted_clock
from defis.models import Role
from participation.contributions.closing import closing, settle_campaign
from participation.contributions.selectors import project_funding
from participation.ledger import accounts
from participation.ledger.models import LedgerTransaction
from participation.ledger.services import balance_of
from participation.payments.models import Payment, Reconciliation, Refund, StatementLine
from participation.payments.port import (
    NeedsHuman,
    PaymentState,
    ProviderUnavailable,
    RefundSnapshot,
    RefundState,
    SettlementKind,
    SettlementLine,
    provider_for,
)
from participation.payments.refunds import order_refund, run_refunds
from participation.payments.settlement import settle_payment
from tests.money import world
from tests.participation.money_world import ADAPTERS, ROOT, has_text, login, paid, stranger, superuser, words

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("proven")]
READERS = {Role.FINANCE, Role.ADMINISTRATOR, Role.AUDITOR}
ACTORS = {Role.FINANCE, Role.ADMINISTRATOR}


@pytest.fixture
def campaign(settings):
    settings.ABONDE_PAYMENT_PROVIDERS = ADAPTERS
    return world.campaign(projects=2)


@pytest.fixture
def project(campaign):
    return campaign.projects.order_by("pk").first()


@pytest.fixture
def memory(campaign):
    return provider_for("memory")


def in_review(project, memory, **fields):
    """A payment of 20 € of which the provider says something else."""
    return paid(project, memory, **{"amount_cents": 1_900, **fields})


def screens(campaign, payment):
    holder = campaign.fund.legal_holder
    return [
        "",
        f"campagnes/{campaign.slug}/",
        f"campagnes/{campaign.slug}/remboursements/",
        f"campagnes/{campaign.slug}/versements/",
        f"campagnes/{campaign.slug}/appels/",
        "a-verifier/",
        f"a-verifier/{payment.pk}/",
        "paiements/",
        f"paiements/{payment.pk}/",
        "contributions/",
        f"contributions/{payment.contribution_id}/",
        "remboursements/",
        "ecritures/",
        f"ecritures/{payment.ledger_transactions.first().pk}/",
        "grand-livre/",
        f"grand-livre/{holder.pk}/preuve/",
        f"rapprochements/{holder.pk}/",
    ]


# --- Who ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [*Role, None])
def test_who_opens_which_screen(campaign, project, memory, role):
    payment = paid(project, memory)
    client = login(role, campaign.fund)
    for path in screens(campaign, payment):
        answer = client.get(ROOT + path)
        assert (answer.status_code == 200) is (role in READERS), (path, role, answer.status_code)
    acting = client.get(f"{ROOT}paiements/{payment.pk}/rembourser/").status_code
    assert (acting == 200) is (role in ACTORS)
    promises = client.get(f"{ROOT}promesses/").status_code
    assert (promises == 200) is (role == Role.FUNDER)
    menu = client.get("/admin/").content.decode()
    assert (f"{ROOT}grand-livre/" in menu) is (role in READERS)
    assert (f"{ROOT}promesses/" in menu) is (role == Role.FUNDER)


def test_a_superuser_reads_everything_and_edits_nothing(campaign, project, memory):
    payment = paid(project, memory)
    root = superuser()
    for path in screens(campaign, payment):
        assert root.get(ROOT + path).status_code == 200, path
    for path in ["paiements/new/", f"paiements/edit/{payment.pk}/", f"paiements/delete/{payment.pk}/"]:
        assert root.get(ROOT + path).status_code == 404
        assert root.post(ROOT + path, {"state": "paid"}).status_code == 404


@pytest.mark.parametrize("role", sorted(ACTORS))
def test_money_of_another_fund_does_not_exist(campaign, project, memory, role):
    payment = in_review(project, memory)
    refund = order_refund(payment=paid(project, memory), reason="other")
    theirs = stranger()
    client = login(role, theirs.fund)
    for path in screens(campaign, payment):
        if path in {
            "",
            "a-verifier/",
            "paiements/",
            "contributions/",
            "remboursements/",
            "ecritures/",
            "grand-livre/",
        }:
            answer = client.get(ROOT + path)
            assert answer.status_code == 200
            assert payment.contribution.reference not in words(answer)
            assert campaign.name not in words(answer)
        else:
            assert client.get(ROOT + path).status_code == 404, path
    before = (LedgerTransaction.objects.count(), Refund.objects.count())
    for path in [
        f"a-verifier/{payment.pk}/",
        f"paiements/{payment.pk}/rembourser/",
        f"remboursements/{refund.pk}/a-la-main/",
        f"remboursements/{refund.pk}/reessayer/",
        f"campagnes/{campaign.slug}/remboursements/",
        f"campagnes/{campaign.slug}/versements/",
        f"campagnes/{campaign.slug}/appels/",
        f"rapprochements/{campaign.fund.legal_holder_id}/",
        f"grand-livre/{campaign.fund.legal_holder_id}/preuve/",
    ]:
        answer = client.post(
            ROOT + path, {"act": "refund", "reason": "x", "confirmed": "1", "cause": "other"}
        )
        assert answer.status_code == 404, path
    assert (LedgerTransaction.objects.count(), Refund.objects.count()) == before


def test_an_auditor_reads_and_changes_nothing(campaign, project, memory):
    payment = in_review(project, memory)
    counted = paid(project, memory)
    client = login(Role.AUDITOR, campaign.fund)
    before = (LedgerTransaction.objects.count(), Refund.objects.count(), Reconciliation.objects.count())
    form = {"act": "refund", "reason": "x", "confirmed": "1", "cause": "other"}
    assert client.post(f"{ROOT}a-verifier/{payment.pk}/", form).status_code == 404
    assert client.post(f"{ROOT}paiements/{counted.pk}/rembourser/", form).status_code == 404
    assert client.post(f"{ROOT}campagnes/{campaign.slug}/remboursements/").status_code == 404
    assert client.post(f"{ROOT}rapprochements/{campaign.fund.legal_holder_id}/").status_code == 404
    page = client.get(f"{ROOT}paiements/{counted.pk}/").content.decode()
    assert "rembourser/" not in page
    assert before == (
        LedgerTransaction.objects.count(),
        Refund.objects.count(),
        Reconciliation.objects.count(),
    )


def test_common_books_need_the_role_for_every_fund_of_the_holder(campaign, project, memory):
    paid(project, memory)
    holder = campaign.fund.legal_holder
    one = login(Role.FINANCE, campaign.fund)
    assert one.get(f"{ROOT}rapprochements/{holder.pk}/").status_code == 200
    assert "clearing:memory" in words(one.get(f"{ROOT}grand-livre/"))
    other = world.campaign(projects=1, holder=holder)
    narrow = login(Role.FINANCE, campaign.fund)
    assert narrow.get(f"{ROOT}rapprochements/{holder.pk}/").status_code == 404
    assert narrow.get(f"{ROOT}grand-livre/{holder.pk}/preuve/").status_code == 404
    said = words(narrow.get(f"{ROOT}grand-livre/"))
    assert f"escrow:{project.pk}" in said
    assert "clearing:memory" not in said
    whole = login(Role.FINANCE, campaign.fund, other.fund)
    assert whole.get(f"{ROOT}rapprochements/{holder.pk}/").status_code == 200


def test_names_of_residents_are_for_finance_alone(campaign, project, memory):
    payment = paid(project, memory)
    person = payment.contribution.person
    type(person).objects.filter(pk=person.pk).update(display_name="Claire Muller", email="claire@example.org")
    for role, sees in [(Role.FINANCE, True), (Role.AUDITOR, False), (Role.ADMINISTRATOR, False)]:
        client = login(role, campaign.fund)
        for path in [f"paiements/{payment.pk}/", f"contributions/{payment.contribution_id}/"]:
            assert ("claire@example.org" in words(client.get(ROOT + path))) is sees, (role, path)
        for path in ["paiements/", "contributions/", "remboursements/"]:
            order_refund(payment=payment, reason="other") if path == "remboursements/" else None
            exported = words(client.get(ROOT + path, {"export": "csv"}))
            assert ("Claire Muller" in exported) is sees, (role, path)


# --- Overview -------------------------------------------------------------------------------------------


def test_the_overview_says_where_the_money_is(campaign, project, memory):
    paid(project, memory, 2_000)
    in_review(project, memory)
    world.pledge(campaign, 50_000)
    finance = login(Role.FINANCE, campaign.fund)
    page = finance.get(f"{ROOT}campagnes/{campaign.slug}/")
    assert has_text(page, "20 €", "19 €", "500 €", project.title)
    assert f"{ROOT}a-verifier/" in page.content.decode()


def test_a_provider_that_does_not_answer_is_told(campaign, project, memory, monkeypatch):
    paid(project, memory)
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}campagnes/{campaign.slug}/"
    cache.clear()
    healthy = words(finance.get(address)).count("memory")

    def silent():
        raise ProviderUnavailable("down")

    monkeypatch.setattr(memory, "balance", silent)
    cache.clear()
    page = finance.get(address)
    assert page.status_code == 200
    # Once more than before: among what is to be looked at.
    assert words(page).count("memory") == healthy + 1


# --- Lists ----------------------------------------------------------------------------------------------


def test_payments_are_filtered_searched_and_exported_safely(campaign, memory):
    first, second = campaign.projects.order_by("pk")
    type(first).objects.filter(pk=first.pk).update(title="=HYPERLINK(1)")
    one, two = paid(first, memory, 1_250), in_review(second, memory)
    finance = login(Role.FINANCE, campaign.fund)

    def listed(**query):
        said = words(finance.get(f"{ROOT}paiements/", query))
        return [one.contribution.reference in said, two.contribution.reference in said]

    assert listed() == [True, True]
    assert listed(state="review") == [False, True]
    assert listed(project=first.pk) == [True, False]
    assert listed(provider="memory") == [True, True]
    assert listed(q=one.contribution.reference) == [True, False]
    assert listed(q=str(two.key)) == [False, True]
    assert listed(q=two.provider_reference) == [False, True]

    french = b"".join(finance.get(f"{ROOT}paiements/", {"export": "csv"}).streaming_content)
    assert french.startswith("\ufeff".encode())
    rows = list(csv.reader(io.StringIO(french.decode("utf-8-sig")), delimiter=";"))
    row = next(row for row in rows if one.contribution.reference in row)
    assert "12,50" in row
    assert "'=HYPERLINK(1)" in row
    plain = b"".join(finance.get(f"{ROOT}paiements/", {"export": "csv-plain"}).streaming_content).decode()
    row = next(row for row in csv.reader(io.StringIO(plain)) if one.contribution.reference in row)
    assert "12.50" in row
    book = finance.get(f"{ROOT}paiements/", {"export": "xlsx"})
    sheet = load_workbook(
        io.BytesIO(b"".join(book.streaming_content) if book.streaming else book.content)
    ).active
    cells = [cell for line in sheet.iter_rows(values_only=True) for cell in line]
    assert 12.5 in cells
    assert "'=HYPERLINK(1)" in cells
    only = words(finance.get(f"{ROOT}paiements/", {"export": "csv", "state": "review"}))
    assert one.contribution.reference not in only
    assert ModelLogEntry.objects.filter(action="abonde.export", user=finance.user).count() == 4


def test_the_story_of_a_payment(campaign, project, memory):
    payment = paid(project, memory, fee_cents=25)
    finance = login(Role.FINANCE, campaign.fund)
    page = finance.get(f"{ROOT}paiements/{payment.pk}/")
    assert has_text(page, str(payment.key), f"escrow:{project.pk}", "clearing:memory", "0,25 €")


# --- Refund one payment ---------------------------------------------------------------------------------


def test_one_payment_is_refunded_in_two_steps(campaign, project, memory):
    payment, other = paid(project, memory, 2_000), paid(project, memory, 1_000)
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}paiements/{payment.pk}/rembourser/"
    assert finance.post(address, {"cause": "other", "reason": " "}).status_code == 422
    first = finance.post(address, {"cause": "residency", "reason": "A demandé par lettre"})
    assert first.status_code == 200
    # The effect is said before: the project's total, before and after.
    assert has_text(first, "30 €", "10 €")
    assert not Refund.objects.exists()
    assert project_funding([project])[project.pk].citizens_cents == 3_000
    form = {"cause": "residency", "reason": "A demandé par lettre", "confirmed": "1"}
    assert finance.post(address, form).status_code == 302
    refund = Refund.objects.get()
    assert (refund.amount_cents, refund.reason, refund.payment_id) == (2_000, "residency", payment.pk)
    order = LedgerTransaction.objects.get(kind="refund_ordered")
    assert (order.reason, order.posted_by) == ("A demandé par lettre", finance.user)
    other.refresh_from_db()
    assert other.state == "paid"
    # Again: no second order.
    finance.post(address, form)
    assert Refund.objects.count() == 1
    # Sent from the screen.
    sent = finance.post(f"{ROOT}campagnes/{campaign.slug}/remboursements/", follow=True)
    refund.refresh_from_db()
    assert refund.state == "done"
    assert 'value="1" max="1"' in sent.content.decode()


def refuse_by_program(request, when):
    if when == "before":
        raise NeedsHuman("second_factor")


def test_a_refund_made_by_hand_needs_proof_and_reason(campaign, project, memory):
    payment = paid(project, memory)
    memory.fail_refund = refuse_by_program
    refund = order_refund(payment=payment, reason="other")
    run_refunds()
    finance = login(Role.FINANCE, campaign.fund)
    progress = finance.get(f"{ROOT}campagnes/{campaign.slug}/remboursements/").content.decode()
    assert 'value="0" max="1"' in progress
    address = f"{ROOT}remboursements/{refund.pk}/a-la-main/"
    for missing in ({"proof": "", "reason": "x"}, {"proof": "VIR 1", "reason": ""}):
        assert finance.post(address, {"source": "provider", **missing}).status_code == 422
    # The bank account is empty in our books: nothing could have left it.
    wrong = finance.post(address, {"proof": "VIR 1", "reason": "Chèque", "source": "bank"})
    assert wrong.status_code == 422
    refund.refresh_from_db()
    assert refund.state == "manual"
    done = finance.post(
        address, {"proof": "VIR 1", "reason": "Fait chez le prestataire", "source": "provider"}
    )
    assert done.status_code == 302
    refund.refresh_from_db()
    assert refund.state == "done"
    entry = LedgerTransaction.objects.get(kind="refund_by_hand")
    assert "VIR 1" in entry.reason
    assert "Fait chez le prestataire" in entry.reason
    assert entry.posted_by == finance.user
    # It is over: a second record changes nothing.
    count = LedgerTransaction.objects.count()
    finance.post(address, {"proof": "VIR 2", "reason": "encore", "source": "provider"})
    assert LedgerTransaction.objects.count() == count


def test_a_refund_is_tried_again_and_never_made_twice(campaign, project, memory):
    payment = paid(project, memory)
    memory.fail_refund = refuse_by_program
    first = order_refund(payment=payment, reason="other")
    run_refunds()
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}remboursements/{first.pk}/reessayer/"
    assert finance.post(address, {"reason": ""}).status_code == 422
    memory.fail_refund = lambda request, when: None
    assert finance.post(address, {"reason": "Code saisi"}).status_code == 302
    first.refresh_from_db()
    assert first.state == "failed"
    run_refunds()
    assert sorted(Refund.objects.values_list("state", flat=True)) == ["done", "failed"]
    assert memory.returned() == 2_000


def test_a_refund_that_the_provider_knows_is_not_sent_again(campaign, project, memory):
    payment = paid(project, memory)
    memory.fail_refund = refuse_by_program
    refund = order_refund(payment=payment, reason="other")
    run_refunds()
    memory.charge_of(payment).refunds.append(
        RefundSnapshot(
            provider_reference="re_console", state=RefundState.DONE, amount_cents=2_000, our_key=None
        )
    )
    finance = login(Role.FINANCE, campaign.fund)
    finance.post(f"{ROOT}remboursements/{refund.pk}/reessayer/", {"reason": "encore"})
    refund.refresh_from_db()
    assert refund.state == "manual"
    assert Refund.objects.count() == 1


# --- Review ---------------------------------------------------------------------------------------------


def test_a_payment_of_another_amount_can_only_be_refunded(campaign, project, memory):
    payment = in_review(project, memory)
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}a-verifier/{payment.pk}/"
    page = finance.get(address)
    assert has_text(page, "20 €", "19 €")
    assert 'value="accept"' not in page.content.decode()
    finance.post(address, {"act": "accept", "reason": "forcé"})
    payment.refresh_from_db()
    assert payment.state == "review"
    assert finance.post(address, {"act": "refund", "reason": ""}).status_code == 422
    finance.post(address, {"act": "refund", "reason": "Mauvais montant"})
    payment.refresh_from_db()
    assert payment.state == "refund_due"
    assert run_refunds() == {"done": 1}
    assert memory.returned() == 1_900
    assert balance_of(campaign.fund.legal_holder, accounts.suspense()) == 0


def test_a_payment_of_the_right_amount_can_be_accepted(campaign, project, memory):
    payment = paid(project, memory, our_key=uuid.uuid4())
    assert payment.state == "review"
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}a-verifier/{payment.pk}/"
    assert 'value="accept"' in finance.get(address).content.decode()
    finance.post(address, {"act": "accept", "reason": "Clé erronée, vérifiée chez le prestataire"})
    payment.refresh_from_db()
    assert payment.state == "paid"
    assert project_funding([project])[project.pk].citizens_cents == 2_000
    entry = LedgerTransaction.objects.get(kind="review_accepted")
    assert entry.posted_by == finance.user
    assert entry.reason.startswith("Clé erronée")


def test_money_given_back_in_part_at_the_console_is_levelled(campaign, project, memory):
    payment = paid(project, memory)
    part = RefundSnapshot(
        provider_reference="re_part",
        state=RefundState.DONE,
        amount_cents=500,
        our_key=None,
        done_at=database_now(),
    )
    memory.charge_of(payment).refunds.append(part)
    payment = settle_payment(payment)
    assert payment.state == "review"
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}a-verifier/{payment.pk}/"
    finance.post(address, {"act": "accept", "reason": "non"})
    payment.refresh_from_db()
    assert payment.state == "review"
    finance.post(address, {"act": "refund", "reason": "Le reste aussi"})
    assert run_refunds() == {"done": 1}
    payment.refresh_from_db()
    assert payment.state == "refunded"
    assert memory.returned() == 2_000
    assert balance_of(campaign.fund.legal_holder, accounts.suspense()) == 0


def test_a_payment_without_money_is_closed_once_the_provider_says_so(campaign, project, memory):
    payment = world.start(world.resident(campaign), project, 2_000)
    memory.charge_of(payment).state = PaymentState.UNKNOWN
    payment = settle_payment(payment)
    assert payment.state == "review"
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}a-verifier/{payment.pk}/"
    # The provider took the money meanwhile: closing is refused.
    memory.charge_of(payment).state = PaymentState.PAID
    finance.post(address, {"act": "close", "reason": "rien"})
    payment.refresh_from_db()
    assert payment.state == "review"
    memory.charge_of(payment).state = PaymentState.FAILED
    finance.post(address, {"act": "close", "reason": "Rien pris, vu chez le prestataire"})
    payment.refresh_from_db()
    assert payment.state == "failed"
    assert Payment.objects.get().contribution.state == "failed"


# --- Reconciliation -------------------------------------------------------------------------------------


def statement_line(payment, **fields):
    return SettlementLine(
        **{
            "line_id": f"txn_{payment.pk}",
            "kind": SettlementKind.PAYMENT,
            "gross_cents": payment.amount_cents,
            "fee_cents": 0,
            "net_cents": payment.amount_cents,
            "at": payment.paid_at,
            "our_key": payment.key,
            **fields,
        }
    )


def test_a_planted_line_is_found_owned_and_explained(campaign, project, memory):
    payment = paid(project, memory)
    memory.lines = [
        statement_line(payment),
        statement_line(payment, line_id="=foreign", our_key=None, gross_cents=777, net_cents=777),
    ]
    holder = campaign.fund.legal_holder
    finance = login(Role.FINANCE, campaign.fund)
    address = f"{ROOT}rapprochements/{holder.pk}/"
    today = database_now().date()
    form = {
        "provider": "memory",
        "since": f"{today - timedelta(days=2):%d/%m/%Y}",
        "until": f"{today:%d/%m/%Y}",
    }
    wrong = {**form, "since": "01/02/2030"}
    assert finance.post(address, wrong).status_code == 422
    answer = finance.post(address, form)
    run = Reconciliation.objects.get()
    assert answer["Location"] == f"{address}{run.pk}/"
    assert (run.matched, run.surplus, run.made_by) == (1, 1, finance.user)
    page = finance.get(f"{address}{run.pk}/")
    assert has_text(page, "=foreign", payment.contribution.reference)
    assert payment.contribution.reference not in words(
        finance.get(f"{address}{run.pk}/", {"etat": "surplus"})
    )
    exported = finance.get(f"{address}{run.pk}/", {"export": "csv"}).content.decode()
    assert exported.startswith("\ufeff")
    assert "'=foreign" in exported
    assert "7,77" in exported
    book = finance.get(f"{address}{run.pk}/", {"export": "xlsx"}).content
    assert 7.77 in [cell.value for cell in load_workbook(io.BytesIO(book)).active["D"]]

    line = StatementLine.objects.get(state="surplus")
    sheet = f"{address}lignes/{line.pk}/"
    finance.post(sheet, {"act": "take"})
    line.refresh_from_db()
    assert (line.owner, line.state) == (finance.user, "surplus")
    assert finance.post(sheet, {"act": "explain", "explanation": " "}).status_code == 422
    finance.post(sheet, {"act": "explain", "explanation": "Abonnement remboursé", "account": "fees"})
    line.refresh_from_db()
    assert (line.state, line.explanation) == ("explained", "Abonnement remboursé")
    assert balance_of(holder, accounts.suspense()) == 0


# --- Ledger ---------------------------------------------------------------------------------------------


def test_prove_now_shows_fifteen_invariants(campaign, project, memory):
    paid(project, memory)
    auditor = login(Role.AUDITOR, campaign.fund)
    address = f"{ROOT}grand-livre/{campaign.fund.legal_holder_id}/preuve/"
    page = auditor.post(address)
    assert page.content.decode().count('class="abonde-check ') == 15
    assert "abonde-check--red" not in page.content.decode()
    assert has_text(auditor.get(f"{ROOT}campagnes/{campaign.slug}/"), str(auditor.user))


def test_entries_are_listed_by_account_and_exported(campaign, project, memory):
    paid(project, memory)
    auditor = login(Role.AUDITOR, campaign.fund)
    listed = words(auditor.get(f"{ROOT}ecritures/", {"account": f"escrow:{project.pk}"}))
    key = LedgerTransaction.objects.get(kind="payment").event_key
    assert key in listed
    other = campaign.projects.order_by("pk").last()
    assert key not in words(auditor.get(f"{ROOT}ecritures/", {"account": f"escrow:{other.pk}"}))
    exported = words(auditor.get(f"{ROOT}ecritures/", {"export": "csv"}))
    assert f"escrow:{project.pk}" in exported
    accounts_file = auditor.get(f"{ROOT}grand-livre/", {"export": "csv-plain"}).content.decode()
    assert f"escrow:{project.pk}" in accounts_file


# --- After the publication ------------------------------------------------------------------------------


@pytest.fixture
def published(campaign, memory):
    """The first project is funded with 10 € of a company, the second has failed."""
    funded, failed = campaign.projects.order_by("pk")
    type(funded).objects.filter(pk=funded.pk).update(goal_cents=2_000)
    type(funded.holder).objects.filter(pk=funded.holder_id).update(siret="73282932000074")
    pledge = world.pledge(campaign, 5_000)
    paid(funded, memory, 2_000)
    paid(failed, memory, 1_000)
    with shifted_clock(timedelta(days=41)), closing(campaign) as held:
        settle_campaign(
            campaign=held,
            funded={funded.pk: {(pledge.pot, pledge.funder): 1_000}},
            failed=[failed.pk],
            publication_key="v1",
        )
    return funded, pledge


def test_payouts_and_calls_are_recorded_with_reference_and_reason(campaign, published):
    funded, pledge = published
    finance = login(Role.FINANCE, campaign.fund)
    calls = f"{ROOT}campagnes/{campaign.slug}/appels/"
    payouts = f"{ROOT}campagnes/{campaign.slug}/versements/"
    assert has_text(finance.get(calls), "50 €", "10 €", "40 €", funded.title)
    assert has_text(finance.get(payouts), "20 €", "10 €", "30 €", "73282932000074")
    target = f"funder-{pledge.funder_id}"

    def form(target, amount, reference="VIR 77", reason="Appel n° 1"):
        return {
            "target": target,
            f"{target}-amount": amount,
            f"{target}-reference": reference,
            f"{target}-reason": reason,
        }

    holder = campaign.fund.legal_holder
    assert finance.post(calls, form(target, "10", reason="")).status_code == 422
    assert finance.post(calls, form(target, "11")).status_code == 422
    assert finance.post(calls, form("funder-999999", "1")).status_code == 404
    assert balance_of(holder, accounts.bank()) == 0
    for _ in range(2):
        assert finance.post(calls, form(target, "10")).status_code == 302
    assert balance_of(holder, accounts.bank()) == 1_000
    assert finance.post(calls, form(target, "9")).status_code == 422
    entry = LedgerTransaction.objects.get(kind="funder_payment")
    assert entry.reason == "VIR 77 – Appel n° 1"
    assert entry.posted_by == finance.user

    # 30 € are due, 10 € are in the bank: the whole cannot have been paid.
    assert finance.post(payouts, form(funded.reference, "30")).status_code == 422
    assert finance.post(payouts, form(funded.reference, "10", "VIR 78", "Acompte")).status_code == 302
    assert balance_of(holder, accounts.payable(campaign.pk, funded.pk)) == 2_000
    exported = finance.get(payouts, {"export": "csv"}).content.decode()
    assert "73282932000074" in exported
    assert "30,00" in exported
    assert pledge.funder.name in finance.get(calls, {"export": "csv-plain"}).content.decode()
    assert finance.get(calls, {"export": "xlsx"}).content[:2] == b"PK"


def test_a_funder_sees_its_own_promise_only(campaign, published):
    funded, pledge = published
    other = world.pledge(campaign, 70_000)
    funder = login(Role.FUNDER, campaign.fund, organisation=pledge.funder)
    page = funder.get(f"{ROOT}promesses/")
    assert has_text(page, pledge.funder.name, "50 €", "10 €", "40 €", funded.title)
    assert other.funder.name not in words(page)
    assert "700 €" not in words(page)


# --- Home -----------------------------------------------------------------------------------------------


def test_the_home_says_what_waits(campaign, project, memory):
    finance, reader = login(Role.FINANCE, campaign.fund), login(Role.AUDITOR, campaign.fund)
    assert f'{ROOT}a-verifier/"' in finance.get("/admin/").content.decode()
    payment = in_review(project, memory)
    assert payment.state == "review"
    panel = finance.get("/admin/").content.decode().split('id="abonde-money-title"')[1]
    assert f"{ROOT}a-verifier/" in panel.split("</section>")[0]
    panel = reader.get("/admin/").content.decode().split('id="abonde-money-title"')[1]
    assert f"{ROOT}a-verifier/" not in panel.split("</section>")[0]
