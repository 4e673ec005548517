"""What the header and the site map say about the visitor's account."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from participation.identity.services import person_for_user
from theme.components import Link
from theme.visitor import signed_in_user


def account_links(request: HttpRequest) -> list[Link]:
    """« Se connecter », or the first name and « Se déconnecter »; looks in no session without a session cookie."""
    user = signed_in_user(request)
    here = request.path
    if user is None:
        address = reverse("abonde_participation:sign_in")
        if here.startswith(address):
            return [Link(_("Sign in"), address, current=True)]
        return [Link(_("Sign in"), f"{address}?{urlencode({'next': here})}")]
    links = []
    if person_for_user(user) is not None:
        mine = reverse("abonde_participation:my_data")
        links.append(Link(getattr(user, "first_name", "") or _("My account"), mine, current=here == mine))
    links.append(Link(_("Sign out"), reverse("abonde_participation:sign_out"), method="post"))
    return links
