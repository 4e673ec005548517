"""Signing in, out, and linking a second way in. docs/integrate-franceconnect.md tells the whole conversation."""

import logging
import secrets
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from django.contrib import auth, messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from participation.identity import privacy, services
from participation.identity.backends import ProvenIdentity, StrictOIDCBackend
from participation.identity.digests import list_digest_of_claims
from participation.identity.forms import EraseForm
from participation.identity.models import Person
from participation.identity.problems import (
    EXPIRED,
    NOT_IDENTIFIED,
    PROVIDER_ERRORS,
    REFUSED,
    TOO_MANY,
    UNAVAILABLE,
    Problem,
    SignInRefused,
)
from participation.identity.providers import Provider, host_of, provider_named, provider_names, providers_for
from participation.identity.throttling import address_of, too_many
from participation.residency.services import prove_from_claims

logger = logging.getLogger(__name__)

BACKEND = "participation.identity.backends.StrictOIDCBackend"
# What we keep of a sign-in in the session; every other `abonde_*` key is somebody else's and survives it.
IDENTITY = "abonde_identity"
LOGGED_OUT = "abonde_identity_logout"
# FranceConnect gives a resident 30 minutes to identify herself.
REQUEST_LIFE = 45 * 60
# Joining two accounts asks for two proofs, both fresh.
FRESH = 15 * 60
# A library or a town hall is many residents behind one address.
STARTS, STARTS_PER = 120, timedelta(minutes=10)


