"""Pre-selection: what each juror thinks, and the workflow task that leads to a Decision."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from wagtail.models import Task, TaskState

from defis.models.projects import Project


class Evaluation(models.Model):
    """One juror's marks for one project, or their declaration of a conflict of interest."""

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="evaluations", verbose_name=_("project")
    )
    juror = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("member of the jury")
    )
    conflict_of_interest = models.BooleanField(_("conflict of interest"), default=False)
    private_note = models.TextField(_("private note"), blank=True)
    updated_at = models.DateTimeField(_("saved on"), auto_now=True)

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ["project", "juror"]
        constraints = [
            models.UniqueConstraint(fields=["project", "juror"], name="abonde_evaluation_once_per_juror"),
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.juror}"


class Mark(models.Model):
    """From 0 to 4 on one criterion; a mark of 0 or 1 says why."""

    evaluation = models.ForeignKey(Evaluation, models.CASCADE, related_name="marks")
    criterion = models.CharField(_("criterion"), max_length=160)
    value = models.PositiveSmallIntegerField(
        _("mark"), validators=[MinValueValidator(0), MaxValueValidator(4)]
    )
    comment = models.TextField(_("comment"), blank=True)

    class Meta:
        verbose_name = _("mark")
        verbose_name_plural = _("marks")
        constraints = [
            models.UniqueConstraint(
                fields=["evaluation", "criterion"], name="abonde_mark_once_per_criterion"
            ),
            models.CheckConstraint(condition=Q(value__lte=4), name="abonde_mark_from_0_to_4"),
            models.CheckConstraint(
                condition=Q(value__gt=1) | ~Q(comment=""), name="abonde_mark_low_is_explained"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.criterion} : {self.value}/4"


class PreselectionTask(Task):
    """The foundation's yes, no, or request for corrections about a submitted project.

    Open to the groups that hold the foundation's role on the fund of the project, except to those of
    their members who declared a conflict of interest. A yes or a no stays inside until somebody else
    publishes the selection (`services.publish_selection`).
    """

    class Meta:
        verbose_name = _("pre-selection by the foundation")
        verbose_name_plural = _("pre-selections by the foundation")

    @classmethod
    def get_description(cls) -> str:
        return str(_("Foundation editors of the project's fund mark it, then decide with reasons"))

    def _may_decide(self, page: Any, user: Any) -> bool:
        from defis.permissions import Role, has_role

        # Wagtail hands over a page or its specific half, depending on the screen.
        project = getattr(getattr(page, "specific", page), "project", None)
        if project is None or not has_role(user, project.campaign.fund, Role.FOUNDATION):
            return False
        return not Evaluation.objects.filter(project=project, juror=user, conflict_of_interest=True).exists()

    def user_can_access_editor(self, obj: Any, user: Any) -> bool:
        return self._may_decide(obj, user)

    def get_actions(self, obj: Any, user: Any) -> list[tuple[str, str, bool]]:
        if not self._may_decide(obj, user) or obj.specific.project.status != Project.Status.SUBMITTED:
            return []
        return [
            ("approve", str(_("Pre-select")), True),
            ("correction", str(_("Ask for a correction")), True),
            ("reject", str(_("Do not select")), True),
        ]

    def get_form_for_action(self, action: str) -> Any:
        from defis.forms.selection import DecisionForm

        return DecisionForm

    def on_action(self, task_state: TaskState, user: Any, action_name: str, **kwargs: Any) -> None:
        from defis.services.selection import decide_from_workflow

        decide_from_workflow(
            task_state=task_state, user=user, action=action_name, reason=kwargs.get("comment", "")
        )

    def get_task_states_user_can_moderate(self, user: Any, **kwargs: Any) -> models.QuerySet[TaskState]:
        from defis.selectors import projects_to_evaluate

        pages = projects_to_evaluate(user).values_list("pages__pk", flat=True)
        return self.task_states.filter(
            status=TaskState.STATUS_IN_PROGRESS,
            workflow_state__object_id__in=[str(pk) for pk in pages if pk is not None],
        )
