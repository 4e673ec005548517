"""What the worker runs about money: each can be run twice, at once or after a crash, without effect."""

import logging
from datetime import timedelta

from defis.clock import database_now
from defis.models import Organisation
from participation.contributions.statistics import refresh_statistics as _refresh_statistics
from participation.ledger.chain import seal_days
from participation.ledger.proof import prove
from participation.notifications.alerts import alert_finance
from participation.notifications.campaigns import write_letters as _write_letters
from participation.notifications.services import send_messages as _send_messages
from participation.payments.models import Payment
from participation.payments.poller import check_open_payments
from participation.payments.port import ProviderError, provider_for
from participation.payments.reconciliation import reconcile
from participation.payments.refunds import run_refunds as _run_refunds
from participation.payments.webhooks import handle_events

logger = logging.getLogger("abonde.money")


def poll_payments() -> str:
    """Open payments whose time has come, and messages that nobody looked into."""
    return f"{handle_events()} messages, {check_open_payments()} payments"


def run_refunds() -> str:
    """Refunds that are due, for at most four minutes: the schedule calls again."""
    return str(dict(_run_refunds(workers=4, seconds=240)))


def refresh_statistics() -> str:
    return f"{_refresh_statistics()} projects"


def write_letters() -> str:
    return f"{_write_letters()} letters"


def send_messages() -> str:
    return f"{_send_messages()} messages"


def seal_ledger() -> str:
    return ", ".join(f"{seal.holder} {seal.day} {seal.sha256}" for seal in seal_days())


def prove_ledger() -> str:
    """The nightly proof: when something is wrong, finance gets a mail and the task is listed as failed (RuntimeError)."""
    wrong = [str(proof) for proof in prove(chain=True) if not proof.ok]
    if wrong:
        logger.critical("ledger.wrong %s", " | ".join(wrong))
        alert_finance("\n".join(wrong), day=database_now().date().isoformat())
        raise RuntimeError("\n".join(wrong))
    return "Every invariant holds."


def reconcile_providers() -> str:
    """Yesterday's statements, with a week before them for lines that came late."""
    until = database_now().replace(hour=0, minute=0, second=0, microsecond=0)
    told = []
    used = (
        Payment.objects.filter(created_at__gte=until - timedelta(days=400))
        .order_by()
        .values_list("provider", "contribution__campaign__fund__legal_holder")
        .distinct()
    )
    for name, holder_id in used:
        if not provider_for(name).capabilities.settlements:
            continue
        holder = Organisation.objects.get(pk=holder_id)
        try:
            run = reconcile(provider=name, holder=holder, since=until - timedelta(days=8), until=until)
        except ProviderError as error:
            logger.warning("reconciliation.unanswered provider=%s error=%s", name, error)
            continue
        told.append(
            f"{name}: {run.matched} matched, {run.differences + run.surplus + run.missing} to look at"
        )
    return "; ".join(told)
