"""The vote: give for a project. Paying is voting; there is no basket to confirm."""

import logging
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction

from defis.clock import clock_shift, database_now
from defis.models import Campaign, Project
from defis.models.references import new_reference
from defis.services import Refused, ensure_rules_frozen
from participation.contributions import problems
from participation.contributions.models import Contribution
from participation.contributions.problems import ContributionRefused
from participation.contributions.selectors import payment_of
from participation.identity.models import Person
from participation.identity.services import voter_for
from participation.ledger import locks
from participation.payments.failpoints import failpoint
from participation.payments.models import Payment
from participation.payments.port import (
    NeedsHuman,
    PaymentState,
    ProviderRefused,
    ProviderUnavailable,
    StartRequest,
    provider_for,
)

__all__ = ["ContributionRefused", "abandon_contribution", "open_payment_page", "start_contribution"]

logger = logging.getLogger("abonde.money")

# A payment page asked to live that long; the provider rounds it, or has its own.
PAGE_LIFE = timedelta(minutes=31)
# Added to the longest call of a provider before somebody else may ask for the same page.
LEASE_MARGIN = timedelta(seconds=10)


def start_contribution(
    *,
    person: Person,
    project: Project,
    amount_cents: int,
    idempotency_key: UUID,
    public_name: str = "",
    return_url: str = "",
    matchable: bool = True,
) -> Contribution:
    """Write the contribution and its payment, commit, then ask the provider for its page.

    `amount_cents` is checked against the campaign's limits and what is left for this voter, whose row is locked
    first (5 SQL statements in all). The instant is the database's. The same key again returns the same
    contribution, whatever the number of clicks and tabs. `return_url` may contain `{key}` (the payment's).
    Raises ContributionRefused. When its code is `provider_unavailable`, call again with the same key.
    """
    campaign_id = project.campaign_id
    if project.campaign.rules_frozen_at is None:
        _freeze_at_opening(project.campaign)
    with transaction.atomic(durable=True):
        locks.share_campaign(campaign_id)
        voter_id = _hold_voter_of(person, campaign_id)
        facts = _facts(voter_id, project.pk, idempotency_key)
        if facts["contribution_id"] is None:
            _check(facts, amount_cents, project)
            contribution, payment = _insert(
                facts, person, project, voter_id, amount_cents, idempotency_key, public_name, matchable
            )
            mine = True
        else:
            contribution = Contribution.objects.get(pk=facts["contribution_id"])
            if (contribution.person_id, contribution.project_id, contribution.amount_cents) != (
                person.pk,
                project.pk,
                amount_cents,
            ):
                raise problems.key_reused()
            payment = payment_of(contribution)
            mine = False
    contribution.project = project
    if mine or _still_without_page(payment):
        open_payment_page(payment, return_url=return_url)
    return contribution


def open_payment_page(payment: Payment, *, return_url: str = "") -> Payment:
    """Ask the provider for its hosted page, outside any transaction, and keep its reference.

    The request is rebuilt from stored facts, so that asking again after a crash is the same request.
    Raises ContributionRefused (`provider_unavailable`: nobody knows, ask again; `provider_refused`: it ended).
    """
    contribution = payment.contribution
    person = contribution.person
    provider = provider_for(payment.provider)
    origin = settings.PUBLIC_ORIGIN
    request = StartRequest(
        key=payment.key,
        amount_cents=payment.amount_cents,
        reference=contribution.reference,
        title=contribution.project.title,
        return_url=(return_url or f"{origin}/paiement/retour/{{key}}/").replace("{key}", str(payment.key)),
        cancel_url=f"{origin}/paiement/retour/{payment.key}/?abandon=1",
        notify_url=f"{origin}/paiement/{payment.provider}/webhook/",
        email=person.email if person else "",
        locale=person.language if person else "fr",
        expires_at=payment.created_at + PAGE_LIFE,
    )
    failpoint("start.committed")
    try:
        started = provider.start(request)
    except ProviderUnavailable as error:
        _keep_note(payment, f"start: {error}")
        raise problems.provider_unavailable() from error
    except (ProviderRefused, NeedsHuman) as error:
        _end(
            payment, Payment.State.FAILED, Contribution.State.FAILED, reason="refused", note=f"start: {error}"
        )
        raise problems.provider_refused() from error
    failpoint("start.answered")
    state = Payment.State.PENDING if started.state == PaymentState.PENDING else Payment.State.CREATED
    with connection.cursor() as cursor:
        # A webhook may have been faster: the state is only written over `created`.
        cursor.execute(
            """UPDATE abonde_participation_payment
               SET provider_reference = %s, redirect_url = %s, lease_until = NULL,
                   asked_at = statement_timestamp() + %s, next_check_at = statement_timestamp() + %s,
                   state = CASE state WHEN 'created' THEN %s ELSE state END
               WHERE id = %s RETURNING state""",
            [
                started.provider_reference,
                started.redirect_url,
                clock_shift(),
                clock_shift() + timedelta(minutes=2),
                str(state),
                payment.pk,
            ],
        )
        payment.state = cursor.fetchone()[0]
    failpoint("start.recorded")
    payment.provider_reference = started.provider_reference
    payment.redirect_url = started.redirect_url
    if started.state == PaymentState.PAID:
        from participation.payments.settlement import settle_payment

        return settle_payment(payment)
    return payment


