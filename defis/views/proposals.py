"""The form of the holders: eligibility, then one topic per page, saved at each step."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db.models import Sum
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from defis.forms.proposals import (
    MAX_PIECES,
    BudgetFormSet,
    EligibilityForm,
    GoalForm,
    PieceForm,
    PlaceForm,
    ProjectStepForm,
    TeamForm,
)
from defis.models import Campaign, Decision, Phase, Project, Proposal, ProposalPiece
from defis.permissions import Role, has_role
from defis.selectors import announced_campaigns
from defis.services import Refused, submit_project, withdraw_project
from defis.services.projects import missing_from
from defis.services.proposals import EDITABLE, begin_proposal, save_step
from theme.components import Link, Row, Step
from theme.money import format_euros

# Code of each page of the form -> its address; the order is the order of the form.
STEPS = {
    "eligibility": "questions",
    "project": "projet",
    "place": "lieu",
    "budget": "budget",
    "team": "equipe",
    "pieces": "documents",
    "check": "verifier",
}
MIN_ROWS = 4


def step_labels() -> dict[str, str]:
    return {
        "eligibility": _("First questions"),
        "project": _("The project"),
        "place": _("The place"),
        "budget": _("The budget"),
        "team": _("The team"),
        "pieces": _("The documents"),
        "check": _("Check and send"),
    }


def heading(step: str) -> str:
    """« Le budget (étape 4 sur 7) »: the title says where one is."""
    number = list(STEPS).index(step) + 1
    return _("%(topic)s (step %(number)d of %(total)d)") % {
        "topic": step_labels()[step],
        "number": number,
        "total": len(STEPS),
    }


def sign_in_redirect(request: HttpRequest) -> HttpResponse:
    """Where one says who one is, then back here."""
    try:
        login = resolve_url(getattr(settings, "ABONDE_SIGN_IN_URL", "abonde_participation:sign_in"))
    except NoReverseMatch:
        login = resolve_url(settings.LOGIN_URL)
    return redirect_to_login(request.get_full_path(), login)


def _crumbs(proposal: Proposal | None = None) -> list[Link]:
    links = [Link(_("Propose a project"), reverse("abonde_defis:propose"))]
    if proposal is not None:
        links.append(
            Link(proposal.project.title, reverse("abonde_defis:proposal", args=[proposal.project.reference]))
        )
    return links


def _campaign(slug: str) -> Any:
    campaign = announced_campaigns(slug=slug).first()
    if campaign is None:
        raise Http404
    return campaign


def _mine(request: HttpRequest, reference: str) -> Proposal:
    """The visitor's own proposal; somebody else's does not exist."""
    return get_object_or_404(
        Proposal.objects.select_related(
            "project__campaign__fund__territory", "project__defi", "project__holder", "project__commune"
        ),
        project__reference=reference,
        author=request.user,
    )


@require_http_methods(["GET"])
def propose(request: HttpRequest) -> HttpResponse:
    """What can be proposed now, and the visitor's own proposals."""
    campaigns = list(announced_campaigns().exclude(phase=Phase.PUBLISHED))
    mine = (
        Proposal.objects.filter(author=request.user)
        .select_related("project__campaign")
        .order_by("-updated_at")
        if request.user.is_authenticated
        else Proposal.objects.none()
    )
    context = {
        "open_campaigns": [c for c in campaigns if c.phase == Phase.SUBMISSIONS],
        "coming_campaigns": [c for c in campaigns if c.phase == Phase.UPCOMING and c.submissions_open_at],
        "proposals": mine,
    }
    return render(request, "defis/propose/start.html", context)


@require_http_methods(["GET", "POST"])
def eligibility(request: HttpRequest, campaign: str) -> HttpResponse:
    """First questions, before any sign-in: nobody signs in to learn that they cannot go on."""
    record = _campaign(campaign)
    if record.phase != Phase.SUBMISSIONS:
        return render(request, "defis/propose/not_open.html", {"campaign": record, "breadcrumb": _crumbs()})
    form = EligibilityForm(_posted(request), campaign=record)
    if request.method == "POST" and form.is_valid():
        request.session[f"abonde_eligibility_{record.pk}"] = form.cleaned_data
        return redirect("abonde_defis:begin_proposal", record.slug)
    return _page(request, "eligibility", {"form": form, "campaign": record})


