"""Two workers ring the same bell: one calculation. The same test fails without the lock."""

import threading

import pytest
import rounds
from django.db import connection

from fundmatch.models import MatchRun
from fundmatch.services import closing as service
from participation.ledger import locks

pytestmark = pytest.mark.django_db(transaction=True)


class Rendezvous:
    """Holds the first worker in the middle of its work until the other arrives, or clearly cannot."""

    def __init__(self, monkeypatch) -> None:
        self.both = threading.Barrier(2)
        real = service.picture_of

        def held(campaign, donor_key):
            try:
                self.both.wait(timeout=1)
            except threading.BrokenBarrierError:
                pass  # the other worker waits for the lock, as it should
            return real(campaign, donor_key)

        monkeypatch.setattr(service, "picture_of", held)


def close_twice(campaign) -> tuple[list[int], list[Exception]]:
    runs: list[int] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            runs.append(service.close_campaign(campaign=campaign).pk)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return runs, errors


def test_two_concurrent_closings_make_one_run(monkeypatch):
    campaign, _projects = rounds.make_round()
    Rendezvous(monkeypatch)
    runs, errors = close_twice(campaign)
    assert errors == []
    assert len(runs) == 2 and len(set(runs)) == 1
    assert MatchRun.objects.filter(campaign=campaign).count() == 1


def test_without_the_lock_the_same_test_fails(monkeypatch):
    campaign, _projects = rounds.make_round()
    monkeypatch.setattr(locks, "hold_campaign", lambda campaign_id, seconds=30: None)
    Rendezvous(monkeypatch)
    runs, errors = close_twice(campaign)
    # Both calculated; only the database's own constraint kept a single run, and one worker crashed on it.
    assert len(errors) == 1
    assert MatchRun.objects.filter(campaign=campaign).count() == 1
