"""Totals of projects: exact at every instant, whatever the worker does meanwhile."""

import threading
import uuid

import pytest
from django.db import connection, transaction

from participation.contributions.models import Contribution
from participation.contributions.selectors import left_for
from participation.contributions.statistics import figures_of, refresh_statistics, root
from participation.identity.models import Voter, VoterMembership
from tests.money import world


def gift(project, voter, cents, **fields):
    return Contribution.objects.create(
        **{
            "campaign": project.campaign,
            "project": project,
            "voter": voter,
            "amount_cents": cents,
            "state": "counted",
            "created_at": "2026-11-01T00:00Z",
            "counted_at": "2026-11-01T00:00Z",
            "idempotency_key": uuid.uuid4(),
            **fields,
        }
    )


def counted(project_ids):
    """The same figures by a plain GROUP BY over every contribution: the judge."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT project_id, coalesce(v.merged_into_id, v.id, -c.offline_donor_id), sum(amount_cents)::bigint,
                      coalesce(sum(amount_cents) FILTER (WHERE matchable), 0)::bigint
               FROM abonde_participation_contribution c
               LEFT JOIN abonde_participation_voter v ON v.id = c.voter_id
               WHERE state = 'counted' AND project_id = ANY (%s) GROUP BY 1, 2""",
            [list(project_ids)],
        )
        rows = cursor.fetchall()
    return {
        pk: (
            sum(r[2] for r in rows if r[0] == pk),
            sum(1 for r in rows if r[0] == pk),
            sum(r[3] for r in rows if r[0] == pk),
            sum(1 for r in rows if r[0] == pk and r[3]),
            sum(root(r[3]) for r in rows if r[0] == pk),
        )
        for pk in project_ids
    }


def rolled(project_ids):
    return {
        pk: (f.citizens_cents, f.donors, f.matchable_cents, f.matchable_donors, f.sum_of_roots)
        for pk, f in figures_of(project_ids).items()
    }


def test_roots_are_the_nearest_integers():
    assert root(4) == 2 * 10**24
    assert root(2) == 1414213562373095048801689  # √2 = 1.414213562373095048801688 72…
    assert root(3) == 1732050807568877293527446  # √3 = 1.732050807568877293527446 34…


@pytest.mark.django_db(transaction=True)
def test_roll_up_and_tail_equal_a_group_by_after_every_step():
    campaign = world.campaign(projects=3)
    a, b, c = ids = sorted(campaign.projects.values_list("pk", flat=True))
    pa, pb, _pc = campaign.projects.order_by("pk")
    one, two, three = (Voter.objects.create(campaign=campaign, digest=str(i)) for i in range(3))

    def same():
        assert rolled(ids) == counted(ids)

    same()
    first = gift(pa, one, 2_500)
    same()
    refresh_statistics()
    same()
    gift(pa, one, 100, matchable=False)
    gift(pa, two, 900)
    started = gift(pb, two, 700, state="started", counted_at=None)
    same()
    refresh_statistics()
    started.state, started.counted_at = "counted", "2026-11-02T00:00Z"
    started.save()
    same()
    Contribution.objects.filter(pk=first.pk).update(state="refunded")
    same()
    refresh_statistics()
    same()
    # Counted and given back between two refreshes.
    brief = gift(pb, three, 50)
    Contribution.objects.filter(pk=brief.pk).update(state="refunded")
    same()
    refresh_statistics()
    same()
    # Two accounts turn out to be one human.
    two.merged_into = one
    two.save()
    same()
    refresh_statistics()
    same()
    assert rolled([a])[a][1] == 1
    # Restored on another cluster: the roll-up is not believed.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE abonde_participation_projectstatistics SET cluster = 1, citizens_cents = 7")
    same()
    refresh_statistics()
    same()


@pytest.mark.django_db(transaction=True)
def test_the_worker_has_nothing_to_do_twice():
    campaign = world.campaign(projects=2)
    project = campaign.projects.first()
    gift(project, Voter.objects.create(campaign=campaign, digest="1"), 100)
    assert refresh_statistics() == 1
    # A transaction of somebody else, even in another database, holds the horizon back until it ends.
    for _ in range(200):
        if refresh_statistics() == 0:
            break
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05)")
    else:
        pytest.fail("the worker never rests")


@pytest.mark.django_db(transaction=True)
def test_a_linked_account_shares_the_ceiling():
    campaign = world.campaign(projects=1, max_per_person_cents=100_000)
    person = world.person()
    older, younger = (Voter.objects.create(campaign=campaign, digest=str(i)) for i in range(2))
    gift(campaign.projects.get(), younger, 40_000)
    gift(campaign.projects.get(), older, 10_000)
    younger.merged_into = older
    younger.save()
    VoterMembership.objects.create(voter=older, campaign=campaign, person=person)
    assert left_for(person, campaign) == 50_000


@pytest.mark.django_db(transaction=True)
def test_totals_equal_a_group_by_at_every_instant_under_concurrent_votes():
    campaign = world.campaign(projects=4)
    projects = list(campaign.projects.order_by("pk"))
    ids = [p.pk for p in projects]
    voters = [Voter.objects.create(campaign=campaign, digest=str(i)) for i in range(12)]
    stop = threading.Event()
    errors: list[Exception] = []

    def vote(seed):
        try:
            made = []
            n = seed
            while not stop.is_set():
                n = (n * 1103515245 + 12345) % 2**31
                with transaction.atomic():
                    made.append(gift(projects[n % 4], voters[n % 12], n % 997 + 1).pk)
                    if n % 3 == 0:
                        Contribution.objects.filter(pk=made.pop(0)).update(state="refunded")
                    if n % 7 == 0:
                        transaction.set_rollback(True)
                        made.pop()
        except IndexError:
            pass
        except Exception as error:  # noqa: BLE001 - reported below
            errors.append(error)
        finally:
            connection.close()

    def refresh():
        try:
            while not stop.is_set():
                refresh_statistics()
        except Exception as error:  # noqa: BLE001 - reported below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=vote, args=(seed,)) for seed in (1, 2, 3)]
    threads.append(threading.Thread(target=refresh))
    for thread in threads:
        thread.start()
    try:
        for _ in range(60):
            with transaction.atomic(), connection.cursor() as cursor:
                # One snapshot for both ways of counting.
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                assert rolled(ids) == counted(ids)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    assert rolled(ids) == counted(ids)
    assert sum(figures[1] for figures in rolled(ids).values()) > 0