@require_http_methods(["GET", "POST"])
def begin(request: HttpRequest, campaign: str) -> HttpResponse:
    """The first page that is saved: it needs to know whose draft it is."""
    if not request.user.is_authenticated:
        return sign_in_redirect(request)
    record = _campaign(campaign)
    answers = request.session.get(f"abonde_eligibility_{record.pk}")
    if not answers:
        return redirect("abonde_defis:eligibility", record.slug)
    form = ProjectStepForm(_posted(request), campaign=record)
    if request.method == "POST" and form.is_valid():
        try:
            proposal = begin_proposal(
                campaign=record,
                author=request.user,
                eligibility=answers,
                defi=form.cleaned_data["defi"],
                title=form.cleaned_data["title"],
                summary=form.cleaned_data["summary"],
            )
            save_step(proposal=proposal, step="project", texts=_texts(form, "what", "for_whom", "when"))
        except Refused as refusal:
            form.add_error(None, refusal.message)
        else:
            return _onward(request, proposal, "project")
    return _page(request, "project", {"form": form, "campaign": record})


@require_http_methods(["GET", "POST"])
def step(request: HttpRequest, reference: str, step: str) -> HttpResponse:
    """One page of the form of a draft, or of a proposal sent back for correction."""
    if not request.user.is_authenticated:
        return sign_in_redirect(request)
    proposal = _mine(request, reference)
    code = next((code for code, address in STEPS.items() if address == step), None)
    if code is None or code == "eligibility":
        raise Http404
    if proposal.project.status not in EDITABLE:
        return redirect("abonde_defis:proposal", reference)
    try:
        return SCREENS[code](request, proposal)
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("abonde_defis:proposal", reference)


def _posted(request: HttpRequest) -> Any:
    """What a form binds to: an empty answer is an answer too."""
    return request.POST if request.method == "POST" else None


def _texts(form: Any, *names: str) -> dict[str, str]:
    return {name: form.cleaned_data[name] for name in names}


