"""What a project page proposes to this visitor: one table, one function, at most one primary button.

Resolution order: the campaign, then the project, then the person. One next step, always with its reason.
"""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from theme.components import CallToAction
from theme.moments import format_day, format_moment
from theme.money import format_euros

# Amounts of a person who never gave.
NOTHING = 0


@dataclass(frozen=True)
class Standing:
    """One person before one project. Amounts in cents; references are those of contributions."""

    # False: nobody signed in.
    known: bool = False
    # Code of participation.residency.services.Eligibility; "ok" when she may contribute.
    eligibility: str = "ok"
    eligibility_sentence: str = ""
    given_cents: int = NOTHING
    given_at: datetime | None = None
    left_cents: int = NOTHING
    ceiling_cents: int = NOTHING
    # Payment whose outcome only the bank knows; page opened and never paid; payment that failed last.
    pending: str = ""
    unfinished: str = ""
    unfinished_cents: int = NOTHING
    failed: str = ""
    refund: str = ""
    refund_cents: int = NOTHING
    refunded_at: datetime | None = None


@dataclass(frozen=True)
class Situation:
    """Campaign, project and person, as facts. Amounts in cents, times aware.

    `state` is the project's public state (defis.selectors.public_state_case), where the campaign already speaks
    first: open, coming, closed, funded, not_funded, cancelled or proposed.
    """

    state: str
    opens_at: datetime
    closes_at: datetime
    results_at: datetime | None = None
    territory: str = ""
    received_cents: int = NOTHING
    threshold_cents: int | None = None
    threshold_reached: bool = False
    goal_reached: bool = False
    # Its collection stops at the goal, and residents have given it.
    closed_by_goal: bool = False
    standing: Standing = Standing()


@dataclass(frozen=True)
class Addresses:
    """Where the buttons lead; an empty one shows no button."""

    contribute: str = ""
    residence: str = ""
    mine: str = ""
    project: str = ""
    projects: str = ""
    # With `{reference}`.
    contribution: str = ""

    def of(self, reference: str) -> str:
        return self.contribution.replace("{reference}", reference)


def call_to_action(situation: Situation, addresses: Addresses) -> CallToAction:
    """The action of the first row that fits."""
    return (
        _before(situation)
        or _after(situation, addresses)
        or _unavailable(situation, addresses)
        or _payment_in_progress(situation, addresses)
        or _goal_reached(situation, addresses)
        or _open(situation, addresses)
    )


# --- The campaign -----------------------------------------------------------------------------------------


def _before(situation: Situation) -> CallToAction | None:
    if situation.state != "coming":
        return None
    line = _("The collection opens on %(day)s. You can read the projects now.")
    return CallToAction("coming", line % {"day": format_moment(situation.opens_at)}, kind="none")


def _after(situation: Situation, addresses: Addresses) -> CallToAction | None:
    """The bell has rung for this project."""
    if situation.state == "funded":
        line = _("The project is funded: %(total)s.") % {"total": format_euros(situation.received_cents)}
        if situation.standing.given_cents:
            return CallToAction("funded", line, _("My contributions"), addresses.mine, "secondary")
        return CallToAction("funded", line, kind="none")
    if situation.state == "not_funded":
        return _refund(situation, addresses) or CallToAction(
            "not_funded",
            _("The project did not reach %(threshold)s. Everybody is refunded in full.")
            % {"threshold": format_euros(situation.threshold_cents)}
            if situation.threshold_cents
            else _("The project is not funded. Everybody is refunded in full."),
            _("See the other projects"),
            addresses.projects,
            "secondary",
        )
    if situation.state == "closed":
        line = _("The collection is over. We are checking the accounts. Your money is safe.")
        if situation.results_at is not None:
            said = _("The results come on %(day)s.") % {"day": format_day(situation.results_at)}
            line = f"{line} {said}"
        return CallToAction("closed", line, kind="none")
    return None


# --- The project ------------------------------------------------------------------------------------------


def _unavailable(situation: Situation, addresses: Addresses) -> CallToAction | None:
    if situation.state == "cancelled":
        return _refund(situation, addresses) or CallToAction(
            "cancelled",
            _("This project is cancelled. Everybody is refunded in full."),
            _("See the other projects"),
            addresses.projects,
            "secondary",
        )
    if situation.state != "open":
        return CallToAction("proposed", _("This project does not receive contributions."), kind="none")
    return None


