"""After paying: the status, true when the provider says so; the receipt; my contributions."""

from importlib.util import find_spec
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from defis.clock import database_now
from defis.funding import funding_of
from participation.contributions.intents import forget
from participation.contributions.models import Contribution
from participation.contributions.selectors import ceiling_of, contributions_of, left_for
from participation.contributions.services import abandon_contribution
from participation.contributions.standing import project_address, projects_address, visitor_person
from participation.contributions.telling import next_dates, tag_of, tell
from participation.identity.models import Person
from participation.payments.models import Payment
from participation.payments.settlement import settle_payment
from theme.components import Link

# A page left open asks its provider at most that often (seconds).
ASK_EVERY = 5


@method_decorator(never_cache, name="dispatch")
class OwnView(View):
    """For the signed-in resident only; what belongs to another does not exist."""

    http_method_names = ["get", "head"]
    person: Person

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        person = visitor_person(request)
        if person is None:
            here = request.get_full_path() if request.method != "POST" else self.after_sign_in()
            return redirect(f"{reverse('abonde_participation:sign_in')}?{urlencode({'next': here})}")
        self.person = person
        return super().dispatch(request, *args, **kwargs)

    def after_sign_in(self) -> str:
        return reverse("abonde_participation:my_contributions")


class ContributionView(OwnView):
    """One contribution of mine, with the payment that tells where it stands."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.reference = kwargs["reference"]
        return super().dispatch(request, *args, **kwargs)

    def after_sign_in(self) -> str:
        return reverse("abonde_participation:contribution", args=[self.reference])

    def load(self) -> None:
        found = (
            contributions_of(self.person)
            .select_related("project__campaign__fund__legal_holder", "project__holder", "campaign")
            .filter(reference=self.reference)
            .first()
        )
        if found is None:
            raise Http404
        self.contribution = found
        payment = telling_payment(found)
        if payment is None:
            raise Http404
        self.payment = payment

    def ask_provider(self) -> None:
        """Let the provider speak again, not more often than a page needs."""
        if self.payment.state in Payment.OPEN and cache.add(f"abonde-ask-{self.payment.pk}", 1, ASK_EVERY):
            settle_payment(self.payment)
            self.load()

    def to_status(self) -> HttpResponseRedirect:
        return redirect("abonde_participation:contribution", reference=self.reference)


class Status(ContributionView):
    """« Merci », « en attente », « remboursé »: whatever it says, the provider said it first."""

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        self.load()
        gave_up = request.GET.get("abandon") == "1"
        told = tell(self.contribution, self.payment, gave_up=gave_up)
        project = self.contribution.project
        if told.code == "counted":
            forget(request.session, project)
        state_address = reverse("abonde_participation:contribution_state", args=[reference])
        return render(
            request,
            "participation/contributions/status.html",
            {
                "contribution": self.contribution,
                "payment": self.payment,
                "project": project,
                "told": told,
                "poll": f"{state_address}?abandon=1" if gave_up else state_address,
                "funding": funding_of([project])[project.pk] if told.code == "counted" else None,
                "dates": next_dates(self.contribution) if told.code == "counted" else [],
                "project_url": project_address(project, request),
                "breadcrumb": [_mine()],
            },
        )


class State(ContributionView):
    """The same word for the page's script: `{"state": code}`."""

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        self.load()
        self.ask_provider()
        gave_up = request.GET.get("abandon") == "1"
        return JsonResponse({"state": tell(self.contribution, self.payment, gave_up=gave_up).code})


class Refresh(ContributionView):
    """« Actualiser »: asks the provider now."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        return self.to_status()

    def post(self, request: HttpRequest, reference: str) -> HttpResponse:
        self.load()
        self.ask_provider()
        return self.to_status()


class Abandon(ContributionView):
    """« Je ne veux plus donner »: believed when the provider says that nothing can be taken any more."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        return self.to_status()

    def post(self, request: HttpRequest, reference: str) -> HttpResponse:
        self.load()
        if self.contribution.state == Contribution.State.STARTED:
            abandon_contribution(contribution=self.contribution)
        forget(request.session, self.contribution.project)
        return self.to_status()


class Receipt(ContributionView):
    """A receipt that can be printed; not a fiscal one, and it says so."""

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        self.load()
        if self.payment.paid_at is None:
            return self.to_status()
        return render(request, "participation/contributions/receipt.html", self.receipt_context())

    def receipt_context(self) -> dict[str, Any]:
        refunds = [r for payment in self.contribution.payments.all() for r in payment.refunds.all()]
        return {
            "contribution": self.contribution,
            "payment": self.payment,
            "project": self.contribution.project,
            "holder": self.contribution.campaign.fund.legal_holder,
            "person": self.person,
            "told": tell(self.contribution, self.payment),
            "refunds": refunds,
            "has_pdf": can_make_pdf(),
            "breadcrumb": [_mine(), Link(self.reference, self.after_sign_in())],
        }


class ReceiptPdf(Receipt):
    """The same, as an accessible PDF (extra `[pdf]`)."""

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        self.load()
        if not can_make_pdf():
            raise Http404
        if self.payment.paid_at is None:
            return self.to_status()
        html = render_to_string("participation/contributions/receipt_pdf.html", self.receipt_context())
        response = HttpResponse(pdf_of(html), content_type="application/pdf")
        name = _("receipt")
        response["Content-Disposition"] = f'attachment; filename="{name}-{self.contribution.reference}.pdf"'
        return response


class MyContributions(OwnView):
    """All of them, each with its state and its receipt, and what is left for the open campaigns."""

    def get(self, request: HttpRequest) -> HttpResponse:
        lines = []
        for contribution in contributions_of(self.person).select_related("campaign"):
            payment = telling_payment(contribution)
            if payment is not None:
                lines.append((contribution, payment, tag_of(contribution, payment)))
        now = database_now()
        campaigns = {line[0].campaign_id: line[0].campaign for line in lines}
        open_now = [c for c in campaigns.values() if c.opens_at <= now < c.closes_at]
        counted = [c for c, _payment, _tag in lines if c.state == Contribution.State.COUNTED]
        return render(
            request,
            "participation/contributions/mine.html",
            {
                "lines": lines,
                "total_cents": sum(contribution.amount_cents for contribution in counted),
                "left": [(c, left_for(self.person, c), ceiling_of(c)) for c in open_now],
                "projects_url": projects_address(request),
            },
        )


def telling_payment(contribution: Contribution) -> Payment | None:
    """The payment that tells where a (prefetched) contribution stands: the live one, else the last."""
    payments = list(contribution.payments.all())
    live = {*Payment.OPEN, Payment.State.PAID, Payment.State.REVIEW}
    return next((p for p in payments if p.state in live), payments[0] if payments else None)


def _mine() -> Link:
    return Link(_("My contributions"), reverse("abonde_participation:my_contributions"))


def can_make_pdf() -> bool:
    return find_spec("weasyprint") is not None


def pdf_of(html: str) -> bytes:
    """PDF/UA of a page that fetches nothing: no style sheet, font or picture from outside."""
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    document = HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=[]))
    return bytes(document.write_pdf(pdf_variant="pdf/ua-1"))