def safe_next(request: HttpRequest, default: str = "/") -> str:
    """Where the visitor wanted to go, if it is on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    here = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if here else default


def _provider(request: HttpRequest, name: str) -> Provider:
    if name not in provider_names():
        raise Http404
    try:
        return provider_named(name, host_of(request))
    except ImproperlyConfigured:
        logger.exception("identity provider %s is not configured for %s", name, host_of(request))
        raise Http404 from None


def problem_page(
    request: HttpRequest, problem: Problem, *, provider: Provider, next_url: str, detail: str
) -> HttpResponse:
    """The page of a sign-in that ends here; the log knows more, under the same incident number."""
    incident = secrets.token_hex(4)
    level = logging.ERROR if problem.operator else logging.INFO
    logger.log(level, "sign-in %s at %s: %s (%s)", incident, provider.name, detail, problem.code)
    words = {"provider": provider.label, "minutes": int(STARTS_PER.total_seconds() // 60)}
    context = {
        "problem": problem,
        "title": str(problem.title) % words,
        "sentence": str(problem.sentence) % words,
        "provider": provider,
        "next": next_url,
        "incident": incident if problem.operator else "",
        "others": [
            p for p in providers_for(request) if p.audience == provider.audience and p.name != provider.name
        ],
    }
    response = render(request, "participation/identity/problem.html", context, status=problem.status)
    if problem.status in (429, 503):
        response["Retry-After"] = "600"
    return response


@method_decorator([never_cache, login_not_required], "dispatch")
class SignIn(TemplateView):
    """Choice of a way to sign in: FranceConnect first, then the others, then the counter."""

    template_name = "participation/identity/sign_in.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        next_url = safe_next(request)
        if services.person_for_user(request.user) is not None and next_url != "/":
            return redirect(next_url)
        for_agents = next_url.startswith(reverse("wagtailadmin_home"))
        providers = [p for p in providers_for(request) if p.for_residents is not for_agents]
        return self.render_to_response(
            self.get_context_data(providers=providers, next=next_url, for_agents=for_agents)
        )


@method_decorator([never_cache, login_not_required], "dispatch")
class Start(OIDCAuthenticationRequestView):
    """Send the browser to the provider; the state remembers which one, where to go back, and in which language."""

    def __init__(self, **kwargs: Any) -> None:
        # The library reads its settings here, before it is known which provider is asked.
        View.__init__(self, **kwargs)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.provider = _provider(request, kwargs["provider"])
        self.OIDC_OP_AUTH_ENDPOINT = self.get_settings("OIDC_OP_AUTHORIZATION_ENDPOINT")
        self.OIDC_RP_CLIENT_ID = self.get_settings("OIDC_RP_CLIENT_ID")

    def get_settings(self, attr: str, *args: Any) -> Any:
        return self.provider.oidc(attr, *args)

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        next_url = safe_next(request)
        if too_many(bucket="sign-in", who=address_of(request), limit=STARTS, per=STARTS_PER):
            return problem_page(
                request, TOO_MANY, provider=self.provider, next_url=next_url, detail="too many starts"
            )
        linking = self._linking(request)
        if linking is None and "relier" in request.GET:
            return redirect(f"{reverse('abonde_participation:sign_in')}?{urlencode({'next': next_url})}")
        response = super().get(request)
        state = parse_qs(urlsplit(response.url).query)["state"][0]
        request.session["oidc_states"][state] |= {
            "provider": self.provider.name,
            "next": next_url,
            "language": translation.get_language(),
            "link": str(linking.public_id) if linking else "",
        }
        request.session.modified = True
        return response

    def _linking(self, request: HttpRequest) -> Person | None:
        """The account to which a second way in is added: signed in here, not long ago."""
        kept = request.session.get(IDENTITY) or {}
        if "relier" not in request.GET or time.time() - kept.get("at", 0) > FRESH:
            return None
        return services.person_for_user(request.user)


@method_decorator([never_cache, login_not_required], "dispatch")
class Callback(View):
    """The browser comes back from a provider. Nothing in its address is believed before it fits our own request."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        found = _provider(request, provider)
        entry = self._take_request(request, found)
        with translation.override(entry.get("language") or translation.get_language()):
            try:
                return self._conclude(request, found, entry)
            except SignInRefused as refusal:
                problem, detail = refusal.problem, refusal.detail
            except requests.JSONDecodeError as error:
                problem, detail = REFUSED, f"not JSON: {error}"
            except requests.RequestException as error:
                problem, detail = UNAVAILABLE, f"{type(error).__name__}: {error}"
            except (SuspiciousOperation, ValueError, KeyError, TypeError) as error:
                problem, detail = REFUSED, f"malformed answer: {error!r}"
            return problem_page(
                request, problem, provider=found, next_url=entry.get("next", "/"), detail=detail
            )

    def _take_request(self, request: HttpRequest, provider: Provider) -> dict[str, Any]:
        """Our request with this state, used once; empty when there is none."""
        states = request.session.get("oidc_states") or {}
        state = request.GET.get("state", "")
        entry = states.get(state)
        if not isinstance(entry, dict) or entry.get("provider") != provider.name:
            return {}
        del states[state]
        # Talking to the provider takes time: other tabs must find the session without this state, and what they
        # write meanwhile must not be overwritten.
        request.session.modified = True
        request.session.save()
        request.session = type(request.session)(request.session.session_key)
        return entry if time.time() - entry["added_on"] < REQUEST_LIFE else {"next": entry["next"]}

    def _conclude(self, request: HttpRequest, provider: Provider, entry: dict[str, Any]) -> HttpResponse:
        if "nonce" not in entry:
            raise SignInRefused(EXPIRED, "no request of ours has this state at this provider")
        # RFC 9207: the answer says who answers.
        if request.GET.get("iss", provider.issuer) != provider.issuer:
            raise SignInRefused(REFUSED, f"the answer comes from {request.GET['iss'][:100]}")
        if "error" in request.GET:
            error = request.GET["error"][:60]
            description = request.GET.get("error_description", "")[:200]
            raise SignInRefused(PROVIDER_ERRORS.get(error, UNAVAILABLE), f"{error}: {description}")
        backend = StrictOIDCBackend(provider)
        proven = backend.prove(request, nonce=entry["nonce"], code_verifier=entry["code_verifier"])
        if entry["link"]:
            return self._link(request, proven, entry)
        person = services.sign_in(provider=provider, subject=proven.subject, claims=proven.claims)
        open_session(request, person, proven)
        return HttpResponseRedirect(entry["next"])

    def _link(self, request: HttpRequest, proven: ProvenIdentity, entry: dict[str, Any]) -> HttpResponse:
        person = services.person_for_user(request.user)
        if person is None or str(person.public_id) != entry["link"]:
            raise SignInRefused(EXPIRED, "the account to link is not signed in any more")
        try:
            services.link_identity(
                person=person, provider=proven.provider, subject=proven.subject, claims=proven.claims
            )
        except services.IdentityOfAnother as other:
            # Both accounts are proven here and now; joining them cannot be undone, so the person decides.
            request.session["abonde_identity_join"] = {
                "other": str(other.person.public_id),
                "at": time.time(),
            }
            return redirect("abonde_participation:join_accounts")
        prove_from_claims(person=person, provider=proven.provider, claims=proven.claims)
        messages.success(
            request, _("You can now sign in with %(provider)s too.") % {"provider": proven.provider.label}
        )
        return HttpResponseRedirect(entry["next"])


def open_session(request: HttpRequest, person: Person, proven: ProvenIdentity) -> None:
    """Sign the person in: a new session key, what other rooms had noted (`abonde_*`), and what signing out needs."""
    if person.user is None:
        raise SignInRefused(NOT_IDENTIFIED, "the account has no user")
    noted = {
        key: value
        for key, value in request.session.items()
        if key.startswith("abonde_") and not key.startswith(IDENTITY)
    }
    # login() flushes the session of somebody else, and keeps the key of the same person: we never do.
    auth.login(request, person.user, backend=BACKEND)
    request.session.cycle_key()
    request.session.update(noted)
    request.session[IDENTITY] = {
        "provider": proven.provider.name,
        "id_token": proven.id_token,
        "at": time.time(),
        # Looked up in the authority's list on the residence page; written down nowhere else.
        "list": list_digest_of_claims(proven.provider, proven.claims),
    }
    prove_from_claims(person=person, provider=proven.provider, claims=proven.claims)


