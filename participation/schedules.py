"""What the worker does by the clock. Registering again changes only what differs."""

from datetime import datetime, time, timedelta

from django.utils import timezone
from django_q.models import Schedule

TASKS = "participation.payments.tasks"

# name, function, minutes between two runs
OFTEN = [
    ("abonde: payments", f"{TASKS}.poll_payments", 1),
    ("abonde: refunds", f"{TASKS}.run_refunds", 5),
    ("abonde: totals", f"{TASKS}.refresh_statistics", 1),
    ("abonde: letters", f"{TASKS}.write_letters", 5),
    ("abonde: mails", f"{TASKS}.send_messages", 1),
]
# name, function, hour in the site's time zone; the seal closes the day before the proof reads it
DAILY = [
    ("abonde: seal", f"{TASKS}.seal_ledger", time(0, 15)),
    ("abonde: proof", f"{TASKS}.prove_ledger", time(2, 45)),
    ("abonde: retention", "participation.identity.tasks.apply_retention", time(3, 30)),
    ("abonde: reconciliation", f"{TASKS}.reconcile_providers", time(5, 30)),
]


def register_schedules() -> list[str]:
    """Create or correct the schedules of this app; returns the names that changed."""
    changed = []
    for name, function, minutes in OFTEN:
        wanted = {"func": function, "schedule_type": Schedule.MINUTES, "minutes": minutes}
        changed += _register(name, wanted, timezone.now())
    for name, function, hour in DAILY:
        wanted = {"func": function, "schedule_type": Schedule.DAILY, "minutes": None}
        changed += _register(name, wanted, _next(hour))
    return changed


def _register(name: str, wanted: dict, first: datetime) -> list[str]:
    wanted = {**wanted, "repeats": -1}
    schedule = Schedule.objects.filter(name=name).order_by("pk").first()
    if schedule is None:
        Schedule.objects.create(name=name, next_run=first, **wanted)
        return [name]
    if all(getattr(schedule, field) == value for field, value in wanted.items()):
        return []
    for field, value in wanted.items():
        setattr(schedule, field, value)
    schedule.next_run = first
    schedule.save()
    return [name]


def _next(hour: time) -> datetime:
    now = timezone.localtime()
    at = now.replace(hour=hour.hour, minute=hour.minute, second=0, microsecond=0)
    return at if at > now else at + timedelta(days=1)
