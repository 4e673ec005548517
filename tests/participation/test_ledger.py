"""The ledger through its door, `post`, and through the database's own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.db.utils import DatabaseError

from participation.ledger import accounts
from participation.ledger.models import LedgerAccount, LedgerEntry, LedgerTransaction
from participation.ledger.services import EventKeyReused, Posting, balance_of, post, post_many
from tests.money import world

CLEARING = accounts.clearing("memory")


@pytest.fixture
def campaign(db):
    return world.campaign(projects=2)


@pytest.fixture
def holder(campaign):
    return campaign.fund.legal_holder


def escrow(campaign, index=0):
    return accounts.escrow(campaign.pk, campaign.projects.order_by("pk")[index].pk)


def give(campaign, cents, key="gift:1", index=0):
    return post(
        event_key=key,
        kind="payment",
        holder=campaign.fund.legal_holder,
        lines=[(CLEARING, escrow(campaign, index), cents)],
        campaign=campaign,
    )


def test_a_gift_is_held_by_the_provider_for_the_project(campaign, holder):
    give(campaign, 2_000)
    assert balance_of(holder, CLEARING) == 2_000
    assert balance_of(holder, escrow(campaign)) == 2_000


def test_the_same_event_is_posted_once(campaign, holder):
    first = give(campaign, 2_000)
    again = give(campaign, 2_000)
    assert again.pk == first.pk
    assert LedgerEntry.objects.count() == 1
    assert balance_of(holder, escrow(campaign)) == 2_000


def test_the_same_event_with_other_lines_is_an_error(campaign, holder):
    give(campaign, 2_000)
    with pytest.raises(EventKeyReused):
        give(campaign, 2_001)
    assert balance_of(holder, escrow(campaign)) == 2_000


@pytest.mark.parametrize("cents", [-1, 0])
def test_nothing_and_less_than_nothing_are_refused(campaign, cents):
    with pytest.raises(ValueError, match="gift:1"):
        give(campaign, cents)


def test_an_escrow_is_not_overdrawn(campaign, holder):
    give(campaign, 2_000)
    with pytest.raises(IntegrityError, match="overdrawn by 1 cents"), transaction.atomic():
        post(
            event_key="back",
            kind="refund",
            holder=holder,
            lines=[(escrow(campaign), accounts.refund_due(campaign.pk), 2_001)],
        )
    assert balance_of(holder, escrow(campaign)) == 2_000


def test_money_does_not_pass_from_one_holder_to_another(campaign, holder):
    other = world.organisation()
    mine, theirs = (
        accounts.account_ids(owner.pk, [account])[account.code]
        for owner, account in [(holder, CLEARING), (other, escrow(campaign))]
    )
    with pytest.raises(IntegrityError, match="crosses two holders"), transaction.atomic():
        t = LedgerTransaction.objects.create(
            holder=holder, event_key="x", kind="x", posted_at="2026-01-01T00:00Z"
        )
        LedgerEntry.objects.create(transaction=t, debit_id=mine, credit_id=theirs, amount_cents=1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE abonde_participation_ledgerentry SET amount_cents = 1",
        "DELETE FROM abonde_participation_ledgerentry",
        "TRUNCATE abonde_participation_ledgerentry CASCADE",
        "UPDATE abonde_participation_ledgertransaction SET reason = 'x'",
        "DELETE FROM abonde_participation_ledgertransaction",
        "TRUNCATE abonde_participation_ledgertransaction CASCADE",
        "UPDATE abonde_participation_ledgeraccount SET may_overdraw = true",
        "DELETE FROM abonde_participation_ledgeraccount",
        "UPDATE abonde_participation_ledgerday SET sha256 = ''",
    ],
)
def test_the_past_is_not_rewritten(campaign, statement):
    give(campaign, 2_000)
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement)


def test_the_orm_cannot_rewrite_the_past_either(campaign):
    entry = give(campaign, 2_000).entries.get()
    entry.amount_cents = 1
    with pytest.raises(DatabaseError), transaction.atomic():
        entry.save()
    with pytest.raises((DatabaseError, ProtectedError)), transaction.atomic():
        LedgerTransaction.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_added_to_a_transaction_of_the_past():
    campaign = world.campaign(projects=1)
    entry = give(campaign, 2_000).entries.get()
    with pytest.raises(IntegrityError, match="is closed"):
        LedgerEntry.objects.create(
            transaction=entry.transaction, debit=entry.debit, credit=entry.credit, amount_cents=1
        )


def test_an_endowment_fund_calls_no_money_from_an_authority(db):
    campaign = world.campaign(projects=1, holder=world.organisation("endowment"))
    holder, project = campaign.fund.legal_holder, campaign.projects.get()

    def call(funder, key):
        return post(
            event_key=key,
            kind="call",
            holder=holder,
            lines=[
                (accounts.receivable(campaign.pk, funder.pk), accounts.payable(campaign.pk, project.pk), 100)
            ],
        )

    call(world.organisation("company"), "company")
    with pytest.raises(IntegrityError, match="endowment fund"), transaction.atomic():
        call(campaign.fund.authority, "authority")
    # And the way round, by changing the holder's legal kind afterwards, is closed too.
    holder.kind = "foundation"
    with pytest.raises(IntegrityError, match="legal kind is settled"), transaction.atomic():
        holder.save()


def test_accounts_keep_their_meaning(campaign, holder):
    give(campaign, 2_000)
    assert set(LedgerAccount.objects.values_list("code", "kind", "side", "may_overdraw")) == {
        ("clearing:memory", "clearing", "debit", True),
        (escrow(campaign).code, "escrow", "credit", False),
    }


def test_the_checkpoint_changes_no_balance(campaign, holder):
    """More entries than a checkpoint needs, some before it, some after, some taken back."""
    for start in range(0, 1200, 300):
        post_many(
            holder=holder,
            postings=[
                Posting(event_key=f"g{i}", kind="payment", lines=[(CLEARING, escrow(campaign), 100)])
                for i in range(start, start + 300)
            ],
        )
        post_many(
            holder=holder,
            postings=[
                Posting(
                    event_key=f"r{i}",
                    kind="refund",
                    lines=[(escrow(campaign), accounts.refund_due(campaign.pk), 30)],
                )
                for i in range(start, start + 300)
            ],
        )
    assert balance_of(holder, escrow(campaign)) == 1200 * 70
    assert balance_of(holder, accounts.refund_due(campaign.pk)) == 1200 * 30


@pytest.mark.django_db(transaction=True)
def test_the_checkpoint_is_exact_across_transactions():
    campaign = world.campaign(projects=1)
    holder, due = campaign.fund.legal_holder, accounts.refund_due(campaign.pk)
    for start in range(0, 1800, 600):
        post_many(
            holder=holder,
            postings=[
                Posting(event_key=f"g{i}", kind="payment", lines=[(CLEARING, escrow(campaign), 100)])
                for i in range(start, start + 600)
            ],
        )
        post(event_key=f"r{start}", kind="refund", holder=holder, lines=[(escrow(campaign), due, 1)])
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM abonde_participation_ledgercheckpoint")
            assert cursor.fetchone()[0] == 1
        assert balance_of(holder, escrow(campaign)) == (start + 600) * 100 - (start // 600 + 1)
    # A copy restored on another cluster ignores the checkpoint rather than believe foreign numbers.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE abonde_participation_ledgercheckpoint SET cluster = 1, balance = 0")
    assert balance_of(holder, escrow(campaign)) == 180_000 - 3


# --- Races ------------------------------------------------------------------------------------------------


def _race(jobs, workers=8):
    """Run the jobs from several connections at once; returns their results or exceptions."""
    gate = threading.Barrier(min(workers, len(jobs)))

    def run(job):
        try:
            if not getattr(local, "started", False):
                local.started = True
                gate.wait(timeout=20)
            return job()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    local = threading.local()
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, jobs))


@pytest.mark.django_db(transaction=True)
def test_one_event_delivered_at_once_from_everywhere_is_posted_once():
    campaign = world.campaign(projects=1)
    give(campaign, 1, key="accounts exist")
    results = _race([lambda i=i: give(campaign, 1_000, key=f"event:{i % 5}") for i in range(40)])
    assert [r for r in results if isinstance(r, Exception)] == []
    assert balance_of(campaign.fund.legal_holder, escrow(campaign)) == 5_001


def _refund_race(campaign):
    holder, source, due = campaign.fund.legal_holder, escrow(campaign), accounts.refund_due(campaign.pk)
    give(campaign, 2_000)
    results = _race(
        [
            lambda i=i: post(event_key=f"r{i}", kind="refund", holder=holder, lines=[(source, due, 100)])
            for i in range(40)
        ]
    )
    refused = [r for r in results if isinstance(r, IntegrityError)]
    others = [r for r in results if isinstance(r, Exception) and not isinstance(r, IntegrityError)]
    assert others == []
    return 40 - len(refused), balance_of(holder, source)


@pytest.mark.django_db(transaction=True)
def test_refunds_at_once_never_overdraw():
    assert _refund_race(world.campaign(projects=1)) == (20, 0)


@pytest.mark.django_db(transaction=True)
def test_refunds_at_once_overdraw_without_the_lock():
    """Our race is a race: without the lock, somebody passes who should not."""
    campaign = world.campaign(projects=1)
    with connection.cursor() as cursor:
        # Everybody looks before anybody has committed.
        cursor.execute(
            """CREATE OR REPLACE FUNCTION abonde_ledger_checkpoint(account bigint) RETURNS void LANGUAGE sql
               AS 'SELECT pg_sleep(0.05)'"""
        )
        cursor.execute(
            "CREATE OR REPLACE FUNCTION abonde_ledger_lock(account bigint) RETURNS void LANGUAGE sql AS ''"
        )
    accepted, left = _refund_race(campaign)
    assert accepted > 20
    assert left < 0


@pytest.mark.django_db(transaction=True)
def test_gifts_to_one_project_do_not_wait_for_each_other():
    campaign = world.campaign(projects=1)
    give(campaign, 1, key="accounts exist")
    with transaction.atomic():
        give(campaign, 100, key="mine, not committed")
        [other] = _race([lambda: give(campaign, 100, key="theirs")], workers=1)
        assert isinstance(other, LedgerTransaction)
    assert balance_of(campaign.fund.legal_holder, escrow(campaign)) == 201


@pytest.mark.django_db(transaction=True)
def test_crossing_transfers_do_not_deadlock():
    campaign = world.campaign(projects=2)
    holder, a, b = campaign.fund.legal_holder, escrow(campaign, 0), escrow(campaign, 1)
    give(campaign, 100_000, key="a", index=0)
    give(campaign, 100_000, key="b", index=1)
    results = _race(
        [
            lambda i=i: post(
                event_key=f"x{i}",
                kind="move",
                holder=holder,
                # Each reduces both, in its own order of lines.
                lines=[(a, b, 7), (b, a, 5)] if i % 2 else [(b, a, 5), (a, b, 7)],
            )
            for i in range(40)
        ]
    )
    assert [r for r in results if isinstance(r, Exception)] == []
    assert balance_of(holder, a) == 100_000 - 80
    assert balance_of(holder, b) == 100_000 + 80
