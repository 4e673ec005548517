"""Where the resident lives: her own page, apart from who she is."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from defis.models import Campaign, Territory
from participation.identity.services import person_for_user
from participation.identity.throttling import too_many
from participation.identity.views import IDENTITY, safe_next
from participation.residency import services
from participation.residency.counters import open_ticket
from participation.residency.forms import CodeForm, DeclarationForm, LetterForm, PostalCodeForm
from participation.residency.letters import cancel_letter, confirm_letter, open_letter, request_letter
from participation.residency.lists import prove_from_list
from participation.residency.services import Method, ResidenceRefused, Result


@method_decorator(never_cache, "dispatch")
class ResidenceView(View):
    """What proves that a signed-in person lives in a territory; other methods add themselves to `ways`."""

    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.territory = get_object_or_404(Territory, slug=kwargs["territory"])
        person = person_for_user(request.user)
        if person is None:
            here = request.get_full_path()
            return redirect(f"{reverse('abonde_participation:sign_in')}?{urlencode({'next': here})}")
        self.person = person
        self.campaign = Campaign.objects.filter(
            slug=request.GET.get("campagne") or request.POST.get("campagne") or "",
            fund__territory=self.territory,
        ).first()
        self.next = safe_next(request)
        return super().dispatch(request, *args, **kwargs)

    def methods(self) -> list[str]:
        """Proofs that count here: the campaign's, or those of every campaign of the territory still to be published."""
        if self.campaign is not None:
            return services.methods_of(self.campaign)
        campaigns = Campaign.objects.filter(fund__territory=self.territory, published_at__isnull=True)
        found = [method for campaign in campaigns for method in services.methods_of(campaign)]
        return list(dict.fromkeys(found)) or [Method.DECLARATION]

    def page(self, request: HttpRequest, status: int = 200, **context: Any) -> HttpResponse:
        proof = services.current_proof(self.person, self.territory)
        methods = self.methods()
        letter = open_letter(self.person, self.territory) if Method.LETTER in methods else None
        ticket = self.person.residency_proofs.filter(
            territory=self.territory, method=Method.COUNTER, result=Result.PENDING
        ).first()
        return render(
            request,
            "participation/residency/residence.html",
            {
                "territory": self.territory,
                "campaign": self.campaign,
                "proof": proof,
                "enough": proof is not None and proof.method in methods,
                "methods": methods,
                "next": self.next,
                "has_next": self.next != "/",
                "letter": letter,
                "ticket": ticket,
                "letter_form": LetterForm(territory=self.territory),
                "code_form": CodeForm(),
                **context,
            },
            status=status,
        )


class Residence(ResidenceView):
    """The declaration on honour: postal code, then commune and signature."""

    def get(self, request: HttpRequest, territory: str) -> HttpResponse:
        if "code_postal" not in request.GET:
            return self.page(request, postal_form=PostalCodeForm())
        form = PostalCodeForm(request.GET)
        if not form.is_valid():
            return self.page(request, postal_form=form, form=form, status=422)
        return self._second_step(request, form.cleaned_data["code_postal"])

    def _second_step(self, request: HttpRequest, postal_code: str) -> HttpResponse:
        if not self.territory.communes.filter(postal_codes__contains=[postal_code]).exists():
            return self.page(
                request, postal_form=PostalCodeForm(request.GET), elsewhere=postal_code, status=422
            )
        form = DeclarationForm(territory=self.territory, postal_code=postal_code)
        return self.page(request, declaration=form, postal_code=postal_code)

    def post(self, request: HttpRequest, territory: str) -> HttpResponse:
        if Method.DECLARATION not in self.methods():
            return self.page(request, status=403)
        first = PostalCodeForm(request.POST)
        if not first.is_valid():
            return self.page(request, postal_form=first, form=first, status=422)
        postal_code = first.cleaned_data["code_postal"]
        form = DeclarationForm(request.POST, territory=self.territory, postal_code=postal_code)
        if form.is_valid():
            try:
                services.declare_residence(
                    person=self.person,
                    territory=self.territory,
                    commune=form.cleaned_data["commune"],
                    postal_code=postal_code,
                    statement_version=form.cleaned_data["version"],
                )
            except ResidenceRefused as refusal:
                form.add_error(None, refusal.message)
            else:
                messages.success(request, _("Your declaration is recorded."))
                return redirect(self.next)
        return self.page(request, declaration=form, form=form, postal_code=postal_code, status=422)


class OtherWay(ResidenceView):
    """A method of its own address, posted from the page of residence."""

    http_method_names = ["post"]
    method: str

    def post(self, request: HttpRequest, territory: str) -> HttpResponse:
        if self.method not in self.methods():
            return self.page(request, status=403)
        # Whatever the method, nobody tries it all day (the letter also counts its own wrong codes).
        who = f"{self.method}:{self.person.pk}"
        if too_many(bucket="residence", who=who, limit=20, per=timedelta(hours=1)):
            messages.error(request, _("There were too many attempts. Please try again in an hour."))
            return self.page(request, status=429)
        return self.prove(request)

    def prove(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError

    def here(self) -> str:
        """The page of residence, with the same campaign and way back."""
        query = {"next": self.next, **({"campagne": self.campaign.slug} if self.campaign else {})}
        return f"{reverse('abonde_participation:residence', args=[self.territory.slug])}?{urlencode(query)}"


class AskLetter(OtherWay):
    """Ask for a code by letter, or give up the one on its way (wrong address)."""

    method = Method.LETTER

    def prove(self, request: HttpRequest) -> HttpResponse:
        waiting = open_letter(self.person, self.territory)
        if "cancel" in request.POST:
            if waiting is not None:
                cancel_letter(letter=waiting)
            return redirect(self.here())
        form = LetterForm(request.POST, territory=self.territory)
        if form.is_valid():
            try:
                request_letter(
                    person=self.person,
                    territory=self.territory,
                    commune=form.cleaned_data["commune"],
                    postal_code=form.cleaned_data["code_postal"],
                    recipient=form.cleaned_data["recipient"],
                    street=form.cleaned_data["street"],
                )
            except ResidenceRefused as refusal:
                form.add_error(None, refusal.message)
            else:
                messages.success(request, _("Your letter will be printed with the next batch."))
                return redirect(self.here())
        return self.page(request, letter_form=form, form=form, status=422)


class GiveCode(OtherWay):
    """The code received by letter."""

    method = Method.LETTER

    def prove(self, request: HttpRequest) -> HttpResponse:
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                confirm_letter(person=self.person, territory=self.territory, code=form.cleaned_data["code"])
            except ResidenceRefused as refusal:
                form.add_error("code", refusal.message)
            else:
                messages.success(request, _("Your residence is proved."))
                return redirect(self.next)
        return self.page(request, code_form=form, form=form, status=422)


class TakeTicket(OtherWay):
    """A number to say at the counter."""

    method = Method.COUNTER

    def prove(self, request: HttpRequest) -> HttpResponse:
        open_ticket(person=self.person, territory=self.territory)
        return redirect(self.here())


class LookUp(OtherWay):
    """The authority's list, by what the present sign-in said."""

    method = Method.LIST

    def prove(self, request: HttpRequest) -> HttpResponse:
        digest = (request.session.get(IDENTITY) or {}).get("list", "")
        try:
            prove_from_list(person=self.person, territory=self.territory, digest=digest)
        except ResidenceRefused as refusal:
            messages.error(request, refusal.message)
            return self.page(request, status=422)
        messages.success(request, _("Your residence is proved."))
        return redirect(self.next)
