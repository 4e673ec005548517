"""The bell has rung: take the picture of the gifts, calculate, keep both."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.clock import DatabaseNow, database_now
from defis.models import Campaign, Phase
from defis.services import Refused
from fundmatch.audit import record
from fundmatch.dossiers import public_digests
from fundmatch.engine import InputError, compute
from fundmatch.models import MatchRun
from fundmatch.models.runs import new_donor_key
from fundmatch.permissions import Act, may
from fundmatch.selectors import latest_run, phase_of, published_run
from fundmatch.snapshots import Picture, picture_of, with_decided_gifts
from participation.contributions.closing import ClosingError, closing, settle_open_payments

logger = logging.getLogger(__name__)


def close_campaign(*, campaign: Campaign, user: Any = None) -> MatchRun:
    """Return the run of a campaign whose bell has rung, calculated if it was not yet.

    Idempotent and safe with two workers: providers are asked about open payments first, then the campaign's
    lock waits for the settlements in flight; one worker writes, the other reads. Not to be called inside
    another transaction. Raises Refused: "too_early" (by the database's clock), "input", "dossier".
    """
    run = latest_run(campaign)
    if run is not None:
        return run
    if phase_of(campaign) not in (Phase.CLOSED, Phase.PUBLISHED):
        raise _too_early()
    settle_open_payments(campaign)
    with _bell(campaign):
        run = latest_run(campaign)
        if run is not None:
            return run
        campaign = _fresh(campaign)
        run = _write(campaign, kind=MatchRun.Kind.FINAL, number=1, user=user)
        record(campaign, "abonde.results.close", user, run=run.number, result_sha256=run.result_sha256)
    return run


def calculate_again(*, campaign: Campaign, reason: str, user: Any) -> MatchRun:
    """Write the next run: the gifts of today, or those of the published version less what was taken back.

    The earlier runs stay. Raises Refused: "role", "reason", "never_closed", "unchanged" (same gifts, nobody
    signed), "too_early", "input", "dossier".
    """
    if not may(user, Act.CALCULATE, campaign.fund):
        raise Refused("role", _("Your role does not allow you to calculate these results."))
    if not reason.strip():
        raise Refused("reason", _("Say why the calculation is done again."))
    if latest_run(campaign) is None:
        raise Refused("never_closed", _("The campaign has no calculation yet."))
    settle_open_payments(campaign)
    with _bell(campaign):
        campaign = _fresh(campaign)
        last, published = latest_run(campaign), published_run(campaign)
        if last is None:
            raise Refused("never_closed", _("The campaign has no calculation yet."))
        # One key for a round: the same giver keeps her pseudonym from one calculation to the next.
        donor_key = bytes(last.donor_key)
        picture = picture_of(campaign, donor_key)
        if published is not None:
            picture = with_decided_gifts(picture, published)
        run = _compute(campaign, picture, donor_key)
        if run.input_sha256 == last.input_sha256 and last != published and not last.signatures.exists():
            raise Refused("unchanged", _("Nothing has changed since the last calculation."))
        run = _save(run, kind=MatchRun.Kind.FINAL, number=last.number + 1, reason=reason.strip(), user=user)
        record(campaign, "abonde.results.again", user, run=run.number, reason=run.reason)
    return run


@transaction.atomic
def rehearse(*, campaign: Campaign, user: Any = None) -> MatchRun:
    """Calculate on the gifts of now, for editors' eyes: decides nothing, is never signed nor published.

    Raises Refused: "too_late" (after the bell, the calculation is the real one), "input".
    """
    # Two rehearsals of one campaign wait for each other, and for nobody else's vote.
    Campaign.objects.select_for_update(of=("self",), no_key=True).get(pk=campaign.pk)
    campaign = _fresh(campaign)
    if phase_of(campaign) in (Phase.CLOSED, Phase.PUBLISHED):
        raise Refused("too_late", _("The campaign is closed: calculate the results instead."))
    done = campaign.match_runs.filter(kind=MatchRun.Kind.REHEARSAL).count()
    run = _write(campaign, kind=MatchRun.Kind.REHEARSAL, number=done + 1, user=user)
    record(campaign, "abonde.results.rehearse", user, run=run.number)
    return run


def close_due_campaigns() -> list[MatchRun]:
    """Close every campaign whose bell has rung and that has no run; one that cannot is logged and left."""
    due = Campaign.objects.filter(
        announced_at__isnull=False, published_at__isnull=True, closes_at__lte=DatabaseNow()
    ).exclude(match_runs__kind=MatchRun.Kind.FINAL)
    runs = []
    for campaign in due:
        try:
            runs.append(close_campaign(campaign=campaign))
        except Refused as refusal:
            logger.error("campaign %s cannot be closed: %s", campaign.slug, refusal.message)
    return runs


@contextmanager
def _bell(campaign: Campaign) -> Iterator[None]:
    try:
        with closing(campaign):
            yield
    except ClosingError as error:
        raise _too_early() from error


def _too_early() -> Refused:
    return Refused("too_early", _("The campaign is not closed yet: nothing is calculated before the bell."))


def _fresh(campaign: Campaign) -> Campaign:
    return Campaign.objects.select_related("fund__legal_holder").get(pk=campaign.pk)


def _write(campaign: Campaign, *, kind: str, number: int, user: Any) -> MatchRun:
    donor_key = new_donor_key()
    run = _compute(campaign, picture_of(campaign, donor_key), donor_key)
    return _save(run, kind=kind, number=number, user=user)


def _compute(campaign: Campaign, picture: Picture, donor_key: bytes) -> MatchRun:
    try:
        result = compute(picture.value)
    except InputError as error:
        logger.exception("campaign %s: the input is refused", campaign.slug)
        raise Refused(
            "input", _("The calculation refused its input: %(error)s") % {"error": error}
        ) from error
    return MatchRun(
        campaign=campaign,
        engine=result["engine"],
        input_gzip=MatchRun.pack_input(picture.value),
        references_gzip=MatchRun.pack_references(picture.references),
        input_sha256=result["input_sha256"],
        donor_key=donor_key,
        result=result,
        result_sha256=result["result_sha256"],
        rules_sha256=campaign.rules_sha256,
        parameters={key: picture.value[key] for key in ("spec", "projects", "pots", "threshold")},
        figures=picture.figures,
        public=public_digests(picture, result, donor_key=donor_key),
    )


def _save(run: MatchRun, *, kind: str, number: int, user: Any, reason: str = "") -> MatchRun:
    run.kind, run.number, run.reason = kind, number, reason
    run.created_at, run.created_by = database_now(), user
    run.save(force_insert=True)
    return run
