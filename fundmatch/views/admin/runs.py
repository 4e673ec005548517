"""One calculation, read before anybody signs: checks, differences, explanations, analysis, corrections."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from wagtail.admin import messages

from defis.models import Pot, Project
from defis.services import Refused
from fundmatch.analysis import analysis_of
from fundmatch.checks import blocking, refunds_to_order, run_checks
from fundmatch.differences import Line, differences
from fundmatch.explanations import facts_of, sentences
from fundmatch.forms import CorrectionForm
from fundmatch.models import MatchRun, Override, Signature
from fundmatch.permissions import Act, sides_of
from fundmatch.selectors import latest_publication, latest_run
from fundmatch.services import override_share, withdraw_override
from fundmatch.shares import content_digest, pots_of, shares_of
from fundmatch.views.admin.base import RunScreen, run_title, run_url
from theme.money import format_euros


class RunView(RunScreen):
    """« Ce qui sera publié »."""

    template_name = "fundmatch/admin/run.html"

    def get_page_title(self) -> str:
        return run_title(self.run)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run, user = self.run, self.request.user
        shares = shares_of(run)
        checks = run_checks(run)
        found = differences(run, shares)
        only_changes = self.request.GET.get("changements") == "1"
        signatures = {s.side: s for s in run.signatures.select_related("signed_by")}
        is_latest = run.is_final and latest_run(self.campaign) == run
        is_published = run.is_final and hasattr(run, "publication")
        has_signed = any(signature.signed_by_id == user.pk for signature in signatures.values())
        open_to_change = is_latest and not is_published
        newest = latest_publication(self.campaign)
        count, cents = refunds_to_order(self.campaign, shares) if newest is None else (0, 0)
        may_correct = open_to_change and not signatures and self.may(Act.CORRECT)
        pots = [pot["id"] for pot in pots_of(run)]
        for line in found.lines:
            line.cells.extend(_cells(line, pots, run if may_correct else None))
        mine = [side for side in sides_of(user, self.campaign.fund) if side not in signatures]
        return super().get_context_data(
            shares=shares,
            checks=checks,
            red=blocking(checks),
            differences=found,
            lines=found.changed if only_changes else found.lines,
            only_changes=only_changes,
            pots=pots,
            sides=[(side, label, signatures.get(side)) for side, label in _sides()],
            content=content_digest(run, shares),
            refund_count=count,
            refund_cents=cents,
            is_latest=is_latest,
            is_published=is_published,
            is_correction=newest is not None and not is_published,
            may_sign=open_to_change and bool(mine) and not has_signed,
            my_side=dict(_sides())[mine[0]] if mine else "",
            has_signed=has_signed,
            may_publish=open_to_change and len(signatures) == 2 and self.may(Act.PUBLISH),
            urls={
                name: run_url(run, name)
                for name in ("explanations", "analysis", "preview", "mails", "sign", "publish")
            },
            **kwargs,
        )


def _cells(
    line: Line, pots: list[str], run: MatchRun | None
) -> list[tuple[str, int | None, int | None, str]]:
    cells: list[tuple[str, int | None, int | None, str]] = []
    for pot in pots:
        computed = line.share.computed.get(pot)
        link = ""
        if run is not None and line.share.funded and computed is not None:
            link = run_url(run, "correct", line.project.reference, pot)
        cells.append((pot, line.share.match.get(pot), computed, link))
    return cells


def _sides() -> list[tuple[str, str]]:
    return [(str(value), str(label)) for value, label in Signature.Side.choices]


class ExplanationsView(RunScreen):
    """Why each project receives what it receives, in sentences to read aloud."""

    template_name = "fundmatch/admin/explanations.html"

    def get_page_title(self) -> str:
        return _("Explanations")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = self.run
        names = dict(run.campaign.pots.values_list("slug", "name"))
        shares, facts = shares_of(run), facts_of(run)
        projects = Project.objects.filter(campaign=run.campaign, reference__in=facts).order_by("title")
        told = [
            (
                project,
                sentences(
                    facts[project.reference], names, shares.projects[project.reference].corrections.values()
                ),
            )
            for project in projects
        ]
        return super().get_context_data(told=told, **kwargs)


class AnalysisView(RunScreen):
    """The same gifts under other rules, concentration, influence: shown, never paid."""

    template_name = "fundmatch/admin/analysis.html"

    def get_page_title(self) -> str:
        return _("Analysis")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(analysis=analysis_of(self.run), **kwargs)


class CorrectView(RunScreen):
    """Correct one share, with a reason; or come back to the calculated one."""

    template_name = "fundmatch/admin/correct.html"

    def get_page_title(self) -> str:
        return _("Correct a share")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.form = CorrectionForm(request.POST or None)

    def _target(self) -> tuple[Project, Pot, Override | None]:
        self.require(Act.CORRECT)
        project = Project.objects.filter(campaign=self.campaign, reference=self.kwargs["project"]).first()
        pot = Pot.objects.filter(campaign=self.campaign, slug=self.kwargs["pot"]).first()
        if project is None or pot is None:
            raise Http404
        return project, pot, self.run.overrides.filter(project=project, pot=pot).first()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        project, pot, override = self._target()
        share = shares_of(self.run).projects.get(project.reference)
        if share is None or pot.slug not in share.computed:
            raise Http404
        return super().get_context_data(
            project=project,
            pot=pot,
            override=override,
            computed_cents=share.computed[pot.slug],
            form=self.form,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        project, pot, override = self._target()
        try:
            if "withdraw" in request.POST:
                if override is not None:
                    withdraw_override(override=override, user=request.user)
                    messages.success(request, _("The calculated share applies again."))
                return redirect(run_url(self.run))
            if not self.form.is_valid():
                return self.render_to_response(self.get_context_data())
            made = override_share(
                run=self.run,
                project=project,
                pot=pot,
                amount_cents=self.form.cleaned_data["amount"],
                reason=self.form.cleaned_data["reason"],
                user=request.user,
            )
        except Refused as refusal:
            self.form.is_valid()
            self.form.add_error(None, refusal.message)
            return self.render_to_response(self.get_context_data())
        messages.success(
            request,
            _("%(project)s: %(pot)s now pays %(amount)s.")
            % {"project": project.title, "pot": pot.name, "amount": format_euros(made.amount_cents)},
        )
        return redirect(run_url(self.run))
