"""Acts on one payment or one refund: each with its reason, its effect said before, its trace."""

from typing import Any

from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages
from wagtail.permissions import policy_registry

from defis.permissions import has_role
from participation.admin.audit import record
from participation.admin.base import MoneyScreen
from participation.admin.forms import ByHandForm, ReasonForm, RefundOrderForm
from participation.admin.rights import ACTORS, campaigns_for
from participation.contributions.selectors import project_funding
from participation.payments.decisions import (
    DecisionRefused,
    Held,
    accept_payment,
    close_payment,
    refund_payment,
    try_refund_again,
    waiting_payments,
    where_is,
)
from participation.payments.models import Payment, Refund
from participation.payments.refunds import RefundRefused, complete_by_hand
from participation.payments.settlement import settle_payment
from theme.money import format_euros


class PaymentAct(MoneyScreen):
    """A screen about one payment of the user's funds."""

    @cached_property
    def payment(self) -> Payment:
        policy = policy_registry.get_by_type(Payment)
        found = (
            policy.instances_user_has_any_permission_for(self.request.user, ["view"])
            .select_related(
                "contribution__campaign__fund__legal_holder",
                "contribution__project",
                "contribution__person",
                "contribution__offline_donor",
            )
            .filter(pk=self.kwargs["payment"])
            .first()
        )
        if found is None:
            raise Http404
        return found

    def may_act(self) -> bool:
        return has_role(self.request.user, self.payment.contribution.campaign.fund, *ACTORS)

    @property
    def story_url(self) -> str:
        return reverse("abonde_payments:inspect", args=[self.payment.pk])

    def trail(self) -> list[tuple[str, str]]:
        return [
            (reverse("abonde_payments:index"), _("Payments")),
            (self.story_url, self.payment.contribution.reference),
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            payment=self.payment,
            contribution=self.payment.contribution,
            story_url=self.story_url,
            may_act=self.may_act(),
            **kwargs,
        )


