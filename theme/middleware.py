"""Two content security policies: strict for residents, Wagtail's needs under /admin/."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

PUBLIC = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'{forms}; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)
# Wagtail 8 prints inline scripts (date pickers) and inline styles, and previews pages in a frame.
ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-src 'self'; worker-src 'self' blob:; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'; media-src 'self' blob:"
)


class SecurityPolicyMiddleware:
    """Adds the policy of the part of the site that answers."""

    def __init__(self, get_response):
        self.get_response = get_response
        self.admin_prefix = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self.admin_prefix is None:
            self.admin_prefix = reverse("wagtailadmin_home")
        response = self.get_response(request)
        if "Content-Security-Policy" not in response:
            if request.path.startswith(self.admin_prefix):
                response["Content-Security-Policy"] = ADMIN
                response["X-Frame-Options"] = "SAMEORIGIN"
            else:
                forms = "".join(f" {origin}" for origin in settings.ABONDE_FORM_ACTIONS)
                response["Content-Security-Policy"] = PUBLIC.format(forms=forms)
        response.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        return response
