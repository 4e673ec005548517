"""What can go wrong between a provider and us, and the sentence a resident reads.

The sentence never says which check failed: that is for the log, under the incident number of the page.
"""

from dataclasses import dataclass
from http import HTTPStatus

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Problem:
    code: str
    status: int
    title: str | Promise
    sentence: str | Promise
    # Worth waking the operator: our request or the provider's answer is wrong, not the resident's choice.
    operator: bool = False


CANCELLED = Problem(
    "cancelled",
    HTTPStatus.OK,
    _("You stopped signing in"),
    _("You stopped signing in. Nothing was recorded. You can start again, or choose another way."),
)
NOT_IDENTIFIED = Problem(
    "not_identified",
    HTTPStatus.FORBIDDEN,
    _("Signing in did not work"),
    _(
        "%(provider)s did not confirm your identity. Nothing was recorded. You can try again, or choose another way."
    ),
)
EXPIRED = Problem(
    "expired",
    HTTPStatus.BAD_REQUEST,
    _("Your sign-in request has expired"),
    _("This sign-in page was already used, or it is too old. Nothing was recorded. Please start again."),
)
REFUSED = Problem(
    "refused",
    HTTPStatus.FORBIDDEN,
    _("We cannot accept this answer"),
    _("The answer of %(provider)s is not one that we can accept. Nothing was recorded. Please start again."),
    operator=True,
)
MISCONFIGURED = Problem(
    "misconfigured",
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("Signing in is not possible at the moment"),
    _(
        "Signing in with %(provider)s is not possible at the moment. We have been told. Please choose another way."
    ),
    operator=True,
)
UNAVAILABLE = Problem(
    "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("%(provider)s does not answer"),
    _("%(provider)s does not answer. Nothing was recorded. Please try again later, or choose another way."),
    operator=True,
)
NOT_ALLOWED = Problem(
    "not_allowed",
    HTTPStatus.FORBIDDEN,
    _("Your account is not allowed here"),
    _("We know who you are, but this account is not on the list of this site. Please ask its administrator."),
)
CLOSED_ACCOUNT = Problem(
    "closed_account",
    HTTPStatus.FORBIDDEN,
    _("This account is closed"),
    _("This account is closed. Please write to us if you think that this is a mistake."),
)
TOO_MANY = Problem(
    "too_many",
    HTTPStatus.TOO_MANY_REQUESTS,
    _("Too many attempts"),
    _("There were too many attempts from here. Please wait %(minutes)s minutes, then start again."),
)

# What an authorization server may answer (RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6, FranceConnect's list of errors).
PROVIDER_ERRORS = {
    "access_denied": CANCELLED,
    "login_required": NOT_IDENTIFIED,
    "interaction_required": NOT_IDENTIFIED,
    "consent_required": NOT_IDENTIFIED,
    "account_selection_required": NOT_IDENTIFIED,
    "server_error": UNAVAILABLE,
    "temporarily_unavailable": UNAVAILABLE,
    "invalid_request": MISCONFIGURED,
    "invalid_scope": MISCONFIGURED,
    "unauthorized_client": MISCONFIGURED,
    "unsupported_response_type": MISCONFIGURED,
}


class SignInRefused(Exception):
    """A sign-in ends here. `detail` is for the log, `problem` for the resident."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(f"{problem.code}: {detail}")
        self.problem = problem
        self.detail = detail
