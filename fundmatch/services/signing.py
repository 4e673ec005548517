"""Two different people agree, one for each side of the trio, on exactly what they read."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.services import Refused
from fundmatch.audit import record
from fundmatch.checks import blocking, run_checks
from fundmatch.models import MatchRun, Signature
from fundmatch.permissions import sides_of
from fundmatch.selectors import latest_run
from fundmatch.shares import content_digest, shares_of


@transaction.atomic
def sign_run(*, run: MatchRun, user: Any, content_sha256: str, side: str | None = None) -> Signature:
    """Sign for one side. `content_sha256` is the digest of what was on the signatory's screen.

    `side` is needed only by somebody who could sign for both. Raises Refused: "role", "state", "stale" (what
    is there now is not what was read), "same_person", "side_signed", "checks" (a check is red).
    """
    run = MatchRun.objects.select_for_update(of=("self",)).select_related("campaign__fund").get(pk=run.pk)
    side = _side(run, user, side)
    if not run.is_final:
        raise Refused("state", _("A rehearsal is not signed."))
    if hasattr(run, "publication"):
        raise Refused("state", _("These results are already published."))
    if latest_run(run.campaign) != run:
        raise Refused("state", _("A newer calculation replaces this one."))
    signed = list(run.signatures.all())
    if any(signature.signed_by_id == user.pk for signature in signed):
        raise Refused("same_person", _("You have already signed. Another person signs for the other side."))
    if any(signature.side == side for signature in signed):
        raise Refused("side_signed", _("This side has already signed."))
    content = content_digest(run, shares_of(run))
    if content_sha256 != content:
        raise Refused("stale", _("The results have changed since you read them. Read them again, then sign."))
    red = blocking(run_checks(run))
    if red:
        raise Refused("checks", _("A check is red: %(checks)s") % {"checks": "; ".join(c.label for c in red)})
    signature = Signature.objects.create(
        run=run, side=side, signed_by=user, signed_at=database_now(), content_sha256=content
    )
    record(run.campaign, "abonde.results.sign", user, run=run.number, side=str(side), content_sha256=content)
    return signature


def _side(run: MatchRun, user: Any, side: str | None) -> str:
    mine = sides_of(user, run.campaign.fund)
    if not mine:
        raise Refused("role", _("Your role does not allow you to sign for this fund."))
    if side is None:
        # A superuser can stand for either side: the one that is still missing.
        missing = [s for s in mine if not run.signatures.filter(side=s).exists()]
        return (missing or mine)[0]
    if side not in mine:
        raise Refused("role", _("Your role does not allow you to sign for this side."))
    return side