class RefundOrderView(PaymentAct):
    """Two steps: say why, then read what it does and confirm."""

    template_name = "participation/admin/money/refund_order.html"
    page_title = gettext_lazy("Refund this payment")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        return self.render_to_response(self.get_context_data(form=RefundOrderForm()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        form = RefundOrderForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        if request.POST.get("confirmed") != "1":
            return self.render_to_response(
                self.get_context_data(form=form, effects=effects_of_refund(self.payment))
            )
        cause, reason = form.cleaned_data["cause"], form.cleaned_data["reason"]
        try:
            refund = refund_payment(payment=self.payment, cause=cause, reason=reason, user=request.user)
        except DecisionRefused as refusal:
            messages.error(request, refusal.message)
            return redirect(self.story_url)
        record(self.payment, "refund", request.user, reason=reason, cause=cause, cents=refund.amount_cents)
        messages.success(
            request, _("The refund of %(amount)s is ordered.") % {"amount": format_euros(refund.amount_cents)}
        )
        return redirect("abonde_refunds:inspect", refund.pk)


def effects_of_refund(payment: Payment) -> list[str]:
    """What ordering this refund does, in sentences, before it is done."""
    contribution = payment.contribution
    project = contribution.project
    cents = payment.captured_cents or payment.amount_cents
    said = [
        _("%(amount)s go back to the contributor, by %(provider)s.")
        % {"amount": format_euros(cents), "provider": payment.provider}
    ]
    if contribution.state == contribution.State.COUNTED:
        before = project_funding([project])[project.pk].citizens_cents
        said.append(
            _("The contribution counts no more: “%(project)s” goes from %(before)s to %(after)s.")
            % {
                "project": project.title,
                "before": format_euros(before),
                "after": format_euros(before - contribution.amount_cents),
            }
        )
    else:
        said.append(_("This money did not count for “%(project)s”.") % {"project": project.title})
    if contribution.person_id:
        said.append(_("The contributor gets an e-mail."))
    said.append(_("A refund that has left cannot be taken back."))
    return said


# --- Review ---------------------------------------------------------------------------------------------


class ReviewListView(MoneyScreen):
    """Payments that wait for a human, the oldest first."""

    template_name = "participation/admin/money/review_list.html"
    page_title = gettext_lazy("Payments to look at")
    header_icon = "warning"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        payments = (
            waiting_payments()
            .filter(contribution__campaign__in=campaigns_for(self.request.user, *self.roles))
            .select_related("contribution__project", "contribution__campaign")
            .order_by("created_at")
        )
        return super().get_context_data(payments=payments[:200], **kwargs)


class ReviewView(PaymentAct):
    """What differs, and the choices that the amounts allow."""

    template_name = "participation/admin/money/review.html"
    page_title = gettext_lazy("Decide")
    header_icon = "warning"

    def trail(self) -> list[tuple[str, str]]:
        return [
            (reverse("abonde_money:review"), _("Payments to look at")),
            (self.story_url, self.payment.contribution.reference),
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        payment = self.payment
        where = where_is(payment)
        waits = waiting_payments().filter(pk=payment.pk).exists()
        in_review = waits and payment.state == Payment.State.REVIEW
        return super().get_context_data(
            where=where.value,
            waits=waits,
            difference=(payment.captured_cents or 0) - payment.amount_cents,
            may_accept=in_review and where != Held.NOWHERE and payment.captured_cents == payment.amount_cents,
            may_refund=waits and where != Held.NOWHERE,
            may_close=in_review and where == Held.NOWHERE,
            effects=effects_of_refund(payment) if where != Held.NOWHERE else [],
            form=kwargs.pop("form", None) or ReasonForm(),
            **kwargs,
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        act = request.POST.get("act", "")
        if act == "ask":
            settle_payment(self.payment)
            messages.success(request, _("The provider has been asked again."))
            return redirect("abonde_money:review_payment", self.payment.pk)
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        try:
            self._decide(act, form.cleaned_data["reason"])
        except DecisionRefused as refusal:
            messages.error(request, refusal.message)
            return redirect("abonde_money:review_payment", self.payment.pk)
        return redirect("abonde_money:review")

    def _decide(self, act: str, reason: str) -> None:
        user, payment = self.request.user, self.payment
        if act == "accept":
            accept_payment(payment=payment, reason=reason, user=user)
            said = _("The payment is accepted: it counts for its project.")
        elif act == "refund":
            refund_payment(payment=payment, cause=Refund.Reason.OTHER, reason=reason, user=user)
            said = _("The refund is ordered.")
        elif act == "close":
            close_payment(payment=payment, reason=reason, user=user)
            said = _("The payment is closed without money.")
        else:
            raise Http404
        record(payment, act, user, reason=reason)
        messages.success(self.request, said)


# --- Refunds --------------------------------------------------------------------------------------------


class RefundAct(MoneyScreen):
    """A screen about one refund of the user's funds."""

    @cached_property
    def refund(self) -> Refund:
        policy = policy_registry.get_by_type(Refund)
        found = (
            policy.instances_user_has_any_permission_for(self.request.user, ["view"])
            .select_related("payment__contribution__campaign__fund", "payment__contribution__project")
            .filter(pk=self.kwargs["refund"])
            .first()
        )
        if found is None:
            raise Http404
        return found

    def may_act(self) -> bool:
        return has_role(self.request.user, self.refund.payment.contribution.campaign.fund, *ACTORS)

    def trail(self) -> list[tuple[str, str]]:
        return [
            (reverse("abonde_refunds:index"), _("Refunds")),
            (
                reverse("abonde_refunds:inspect", args=[self.refund.pk]),
                self.refund.payment.contribution.reference,
            ),
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            refund=self.refund,
            payment=self.refund.payment,
            contribution=self.refund.payment.contribution,
            back_url=reverse("abonde_refunds:inspect", args=[self.refund.pk]),
            **kwargs,
        )


class ByHandView(RefundAct):
    """The treasurer gave the money back: record the proof."""

    template_name = "participation/admin/money/by_hand.html"
    page_title = gettext_lazy("Done by hand")

    def form(self, data: Any = None) -> ByHandForm:
        return ByHandForm(data, payment=self.refund.payment)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        return self.render_to_response(self.get_context_data(form=self.form()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        form = self.form(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        proof, reason = form.cleaned_data["proof"], form.cleaned_data["reason"]
        try:
            complete_by_hand(
                refund=self.refund, user=request.user, proof=f"{proof} – {reason}", account=form.account
            )
        except RefundRefused:
            messages.error(request, _("This refund is not to be done by hand any more."))
        except IntegrityError:
            form.add_error("source", _("The ledger does not have this money there: check the source."))
            return self.render_to_response(self.get_context_data(form=form), status=422)
        else:
            record(self.refund, "by_hand", request.user, proof=proof, reason=reason)
            messages.success(request, _("The refund is recorded as done by hand."))
        return redirect("abonde_refunds:inspect", self.refund.pk)


class TryAgainView(RefundAct):
    """Ask the provider once more."""

    template_name = "participation/admin/money/try_again.html"
    page_title = gettext_lazy("Try again")

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        return self.render_to_response(self.get_context_data(form=ReasonForm()))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.require_act()
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        reason = form.cleaned_data["reason"]
        try:
            again = try_refund_again(refund=self.refund, reason=reason, user=request.user)
        except DecisionRefused as refusal:
            messages.error(request, refusal.message)
            return redirect("abonde_refunds:inspect", self.refund.pk)
        record(self.refund, "again", request.user, reason=reason)
        messages.success(request, _("The refund will be tried again by the next run."))
        return redirect("abonde_refunds:inspect", again.pk)
