"""Pre-selection: marks, decisions with reasons, and their publication by somebody else."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.models import TaskState

from defis.audit import record
from defis.clock import database_now
from defis.models import Campaign, Decision, Evaluation, Mark, PreselectionTask, Project
from defis.notify import notify
from defis.permissions import Role, has_role
from defis.selectors import criteria_of, pending_decisions, ranking_of
from defis.services.refusals import Refused

LOW_MARK = 1


@transaction.atomic
def save_evaluation(
    *,
    project: Project,
    juror: Any,
    marks: Mapping[str, tuple[int, str]] | None = None,
    private_note: str = "",
    conflict_of_interest: bool = False,
) -> Evaluation:
    """Save one juror's marks (criterion -> (0..4, comment)), or their conflict of interest.

    Raises Refused: "role", "state", "marks" (a criterion is missing), "comment" (a low mark without why).
    """
    if not has_role(juror, project.campaign.fund, Role.FOUNDATION):
        raise Refused("role", _("Only the foundation's editors evaluate the projects of this fund."))
    if project.status not in {Project.Status.SUBMITTED, Project.Status.CORRECTION}:
        raise Refused("state", _("This project is not being evaluated."))
    marks = {} if conflict_of_interest else dict(marks or {})
    if not conflict_of_interest:
        for criterion in criteria_of(project):
            if criterion not in marks:
                raise Refused("marks", _("Give a mark for each criterion."))
            value, comment = marks[criterion]
            if value <= LOW_MARK and not comment.strip():
                raise Refused("comment", _("Say why, for a mark of 0 or 1."))
    evaluation, _created = Evaluation.objects.update_or_create(
        project=project,
        juror=juror,
        defaults={"private_note": private_note, "conflict_of_interest": conflict_of_interest},
    )
    evaluation.marks.all().delete()
    for criterion, (value, comment) in marks.items():
        mark = Mark(evaluation=evaluation, criterion=criterion, value=value, comment=comment.strip())
        mark.full_clean()
        mark.save()
    record(project, "abonde.project.evaluate", juror, conflict=conflict_of_interest)
    return evaluation


@transaction.atomic
def record_decision(
    *,
    project: Project,
    kind: str,
    outcome: str,
    reason: str,
    user: Any = None,
    scores: dict[str, Any] | None = None,
) -> Decision:
    """Write a decision (immutable) and its effect.

    Pre-selection: a correction is asked at once; a yes or a no waits for `publish_selection`.
    Outcome: the project becomes funded or not. Receipt: gives or refuses fiscal receipts.
    Raises Refused: "reason", "role", "conflict", "state".
    """
    project = (
        Project.objects.select_for_update(of=("self",))
        .select_related("campaign__fund", "holder")
        .get(pk=project.pk)
    )
    reason = reason.strip()
    if not reason:
        raise Refused("reason", _("Say why: the public will read it."))
    if kind == Decision.Kind.PRESELECTION:
        _check_jury(project, user)
        scores = scores or ranking_of(project)
    decision = Decision.objects.create(
        project=project,
        kind=kind,
        outcome=outcome,
        reason=reason,
        scores=scores or {},
        decided_by=user,
        decided_at=database_now(),
    )
    record(project, "abonde.project.decide", user, kind=kind, outcome=outcome, reason=reason)
    if kind == Decision.Kind.PRESELECTION and outcome == Decision.Outcome.CORRECTION:
        project.status = Project.Status.CORRECTION
        project.save(update_fields=["status"])
        _reject_task(project, user, reason)
        notify(
            "proposal_correction",
            project=project,
            decision=decision,
            holder=project.holder,
            to=project.holder.email,
        )
    elif kind == Decision.Kind.OUTCOME:
        funded = outcome == Decision.Outcome.YES
        project.status = Project.Status.FUNDED if funded else Project.Status.NOT_FUNDED
        project.save(update_fields=["status"])
    elif kind == Decision.Kind.RECEIPT:
        project.receipt_eligible, project.receipt_reason = outcome == Decision.Outcome.YES, reason
        project.save(update_fields=["receipt_eligible", "receipt_reason"])
    return decision


@transaction.atomic
def publish_selection(*, campaign: Campaign, user: Any) -> Campaign:
    """Make every pending yes and no public at once: statuses, pages, messages to the holders.

    Another person's act than the decisions. Repeatable: later decisions need another publication.
    Raises Refused: "same_person", "empty".
    """
    campaign = Campaign.objects.select_for_update().get(pk=campaign.pk)
    decisions = pending_decisions(campaign)
    if not decisions:
        raise Refused(
            "empty", _("No decision of %(campaign)s waits to be published.") % {"campaign": campaign.name}
        )
    if any(decision.decided_by_id == user.pk for decision in decisions):
        raise Refused("same_person", _("Somebody who did not take these decisions must publish them."))
    for decision in decisions:
        project = decision.project
        selected = decision.outcome == Decision.Outcome.YES
        project.status = Project.Status.PRESELECTED if selected else Project.Status.NOT_SELECTED
        project.save(update_fields=["status"])
        _finish_workflow(project, user, selected)
        kind = "proposal_accepted" if selected else "proposal_refused"
        notify(kind, project=project, decision=decision, holder=project.holder, to=project.holder.email)
    if campaign.selection_published_at is None or campaign.selection_published_at > database_now():
        campaign.selection_published_at = database_now()
        campaign.save(update_fields=["selection_published_at"])
    record(
        campaign,
        "abonde.campaign.selection",
        user,
        selected=[d.project.reference for d in decisions if d.outcome == Decision.Outcome.YES],
        not_selected=[d.project.reference for d in decisions if d.outcome == Decision.Outcome.NO],
    )
    return campaign


WORKFLOW_OUTCOMES = {
    "approve": Decision.Outcome.YES,
    "reject": Decision.Outcome.NO,
    "correction": Decision.Outcome.CORRECTION,
}


def decide_from_workflow(*, task_state: TaskState, user: Any, action: str, reason: str) -> Decision:
    """What a button of the page editor does: the same decision as from the jury's screens."""
    page = task_state.workflow_state.content_object.specific
    return record_decision(
        project=page.project,
        kind=Decision.Kind.PRESELECTION,
        outcome=WORKFLOW_OUTCOMES[action],
        reason=reason,
        user=user,
    )


def _check_jury(project: Project, user: Any) -> None:
    if project.status != Project.Status.SUBMITTED:
        raise Refused("state", _("This project is not waiting for a decision."))
    if user is None:
        return
    if not has_role(user, project.campaign.fund, Role.FOUNDATION):
        raise Refused("role", _("Only the foundation's editors decide about the projects of this fund."))
    if Evaluation.objects.filter(project=project, juror=user, conflict_of_interest=True).exists():
        raise Refused("conflict", _("You declared a conflict of interest about this project."))


def _task_states(project: Project) -> list[TaskState]:
    """Open pre-selection steps of the pages of a project (one per language at most)."""
    states = []
    for page in project.pages.all():
        state = page.current_workflow_task_state
        if state is not None and isinstance(state.task.specific, PreselectionTask):
            states.append(state)
    return states


def _reject_task(project: Project, user: Any, reason: str) -> None:
    for state in _task_states(project):
        state.specific.reject(user=user, comment=reason)


def _finish_workflow(project: Project, user: Any, selected: bool) -> None:
    for state in _task_states(project):
        if selected:
            state.specific.approve(user=user)  # the workflow's end publishes the page
        else:
            state.workflow_state.cancel(user=user)
    if selected:
        for page in project.pages.filter(live=False):
            page.get_latest_revision_as_object().save_revision(user=user).publish(user=user)
