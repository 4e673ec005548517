"""Previews, signatures, publication, and the refunds that follow."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from wagtail.admin import messages

from defis.services import Refused
from fundmatch.checks import blocking, refunds_to_order, run_checks
from fundmatch.forms import PublishForm
from fundmatch.mails import mail_previews
from fundmatch.permissions import Act, sides_of
from fundmatch.selectors import latest_publication
from fundmatch.services import publish_results, sign_run
from fundmatch.shares import content_digest, shares_of
from fundmatch.telling import results_url, tell_run
from fundmatch.views.admin.base import ResultsView, RunScreen, run_url
from participation.payments.models import Refund
from participation.payments.refunds_progress import coverage, refund_progress


class Versioned(RunScreen):
    """A screen that speaks of the version to come."""

    @property
    def version(self) -> int:
        newest = latest_publication(self.campaign)
        if newest is None:
            return 1
        return newest.version if newest.run_id == self.run.pk else newest.version + 1


@method_decorator(xframe_options_sameorigin, name="dispatch")
class PreviewView(Versioned):
    """The public page as it would be, under a banner that says that it is not."""

    template_name = "fundmatch/results_preview.html"

    def get_page_title(self) -> str:
        return _("Preview")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            telling=tell_run(self.run, version=self.version),
            title=_("Results: %(campaign)s") % {"campaign": self.campaign.name},
            is_preview=True,
            **kwargs,
        )


class MailsView(Versioned):
    """Each kind of mail, how many people get it, and one of them."""

    template_name = "fundmatch/admin/mails.html"

    def get_page_title(self) -> str:
        return _("E-mails")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            previews=mail_previews(self.run, version=self.version, reason="…"), **kwargs
        )


class SignView(RunScreen):
    """Sign what was read: the form carries the digest of what was on the screen."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require(Act.SIGN)
        if not sides_of(request.user, self.campaign.fund):
            self.require(Act.PUBLISH)
        try:
            signature = sign_run(
                run=self.run, user=request.user, content_sha256=request.POST.get("content", "")
            )
        except Refused as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(
                request,
                _("You have signed for this side: %(side)s.") % {"side": signature.get_side_display()},
            )
        return redirect(run_url(self.run))


class PublishView(Versioned):
    """The last screen: what becomes irreversible, and the campaign's name to type."""

    template_name = "fundmatch/admin/publish.html"

    def get_page_title(self) -> str:
        return _("Publish")

    def form(self, data: Any = None) -> PublishForm:
        return PublishForm(data, campaign=self.campaign, is_correction=self.version > 1)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require(Act.PUBLISH)
        return self.render_to_response(self.get_context_data(form=self.form()))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shares = shares_of(self.run)
        content = content_digest(self.run, shares)
        signatures = list(self.run.signatures.select_related("signed_by"))
        count, cents = refunds_to_order(self.campaign, shares) if self.version == 1 else (0, 0)
        checks = run_checks(self.run)
        ready = len(signatures) == 2 and all(s.content_sha256 == content for s in signatures)
        return super().get_context_data(
            shares=shares,
            signatures=signatures,
            refund_count=count,
            refund_cents=cents,
            mail_count=sum(p.count for p in mail_previews(self.run, version=self.version, reason="…")),
            red=blocking(checks),
            is_ready=ready and not blocking(checks),
            version=self.version,
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require(Act.PUBLISH)
        form = self.form(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            publication = publish_results(
                run=self.run, user=request.user, reason=form.cleaned_data.get("reason", "")
            )
        except Refused as refusal:
            form.add_error(None, refusal.message)
            return self.render_to_response(self.get_context_data(form=form))
        messages.success(
            request,
            _("The results are published, version %(version)d.") % {"version": publication.version},
            buttons=[messages.button(results_url(self.campaign), _("See the public page"))],
        )
        return redirect("abonde_results:refunds", self.campaign.slug)


class RefundsView(ResultsView):
    """Where the refunds stand, and whether the provider holds enough for them."""

    template_name = "fundmatch/admin/refunds.html"

    def get_page_title(self) -> str:
        return _("Refunds")

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": _("Refunds")}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        progress = refund_progress(self.campaign)
        total = progress.pop("total")
        return super().get_context_data(
            campaign=self.campaign,
            states=[(Refund.State(state).label, row) for state, row in progress.items()],
            total=total,
            done=progress["done"],
            manual=progress["manual"],
            coverage=coverage(self.campaign.fund.legal_holder),
            public_url=results_url(self.campaign) if self.campaign.published_at else "",
            **kwargs,
        )
