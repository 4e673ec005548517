"""Who looks at the page, without making every page private.

Reading the session adds `Vary: Cookie`, and a shared cache could then keep nothing. Somebody without
a session cookie is anonymous: no need to look.
"""

import time

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

RENEWED = "abonde_renewed"
EDITOR = "abonde_editor"
# A signed-in person's session is prolonged by use, at most one write every five minutes.
RENEW_AFTER_SECONDS = 300


def signed_in_user(request: HttpRequest | None) -> AbstractBaseUser | None:
    """The signed-in user, or None; touches no session when there is no session cookie."""
    if request is None or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def session_seconds_left(request: HttpRequest) -> int:
    """Seconds before a signed-in session ends; prolongs it when it has not been for a while."""
    now = int(time.time())
    renewed = request.session.get(RENEWED)
    if not isinstance(renewed, int) or not 0 <= now - renewed < RENEW_AFTER_SECONDS:
        request.session[RENEWED] = renewed = now
    return settings.SESSION_COOKIE_AGE - (now - renewed)


def session_is_editor(request: HttpRequest | None) -> bool:
    """Whether the visitor may enter the admin; remembered by the session: residents' pages stay cheap."""
    user = signed_in_user(request)
    if request is None or user is None:
        return False
    remembered = request.session.get(EDITOR)
    if not isinstance(remembered, list) or remembered[0] != user.pk:
        allowed = bool(user.has_perm("wagtailadmin.access_admin"))  # type: ignore[attr-defined]
        request.session[EDITOR] = remembered = [user.pk, allowed]
    return bool(remembered[1])
