"""The run that sends refunds: claimed in small batches, resumable after any crash, never twice.

1. Claim: `created` becomes `sent` under a lease longer than all the calls of the batch; commit.
2. Call, outside any transaction. Whoever was claimed before is looked up at the provider first.
3. Record the whole batch in one transaction, only where our claim still holds (`attempts` is its number).

A process that dies anywhere leaves leases; when they end the next run looks before it acts.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from defis.clock import clock_shift, database_now
from defis.models import Campaign, Organisation
from participation.contributions.models import Contribution
from participation.ledger import accounts, locks
from participation.ledger.services import Posting, post_many
from participation.notifications.services import Letter, queue_many
from participation.payments.failpoints import failpoint
from participation.payments.models import Payment, Refund
from participation.payments.port import (
    NeedsHuman,
    PaymentProvider,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RefundRequest,
    RefundSnapshot,
    RefundState,
    provider_for,
)
from participation.payments.refunds_orders import apply_refund, tell_refund

logger = logging.getLogger("abonde.money")

# No new call of a batch starts after so many seconds.
BATCH_SECONDS = 20
LEASE_MARGIN_SECONDS = 15
# Between two looks at a refund that the bank has not finished.
TRANSIT_PAUSE = timedelta(hours=1)
LONGEST_PAUSE = timedelta(hours=1)
# One refund that waits slows the others down by no more than this many seconds.
LONGEST_CALL_PAUSE = 2.0


@dataclass
class Claim:
    """One refund that this run alone may act on until its lease ends."""

    refund_id: int
    payment_id: int
    was: str
    attempts: int
    request: RefundRequest
    # The provider's name for it, once known.
    reference: str
    idempotent: bool


@dataclass
class Outcome:
    """What a call taught us: a snapshot, or why there is none."""

    claim: Claim
    snapshot: RefundSnapshot | None = None
    human: str = ""
    wait_seconds: float | None = None
    note: str = ""


@dataclass
class Pace:
    """At most so many calls a second over all threads, and a pause when the provider asks for one."""

    per_second: float | None
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + (1 / self.per_second if self.per_second else 0)
        if at > now:
            time.sleep(at - now)

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def run_refunds(
    *,
    limit: int | None = None,
    campaign: Campaign | None = None,
    workers: int = 1,
    batch: int = 25,
    per_second: float | None = None,
    seconds: float | None = None,
) -> Counter:
    """Send what is due, provider after provider; returns how many ended in each state in this run.

    Stops after `limit` refunds or `seconds`, whichever comes first; whatever is left waits for the next run.
    Several runs at once share the work. `per_second` limits the calls to each provider.
    """
    counts: Counter = Counter()
    for name in _providers_with_work(campaign):
        provider = provider_for(name)
        run = _Run(provider, campaign, batch, Pace(per_second), limit, seconds)
        if workers == 1:
            run.work()
        else:
            with ThreadPoolExecutor(workers) as pool:
                # Each thread lives at the caller's moment (a demonstration may shift its clock).
                for result in [pool.submit(copy_context().run, run.work_apart) for _ in range(workers)]:
                    result.result()
        counts += run.counts
        if limit is not None:
            limit -= run.taken
            if limit <= 0:
                break
    return counts


class _Run:
    """One provider's part of a run, shared by its threads."""

    def __init__(
        self,
        provider: PaymentProvider,
        campaign: Campaign | None,
        batch: int,
        pace: Pace,
        limit: int | None,
        seconds: float | None,
    ) -> None:
        self.provider = provider
        self.campaign = campaign
        self.batch = batch
        self.pace = pace
        self.limit = limit
        self.deadline = None if seconds is None else time.monotonic() + seconds
        self.counts: Counter = Counter()
        self.taken = 0
        self.lock = threading.Lock()

    def work_apart(self) -> None:
        try:
            self.work()
        finally:
            connection.close()

    def work(self) -> None:
        while not self._is_over():
            with self.lock:
                size = self.batch if self.limit is None else min(self.batch, self.limit - self.taken)
                if size <= 0:
                    return
                self.taken += size
            claims = claim(self.provider, size, self.campaign)
            with self.lock:
                self.taken -= size - len(claims)
            if not claims:
                return
            failpoint("refund.claimed")
            started = time.monotonic()
            outcomes: list[Outcome] = []
            for index, claimed in enumerate(claims):
                if time.monotonic() - started > BATCH_SECONDS or self._is_over():
                    release(claims[index:])
                    break
                self.pace.wait()
                outcome = act(self.provider, claimed)
                failpoint("refund.called")
                if outcome.wait_seconds:
                    self.pace.pause(min(outcome.wait_seconds, LONGEST_CALL_PAUSE))
                outcomes.append(outcome)
            counts = record(self.provider.name, outcomes)
            failpoint("refund.recorded")
            with self.lock:
                self.counts += counts

    def _is_over(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline


# --- 1. Claim -------------------------------------------------------------------------------------------


def claim(provider: PaymentProvider, size: int, campaign: Campaign | None = None) -> list[Claim]:
    """Take up to `size` due refunds for ourselves alone, and commit."""
    lease = timedelta(seconds=BATCH_SECONDS + provider.capabilities.call_seconds * 2 + LEASE_MARGIN_SECONDS)
    parameters: dict[str, Any] = {
        "shift": clock_shift(),
        "provider": provider.name,
        "campaign": campaign.pk if campaign else None,
        "size": size,
        "lease": lease,
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            """WITH due AS (
                 SELECT r.id, r.state FROM abonde_participation_refund r
                 JOIN abonde_participation_payment p ON p.id = r.payment_id
                 JOIN abonde_participation_contribution c ON c.id = p.contribution_id
                 WHERE r.state IN ('created', 'sent', 'in_transit')
                   AND r.next_try_at <= statement_timestamp() + %(shift)s
                   AND (r.lease_until IS NULL OR r.lease_until <= statement_timestamp() + %(shift)s)
                   AND p.provider = %(provider)s
                   AND (%(campaign)s::bigint IS NULL OR c.campaign_id = %(campaign)s)
                 ORDER BY r.next_try_at, r.id LIMIT %(size)s FOR UPDATE OF r SKIP LOCKED
               )
               UPDATE abonde_participation_refund r
               SET state = CASE due.state WHEN 'created' THEN 'sent' ELSE due.state END,
                   attempts = r.attempts + 1,
                   sent_at = coalesce(r.sent_at, statement_timestamp() + %(shift)s),
                   lease_until = statement_timestamp() + %(shift)s + %(lease)s
               FROM due, abonde_participation_payment p
               WHERE r.id = due.id AND p.id = r.payment_id
               RETURNING r.id, p.id, due.state, r.attempts, r.key, p.key, p.provider_reference, r.amount_cents,
                         p.provider_payment,
                         (SELECT array_agg(o.provider_reference) FROM abonde_participation_refund o
                          WHERE o.payment_id = p.id AND o.id <> r.id AND o.provider_reference <> ''),
                         r.provider_reference""",
            parameters,
        )
        rows = cursor.fetchall()
    return [
        Claim(
            refund_id=row[0],
            payment_id=row[1],
            was=row[2],
            attempts=row[3],
            request=RefundRequest(
                key=row[4],
                payment_key=row[5],
                provider_reference=row[6],
                amount_cents=row[7],
                provider_payment=row[8],
                known_references=frozenset(row[9] or ()),
            ),
            reference=row[10],
            idempotent=provider.capabilities.idempotency,
        )
        for row in rows
    ]


def release(claims: Iterable[Claim]) -> None:
    """Give back what we did not call for: as it was, without its attempt."""
    with connection.cursor() as cursor:
        for claimed in claims:
            cursor.execute(
                """UPDATE abonde_participation_refund
                   SET state = %s, attempts = attempts - 1, lease_until = NULL
                   WHERE id = %s AND attempts = %s AND state IN ('sent', 'in_transit')""",
                [claimed.was, claimed.refund_id, claimed.attempts],
            )


# --- 2. Call --------------------------------------------------------------------------------------------


def act(provider: PaymentProvider, claimed: Claim) -> Outcome:
    """Look first if anything may already have happened; then ask for the refund."""
    request = claimed.request
    try:
        if claimed.was != Refund.State.CREATED or not claimed.idempotent:
            known = find_ours(provider, claimed)
            if known is not None:
                return Outcome(claimed, snapshot=known)
            if claimed.was == Refund.State.IN_TRANSIT:
                return Outcome(claimed, human="the provider no longer knows this refund")
        if claimed.attempts > 1:
            request = RefundRequest(**{**request.__dict__, "attempt": claimed.attempts - 1})
        return Outcome(claimed, snapshot=provider.refund(request))
    except ProviderUnavailable as error:
        known_wait = error.retry_after
        wait = known_wait if known_wait is not None else min(2.0**claimed.attempts, 600.0)
        if known_wait is None:
            # Our call may still be under way at the provider: do not look before it must have ended.
            wait = max(wait, provider.capabilities.call_seconds)
        return Outcome(claimed, wait_seconds=wait, note=str(error))
    except (ProviderRefused, NeedsHuman) as error:
        return Outcome(claimed, human=str(error))


def find_ours(provider: PaymentProvider, claimed: Claim) -> RefundSnapshot | None:
    """The provider's refund that our order became, if it became one.

    With our key it is certain. Without keys, one open order per payment and the known references leave at most
    one candidate; a refund made meanwhile at the console is taken for ours, since the money went back once.
    """
    request = claimed.request
    try:
        found = provider.find_refunds(request.provider_reference, provider_payment=request.provider_payment)
    except ProviderError as error:
        if isinstance(error, ProviderUnavailable):
            raise
        return None
    for snapshot in found:
        if snapshot.our_key == request.key or snapshot.provider_reference == claimed.reference:
            return snapshot
    for snapshot in found:
        if (
            snapshot.our_key is None
            and snapshot.provider_reference not in request.known_references
            and snapshot.state != RefundState.FAILED
        ):
            return snapshot
    return None


# --- 3. Record ------------------------------------------------------------------------------------------


def record(provider: str, outcomes: list[Outcome]) -> Counter:
    """Write a batch in one transaction. A claim that was lost meanwhile (lease over) is left to its new owner."""
    counts: Counter = Counter()
    if not outcomes:
        return counts
    with transaction.atomic(durable=True):
        held = _hold(outcomes)
        now = database_now()
        done = []
        for outcome in outcomes:
            refund = held.get(outcome.claim.refund_id)
            if refund is None:
                counts["lost"] += 1
                continue
            snapshot = outcome.snapshot
            if (
                snapshot is not None
                and snapshot.state == RefundState.DONE
                and snapshot.amount_cents == refund.amount_cents
            ):
                done.append((refund, snapshot))
                counts["done"] += 1
            elif snapshot is not None:
                refund = apply_refund(refund.payment, refund, snapshot)
                if refund.state == Refund.State.IN_TRANSIT:
                    Refund.objects.filter(pk=refund.pk).update(next_try_at=now + TRANSIT_PAUSE)
                counts[refund.state] += 1
            elif outcome.human:
                refund.state, refund.note, refund.lease_until = Refund.State.MANUAL, outcome.human, None
                refund.save()
                tell_refund(refund, "refund_delayed")
                counts[refund.state] += 1
            else:
                wait = min(timedelta(seconds=outcome.wait_seconds or 1), LONGEST_PAUSE)
                Refund.objects.filter(pk=refund.pk).update(
                    next_try_at=now + wait, lease_until=None, note=outcome.note[:2000]
                )
                counts["waiting"] += 1
        if done:
            _record_done(provider, done)
        failpoint("refund.written")
    return counts


def _hold(outcomes: list[Outcome]) -> dict[int, Refund]:
    """Campaigns shared, payments locked in order, refunds read: those whose claim is still ours."""
    attempts = {o.claim.refund_id: o.claim.attempts for o in outcomes}
    campaigns = (
        Contribution.objects.filter(payments__in=[o.claim.payment_id for o in outcomes])
        .values_list("campaign_id", flat=True)
        .distinct()
        .order_by("campaign_id")
    )
    for campaign_id in campaigns:
        locks.share_campaign(campaign_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM abonde_participation_payment WHERE id = ANY (%s) ORDER BY id FOR UPDATE",
            [[o.claim.payment_id for o in outcomes]],
        )
    refunds = Refund.objects.filter(
        pk__in=attempts, state__in=[Refund.State.SENT, Refund.State.IN_TRANSIT]
    ).select_related(
        "payment__contribution__campaign__fund__legal_holder",
        "payment__contribution__project",
        "payment__contribution__person",
    )
    return {r.pk: r for r in refunds if r.attempts == attempts[r.pk]}


def _record_done(provider: str, done: list[tuple[Refund, RefundSnapshot]]) -> None:
    """The common case, in a handful of statements whatever the size of the batch."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE abonde_participation_refund r
               SET state = 'done', done_at = coalesce(v.done_at, statement_timestamp() + %s),
                   provider_reference = v.reference, lease_until = NULL, next_try_at = NULL
               FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS v (id, reference, done_at)
               WHERE r.id = v.id""",
            [
                clock_shift(),
                [r.pk for r, _ in done],
                [s.provider_reference for _, s in done],
                [s.done_at for _, s in done],
            ],
        )
    clearing = accounts.clearing(provider)
    by_holder: dict[Organisation, list[Posting]] = {}
    for refund, _snapshot in done:
        campaign = refund.payment.contribution.campaign
        by_holder.setdefault(campaign.fund.legal_holder, []).append(
            Posting(
                event_key=f"refund:{refund.key}:done",
                kind="refund_done",
                lines=[(accounts.refund_due(campaign.pk), clearing, refund.amount_cents)],
                campaign_id=campaign.pk,
                payment_id=refund.payment_id,
                refund_id=refund.pk,
            )
        )
    for holder, postings in sorted(by_holder.items(), key=lambda item: item[0].pk):
        post_many(holder=holder, postings=postings)
    payments = [r.payment_id for r, _ in done]
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE abonde_participation_payment p SET state = 'refunded'
               WHERE p.id = ANY (%s) AND p.state IN ('paid', 'refund_due', 'review')
                 AND (SELECT sum(amount_cents) FROM abonde_participation_refund r
                      WHERE r.payment_id = p.id AND r.state = 'done') >= coalesce(p.captured_cents, p.amount_cents)""",
            [payments],
        )
        cursor.execute(
            """UPDATE abonde_participation_contribution c
               SET state = 'refunded', ended_at = statement_timestamp() + %s, end_reason = 'refunded'
               WHERE c.state IN ('counted', 'started')
                 AND c.id IN (SELECT contribution_id FROM abonde_participation_payment
                              WHERE id = ANY (%s) AND state = 'refunded')
                 AND NOT EXISTS (SELECT 1 FROM abonde_participation_payment p
                                 WHERE p.contribution_id = c.id AND p.state = 'paid')""",
            [clock_shift(), payments],
        )
    queue_many(
        Letter(
            key=f"refund_done:{refund.key}",
            kind="refund_done",
            person=refund.payment.contribution.person,
            context={
                "project": refund.payment.contribution.project.title,
                "cents": refund.amount_cents,
                "reference": refund.payment.contribution.reference,
                "path": f"/contributions/{refund.payment.contribution.reference}/",
            },
        )
        for refund, _snapshot in done
    )


def _providers_with_work(campaign: Campaign | None) -> list[str]:
    due = Payment.objects.filter(
        refunds__state__in=[Refund.State.CREATED, Refund.State.SENT, Refund.State.IN_TRANSIT]
    )
    if campaign is not None:
        due = due.filter(contribution__campaign=campaign)
    return list(due.order_by("provider").values_list("provider", flat=True).distinct())
