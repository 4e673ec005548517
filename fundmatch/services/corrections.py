"""A human corrects a calculated share, with a reason that the public will read."""

from fractions import Fraction
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from defis.clock import database_now
from defis.models import Pot, Project
from defis.services import Refused
from fundmatch.audit import record
from fundmatch.models import MatchRun, Override
from fundmatch.permissions import Act, may
from fundmatch.selectors import latest_run
from fundmatch.shares import Shares, pots_of, shares_of
from theme.money import format_euros


@transaction.atomic
def override_share(
    *, run: MatchRun, project: Project, pot: Pot, amount_cents: int, reason: str, user: Any
) -> Override:
    """Replace one calculated share (cents); the pot's funders then share what it really spends.

    Raises Refused: "role", "reason", "state" (old, signed, published or rehearsed run), "project" (refunded,
    or not covered by the pot), "amount" (negative, or what was calculated), "cap", "budget", "threshold".
    """
    if not may(user, Act.CORRECT, run.campaign.fund):
        raise Refused("role", _("Your role does not allow you to correct a share."))
    if not reason.strip():
        raise Refused("reason", _("Say why: the public will read it."))
    run = _open_run(run)
    shares = shares_of(run)
    share = shares.projects.get(project.reference)
    if share is None or not share.funded or pot.slug not in share.computed:
        raise Refused("project", _("This pot does not pay this project."))
    if amount_cents < 0:
        raise Refused("amount", _("A share is 0 € or more."))
    if amount_cents == share.computed[pot.slug]:
        raise Refused(
            "amount", _("This is the calculated share. To come back to it, withdraw the correction.")
        )
    share.match[pot.slug] = amount_cents
    _check_bounds(run, shares, project.reference, pot.slug)
    override, _created = Override.objects.update_or_create(
        run=run,
        project=project,
        pot=pot,
        defaults={
            "amount_cents": amount_cents,
            "reason": reason.strip(),
            "decided_by": user,
            "decided_at": database_now(),
        },
    )
    record(
        run.campaign,
        "abonde.results.correct",
        user,
        run=run.number,
        project=project.reference,
        pot=pot.slug,
        cents=amount_cents,
        reason=override.reason,
    )
    return override


@transaction.atomic
def withdraw_override(*, override: Override, user: Any) -> None:
    """Come back to the calculated share. Raises Refused: "role", "state", "budget", "threshold"."""
    if not may(user, Act.CORRECT, override.run.campaign.fund):
        raise Refused("role", _("Your role does not allow you to correct a share."))
    run = _open_run(override.run)
    shares = shares_of(run)
    reference, pot = override.project.reference, override.pot.slug
    shares.projects[reference].match[pot] = shares.projects[reference].computed[pot]
    _check_bounds(run, shares, reference, pot)
    record(run.campaign, "abonde.results.withdraw", user, run=run.number, project=reference, pot=pot)
    override.delete()


def _open_run(run: MatchRun) -> MatchRun:
    """Return the run, its row held: no signature can come between. Raises Refused("state")."""
    run = MatchRun.objects.select_for_update(of=("self",)).select_related("campaign__fund").get(pk=run.pk)
    if not run.is_final:
        raise Refused("state", _("A rehearsal decides nothing: there is nothing to correct."))
    if latest_run(run.campaign) != run:
        raise Refused("state", _("A newer calculation replaces this one."))
    if hasattr(run, "publication"):
        raise Refused("state", _("These results are published. A correction is a new version."))
    if run.signatures.exists():
        raise Refused("state", _("Somebody signed these results. To correct them, calculate again."))
    return run


def _check_bounds(run: MatchRun, shares: Shares, reference: str, pot_id: str) -> None:
    pot = next(pot for pot in pots_of(run) if pot["id"] == pot_id)
    cents, cap = shares.projects[reference].match[pot_id], pot["cap_per_project_cents"]
    if cap is not None and cents > cap:
        raise Refused(
            "cap",
            _("The rules give at most %(cap)s to one project from this pot.") % {"cap": format_euros(cap)},
        )
    left = pot["budget_cents"] - shares.spent_cents(pot_id)
    if left < 0:
        raise Refused(
            "budget",
            _("The pot lacks %(missing)s. Lower another share first.") % {"missing": format_euros(-left)},
        )
    threshold = run.parameters["threshold"]
    if threshold is None or threshold["base"] != "total":
        return
    goals = {project["id"]: project["goal_cents"] for project in run.parameters["projects"]}
    needed = Fraction(threshold["ratio"]) * goals[reference]
    if shares.projects[reference].total_cents < needed:
        raise Refused("threshold", _("With this share, the project would miss the threshold."))
