from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from wagtail.models import Page

from theme.components import Link
from theme.models import BrandSettings
from theme.navigation import home_page
from theme.panels import panels
from theme.states import State, states
from theme.visitor import RENEWED, session_seconds_left, signed_in_user

# A list longer than this is reached through its own page, with filters.
MANY_CHILDREN = 30


@require_safe
def stylesheet(request: HttpRequest, digest: str) -> HttpResponse:
    """The brand's custom properties; immutable under its digest, for a short time under an older one."""
    brand = BrandSettings.for_request(request)
    response = HttpResponse(brand.stylesheet, content_type="text/css; charset=utf-8")
    fresh = digest == brand.digest
    response["Cache-Control"] = "public, max-age=31536000, immutable" if fresh else "public, max-age=60"
    return response


@require_safe
def site_map(request: HttpRequest) -> HttpResponse:
    """The second way to find a page (RGAA 12.1), three levels deep."""
    home = home_page(request)
    branches: list[tuple[Link, list[Link]]] = []
    if home is not None:
        by_path: dict[str, tuple[Link, list[Link]]] = {}
        parents: dict[str, Page] = {}
        pages = (
            Page.objects.live()
            .public()
            .descendant_of(home)
            .filter(depth__lte=home.depth + 2)
            .order_by("path")
        )
        for page in pages:
            link = Link(page.title, page.get_url(request) or "/")
            parent = page.path[: -Page.steplen]
            if page.depth == home.depth + 1:
                by_path[page.path] = (link, [])
                parents[page.path] = page
                branches.append(by_path[page.path])
            elif parent in by_path and parents[parent].numchild <= MANY_CHILDREN:
                by_path[parent][1].append(link)
    return render(
        request, "theme/site_map.html", {"branches": branches, "more": panels("abonde_plan_links", request)}
    )


@never_cache
@require_POST
def prolong_session(request: HttpRequest) -> HttpResponse:
    """« Rester connecté »: the session starts again from its full length."""
    if signed_in_user(request) is None:
        return JsonResponse({"seconds": 0}, status=403)
    request.session.pop(RENEWED, None)
    seconds = session_seconds_left(request)
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"seconds": seconds})
    messages.success(request, _("You are still signed in."))
    return redirect("/")


def _gallery_is_shown(request: HttpRequest) -> bool:
    if settings.DEBUG or getattr(settings, "ABONDE_SIMULATION", False):
        return True
    user = signed_in_user(request)
    return bool(user and getattr(user, "is_staff", False))


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Every component and every state, on one page: what the browser tests look at."""
    if not _gallery_is_shown(request):
        raise Http404
    return render(request, "theme/states/index.html", {"states": states(request)})


@require_safe
def gallery_state(request: HttpRequest, code: str) -> HttpResponse:
    """One state alone, as a page would show it."""
    found: list[State] = [state for state in states(request) if state.code == code]
    if not found or not _gallery_is_shown(request):
        raise Http404
    return render(request, "theme/states/one.html", {"state": found[0]})
