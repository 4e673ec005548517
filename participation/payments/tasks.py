"""What the worker runs about money: each can be run twice, at once or after a crash, without effect."""

from participation.contributions.statistics import refresh_statistics as _refresh_statistics
from participation.notifications.services import send_messages as _send_messages
from participation.payments.poller import check_open_payments
from participation.payments.refunds import run_refunds as _run_refunds
from participation.payments.webhooks import handle_event as _handle_event
from participation.payments.webhooks import handle_events


def handle_event(event_id: int) -> None:
    """One provider message, as soon as it came."""
    _handle_event(event_id)


def poll_payments() -> str:
    """Open payments whose time has come, and messages that nobody looked into."""
    return f"{handle_events()} messages, {check_open_payments()} payments"


def run_refunds() -> str:
    """Refunds that are due, for at most four minutes: the schedule calls again."""
    return str(dict(_run_refunds(workers=4, seconds=240)))


def refresh_statistics() -> str:
    return f"{_refresh_statistics()} projects"


def send_messages() -> str:
    return f"{_send_messages()} messages"
