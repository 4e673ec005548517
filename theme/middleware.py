"""Two content security policies: strict for residents, Wagtail's needs under /admin/.

Needs django-csp, which a host site adds only if it uses this middleware.
"""

from functools import cached_property
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

# The only inline style of the public site: the 500 page stands alone, without any other file.
STYLE_OF_500 = "'sha256-LrMvWnG0hzwT0i2G2CJsoHaEWUH9YK6OFrRePG3uV48='"

PUBLIC: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF, STYLE_OF_500],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "manifest-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
}
# Wagtail 8 prints inline scripts (date pickers) and inline styles, and previews pages in a frame.
ADMIN: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:", "blob:"],
    "font-src": [SELF, "data:"],
    "media-src": [SELF, "blob:"],
    "connect-src": [SELF],
    "frame-src": [SELF],
    "worker-src": [SELF, "blob:"],
    "form-action": [SELF],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
}


class SecurityPolicyMiddleware(CSPMiddleware):
    """django-csp with the policy of the part of the site that answers.

    `ABONDE_FORM_ACTIONS`: origins that a form of ours may lead to (identity and payment providers).
    """

    @cached_property
    def admin_prefix(self) -> str:
        return reverse("wagtailadmin_home")

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not report_only and parts.config is None:
            if request.path.startswith(self.admin_prefix):
                parts.config = ADMIN
            else:
                parts.config = {
                    **PUBLIC,
                    "form-action": [SELF, *getattr(settings, "ABONDE_FORM_ACTIONS", [])],
                }
        return parts

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().process_response(request, response)
        response.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        return response
