"""Checking declarations at random, before results are final: draw, contact, outcome.

A refused declaration takes its money out of the campaign: every payment of that resident is refunded in full.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Campaign
from participation.contributions.models import Contribution
from participation.identity.models import Voter
from participation.notifications.services import queue
from participation.payments.models import Payment, Refund
from participation.payments.refunds import order_refund
from participation.residency import texts  # noqa: F401 — its mails exist from here on
from participation.residency.models import ResidencyAudit, ResidencyAuditCase, ResidencyProof
from participation.residency.services import Method, ResidenceRefused, Result, withdraw_proof

Outcome = ResidencyAuditCase.Outcome


def declarations_of(campaign: Campaign) -> QuerySet[ResidencyProof]:
    """Declarations that hold, of those whose money counts in this campaign; each is drawn once at most."""
    givers = Contribution.objects.filter(campaign=campaign, state=Contribution.State.COUNTED).values("person")
    return ResidencyProof.objects.filter(
        territory=campaign.fund.territory,
        method=Method.DECLARATION,
        result=Result.ACCEPTED,
        person__in=givers,
        audit_cases__isnull=True,
    ).order_by("pk")


def rank(seed: str, proof_id: int) -> str:
    """Where the seed puts a declaration: anybody with the seed repeats the draw."""
    return hashlib.sha256(f"{seed}:{proof_id}".encode()).hexdigest()


@transaction.atomic
def draw_audit(
    *, campaign: Campaign, size: int, by: Any, answer_before: datetime, seed: str = ""
) -> ResidencyAudit:
    """Draw `size` declarations (all, if there are fewer). Raises ResidenceRefused when there is none, or after publication.

    `seed`: a public number (that day's lottery) makes the draw checkable by a stranger; random when empty.
    """
    if Campaign.objects.filter(pk=campaign.pk, published_at__isnull=False).exists():
        raise ResidenceRefused(
            "published", _("The results are published: it is too late to check declarations.")
        )
    seed = seed.strip() or secrets.token_hex(16)
    population = list(declarations_of(campaign).values_list("pk", flat=True))
    if not population or size < 1:
        raise ResidenceRefused("nobody_to_draw", _("There is no declaration to draw."))
    audit = ResidencyAudit.objects.create(
        campaign=campaign,
        seed=seed,
        population=len(population),
        drawn_at=database_now(),
        drawn_by=by,
        answer_before=answer_before,
    )
    drawn = sorted(population, key=lambda pk: rank(seed, pk))[:size]
    ResidencyAuditCase.objects.bulk_create(ResidencyAuditCase(audit=audit, proof_id=pk) for pk in drawn)
    return audit


def contact(*, case: ResidencyAuditCase, path: str) -> ResidencyAuditCase:
    """Write to the drawn resident, once; `path`: her page of residence."""
    with transaction.atomic():
        locked = _waiting(case)
        if locked.proof is not None and locked.contacted_at is None:
            before = date_format(localtime(locked.audit.answer_before), "DATE_FORMAT")
            queue(
                key=f"residence-drawn:{locked.pk}",
                kind="residence_drawn",
                person=locked.proof.person,
                context={"territory": locked.proof.territory.name, "before": before, "path": path},
            )
            locked.contacted_at = database_now()
            locked.save(update_fields=["contacted_at"])
    return locked


@transaction.atomic
def confirm_case(*, case: ResidencyAuditCase, by: Any) -> ResidencyAuditCase:
    """The resident proved what she had declared."""
    locked = _decide(case, Outcome.CONFIRMED, "", by)
    if locked.proof is not None:
        _tell(locked, "residence_confirmed")
    return locked


@transaction.atomic
def refuse_case(*, case: ResidencyAuditCase, reason: str, by: Any, path: str = "/") -> ResidencyAuditCase:
    """False, or no answer in time: the declaration is refused and the money of this campaign goes back in full.

    Refund orders are written here, sent by the worker. Raises ResidenceRefused without a reason, before the time
    given to answer, and after publication.
    """
    if not reason.strip():
        raise ResidenceRefused("reason", _("Write why: the resident will read it."))
    campaign = Campaign.objects.get(pk=case.audit.campaign_id)
    if campaign.published_at is not None:
        raise ResidenceRefused(
            "published", _("The results are published: it is too late to check declarations.")
        )
    locked = _decide(case, Outcome.REFUSED, reason, by)
    if locked.proof is None:
        return locked
    if locked.proof.result == Result.ACCEPTED:
        withdraw_proof(proof=locked.proof, result=Result.REFUSED, reason=reason, by=by)
    refund_giver(person_id=locked.proof.person_id, campaign=campaign, note=f"audit {locked.audit_id}", by=by)
    _tell(locked, "residence_refused", reason=reason, path=path)
    return locked


def refund_giver(*, person_id: int, campaign: Campaign, note: str, by: Any) -> list[Refund]:
    """Order the refund of all that one human's money counts for in a campaign, through any account of hers."""
    voters = Voter.objects.filter(memberships__person=person_id, memberships__campaign=campaign)
    payments = Payment.objects.filter(
        contribution__voter__in=Voter.objects.filter(pk__in=voters)
        | Voter.objects.filter(merged_into__in=voters),
        contribution__campaign=campaign,
        contribution__state=Contribution.State.COUNTED,
        state=Payment.State.PAID,
    )
    return [
        order_refund(payment=payment, reason=Refund.Reason.RESIDENCY, note=note, user=by)
        for payment in payments.select_related("contribution").order_by("pk")
    ]


def waiting_cases(campaign: Campaign) -> int:
    """Drawn declarations without an outcome: results are not final while there are some."""
    return ResidencyAuditCase.objects.filter(
        audit__campaign=campaign, outcome=Outcome.WAITING, proof__isnull=False
    ).count()


def _waiting(case: ResidencyAuditCase) -> ResidencyAuditCase:
    locked = (
        ResidencyAuditCase.objects.select_for_update(of=("self",))
        .select_related("audit", "proof__person", "proof__territory")
        .get(pk=case.pk)
    )
    if locked.outcome != Outcome.WAITING:
        raise ResidenceRefused("decided", _("This declaration already has an outcome."))
    return locked


def _decide(case: ResidencyAuditCase, outcome: str, reason: str, by: Any) -> ResidencyAuditCase:
    locked = _waiting(case)
    now = database_now()
    if outcome == Outcome.REFUSED and locked.contacted_at is None:
        raise ResidenceRefused("not_contacted", _("Nobody has written to this resident yet."))
    locked.outcome, locked.reason, locked.decided_by, locked.decided_at = outcome, reason, by, now
    locked.save(update_fields=["outcome", "reason", "decided_by", "decided_at"])
    return locked


def _tell(case: ResidencyAuditCase, kind: str, **context: str) -> None:
    if case.proof is None:
        return
    queue(
        key=f"{kind.replace('_', '-')}:{case.pk}",
        kind=kind,
        person=case.proof.person,
        context={"territory": case.proof.territory.name, **context},
    )
