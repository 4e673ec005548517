"""One transaction makes the results public: version, shares, decisions, page, ledger, refunds, mails."""

import logging
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from defis.clock import database_now
from defis.models import Campaign, Decision, Organisation, Pot, Project
from defis.services import Refused
from fundmatch.audit import record
from fundmatch.checks import blocking, run_checks
from fundmatch.communes import by_commune
from fundmatch.dossiers import store_dossier
from fundmatch.engine.dossier import DossierInfo
from fundmatch.explanations import facts_of
from fundmatch.inputs import campaign_pots, funder_ids
from fundmatch.mails import queue_result_mails
from fundmatch.models import Allocation, MatchRun, Publication, Signature
from fundmatch.permissions import Act, may
from fundmatch.selectors import latest_publication, latest_run
from fundmatch.services.pages import show_results_pages
from fundmatch.shares import ProjectShare, Shares, content_digest, outcomes_of, shares_of
from participation.contributions.closing import ClosingError, closing, settle_campaign
from theme.money import format_euros

logger = logging.getLogger(__name__)


def publish_results(*, run: MatchRun, user: Any, reason: str = "") -> Publication:
    """Publish a run that both sides signed; returns its publication. Asking again returns the same one.

    The dossier is written on the private storage first, under a name made of its content; everything else is
    one transaction: publication, shares, decisions, statuses, page, ledger, refund orders, mails. A later
    version needs a reason. Raises Refused: "role", "state", "unsigned", "stale", "checks", "reason",
    "dossier", "ledger".
    """
    run = MatchRun.objects.select_related("campaign__fund").get(pk=run.pk)
    if not may(user, Act.PUBLISH, run.campaign.fund):
        raise Refused("role", _("Your role does not allow you to publish these results."))
    if hasattr(run, "publication"):
        return run.publication
    before = latest_publication(run.campaign)
    version = before.version + 1 if before is not None else 1
    if before is not None and not reason.strip():
        raise Refused("reason", _("Say why the published results change: the public will read it."))
    shares = shares_of(run)
    _check_ready(run, shares)
    name, info = store_dossier(run, shares, version=version, reason=reason.strip())
    try:
        # One transaction. Waits for whoever closes or publishes now, then keeps them out until commit.
        with closing(run.campaign):
            return _publish(run, shares, name, info, version=version, user=user, reason=reason.strip())
    except ClosingError as error:
        raise Refused("ledger", _("The ledger refuses: %(error)s") % {"error": error}) from error


def _check_ready(run: MatchRun, shares: Shares) -> None:
    if not run.is_final or latest_run(run.campaign) != run:
        raise Refused("state", _("Only the last calculation can be published."))
    signatures = list(run.signatures.all())
    if {signature.side for signature in signatures} != set(Signature.Side.values):
        raise Refused("unsigned", _("Both sides must sign first: the collectivité and the foundation."))
    content = content_digest(run, shares)
    if any(signature.content_sha256 != content for signature in signatures):
        raise Refused("stale", _("What was signed is not what would be published. Calculate and sign again."))