@method_decorator([never_cache, login_not_required], "dispatch")
class SignOut(View):
    """Out of this site and of the provider: on a shared computer FranceConnect would let the next person in."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "participation/identity/sign_out.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        kept = request.session.get(IDENTITY) or {}
        auth.logout(request)
        name = kept.get("provider")
        if not kept.get("id_token") or name not in provider_names():
            return redirect("/")
        provider = provider_named(name, host_of(request))
        state = secrets.token_urlsafe(32)
        request.session[LOGGED_OUT] = {"state": state, "language": translation.get_language()}
        back = request.build_absolute_uri(reverse(f"abonde_participation_machine:oidc_end_{name}"))
        query = {"id_token_hint": kept["id_token"], "post_logout_redirect_uri": back, "state": state}
        return HttpResponseRedirect(f"{provider.endpoints['logout']}?{urlencode(query)}")


@method_decorator([never_cache, login_not_required], "dispatch")
class SignedOut(View):
    """Back from the provider's own sign-out. A wrong state changes nothing: the session here ended before."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        found = _provider(request, provider)
        kept = request.session.pop(LOGGED_OUT, {})
        complete = constant_time_compare(kept.get("state", ""), request.GET.get("state", "")) and bool(kept)
        with translation.override(kept.get("language") or translation.get_language()):
            context = {"provider": found, "complete": complete, "signed_in": request.user.is_authenticated}
            return render(request, "participation/identity/signed_out.html", context)


@method_decorator(never_cache, "dispatch")
class JoinAccounts(View):
    """Two accounts, both proven in this session: become one, or stay two."""

    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        asked = request.session.get("abonde_identity_join") or {}
        self.person = services.person_for_user(request.user)
        self.other = Person.objects.filter(public_id=asked["other"]).first() if asked else None
        if self.person is None or self.other is None or time.time() - asked["at"] > FRESH:
            return redirect("abonde_participation:my_data")
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "participation/identity/join_accounts.html", {"other": self.other})

    def post(self, request: HttpRequest) -> HttpResponse:
        del request.session["abonde_identity_join"]
        if self.person is not None and self.other is not None and request.POST.get("decision") == "join":
            try:
                services.join_accounts(kept=self.person, absorbed=self.other)
                messages.success(request, _("Your two accounts are now one."))
            except SignInRefused:
                messages.error(request, _("This account works for the site: it stays apart."))
        return redirect("abonde_participation:my_data")


class OwnPage(View):
    """A page about the signed-in person; others are asked to sign in first."""

    person: Person

    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        person = services.person_for_user(request.user)
        if person is None:
            return redirect(f"{reverse('abonde_participation:sign_in')}?{urlencode({'next': request.path})}")
        self.person = person
        return super().dispatch(request, *args, **kwargs)


class MyData(OwnPage):
    """What we know of the signed-in person: identity and residence here, contributions on their own page."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        known = {provider.name: provider for provider in providers_for(request)}
        held = [identity.provider for identity in self.person.identities.order_by("pk")]
        context = {
            "person": self.person,
            "identities": [known.get(name, {"label": name}) for name in held],
            "linkable": [p for p in known.values() if p.for_residents and p.name not in held],
            "proof_headers": [
                (_("Territory"), False),
                (_("Proof"), False),
                (_("State"), False),
                (_("Until"), False),
            ],
            "proofs": [
                (
                    proof.territory.name,
                    proof.get_method_display(),
                    proof.get_result_display(),
                    date_format(localtime(proof.expires_at), "DATE_FORMAT") if proof.expires_at else "",
                )
                for proof in self.person.residency_proofs.select_related("territory")
            ],
            "next": request.path,
            "waits": privacy.why_erasure_waits(self.person),
        }
        return render(request, "participation/identity/my_data.html", context)


class MyDataExport(OwnPage):
    """Everything about the signed-in person in one JSON file (RGPD, articles 15 and 20)."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        if too_many(bucket="export", who=str(self.person.pk), limit=10, per=timedelta(hours=1)):
            return HttpResponse(_("Too many attempts"), status=429, content_type="text/plain; charset=utf-8")
        response = JsonResponse(privacy.export_person(person=self.person), json_dumps_params={"indent": 2})
        response["Content-Disposition"] = 'attachment; filename="mes-donnees.json"'
        return response


class EraseMe(OwnPage):
    """Forget the signed-in person, when she has ticked that she means it."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "participation/identity/erase.html", {"form": EraseForm()})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = EraseForm(request.POST)
        if form.is_valid():
            try:
                privacy.erase_person(person=self.person)
            except privacy.ErasureWaits as waits:
                form.add_error(None, waits.message)
            else:
                return SignOut.as_view()(request)
        return render(request, "participation/identity/erase.html", {"form": form}, status=422)