def _goal_reached(situation: Situation, addresses: Addresses) -> CallToAction | None:
    if not situation.closed_by_goal:
        return None
    return CallToAction(
        "goal",
        _("The goal is reached. The collection for this project is over."),
        _("Discover other projects"),
        addresses.projects,
        "secondary",
    )


# --- The person -------------------------------------------------------------------------------------------


def _refund(situation: Situation, addresses: Addresses) -> CallToAction | None:
    standing = situation.standing
    if not standing.refund:
        return None
    if standing.refunded_at is not None:
        line = _(
            "We refunded %(amount)s on %(day)s, on the means of payment you used. "
            "How long it takes depends on your bank: count 5 to 10 days."
        ) % {"amount": format_euros(standing.refund_cents), "day": format_day(standing.refunded_at)}
    else:
        line = _("We are refunding you %(amount)s. You have nothing to do.") % {
            "amount": format_euros(standing.refund_cents)
        }
    return CallToAction("refunded", line, _("See my refund"), addresses.of(standing.refund), "primary")


def _payment_in_progress(situation: Situation, addresses: Addresses) -> CallToAction | None:
    standing = situation.standing
    if standing.pending:
        return CallToAction(
            "pending",
            _("Your bank has not answered yet. Do not pay a second time."),
            _("See the state of my payment"),
            addresses.of(standing.pending),
        )
    if standing.unfinished:
        return CallToAction(
            "unfinished",
            _("You started a payment of %(amount)s. It is not finished: your contribution is not recorded.")
            % {"amount": format_euros(standing.unfinished_cents)},
            _("Finish or stop my payment"),
            addresses.of(standing.unfinished),
        )
    return None


def _open(situation: Situation, addresses: Addresses) -> CallToAction:
    standing = situation.standing
    if not standing.known:
        line = _("You will sign in at the next step.")
        return _contribute(situation, addresses, "anonymous", line)
    if standing.eligibility.startswith("residence"):
        return CallToAction(
            "unverified",
            _(
                "You must live in %(territory)s for your contribution to count. It is free. It takes 2 minutes."
            )
            % {"territory": situation.territory},
            _("Check that I live in %(territory)s") % {"territory": situation.territory},
            addresses.residence,
        )
    if standing.eligibility != "ok":
        line = _("You cannot contribute to this campaign. %(reason)s")
        return CallToAction(
            "ineligible",
            line % {"reason": standing.eligibility_sentence},
            _("Understand why"),
            addresses.contribute,
            "link",
        )
    if standing.left_cents <= 0:
        line = _("You have reached the limit of %(limit)s for this campaign. Thank you!")
        return CallToAction(
            "limit",
            line % {"limit": format_euros(standing.ceiling_cents)},
            _("My contributions"),
            addresses.mine,
            "link",
        )
    if standing.failed:
        return CallToAction(
            "failed",
            _("The payment did not work. Nothing was taken from your account."),
            _("Try again"),
            addresses.contribute,
        )
    if standing.given_cents and standing.given_at is not None:
        return CallToAction(
            "given",
            _(
                "Thank you! You gave %(amount)s on %(day)s. Each person counts once. "
                "Giving more increases your amount, not the number of supporters."
            )
            % {"amount": format_euros(standing.given_cents), "day": format_day(standing.given_at)},
            _("Give more"),
            addresses.contribute,
            "secondary",
        )
    line = _("You can still give %(left)s in this campaign.") % {"left": format_euros(standing.left_cents)}
    return _contribute(situation, addresses, "verified", line)


def _contribute(situation: Situation, addresses: Addresses, code: str, line: str) -> CallToAction:
    """The great button, with what the project has already reached."""
    until = {"end": format_moment(situation.closes_at)}
    if situation.goal_reached:
        said = _("The goal is reached. You can still help the project until %(end)s.") % until
        code, line = f"{code}_goal", f"{said} {line}"
    elif situation.threshold_reached:
        said = _(
            "The threshold is reached: the project will receive the money. You can still help it until %(end)s."
        )
        code, line = f"{code}_threshold", f"{said % until} {line}"
    return CallToAction(code, line, _("Contribute to this project"), addresses.contribute)
