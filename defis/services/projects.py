"""A project's own life before money: submitted by its holder, withdrawn, cancelled."""

from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from wagtail import hooks

from defis.audit import record
from defis.clock import database_now
from defis.models import Campaign, Decision, Phase, Project
from defis.notify import notify
from defis.services.pages import page_of_proposal, submit_page
from defis.services.refusals import Refused
from theme.money import format_euros


def missing_from(project: Project) -> list[tuple[str, str]]:
    """What a proposal still lacks, as (step, sentence); empty when it may be sent."""
    campaign, proposal = project.campaign, getattr(project, "proposal", None)
    missing: list[tuple[str, str]] = []
    if proposal is not None:
        wrong = [code for code, answer in proposal.eligibility.items() if answer != "yes"]
        if not proposal.eligibility or wrong:
            missing.append(("eligibility", _("Answer the first questions.")))
        if not proposal.what.strip():
            missing.append(("project", _("Say what you want to do.")))
        if not proposal.team.strip():
            missing.append(("team", _("Say who carries the project.")))
    if not project.title.strip() or not project.summary.strip():
        missing.append(("project", _("Give the project a title and a sentence.")))
    if project.commune_id is None:
        missing.append(("place", _("Choose the commune.")))
    elif not campaign.fund.territory.communes.filter(pk=project.commune_id).exists():
        missing.append(("place", _("The commune must be in the territory.")))
    if not campaign.goal_min_cents <= project.goal_cents <= campaign.goal_max_cents:
        missing.append(
            (
                "budget",
                _("The amount asked must be between %(low)s and %(high)s.")
                % {
                    "low": format_euros(campaign.goal_min_cents),
                    "high": format_euros(campaign.goal_max_cents),
                },
            )
        )
    budget = project.budget_lines.aggregate(total=Sum("amount_cents"))["total"] or 0
    if budget < project.goal_cents:
        missing.append(
            (
                "budget",
                _("The expenses add up to %(total)s: they must reach the amount asked, %(goal)s.")
                % {"total": format_euros(budget), "goal": format_euros(project.goal_cents)},
            )
        )
    if not project.holder.name.strip() or not project.holder.email:
        missing.append(("team", _("Give the name and the e-mail of the holder.")))
    return missing


@transaction.atomic
def submit_project(*, project: Project, user: Any = None) -> Project:
    """Send a draft (or a corrected proposal) to the jury, with an unpublished page in its workflow.

    Raises Refused: "state", "phase", "incomplete".
    """
    project = _locked(project)
    if project.status not in {Project.Status.DRAFT, Project.Status.CORRECTION}:
        raise Refused("state", _("This project has already been sent."))
    phase = Campaign.objects.with_phase().values_list("phase", flat=True).get(pk=project.campaign_id)
    # A correction asked before the date may come back during the pre-selection.
    allowed = {Phase.SUBMISSIONS}
    if project.status == Project.Status.CORRECTION:
        allowed.add(Phase.SELECTION)
    if phase not in allowed:
        raise Refused("phase", _("Projects cannot be sent any more for this campaign."))
    missing = missing_from(project)
    if missing:
        raise Refused("incomplete", " ".join(sentence for _step, sentence in missing))
    project.status = Project.Status.SUBMITTED
    project.submitted_at = database_now()
    project.save(update_fields=["status", "submitted_at"])
    record(project, "abonde.project.submit", user)
    page = page_of_proposal(project=project, user=user)
    if page is not None:
        submit_page(page=page, user=user)
    notify("proposal_received", project=project, holder=project.holder, to=project.holder.email)
    return project


@transaction.atomic
def withdraw_project(*, project: Project, user: Any) -> Project:
    """Its holder takes a project back, before contributions open. Raises Refused("state")."""
    project = _locked(project)
    if project.status not in {Project.Status.DRAFT, Project.Status.SUBMITTED, Project.Status.CORRECTION}:
        raise Refused("state", _("This project can no longer be withdrawn here. Write to us."))
    project.status = Project.Status.WITHDRAWN
    project.save(update_fields=["status"])
    record(project, "abonde.project.withdraw", user)
    for page in project.pages.all():
        if page.current_workflow_state:
            page.current_workflow_state.cancel(user=user)
    return project


@transaction.atomic
def cancel_project(*, project: Project, reason: str, user: Any) -> Decision:
    """Stop a project for good, with the reasons the public will read.

    The room of the money refunds everybody: it listens to the hook `abonde_project_cancelled`
    `(project, decision)`, called in this transaction. Raises Refused: "reason", "state".
    """
    project = _locked(project)
    if not reason.strip():
        raise Refused("reason", _("Say why: the public will read it."))
    if project.status not in {
        Project.Status.SUBMITTED,
        Project.Status.CORRECTION,
        Project.Status.PRESELECTED,
    }:
        raise Refused("state", _("This project can no longer be cancelled."))
    decision = Decision.objects.create(
        project=project,
        kind=Decision.Kind.CANCELLATION,
        outcome=Decision.Outcome.NO,
        reason=reason.strip(),
        decided_by=user,
        decided_at=database_now(),
    )
    project.status = Project.Status.CANCELLED
    project.save(update_fields=["status"])
    record(project, "abonde.project.cancel", user, reason=reason.strip())
    for listener in hooks.get_hooks("abonde_project_cancelled"):
        listener(project, decision)
    notify(
        "project_cancelled",
        project=project,
        decision=decision,
        holder=project.holder,
        to=project.holder.email,
    )
    return decision


def _locked(project: Project) -> Project:
    return (
        Project.objects.select_for_update(of=("self",))
        .select_related("campaign__fund__territory", "holder", "commune", "proposal")
        .get(pk=project.pk)
    )
