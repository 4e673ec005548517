"""The jury's screens: what to evaluate, one sheet per project, the ranked table."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from defis.admin.campaigns import crumbs
from defis.forms.selection import EvaluationForm, JuryDecisionForm
from defis.models import Campaign, Decision, Evaluation, Project
from defis.permissions import Role, funds_for
from defis.selectors import criteria_of, projects_for_jury, ranking
from defis.services import Refused, record_decision, save_evaluation

# Standard deviation of the jurors' means above which they disagree.
DISAGREEMENT = 0.75


def _require_jury(request: HttpRequest) -> None:
    if not funds_for(request.user, Role.FOUNDATION).exists():
        raise PermissionDenied


@require_http_methods(["GET"])
def to_evaluate(request: HttpRequest) -> HttpResponse:
    """« À évaluer par moi », « Évalués », « En désaccord »."""
    _require_jury(request)
    juror: Any = request.user
    projects = list(projects_for_jury(request.user))
    mine = set(Evaluation.objects.filter(juror=juror, project__in=projects).values_list("project", flat=True))
    lines = ranking(projects)
    groups = {
        "todo": [
            line for line in lines if line.project.pk not in mine and line.project.status == "submitted"
        ],
        "done": [line for line in lines if line.project.pk in mine],
        "split": [line for line in lines if line.spread is not None and line.spread >= DISAGREEMENT],
    }
    labels = {"todo": _("To evaluate by me"), "done": _("Evaluated by me"), "split": _("In disagreement")}
    view = request.GET.get("vue", "todo")
    if view not in groups:
        view = "todo"
    campaigns = Campaign.objects.filter(pk__in={project.campaign_id for project in projects})
    return render(
        request,
        "defis/admin/jury_list.html",
        {
            "tabs": [(code, labels[code], len(groups[code]), code == view) for code in groups],
            "view": view,
            "lines": groups[view],
            # Others' marks stay hidden until one's own are saved.
            "mine": mine,
            "campaigns": campaigns,
            "page_title": _("Jury"),
            "header_title": _("Jury"),
            "header_icon": "tick-inverse",
            "breadcrumbs_items": crumbs(("", _("Jury"))),
        },
    )


@require_http_methods(["GET", "POST"])
def sheet(request: HttpRequest, pk: int) -> HttpResponse:
    """One project: conflict of interest first, then marks, then, once saved, the others' and the decision."""
    project = get_object_or_404(projects_for_jury(request.user), pk=pk)
    juror: Any = request.user
    evaluation = Evaluation.objects.filter(project=project, juror=juror).prefetch_related("marks").first()
    criteria = criteria_of(project)
    act = request.POST.get("act", "")
    form = EvaluationForm(request.POST if act == "marks" else None, criteria=criteria, evaluation=evaluation)
    decision = JuryDecisionForm(request.POST if act == "decide" else None, prefix="decision")
    if request.method == "POST":
        answer = _sheet_act(request, project, act, form, decision)
        if answer is not None:
            return answer
    projects = list(projects_for_jury(request.user).values_list("pk", flat=True))
    here = projects.index(project.pk)
    others = (
        Evaluation.objects.filter(project=project, conflict_of_interest=False)
        .exclude(juror=juror)
        .select_related("juror")
        .prefetch_related("marks")
        if evaluation
        else []
    )
    return render(
        request,
        "defis/admin/jury_sheet.html",
        {
            "project": project,
            "proposal": getattr(project, "proposal", None),
            "budget": project.budget_lines.all(),
            "evaluation": evaluation,
            "form": form,
            "decision_form": decision,
            "others": others,
            "decisions": project.decisions.filter(kind=Decision.Kind.PRESELECTION).select_related(
                "decided_by"
            ),
            "previous": projects[here - 1] if here else None,
            "following": projects[here + 1] if here + 1 < len(projects) else None,
            "page_title": project.title,
            "header_title": project.title,
            "header_icon": "tick-inverse",
            "breadcrumbs_items": crumbs((reverse("abonde_defis_admin:jury"), _("Jury")), ("", project.title)),
        },
    )


def _sheet_act(
    request: HttpRequest, project: Project, act: str, form: EvaluationForm, decision: JuryDecisionForm
) -> HttpResponse | None:
    """Do what the button said; None when a form has to be corrected."""
    here = redirect("abonde_defis_admin:jury_sheet", project.pk)
    try:
        if act == "conflict":
            save_evaluation(project=project, juror=request.user, conflict_of_interest=True)
            messages.success(
                request, _("Thank you. “%(title)s” is now hidden from you.") % {"title": project.title}
            )
            return redirect("abonde_defis_admin:jury")
        if act == "marks":
            if not form.is_valid():
                return None
            save_evaluation(
                project=project,
                juror=request.user,
                marks=form.marks(),
                private_note=form.cleaned_data["private_note"],
            )
            messages.success(request, _("Your marks are saved."))
            return here
        if act == "decide":
            if not decision.is_valid():
                return None
            record_decision(
                project=project,
                kind=Decision.Kind.PRESELECTION,
                outcome=decision.cleaned_data["outcome"],
                reason=decision.cleaned_data["comment"],
                user=request.user,
            )
            messages.success(
                request, _("The decision is recorded. It becomes public when somebody else publishes it.")
            )
            return redirect("abonde_defis_admin:jury")
    except Refused as refusal:
        messages.error(request, refusal.message)
        return here
    raise Http404


@require_http_methods(["GET"])
def ranked(request: HttpRequest, pk: int) -> HttpResponse:
    """The decision meeting's table: means, dispersion, decisions."""
    campaign = get_object_or_404(
        Campaign.objects.filter(fund__in=funds_for(request.user, Role.FOUNDATION, Role.AUDITOR)), pk=pk
    )
    if funds_for(request.user, Role.AUDITOR).filter(pk=campaign.fund_id).exists():
        projects = Project.objects.filter(campaign=campaign).exclude(status=Project.Status.DRAFT)
    else:
        projects = projects_for_jury(request.user).filter(campaign=campaign)
    lines: list[Any] = ranking(list(projects.select_related("defi", "holder", "campaign", "commune")))
    return render(
        request,
        "defis/admin/jury_ranked.html",
        {
            "campaign": campaign,
            "lines": lines,
            "disagreement": DISAGREEMENT,
            "page_title": _("Ranking"),
            "header_title": _("Ranking"),
            "header_icon": "order",
            "breadcrumbs_items": crumbs(
                (reverse("abonde_defis_admin:jury"), _("Jury")), ("", f"{_('Ranking')} – {campaign.name}")
            ),
        },
    )
