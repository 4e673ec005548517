"""Why a contribution is refused: a code for programs, a sentence for the resident."""

from django.utils.translation import gettext as _

from participation.notifications.words import euros


class ContributionRefused(Exception):
    """Nothing was written, or what was written is right. `code` is stable, `message` is for the resident."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def not_open() -> ContributionRefused:
    return ContributionRefused("not_open", _("The collection for this project is not open yet."))


def closed() -> ContributionRefused:
    return ContributionRefused("closed", _("The collection for this project is over."))


def project_not_open() -> ContributionRefused:
    return ContributionRefused("project_not_open", _("This project does not receive contributions."))


def goal_reached() -> ContributionRefused:
    return ContributionRefused(
        "goal_reached", _("This project has reached its goal. Its collection is over.")
    )


def rules_not_frozen() -> ContributionRefused:
    return ContributionRefused(
        "rules_not_frozen", _("The collection cannot open yet: its rules are not final.")
    )


def outside_limits(low_cents: int, high_cents: int) -> ContributionRefused:
    return ContributionRefused(
        "outside_limits",
        _("The amount must be between %(low)s and %(high)s.")
        % {"low": euros(low_cents), "high": euros(high_cents)},
    )


def above_left(left_cents: int) -> ContributionRefused:
    if left_cents <= 0:
        return ContributionRefused("nothing_left", _("You have given everything you can in this collection."))
    return ContributionRefused("above_left", _("You can still give %(left)s.") % {"left": euros(left_cents)})


def key_reused() -> ContributionRefused:
    return ContributionRefused(
        "key_reused", _("This page has already been used for another contribution. Start again.")
    )


def provider_unavailable() -> ContributionRefused:
    return ContributionRefused(
        "provider_unavailable",
        _("The payment site does not answer. You have paid nothing. Try again in a few minutes."),
    )


def provider_refused() -> ContributionRefused:
    return ContributionRefused(
        "provider_refused", _("The payment site refused this payment. You have paid nothing.")
    )
