from datetime import timedelta

import pytest
from django.utils.timezone import now
from django_q.models import Schedule

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("late_by", "says"),
    [(None, "idle"), (timedelta(seconds=-30), "running"), (timedelta(hours=1), "late")],
)
def test_a_watchman_learns_whether_jobs_are_taken(client, late_by, says):
    Schedule.objects.all().delete()
    if late_by is not None:
        Schedule.objects.create(func="math.sqrt", next_run=now() - late_by)
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"database": "ok", "worker": says}
    assert "no-store" in answer["Cache-Control"]