def _project(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    project = proposal.project
    initial = {"what": proposal.what, "for_whom": proposal.for_whom, "when": proposal.when}
    form = ProjectStepForm(_posted(request), instance=project, initial=initial, campaign=project.campaign)
    if request.method == "POST" and form.is_valid():
        fields = {name: form.cleaned_data[name] for name in ("defi", "title", "summary")}
        save_step(
            proposal=proposal, step="project", project=fields, texts=_texts(form, "what", "for_whom", "when")
        )
        return _onward(request, proposal, "project")
    return _page(request, "project", {"form": form}, proposal)


def _place(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    project = proposal.project
    initial = {"commune": project.commune.name if project.commune else "", "place": proposal.place}
    form = PlaceForm(_posted(request), initial=initial, campaign=project.campaign)
    if request.method == "POST" and form.is_valid():
        save_step(
            proposal=proposal,
            step="place",
            project={"commune": form.found},
            texts={"place": form.cleaned_data["place"]},
        )
        return _onward(request, proposal, "place")
    return _page(request, "place", {"form": form}, proposal)


def _budget(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    project = proposal.project
    known = [{"label": line.label, "amount": line.amount_cents} for line in project.budget_lines.all()]
    started = "budget" in proposal.steps_done
    if request.method == "POST":
        data = request.POST.copy()
        if "add_row" in data:
            total = (
                min(int(data.get("form-TOTAL_FORMS") or 0) + 1, 20)
                if data.get("form-TOTAL_FORMS", "").isdigit()
                else MIN_ROWS
            )
            data["form-TOTAL_FORMS"] = str(total)
        form = GoalForm(data, campaign=project.campaign)
        rows: Any = BudgetFormSet(data)
        if "add_row" in data:
            return _page(request, "budget", {"form": form, "rows": rows, "quiet": True}, proposal)
        valid = all([form.is_valid(), rows.is_valid()])
        total = sum(cents for _label, cents in rows.rows()) if valid else 0
        if valid and total < form.cleaned_data["goal"]:
            form.add_error(
                "goal",
                _("The expenses add up to %(total)s: they must reach the amount asked.")
                % {"total": format_euros(total)},
            )
            valid = False
        if valid:
            save_step(
                proposal=proposal,
                step="budget",
                project={"goal_cents": form.cleaned_data["goal"]},
                budget=rows.rows(),
            )
            return _onward(request, proposal, "budget")
        errors = [*form.error_summary(), *rows.error_summary()]
        return _page(request, "budget", {"form": form, "rows": rows, "errors": errors}, proposal)
    form = GoalForm(initial={"goal": project.goal_cents} if started else None, campaign=project.campaign)
    blank: list[dict[str, Any]] = [{} for _row in range(max(MIN_ROWS - len(known), 1))]
    rows = BudgetFormSet(initial=[*known, *blank])
    return _page(request, "budget", {"form": form, "rows": rows}, proposal)


def _team(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    form = TeamForm(_posted(request), instance=proposal.project.holder, initial={"team": proposal.team})
    if request.method == "POST" and form.is_valid():
        holder = form.save(commit=False)
        save_step(proposal=proposal, step="team", holder=holder, texts={"team": form.cleaned_data["team"]})
        return _onward(request, proposal, "team")
    return _page(request, "team", {"form": form}, proposal)


def _pieces(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    form = PieceForm(proposal=proposal)
    if request.method == "POST":
        if "remove" in request.POST:
            piece = (
                proposal.pieces.filter(pk=request.POST["remove"]).first()
                if request.POST["remove"].isdigit()
                else None
            )
            if piece is not None:
                piece.file.delete(save=False)
                piece.delete()
            return redirect("abonde_defis:proposal_step", proposal.project.reference, STEPS["pieces"])
        if "add" not in request.POST:
            save_step(proposal=proposal, step="pieces")
            return _onward(request, proposal, "pieces")
        form = PieceForm(request.POST, request.FILES, proposal=proposal)
        if form.is_valid():
            piece = form.save()
            messages.success(request, _("“%(name)s” is added.") % {"name": piece.name})
            return redirect("abonde_defis:proposal_step", proposal.project.reference, STEPS["pieces"])
    return _page(
        request, "pieces", {"form": form, "pieces": proposal.pieces.all(), "most": MAX_PIECES}, proposal
    )


def _check(request: HttpRequest, proposal: Proposal) -> HttpResponse:
    project = proposal.project
    if request.method == "POST":
        try:
            submit_project(project=project, user=request.user)
        except Refused as refusal:
            if refusal.code != "incomplete":
                raise
            return redirect("abonde_defis:proposal_step", project.reference, STEPS["check"])
        return redirect("abonde_defis:proposal", project.reference)
    missing = [(_step_url(project, code), sentence) for code, sentence in missing_from(project)]
    context = {
        "sections": _summary(proposal),
        "missing": missing,
        "is_correction": project.status == Project.Status.CORRECTION,
    }
    return _page(request, "check", context, proposal)


SCREENS: dict[str, Callable[[HttpRequest, Proposal], HttpResponse]] = {
    "project": _project,
    "place": _place,
    "budget": _budget,
    "team": _team,
    "pieces": _pieces,
    "check": _check,
}


def _step_url(project: Project, code: str) -> str:
    if code == "eligibility":
        return reverse("abonde_defis:eligibility", args=[project.campaign.slug])
    return reverse("abonde_defis:proposal_step", args=[project.reference, STEPS[code]])


def _summary(proposal: Proposal) -> list[tuple[str, str, list[Row]]]:
    """Everything written, by topic, each with the address where it is changed."""
    project, holder, labels = proposal.project, proposal.project.holder, step_labels()
    budget = project.budget_lines.aggregate(total=Sum("amount_cents"))["total"] or 0
    lines = "\n".join(
        f"{line.label} : {format_euros(line.amount_cents)}" for line in project.budget_lines.all()
    )
    rows = {
        "project": [
            Row(_("Challenge"), project.defi.name),
            Row(_("Title of the project"), project.title),
            Row(_("The project in one sentence"), project.summary),
            Row(_("What do you want to do?"), proposal.what),
            Row(_("For whom?"), proposal.for_whom),
            Row(_("When?"), proposal.when),
        ],
        "place": [
            Row(_("Commune"), project.commune.name if project.commune else ""),
            Row(_("Address or place"), proposal.place),
        ],
        "budget": [
            Row(
                _("Amount asked"), format_euros(project.goal_cents) if "budget" in proposal.steps_done else ""
            ),
            Row(_("Expenses"), lines),
            Row(_("Total"), format_euros(budget)),
        ],
        "team": [
            Row(_("Name of the holder"), holder.name),
            Row(_("Legal form"), holder.get_legal_form_display() if holder.name else ""),
            Row("SIRET", holder.siret),
            Row("RNA", holder.rna),
            Row(_("E-mail"), holder.email),
            Row(_("Telephone"), holder.phone),
            Row(_("The team"), proposal.team),
        ],
        "pieces": [
            Row(_("Documents"), "\n".join(piece.name for piece in proposal.pieces.all()) or _("no document"))
        ],
    }
    return [
        (labels[code], _step_url(project, code), [row for row in section if row.value])
        for code, section in rows.items()
    ]


def _onward(request: HttpRequest, proposal: Proposal, code: str) -> HttpResponse:
    """The next page, the check page when one only came to change something, or later."""
    if "later" in request.POST:
        messages.success(request, _("Your draft is saved. You can come back until the end of the proposals."))
        return redirect("abonde_defis:propose")
    codes = list(STEPS)
    done = set(proposal.steps_done)
    everything_else = set(codes[1:-1]) <= done | {code}
    following = "check" if everything_else else codes[codes.index(code) + 1]
    return redirect("abonde_defis:proposal_step", proposal.project.reference, STEPS[following])


def _page(
    request: HttpRequest, code: str, context: dict[str, Any], proposal: Proposal | None = None
) -> HttpResponse:
    codes = list(STEPS)
    previous = codes[codes.index(code) - 1] if codes.index(code) else None
    back = (
        _step_url(proposal.project, previous) if proposal and previous and previous != "eligibility" else ""
    )
    campaign = context.get("campaign") or (proposal.project.campaign if proposal else None)
    return render(
        request,
        f"defis/propose/{code}.html",
        {
            **context,
            "campaign": campaign,
            "proposal": proposal,
            "heading": heading(code),
            "back": back,
            "breadcrumb": _crumbs(proposal),
        },
    )


# --- Follow-up ----------------------------------------------------------------------------------------


@require_http_methods(["GET"])
def proposal(request: HttpRequest, reference: str) -> HttpResponse:
    """Where a proposal stands, what was answered, what the holder can do."""
    if not request.user.is_authenticated:
        return sign_in_redirect(request)
    record = _mine(request, reference)
    project = record.project
    decisions = [d for d in project.decisions.all() if _is_public(d, project)]
    phase = Campaign.objects.with_phase().values_list("phase", flat=True).get(pk=project.campaign_id)
    may_send = phase == Phase.SUBMISSIONS or (
        project.status == Project.Status.CORRECTION and phase == Phase.SELECTION
    )
    page = project.pages.filter(live=True).first()
    return render(
        request,
        "defis/propose/follow.html",
        {
            "proposal": record,
            "project": project,
            "campaign": project.campaign,
            "steps": _timeline(project),
            "decisions": decisions,
            "may_edit": project.status in EDITABLE and may_send,
            "may_withdraw": project.status in {*EDITABLE, Project.Status.SUBMITTED},
            "edit_url": _step_url(
                project, "check" if project.status == Project.Status.CORRECTION else _next(record)
            ),
            "page_url": page.get_url(request) if page else "",
            "breadcrumb": _crumbs(),
        },
    )


def _next(proposal: Proposal) -> str:
    return next((code for code in list(STEPS)[1:] if code not in proposal.steps_done), "check")


def _is_public(decision: Decision, project: Project) -> bool:
    """A yes or a no waits inside the jury until the selection is published."""
    if decision.kind != Decision.Kind.PRESELECTION or decision.outcome == Decision.Outcome.CORRECTION:
        return True
    return project.status not in {*EDITABLE, Project.Status.SUBMITTED}


def _timeline(project: Project) -> list[Step]:
    status, statuses = project.status, Project.Status
    if status == statuses.WITHDRAWN:
        return [Step(_("Draft"), "done"), Step(_("Withdrawn"), "current")]
    sent = status != statuses.DRAFT
    answered = status not in {statuses.DRAFT, statuses.SUBMITTED, statuses.CORRECTION}
    answers: dict[str, str] = {
        statuses.PRESELECTED: _("Pre-selected"),
        statuses.NOT_SELECTED: _("Not selected"),
        statuses.CANCELLED: _("Cancelled"),
        statuses.FUNDED: _("Funded"),
        statuses.NOT_FUNDED: _("Threshold not reached"),
    }
    jury = _("Correction asked") if status == statuses.CORRECTION else _("Read by the jury")
    return [
        Step(_("Draft"), "done" if sent else "current"),
        Step(_("Sent"), "done" if sent else "todo"),
        Step(jury, "done" if answered else "current" if sent else "todo"),
        Step(answers.get(status, _("Answer")), "current" if answered else "todo"),
    ]


@require_POST
def withdraw(request: HttpRequest, reference: str) -> HttpResponse:
    """The holder takes the proposal back."""
    if not request.user.is_authenticated:
        return sign_in_redirect(request)
    record = _mine(request, reference)
    try:
        withdraw_project(project=record.project, user=request.user)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("“%(title)s” is withdrawn.") % {"title": record.project.title})
    return redirect("abonde_defis:proposal", reference)


@require_http_methods(["GET"])
def piece(request: HttpRequest, reference: str, pk: int) -> FileResponse:
    """A document, for its holder and for those who evaluate the project."""
    found = get_object_or_404(
        ProposalPiece.objects.select_related("proposal__project__campaign__fund"),
        pk=pk,
        proposal__project__reference=reference,
    )
    fund = found.proposal.project.campaign.fund
    readers = (Role.FOUNDATION, Role.COMMUNICATION, Role.ADMINISTRATOR, Role.AUDITOR)
    if not request.user.is_authenticated or (
        found.proposal.author_id != request.user.pk and not has_role(request.user, fund, *readers)
    ):
        raise Http404
    suffix = str(found.file.name).rsplit(".", 1)[-1]
    # Always a download: what a stranger uploaded is never run in our pages.
    return FileResponse(found.file.open("rb"), as_attachment=True, filename=f"{found.name}.{suffix}")
