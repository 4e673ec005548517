"""Plain words for the codes of the ledger and of contributions."""

from django.utils.translation import gettext_lazy as _

from participation.contributions.models import Contribution
from participation.payments.models import Refund

# Kinds of ledger transactions.
KINDS = {
    "payment": _("payment received"),
    "fee": _("provider's fee"),
    "review": _("payment to look at"),
    "review_accepted": _("payment accepted by somebody"),
    "review_owed": _("payment to give back"),
    "dispute": _("dispute"),
    "refund_ordered": _("refund ordered"),
    "refund_done": _("refund done"),
    "refund_returned": _("refund that came back"),
    "refund_by_hand": _("refund made by hand"),
    "refund_external": _("refund made at the provider's"),
    "pledge": _("promise of a funder"),
    "release": _("promise given back"),
    "settle_funded": _("project funded"),
    "settle_failed": _("project not funded"),
    "settle_corrected": _("result corrected"),
    "fees_charged": _("fees to be paid"),
    "payout": _("payout to a holder"),
    "funder_payment": _("payment of a funder"),
    "sponsor_payment": _("payment of the fees"),
    "statement": _("line of a statement"),
    "explained": _("line explained"),
    "correction": _("entry by hand"),
}

# Why a contribution stopped counting or never did.
END_REASONS = {
    **{reason.value: reason.label for reason in Refund.Reason},
    "refunded": Contribution.State.REFUNDED.label,
    "failed": _("payment refused"),
    "expired": _("payment page expired"),
    "never_started": _("payment page never opened"),
    "abandoned": _("given up"),
    "dispute": _("dispute"),
    "closed": _("closed without money"),
    "refused": _("slip refused"),
}


def kind_label(kind: str) -> str:
    """What a kind of transaction is called; the code itself when it has no name."""
    return str(KINDS.get(kind, kind))


def end_label(reason: str) -> str:
    """Why a contribution ended, in words."""
    return str(END_REASONS.get(reason, reason))
