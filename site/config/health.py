"""Is this site able to serve, and is its worker alive? For a load balancer or a watchman, no secrets inside."""

from datetime import timedelta

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django_q.models import Schedule

# A schedule that should have run this long ago says that no worker takes the jobs.
PATIENCE = timedelta(minutes=15)


@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """200 when the database answers; `worker` is "late" when jobs wait, "idle" when none is planned."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    planned = (
        Schedule.objects.exclude(repeats=0).order_by("next_run").values_list("next_run", flat=True).first()
    )
    worker = "idle" if planned is None else "late" if planned < now() - PATIENCE else "running"
    return JsonResponse({"database": "ok", "worker": worker})
