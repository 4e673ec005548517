"""What our mails say: one idea per sentence, no picture, no tracking, the reference in the subject.

A text is (subject, paragraphs). Amounts come from `*cents` of the context, `url` from its `path`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from participation.notifications.words import euros, moment

Text = tuple[Promise, Sequence[Promise]]

SEE = gettext_lazy("See your contribution: %(url)s")
NOTHING_TO_DO = gettext_lazy("You have nothing to do.")
BANK_DELAY = gettext_lazy("The money arrives on your account within a few days, depending on your bank.")
READ = gettext_lazy("Read more: %(url)s")

TEXTS: dict[str, Text] = {
    "payment_pending": (
        gettext_lazy("Your payment is waiting (ref. %(reference)s)"),
        [
            gettext_lazy("Your payment of %(amount)s for “%(project)s” is waiting for your bank's answer."),
            gettext_lazy("We write to you when we know more."),
            SEE,
        ],
    ),
    "contribution_confirmed": (
        gettext_lazy("Thank you: your contribution of %(amount)s to “%(project)s” (ref. %(reference)s)"),
        [
            gettext_lazy("We have received your contribution of %(amount)s to “%(project)s”. Thank you!"),
            gettext_lazy("If the project does not reach its threshold, we refund you in full."),
            SEE,
        ],
    ),
    "payment_failed": (
        gettext_lazy("Your payment did not work (ref. %(reference)s)"),
        [
            gettext_lazy("Your payment of %(amount)s for “%(project)s” did not work. You have paid nothing."),
            gettext_lazy("You can start again until the collection closes."),
            SEE,
        ],
    ),
    "contribution_unfinished": (
        gettext_lazy("Your contribution is not finished (ref. %(reference)s)"),
        [
            gettext_lazy("You started a contribution of %(amount)s to “%(project)s”. You have paid nothing."),
            gettext_lazy("You can start again until %(closes)s. We will not write again about it."),
            gettext_lazy("See the project: %(url)s"),
        ],
    ),
    "campaign_closed": (
        gettext_lazy("The collection is over: what happens now"),
        [
            gettext_lazy("The collection of “%(campaign)s” is over. Thank you for your contribution."),
            gettext_lazy("The fund's aid is now being computed and checked by two people."),
            gettext_lazy("A project that does not reach its threshold is refunded in full."),
            READ,
        ],
    ),
    "refund_started": (
        gettext_lazy("Refund of %(amount)s: it has started (ref. %(reference)s)"),
        [
            gettext_lazy("We refund your contribution of %(amount)s to “%(project)s” in full."),
            NOTHING_TO_DO,
            gettext_lazy("We write to you when it is done."),
            SEE,
        ],
    ),
    "refund_late": (
        gettext_lazy("Refund of %(amount)s: your payment came after the closing (ref. %(reference)s)"),
        [
            gettext_lazy(
                "Your payment of %(amount)s for “%(project)s” came after the end of the collection."
            ),
            gettext_lazy("It could not count. We refund it in full."),
            NOTHING_TO_DO,
            SEE,
        ],
    ),
    "refund_residency": (
        gettext_lazy("Refund of %(amount)s: your residence was not confirmed (ref. %(reference)s)"),
        [
            gettext_lazy("We could not confirm where you live. Your payment for “%(project)s” cannot count."),
            gettext_lazy("We refund it in full."),
            NOTHING_TO_DO,
            SEE,
        ],
    ),
    "refund_duplicate": (
        gettext_lazy("Refund of %(amount)s: we received two payments (ref. %(reference)s)"),
        [
            gettext_lazy("We received two payments for “%(project)s”. We refund the second one: %(amount)s."),
            NOTHING_TO_DO,
            SEE,
        ],
    ),
    "refund_cancelled": (
        gettext_lazy("Refund of %(amount)s: the project is cancelled (ref. %(reference)s)"),
        [
            gettext_lazy("“%(project)s” is cancelled. We refund your contribution of %(amount)s in full."),
            NOTHING_TO_DO,
            SEE,
        ],
    ),
    "refund_done": (
        gettext_lazy("Refund of %(amount)s: it is done (ref. %(reference)s)"),
        [
            gettext_lazy("We have refunded your contribution of %(amount)s to “%(project)s”."),
            BANK_DELAY,
            SEE,
        ],
    ),
    "refund_failed": (
        gettext_lazy("Refund of %(amount)s: we need you (ref. %(reference)s)"),
        [
            gettext_lazy("Your bank sent back our refund of %(amount)s for “%(project)s”."),
            gettext_lazy("Your money is safe. Answer this message so that we can find another way."),
            gettext_lazy("Never send us a card number."),
            SEE,
        ],
    ),
    "refund_delayed": (
        gettext_lazy("Refund of %(amount)s: it takes longer (ref. %(reference)s)"),
        [
            gettext_lazy("We could not yet refund your %(amount)s for “%(project)s” on your card."),
            gettext_lazy("Your money is safe. A person takes care of it and writes to you."),
            SEE,
        ],
    ),
    "ledger_wrong": (
        gettext_lazy("The books are wrong: look today (%(day)s)"),
        [
            gettext_lazy("The nightly proof of the ledger failed:"),
            gettext_lazy("%(what)s"),
            gettext_lazy("Pay out and refund nothing before it is explained."),
            READ,
        ],
    ),
    "receipt_available": (
        gettext_lazy("Your fiscal receipt no. %(number)s is available"),
        [
            gettext_lazy("Your fiscal receipt for your gift of %(amount)s to “%(project)s” is available."),
            SEE,
        ],
    ),
    "receipt_cancelled": (
        gettext_lazy("Your fiscal receipt no. %(number)s is cancelled"),
        [
            gettext_lazy(
                "Your fiscal receipt no. %(number)s of %(amount)s is no longer valid. Reason: %(reason)s"
            ),
            SEE,
        ],
    ),
    "proposal_received": (
        gettext_lazy("We have received your project “%(project)s” (ref. %(reference)s)"),
        [
            gettext_lazy("We have received your project “%(project)s”. Its reference is %(reference)s."),
            gettext_lazy("The jury reads it and answers you."),
        ],
    ),
    "proposal_correction": (
        gettext_lazy("Your project “%(project)s”: something is missing (ref. %(reference)s)"),
        [
            gettext_lazy("Your project “%(project)s” must be completed: %(reason)s"),
            gettext_lazy("You can correct it and send it again."),
        ],
    ),
    "proposal_accepted": (
        gettext_lazy("Your project “%(project)s” is pre-selected (ref. %(reference)s)"),
        [
            gettext_lazy("The jury has pre-selected your project “%(project)s”."),
            gettext_lazy("Reason: %(reason)s"),
            gettext_lazy("The collection opens on %(opens)s."),
        ],
    ),
    "proposal_refused": (
        gettext_lazy("Your project “%(project)s” is not selected (ref. %(reference)s)"),
        [
            gettext_lazy("The jury has not selected your project “%(project)s”. Reason: %(reason)s"),
            gettext_lazy("You can ask for an explanation by answering this message."),
        ],
    ),
    "project_cancelled": (
        gettext_lazy("Your project “%(project)s” is cancelled (ref. %(reference)s)"),
        [
            gettext_lazy("Your project “%(project)s” is cancelled. Reason: %(reason)s"),
            gettext_lazy("Everybody who contributed is refunded in full."),
        ],
    ),
}


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str


def render(kind: str, context: dict[str, Any], language: str) -> Rendered:
    """Write one message in the active language. Raises KeyError for an unknown kind or a missing word."""
    subject, paragraphs = TEXTS[kind]
    words = dict(context)
    for name, value in context.items():
        if name.endswith("cents"):
            words["amount" + name.removesuffix("cents").rstrip("_")] = euros(value)
        elif hasattr(value, "tzinfo"):
            words[name] = moment(value)
    if path := context.get("path"):
        prefix = "" if language == settings.LANGUAGE_CODE else f"/{language}"
        words["url"] = f"{settings.PUBLIC_ORIGIN}{prefix}{path}"
    lines = [str(paragraph) % words for paragraph in paragraphs]
    # A title may hold a line break; a subject may not.
    title = " ".join((str(subject) % words).split())
    footer = _("This message was sent by %(site)s because of a contribution or a project of yours.") % {
        "site": settings.WAGTAIL_SITE_NAME
    }
    hello = _("Hello,")
    return Rendered(
        subject=title,
        text="\n\n".join([hello, *lines, "--\n" + footer]),
        html=render_to_string(
            "participation/mail/message.html",
            {
                "title": title,
                "hello": hello,
                "paragraphs": lines,
                "url": words.get("url", ""),
                "footer": footer,
                "language": language,
            },
        ),
    )