def abandon_contribution(*, contribution: Contribution) -> Contribution:
    """The resident gives up. Believed only if the provider says that nothing can be captured any more.

    A contribution whose page never opened ends at once; another stays `started` until the provider's word.
    """
    from participation.payments.settlement import settle_payment

    payment = payment_of(contribution)
    if payment.state in Payment.OPEN:
        if payment.provider_reference or _leased(payment):
            settle_payment(payment)
        else:
            _end(payment, Payment.State.EXPIRED, Contribution.State.ABANDONED, reason="given_up")
    return Contribution.objects.get(pk=contribution.pk)


# --- Inside ---------------------------------------------------------------------------------------------


def _freeze_at_opening(campaign: Campaign) -> None:
    """The first gift after the opening freezes the rules if nobody did; opening waits for no schedule."""
    try:
        ensure_rules_frozen(campaign=campaign)
    except Refused as refusal:
        # Not open yet, or not ready: the check below says so to the resident.
        logger.warning("campaign.not_frozen slug=%s why=%s", campaign.slug, refusal.code)


def _hold_voter_of(person: Person, campaign_id: int) -> int:
    voter_id = locks.hold_voter_of(person_id=person.pk, campaign_id=campaign_id)
    if voter_id is None:
        # First gift of this person here; the new voter comes locked.
        return voter_for(person=person, campaign=Campaign.objects.get(pk=campaign_id)).pk
    return voter_id


def _facts(voter_id: int, project_id: int, key: UUID) -> dict[str, Any]:
    """Everything the decision needs, in one statement, after the voter's lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT statement_timestamp() + %(shift)s AS now,
                      p.status, coalesce(p.opens_at, c.opens_at) AS opens_at,
                      least(coalesce(p.closes_at, c.closes_at), c.closes_at) AS closes_at,
                      c.id AS campaign_id, c.announced_at, c.published_at, c.rules_frozen_at, c.rules_version,
                      c.min_contribution_cents, c.max_contribution_cents, c.collection_provider,
                      least(c.max_per_person_cents, c.allowance_cents) AS ceiling,
                      p.stops_at_goal, p.goal_cents,
                      CASE WHEN p.stops_at_goal THEN
                        (SELECT f.citizens_cents FROM abonde_project_figures(ARRAY[p.id]) f) END AS citizens_cents,
                      (SELECT coalesce(sum(amount_cents), 0) FROM abonde_participation_contribution
                       WHERE voter_id = ANY (ARRAY(SELECT id FROM abonde_participation_voter
                                                   WHERE id = %(voter)s OR merged_into_id = %(voter)s))
                         AND state IN ('started', 'counted')) AS engaged,
                      (SELECT id FROM abonde_participation_contribution
                       WHERE idempotency_key = %(key)s) AS contribution_id
               FROM abonde_defis_project p JOIN abonde_defis_campaign c ON c.id = p.campaign_id
               WHERE p.id = %(project)s""",
            {"shift": clock_shift(), "voter": voter_id, "key": key, "project": project_id},
        )
        columns = [column.name for column in cursor.description]
        return dict(zip(columns, cursor.fetchone(), strict=True))


