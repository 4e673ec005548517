"""The mails that a publication sends: one per contributor, one per holder, in the reader's language.

Written in the publication's transaction, sent later by the worker. Editors see them before, with a count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from defis.models import Campaign, Project
from fundmatch.models import MatchRun
from fundmatch.selectors import published_run
from fundmatch.shares import ProjectShare, Shares, shares_of
from participation.contributions.models import Contribution
from participation.notifications.models import Message
from theme.money import format_euros

CONTRIBUTOR, HOLDER = "results_contributor", "results_holder"
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, ready to be queued. `key` makes it unique: published once, sent once."""

    key: str
    kind: str
    to: str
    language: str
    subject: str
    text: str
    person_id: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What an editor sees of one kind of mail: how many people get it, and one of them."""

    kind: str
    label: str
    count: int
    sample: Mail | None


@dataclass(frozen=True, slots=True)
class _Edition:
    campaign: Campaign
    version: int
    reason: str
    url: str
    shares: Shares
    projects: dict[str, Project]
    #: references whose figures are news; None in a first version: all of them are
    changed: frozenset[str] | None

    def tells(self, reference: str) -> bool:
        return self.changed is None or reference in self.changed


def result_mails(run: MatchRun, shares: Shares, *, version: int, reason: str = "") -> Iterator[Mail]:
    """Yield every mail of a publication. Call it before refunds are ordered: it reads counted gifts.

    A correction is told to the contributors and holders of the projects that it changes.
    """
    edition = _edition(run, shares, version, reason)
    yield from _to_contributors(edition)
    yield from _to_holders(edition)


def queue_result_mails(run: MatchRun, shares: Shares, *, version: int, reason: str = "") -> int:
    """Write the mails in the caller's transaction; return how many. Asking twice writes them once."""
    batch: list[Message] = []
    count = 0
    for mail in result_mails(run, shares, version=version, reason=reason):
        batch.append(
            Message(
                key=mail.key,
                kind=mail.kind,
                person_id=mail.person_id,
                to=mail.to,
                language=mail.language,
                subject=mail.subject,
                text=mail.text,
            )
        )
        count += 1
        if len(batch) >= _BATCH:
            Message.objects.bulk_create(batch, ignore_conflicts=True)
            batch.clear()
    Message.objects.bulk_create(batch, ignore_conflicts=True)
    return count


def mail_previews(run: MatchRun, *, version: int, reason: str = "") -> list[Preview]:
    """Return each kind of mail with its number and one example (no name, no address in the text)."""
    found: dict[str, tuple[int, Mail]] = {}
    for mail in result_mails(run, shares_of(run), version=version, reason=reason):
        count, first = found.get(mail.kind, (0, mail))
        found[mail.kind] = (count + 1, first)
    labels = {CONTRIBUTOR: _("To contributors"), HOLDER: _("To holders of projects")}
    return [Preview(kind, label, *found.get(kind, (0, None))) for kind, label in labels.items()]


def _edition(run: MatchRun, shares: Shares, version: int, reason: str) -> _Edition:
    campaign = run.campaign
    before = published_run(campaign) if version > 1 else None
    changed = None
    if before is not None:
        old = shares_of(before).projects
        changed = frozenset(
            reference
            for reference, share in shares.projects.items()
            if reference not in old or old[reference].total_cents != share.total_cents
        )
    projects = Project.objects.filter(campaign=campaign, reference__in=shares.projects).select_related(
        "holder"
    )
    return _Edition(
        campaign=campaign,
        version=version,
        reason=reason,
        url=f"{settings.PUBLIC_ORIGIN}/resultats/{campaign.slug}/",
        shares=shares,
        projects={project.reference: project for project in projects},
        changed=changed,
    )


def _to_contributors(edition: _Edition) -> Iterator[Mail]:
    gifts = (
        Contribution.objects.filter(
            campaign=edition.campaign,
            state=Contribution.State.COUNTED,
            person__isnull=False,
            project__reference__in=[r for r in edition.projects if edition.tells(r)],
        )
        .exclude(person__email="")
        .order_by("person_id", "project__title", "pk")
        .values_list("person_id", "person__email", "person__language", "project__reference", "amount_cents")
    )
    for person, rows in groupby(gifts.iterator(chunk_size=_BATCH), key=lambda row: row[:3]):
        cents: dict[str, int] = {}
        for row in rows:
            cents[row[3]] = cents.get(row[3], 0) + row[4]
        person_id, email, language = person
        with override(language):
            lines = [_gift_line(edition, reference, given) for reference, given in cents.items()]
            yield Mail(
                key=f"results:{edition.campaign.reference}:{edition.version}:person:{person_id}",
                kind=CONTRIBUTOR,
                to=email,
                language=language,
                subject=_subject(edition),
                text=_text(edition, lines),
                person_id=person_id,
            )


def _to_holders(edition: _Edition) -> Iterator[Mail]:
    for reference, project in sorted(edition.projects.items()):
        if not edition.tells(reference) or not project.holder.email:
            continue
        share = edition.shares.projects[reference]
        language = settings.LANGUAGE_CODE
        with override(language):
            yield Mail(
                key=f"results:{edition.campaign.reference}:{edition.version}:project:{reference}",
                kind=HOLDER,
                to=project.holder.email,
                language=language,
                subject=_("Your project “%(project)s”: the result") % {"project": project.title},
                text=_text(edition, [_holder_line(project, share)]),
            )


def _subject(edition: _Edition) -> str:
    values: dict[str, Any] = {"campaign": edition.campaign.name}
    if edition.version > 1:
        return _("Corrected results: %(campaign)s") % values
    return _("Results: %(campaign)s") % values


def _gift_line(edition: _Edition, reference: str, given: int) -> str:
    share, project = edition.shares.projects[reference], edition.projects[reference]
    values = {
        "project": project.title,
        "given": format_euros(given),
        "total": format_euros(share.total_cents),
        "aid": format_euros(share.match_cents),
    }
    if share.funded:
        return (
            _(
                "“%(project)s” is funded. It receives %(total)s, with your contribution of %(given)s "
                "and the fund's aid of %(aid)s."
            )
            % values
        )
    return (
        _(
            "“%(project)s” did not reach the threshold. We refund you in full: %(given)s, by the means of "
            "payment that you used. It depends on your bank: allow 5 to 10 days."
        )
        % values
    )


def _holder_line(project: Project, share: ProjectShare) -> str:
    values = {
        "project": project.title,
        "citizens": format_euros(share.citizens_cents),
        "aid": format_euros(share.match_cents),
        "total": format_euros(share.total_cents),
    }
    if share.funded:
        return (
            _(
                "“%(project)s” is funded: %(citizens)s from residents, %(aid)s from the fund, "
                "%(total)s in total."
            )
            % values
        )
    return (
        _(
            "“%(project)s” did not reach the threshold. The %(citizens)s that residents gave are refunded "
            "in full."
        )
        % values
    )


def _text(edition: _Edition, lines: list[str]) -> str:
    opening = _("The results of “%(campaign)s” are published.") % {"campaign": edition.campaign.name}
    if edition.version > 1:
        opening = _("We correct the results of “%(campaign)s”. Reason: %(reason)s") % {
            "campaign": edition.campaign.name,
            "reason": edition.reason,
        }
    closing = [
        _("All the results, and how they were calculated: %(url)s") % {"url": edition.url},
        _("Reference: %(reference)s") % {"reference": edition.campaign.reference},
    ]
    return "\n\n".join([_("Hello,"), opening, *lines, "\n".join(closing), edition.campaign.fund.name]) + "\n"
