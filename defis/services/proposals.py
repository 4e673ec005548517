"""A holder's draft: begun, filled one topic at a time."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from defis.models import Campaign, Commune, Defi, Holder, Phase, Project, ProjectBudgetLine, Proposal
from defis.models.references import new_reference
from defis.services.refusals import Refused

MAX_DRAFTS = 10
EDITABLE = (Project.Status.DRAFT, Project.Status.CORRECTION)


def project_slug(title: str, commune: Commune | None = None) -> str:
    """A readable address nobody has: « jardin-des-voisins-selestat », with a few letters more if needed."""
    base = slugify(f"{title} {commune.name}" if commune else title)[:120].strip("-") or "projet"
    slug = base
    while Project.objects.filter(slug=slug).exists():
        slug = f"{base}-{new_reference()[:4].lower()}"
    return slug


@transaction.atomic
def begin_proposal(
    *, campaign: Campaign, author: Any, eligibility: dict[str, str], defi: Defi, title: str, summary: str
) -> Proposal:
    """Create a draft project with an empty holder. Raises Refused: "phase", "drafts"."""
    phase = Campaign.objects.with_phase().values_list("phase", flat=True).get(pk=campaign.pk)
    if phase != Phase.SUBMISSIONS:
        raise Refused("phase", _("Projects cannot be sent any more for this campaign."))
    drafts = Project.objects.filter(proposal__author=author, status=Project.Status.DRAFT).count()
    if drafts >= MAX_DRAFTS:
        raise Refused(
            "drafts", _("You already have %(number)d drafts: finish or withdraw one.") % {"number": drafts}
        )
    holder = Holder.objects.create(
        name="", legal_form=Holder.LegalForm.ASSOCIATION, email=getattr(author, "email", ""), user=author
    )
    project = Project.objects.create(
        campaign=campaign,
        defi=defi,
        holder=holder,
        title=title,
        slug=project_slug(title),
        summary=summary,
        goal_cents=campaign.goal_min_cents,
    )
    return Proposal.objects.create(
        project=project,
        author=author,
        eligibility=eligibility,
        steps_done=["eligibility"],
        language=get_language() or "fr",
    )


@transaction.atomic
def save_step(
    *,
    proposal: Proposal,
    step: str,
    project: dict[str, Any] | None = None,
    texts: dict[str, str] | None = None,
    budget: Sequence[tuple[str, int]] | None = None,
    holder: Holder | None = None,
) -> Proposal:
    """Save the answers of one page of the form. Amounts in cents. Raises Refused("state")."""
    locked = Project.objects.select_for_update(of=("self",)).get(pk=proposal.project_id)
    if locked.status not in EDITABLE:
        raise Refused("state", _("This project has already been sent."))
    for name, value in (project or {}).items():
        setattr(locked, name, value)
    if project:
        if locked.status == Project.Status.DRAFT and {"title", "commune"} & set(project):
            # No page has this address yet: it may follow the title.
            Project.objects.filter(pk=locked.pk).update(slug=f"-{locked.reference}".lower())
            locked.slug = project_slug(locked.title, locked.commune)
        locked.save()
    if budget is not None:
        locked.budget_lines.all().delete()
        ProjectBudgetLine.objects.bulk_create(
            ProjectBudgetLine(project=locked, label=label, amount_cents=cents, position=position)
            for position, (label, cents) in enumerate(budget)
        )
    if holder is not None:
        holder.save()
    for name, value in (texts or {}).items():
        setattr(proposal, name, value)
    if step not in proposal.steps_done:
        proposal.steps_done = [*proposal.steps_done, step]
    proposal.save()
    proposal.project = locked
    return proposal
