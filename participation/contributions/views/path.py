"""From the amount to the payment page: three steps, no basket, nothing written before the last button."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from defis.funding import funding_of
from defis.models import Project
from defis.selectors import PUBLIC_STATUSES, threshold_cents
from defis.services import Refused, ensure_rules_frozen
from participation.contributions.call_to_action import call_to_action
from participation.contributions.forms import HIDDEN, SHOWN, AmountForm, limits_of
from participation.contributions.intents import (
    Intent,
    Seal,
    StaleSeal,
    new_intent,
    recall,
    remember,
    seal,
    unseal,
)
from participation.contributions.models import Contribution
from participation.contributions.selectors import left_for, payment_of
from participation.contributions.services import ContributionRefused, start_contribution
from participation.contributions.standing import (
    addresses_of,
    project_address,
    situation_of,
    state_now,
    visitor_person,
)
from participation.identity.models import Person
from participation.identity.providers import providers_for
from participation.payments.models import Payment
from participation.payments.port import provider_for
from participation.residency.services import eligibility, providers_of
from theme.components import Link, Row
from theme.moments import format_moment
from theme.money import format_euros

# Refusals of start_contribution() that another amount would mend.
ABOUT_THE_AMOUNT = {"outside_limits", "above_left", "nothing_left"}
ABOUT_THE_PROVIDER = {"provider_unavailable"}


@method_decorator(never_cache, name="dispatch")
class PathView(View):
    """A step: knows the project, the visitor, what she was about to give, and how to refuse in her words."""

    http_method_names = ["get", "head", "post"]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        records = "campaign__fund__legal_holder", "campaign__fund__territory", "holder", "commune"
        found = Project.objects.select_related(*records).filter(
            slug=kwargs["project"], status__in=PUBLIC_STATUSES, campaign__announced_at__isnull=False
        )
        project = found.first()
        if project is None:
            raise Http404
        self.project = project
        self.campaign = project.campaign
        self.person: Person | None = visitor_person(request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Every step is closed with the collection, whatever page was left open."""
        state, _now = state_now(self.project)
        if state == "open" and self.campaign.rules_frozen_at is None:
            try:
                self.campaign = self.project.campaign = ensure_rules_frozen(campaign=self.campaign)
            except Refused as refusal:
                return self.closed(refusal.message)
        if state != "open":
            return self.closed()
        return super().dispatch(request, *args, **kwargs)

    # --- Pages -----------------------------------------------------------------------------------------

    def page(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(
            self.request,
            f"participation/contributions/{template}.html",
            {
                "project": self.project,
                "campaign": self.campaign,
                "breadcrumb": [Link(self.project.title, project_address(self.project, self.request))],
                **context,
            },
            status=status,
        )

    def closed(self, message: str = "") -> HttpResponse:
        """The collection does not take money now: why, and what to do instead. 409 when something was sent."""
        funding = funding_of([self.project])[self.project.pk]
        situation = situation_of(self.project, funding, self.person)
        action = call_to_action(situation, addresses_of(self.project, self.request, situation=situation))
        sent = self.request.method == "POST"
        return self.page("closed", status=409 if sent else 200, action=action, message=message, sent=sent)

    def amount_page(self, form: AmountForm, *, status: int = 200, **context: Any) -> HttpResponse:
        return self.page("amount", status=status, form=form, in_progress=self._in_progress(), **context)

    def amount_form(self, intent: Intent | None = None, **kwargs: Any) -> AmountForm:
        left = left_for(self.person, self.campaign) if self.person else None
        if intent is not None:
            kwargs["initial"] = _typed(intent)
        return AmountForm(limits=limits_of(self.campaign, left), **kwargs)

    def refuse_amount(self, intent: Intent, message: str, *, status: int = 422) -> HttpResponse:
        """Back to the first step, with the sentence next to the field."""
        form = self.amount_form(data=_typed(intent))
        if form.is_valid():
            form.add_error("montant", message)
        return self.amount_page(form, status=status)

    def _in_progress(self) -> Contribution | None:
        """A payment for this project whose outcome is not known yet."""
        if self.person is None:
            return None
        return (
            Contribution.objects.filter(
                person=self.person, project=self.project, state=Contribution.State.STARTED
            )
            .order_by("-created_at")
            .first()
        )

    # --- Steps -----------------------------------------------------------------------------------------

    def to(self, step: str) -> HttpResponseRedirect:
        return redirect(f"abonde_participation:{step}", project=self.project.slug)

    def intent(self) -> Intent | None:
        return recall(self.request.session, self.project)

    def lost(self) -> HttpResponseRedirect:
        """No amount in this session: it ended, or the address was typed."""
        messages.info(
            self.request, _("Choose an amount to start. Nothing was recorded and nothing was paid.")
        )
        return self.to("contribute")


class Amount(PathView):
    """Step 1: how much, and whether a name is shown. Nobody needs to sign in yet."""

    def get(self, request: HttpRequest, project: str) -> HttpResponse:
        intent = self.intent()
        if "montant" in request.GET:
            return self.amount_page(
                self.amount_form(initial={"montant": request.GET["montant"][:20], "afficher": HIDDEN})
            )
        return self.amount_page(self.amount_form(intent))

    def post(self, request: HttpRequest, project: str) -> HttpResponse:
        form = self.amount_form(data=request.POST)
        if not form.is_valid():
            return self.amount_page(form, status=422)
        intent = new_intent(self.project, form.cleaned_data["montant"], form.cleaned_data["nom_public"])
        remember(request.session, intent)
        return self.to("contribute_residence" if self.person else "contribute_sign_in")


class SignInStep(PathView):
    """Step 2: who you are. The amount waits in the session, whose key changes on the way back."""

    def get(self, request: HttpRequest, project: str) -> HttpResponse:
        intent = self.intent()
        if intent is None:
            return self.lost()
        if self.person is not None:
            return self.to("contribute_residence")
        accepted = providers_of(self.campaign)
        return self.page(
            "sign_in",
            intent=intent,
            providers=[provider for provider in providers_for(request) if provider.name in accepted],
            next=reverse("abonde_participation:contribute_residence", args=[self.project.slug]),
        )


class ResidenceStep(PathView):
    """Step 2, second half: where you live, on its own page; or why this campaign is not for you."""

    def get(self, request: HttpRequest, project: str) -> HttpResponse:
        if self.person is None:
            return self.to("contribute_sign_in")
        known = eligibility(person=self.person, campaign=self.campaign)
        check = reverse("abonde_participation:contribute_check", args=[self.project.slug])
        if known.ok:
            return redirect(check)
        if known.code.startswith("residence"):
            territory = reverse("abonde_participation:residence", args=[self.campaign.fund.territory.slug])
            after = check if self.intent() else project_address(self.project, request)
            return redirect(f"{territory}?{urlencode({'campagne': self.campaign.slug, 'next': after})}")
        accepted = providers_of(self.campaign)
        others = [p for p in providers_for(request) if p.name in accepted] if known.code == "provider" else []
        return self.page(
            "ineligible",
            status=403,
            known=known,
            providers=others,
            next=reverse("abonde_participation:contribute_residence", args=[self.project.slug]),
        )


class Check(PathView):
    """Step 3: everything that will happen, before it happens (RGAA 11.12)."""

    def get(self, request: HttpRequest, project: str) -> HttpResponse:
        intent = self.intent()
        if intent is None:
            return self.lost()
        if self.person is None:
            return self.to("contribute_sign_in")
        if not eligibility(person=self.person, campaign=self.campaign).ok:
            return self.to("contribute_residence")
        # A contribution already started with this very intent is within what was left.
        if not _already_started(intent):
            try:
                limits_of(self.campaign, left_for(self.person, self.campaign)).check(intent.amount_cents)
            except ValidationError as error:
                return self.refuse_amount(intent, error.messages[0])
        return self.check_page(intent, self.person)

    def check_page(
        self, intent: Intent, person: Person, *, status: int = 200, problem: str = ""
    ) -> HttpResponse:
        needs_redirect = provider_for(self.campaign.collection_provider).capabilities.needs_redirect
        amount = format_euros(intent.amount_cents)
        return self.page(
            "check",
            status=status,
            rows=self._rows(intent, person),
            seal=seal(intent, person_id=person.pk, rules_version=self.campaign.rules_version),
            label=_("Pay %(amount)s") % {"amount": amount}
            if needs_redirect
            else _("Give %(amount)s") % {"amount": amount},
            needs_redirect=needs_redirect,
            problem=problem,
            in_progress=self._in_progress(),
        )

    def _rows(self, intent: Intent, person: Person) -> list[Row]:
        change = reverse("abonde_participation:contribute", args=[self.project.slug])
        fund = self.campaign.fund
        rules = _("version %(version)s") % {"version": self.campaign.rules_version}
        return [
            Row(_("Project"), _("%(project)s, by %(holder)s") % {
                "project": self.project.title, "holder": self.project.holder.name
            }),
            Row(_("Amount"), format_euros(intent.amount_cents), change, _("the amount")),
            Row(
                _("What everybody will see"),
                _("The name “%(name)s”. Not the amount.") % {"name": intent.public_name}
                if intent.public_name
                else _("Nothing about you. You are counted among the supporters."),
                change,
                _("what everybody will see"),
            ),
            Row(_("Who holds the money"), fund.legal_holder.name),
            Row(_("When you are refunded"), self._refund_rule()),
            Row(_("Fees"), self._fee_rule()),
            Row(_("Limits"), _("%(limits)s In all, %(ceiling)s per person for this campaign.") % {
                "limits": limits_of(self.campaign).sentence,
                "ceiling": format_euros(self.campaign.max_per_person_cents),
            }),
            Row(_("Receipt sent to"), person.email or _("We have no address: you will find it on this site.")),
            Row(_("Rules of the campaign"), rules),
        ]  # fmt: skip

    def _refund_rule(self) -> str:
        threshold = threshold_cents(self.project)
        cancelled = _("If the project is cancelled, we refund you in full.")
        if threshold is None:
            return f"{_('The project keeps what it receives.')} {cancelled}"
        end = format_moment(min(self.project.collection_closes_at, self.campaign.closes_at))
        missed = _("If the project does not reach %(threshold)s on %(end)s, we refund you in full.")
        return f"{missed % {'threshold': format_euros(threshold), 'end': end}} {cancelled}"

    def _fee_rule(self) -> str:
        bps = self.campaign.fee_bps
        if not bps:
            return _("No fee: all the money goes to the project.")
        percent = f"{bps // 100},{bps % 100:02d}".rstrip("0").rstrip(",")
        return _(
            "You pay the amount above and nothing more. If the project succeeds, %(percent)s%% of the money pays "
            "for the service."
        ) % {"percent": percent}


class Pay(Check):
    """The last button: the only one that writes. The same sealed form, sent again, is the same contribution."""

    def get(self, request: HttpRequest, project: str) -> HttpResponse:
        return self.to("contribute_check")

    def post(self, request: HttpRequest, project: str) -> HttpResponse:
        try:
            shown = unseal(request.POST.get("sceau", ""), self.project)
        except StaleSeal:
            messages.warning(
                request, _("This page was too old. Nothing was paid. Check again before paying.")
            )
            return self.to("contribute_check")
        if self.person is None:
            remember(request.session, shown.intent)
            messages.warning(request, _("Your session has ended. Nothing was paid. Sign in to continue."))
            return self.to("contribute_sign_in")
        if problem := self._changed_since(shown):
            remember(request.session, shown.intent)
            messages.warning(request, problem)
            return self.to("contribute_check")
        if not eligibility(person=self.person, campaign=self.campaign).ok:
            return self.to("contribute_residence")
        waiting = self._waiting_for_the_bank(shown.intent)
        if waiting is not None:
            return self.page("pending", status=409, contribution=waiting)
        return self._pay(shown.intent, self.person)

    def _changed_since(self, shown: Seal) -> str:
        if self.person is not None and shown.person_id != self.person.pk:
            return _("Somebody else signed in on this device. Nothing was paid. Check again before paying.")
        if shown.rules_version != self.campaign.rules_version:
            return _("The rules of the campaign have changed. Nothing was paid. Read them before paying.")
        return ""

    def _waiting_for_the_bank(self, intent: Intent) -> Contribution | None:
        return (
            Contribution.objects.filter(
                person=self.person,
                project=self.project,
                state=Contribution.State.STARTED,
                payments__state__in=[Payment.State.PENDING, Payment.State.REVIEW],
            )
            .exclude(idempotency_key=intent.idempotency_key)
            .first()
        )

    def _pay(self, intent: Intent, person: Person) -> HttpResponse:
        try:
            contribution = start_contribution(
                person=person,
                project=self.project,
                amount_cents=intent.amount_cents,
                idempotency_key=intent.idempotency_key,
                public_name=intent.public_name,
            )
        except ContributionRefused as refusal:
            return self._refused(refusal, intent, person)
        payment = payment_of(contribution)
        if payment.state in Payment.OPEN and payment.redirect_url:
            return HttpResponseRedirect(payment.redirect_url)
        return redirect("abonde_participation:contribution", reference=contribution.reference)

    def _refused(self, refusal: ContributionRefused, intent: Intent, person: Person) -> HttpResponse:
        if refusal.code in ABOUT_THE_AMOUNT:
            return self.refuse_amount(intent, refusal.message)
        if refusal.code in ABOUT_THE_PROVIDER:
            # Same seal, same key: pressing again is the same contribution.
            response = self.check_page(intent, person, status=503, problem=refusal.message)
            response["Retry-After"] = "60"
            return response
        if refusal.code in {"provider_refused", "key_reused"}:
            # This key is spent: another try needs another.
            remember(self.request.session, new_intent(self.project, intent.amount_cents, intent.public_name))
            form = self.amount_form(intent)
            return self.amount_page(form, status=409, problem=refusal.message)
        return self.closed(refusal.message)


def _typed(intent: Intent) -> dict[str, str]:
    """The intent as the form's fields."""
    whole, cents = divmod(intent.amount_cents, 100)
    return {
        "montant": f"{whole},{cents:02d}" if cents else str(whole),
        "afficher": SHOWN if intent.public_name else HIDDEN,
        "nom_public": intent.public_name,
    }


def _already_started(intent: Intent) -> bool:
    return Contribution.objects.filter(idempotency_key=intent.idempotency_key).exists()