def _publish(
    run: MatchRun, shares: Shares, name: str, info: DossierInfo, *, version: int, user: Any, reason: str
) -> Publication:
    published = Publication.objects.filter(run=run).first()
    if published is not None:
        return published
    campaign = Campaign.objects.select_for_update(of=("self",), no_key=True).get(pk=run.campaign_id)
    before = latest_publication(campaign)
    if (before.version + 1 if before is not None else 1) != version:
        raise Refused("state", _("Another version was published meanwhile. Read it first."))
    _check_ready(run, shares)
    red = blocking(run_checks(run, fresh=True))
    if red:
        raise Refused("checks", _("A check is red: %(checks)s") % {"checks": "; ".join(c.label for c in red)})
    now = database_now()
    # Read what is counted before refunds empty it.
    communes = by_commune(campaign) if before is None else before.by_commune
    mails = queue_result_mails(run, shares, version=version, reason=reason)
    publication = Publication.objects.create(
        campaign=campaign,
        version=version,
        run=run,
        reason=reason,
        dossier=name,
        dossier_sha256=info.sha256,
        input_sha256=info.input_sha256,
        result_sha256=info.result_sha256,
        merkle_root=info.merkle_root,
        outcomes=outcomes_of(shares),
        facts=facts_of(run),
        lists_gifts=info.form != "statistics",
        by_commune=communes,
        published_at=now,
        published_by=user,
    )
    projects = {
        project.reference: project
        for project in campaign.projects.filter(reference__in=shares.projects).select_related("campaign")
    }
    funded = _allocate(publication, shares, projects)
    if before is None:
        _decide(run, shares, projects, user=user, now=now)
        campaign.published_at = now
        campaign.save(update_fields=["published_at"])
    settle_campaign(
        campaign=campaign,
        funded=funded,
        failed=[projects[share.reference].pk for share in shares.refunded],
        publication_key=f"{campaign.reference}:v{version}",
        user=user,
    )
    show_results_pages(campaign=campaign, user=user)
    record(
        campaign,
        "abonde.results.publish",
        user,
        run=run.number,
        version=version,
        result_sha256=info.result_sha256,
        mails=mails,
        reason=reason,
    )
    logger.info("results.published campaign=%s version=%d mails=%d", campaign.slug, version, mails)
    return publication


def _allocate(
    publication: Publication, shares: Shares, projects: dict[str, Project]
) -> dict[int, dict[tuple[Pot, Organisation], int]]:
    """Write every non-zero cell; return {project pk: {(pot, funder): cents}} of all funded projects."""
    funded: dict[int, dict[tuple[Pot, Organisation], int]] = {
        projects[share.reference].pk: {} for share in shares.funded
    }
    cells = []
    for pot in campaign_pots(publication.campaign):
        names = funder_ids(pot)
        for funder_id, paid in shares.funders.get(pot.slug, {}).items():
            funder = names[funder_id].funder
            for reference, cents in paid.items():
                project = projects[reference]
                funded[project.pk][(pot, funder)] = cents
                cells.append(
                    Allocation(
                        publication=publication, project=project, pot=pot, funder=funder, amount_cents=cents
                    )
                )
    Allocation.objects.bulk_create(cells)
    return funded


def _decide(run: MatchRun, shares: Shares, projects: dict[str, Project], *, user: Any, now: Any) -> None:
    """Write each project's outcome: one decision, never changed, and the status that pages show."""
    goals = {project["id"]: project["goal_cents"] for project in run.parameters["projects"]}
    # Kept in the site's own language: a decision is a text of the authority, not of its reader.
    with override(settings.LANGUAGE_CODE):
        for share in shares.projects.values():
            project = projects[share.reference]
            Decision.objects.create(
                project=project,
                kind=Decision.Kind.OUTCOME,
                outcome=Decision.Outcome.YES if share.funded else Decision.Outcome.NO,
                reason=_outcome_reason(share, goals[share.reference]),
                decided_by=user,
                decided_at=now,
            )
            project.status = Project.Status.FUNDED if share.funded else Project.Status.NOT_FUNDED
            project.save(update_fields=["status"])


def _outcome_reason(share: ProjectShare, goal_cents: int) -> str:
    values = {
        "citizens": format_euros(share.citizens_cents),
        "aid": format_euros(share.match_cents),
        "total": format_euros(share.total_cents),
        "goal": format_euros(goal_cents),
    }
    if share.funded:
        return (
            _("Funded: %(citizens)s from residents and %(aid)s from the fund, %(total)s out of %(goal)s.")
            % values
        )
    return (
        _(
            "Threshold not reached: %(citizens)s from residents out of %(goal)s. "
            "Everybody is refunded in full."
        )
        % values
    )