def _check(facts: dict[str, Any], amount_cents: int, project: Project) -> None:
    """Refuse with the first reason that a resident can do something about."""
    if facts["announced_at"] is None or facts["now"] < facts["opens_at"]:
        raise problems.not_open()
    if facts["now"] >= facts["closes_at"] or facts["published_at"] is not None:
        raise problems.closed()
    if facts["status"] != Project.Status.PRESELECTED:
        raise problems.project_not_open()
    if facts["stops_at_goal"] and facts["citizens_cents"] >= facts["goal_cents"]:
        raise problems.goal_reached()
    if facts["rules_frozen_at"] is None:
        # The hour has come but the checklist is red: a campaign that is not ready is not open.
        raise problems.rules_not_frozen()
    capabilities = provider_for(facts["collection_provider"]).capabilities
    low = max(facts["min_contribution_cents"], capabilities.min_cents)
    high = min(facts["max_contribution_cents"], capabilities.max_cents or facts["max_contribution_cents"])
    if not low <= amount_cents <= high:
        raise problems.outside_limits(low, high)
    left = facts["ceiling"] - int(facts["engaged"])
    if amount_cents > left:
        raise problems.above_left(left)


def _insert(
    facts: dict[str, Any],
    person: Person,
    project: Project,
    voter_id: int,
    amount_cents: int,
    key: UUID,
    public_name: str,
    matchable: bool,
) -> tuple[Contribution, Payment]:
    now: datetime = facts["now"]
    provider = facts["collection_provider"]
    lease = now + timedelta(seconds=provider_for(provider).capabilities.call_seconds) + LEASE_MARGIN
    contribution = Contribution(
        reference=new_reference(),
        campaign_id=facts["campaign_id"],
        project=project,
        voter_id=voter_id,
        person=person,
        amount_cents=amount_cents,
        matchable=matchable,
        public_name=public_name,
        idempotency_key=key,
        rules_version=facts["rules_version"],
        created_at=now,
    )
    payment = Payment(
        contribution=contribution,
        provider=provider,
        key=uuid4(),
        amount_cents=amount_cents,
        created_at=now,
        lease_until=lease,
        next_check_at=lease,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH gift AS (
                 INSERT INTO abonde_participation_contribution
                   (reference, campaign_id, project_id, voter_id, person_id, amount_cents, matchable, public_name,
                    state, idempotency_key, rules_version, created_at, end_reason)
                 VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'started', %s, %s, %s, '')
                 RETURNING id
               )
               INSERT INTO abonde_participation_payment
                 (contribution_id, provider, key, provider_reference, provider_payment, redirect_url, amount_cents,
                  fee_cents, state, created_at, lease_until, next_check_at, attempts, note)
               SELECT id, %s, %s, '', '', '', %s, 0, 'created', %s, %s, %s, 0, '' FROM gift
               RETURNING id, contribution_id""",
            [
                contribution.reference,
                contribution.campaign_id,
                project.pk,
                voter_id,
                person.pk,
                amount_cents,
                matchable,
                public_name,
                key,
                contribution.rules_version,
                now,
                provider,
                payment.key,
                amount_cents,
                now,
                lease,
                lease,
            ],
        )
        payment.pk, contribution.pk = cursor.fetchone()
    contribution._state.adding = payment._state.adding = False
    payment.contribution = contribution
    return contribution, payment


def _leased(payment: Payment) -> bool:
    return payment.lease_until is not None and payment.lease_until > database_now()


def _still_without_page(payment: Payment) -> bool:
    """True when nobody is asking for this payment's page and it has none: ask (again).

    Another click may be asking right now: wait for its answer a moment instead of opening a second page.
    """
    for _ in range(20):
        if payment.state not in Payment.OPEN or payment.provider_reference:
            return False
        if not _leased(payment):
            with connection.cursor() as cursor:
                cursor.execute(
                    """UPDATE abonde_participation_payment SET lease_until = statement_timestamp() + %s
                       WHERE id = %s AND provider_reference = ''
                         AND (lease_until IS NULL OR lease_until <= statement_timestamp() + %s)""",
                    [clock_shift() + timedelta(seconds=30), payment.pk, clock_shift()],
                )
                return cursor.rowcount == 1
        time.sleep(0.1)
        payment.refresh_from_db()
    return False


def _keep_note(payment: Payment, note: str) -> None:
    Payment.objects.filter(pk=payment.pk).update(note=note[:2000], lease_until=None)


@transaction.atomic
def _end(payment: Payment, state: str, contribution_state: str, *, reason: str, note: str = "") -> None:
    """A payment that cannot be captured any more ends, and its contribution with it."""
    held = locks.hold_payment(payment.pk)
    if held.state not in Payment.OPEN:
        return
    now = database_now()
    Payment.objects.filter(pk=held.pk).update(
        state=state, next_check_at=None, lease_until=None, note=note[:2000] or held.note
    )
    Contribution.objects.filter(pk=held.contribution_id, state=Contribution.State.STARTED).update(
        state=contribution_state, ended_at=now, end_reason=reason
    )
    payment.state = state
