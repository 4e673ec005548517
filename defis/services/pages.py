"""The draft page of a proposal, and its place in the workflow."""

from typing import Any

from django.utils.html import escape
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from wagtail.models import Locale, Page, Workflow, WorkflowPage, WorkflowTask
from wagtail.rich_text import RichText

from defis.models import PreselectionTask, Project, ProjectIndexPage, ProjectPage


def project_index() -> ProjectIndexPage | None:
    """Where pages of projects go: the live index in the default language."""
    return ProjectIndexPage.objects.live().filter(locale=Locale.get_default()).first()


def page_of_proposal(*, project: Project, user: Any = None) -> ProjectPage | None:
    """Create the unpublished page of a project, or bring its draft up to date; None without an index.

    Returns the draft, saved as a revision. A page that editors already published keeps its text.
    """
    page = ProjectPage.objects.filter(project=project, locale=Locale.get_default()).first()
    if page is not None and page.live:
        return page
    with override(Locale.get_default().language_code):
        body = _body(project)
    if page is None:
        index = project_index()
        if index is None:
            return None
        page = ProjectPage(
            title=project.title,
            draft_title=project.title,
            slug=project.slug,
            project=project,
            live=False,
            owner=user,
            locale=Locale.get_default(),
        )
        page.body = body
        page.team = _team(project)
        index.add_child(instance=page)
    else:
        page = page.get_latest_revision_as_object()
        page.title = page.draft_title = project.title
        page.body = body
        page.team = _team(project)
    page.save_revision(user=user, log_action=True)
    return page


def submit_page(*, page: ProjectPage, user: Any = None) -> None:
    """Start the page's workflow, or take it up again after a correction; nothing without a workflow."""
    state = page.current_workflow_state
    if state is not None:
        if state.status == state.STATUS_NEEDS_CHANGES:
            state.resume(user=user)
        return
    workflow = page.get_workflow()
    if workflow is not None:
        workflow.start(page, user)


def install_preselection(*, index: Page, name: str = "") -> Workflow:
    """Give a project index the pre-selection workflow (one task); idempotent."""
    with override(get_language()):
        label = name or str(_("Pre-selection"))
    task = PreselectionTask.objects.filter(active=True).first() or PreselectionTask.objects.create(name=label)
    workflow = Workflow.objects.filter(workflow_tasks__task=task, active=True).first()
    if workflow is None:
        workflow = Workflow.objects.create(name=label)
        WorkflowTask.objects.create(workflow=workflow, task=task, sort_order=0)
    WorkflowPage.objects.update_or_create(page=index, defaults={"workflow": workflow})
    return workflow


def _body(project: Project) -> list[tuple[str, Any]]:
    """The proposal's own words as blocks that editors then improve."""
    proposal = getattr(project, "proposal", None)
    if proposal is None:
        return []
    parts = [
        (_("The project"), proposal.what),
        (_("For whom"), proposal.for_whom),
        (_("When"), proposal.when),
    ]
    blocks: list[tuple[str, Any]] = []
    for heading, text in parts:
        if text.strip():
            blocks += [("heading", str(heading)), ("paragraph", RichText(_paragraphs(text)))]
    return blocks


def _team(project: Project) -> str:
    proposal = getattr(project, "proposal", None)
    return proposal.team if proposal is not None else ""


def _paragraphs(text: str) -> str:
    blocks = [part.strip() for part in text.replace("\r\n", "\n").split("\n\n")]
    return "".join(f"<p>{escape(part)}</p>".replace("\n", "<br/>") for part in blocks if part)
