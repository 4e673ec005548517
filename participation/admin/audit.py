"""What these screens write in Wagtail's audit log."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

ACTIONS = {
    "abonde.money.accept": (_("Accept a payment"), _("Payment accepted as it is")),
    "abonde.money.refund": (_("Order a refund"), _("Refund ordered")),
    "abonde.money.close": (_("Close a payment without money"), _("Payment closed without money")),
    "abonde.money.by_hand": (_("Record a refund made by hand"), _("Refund made by hand")),
    "abonde.money.again": (_("Try a refund again"), _("Refund tried again")),
    "abonde.money.run": (_("Send the refunds"), _("Refunds sent")),
    "abonde.money.reconcile": (_("Reconcile with a provider"), _("Reconciled with a provider")),
    "abonde.money.line": (_("Take charge of a line"), _("Line taken in charge")),
    "abonde.money.explain": (_("Explain a line"), _("Line explained")),
    "abonde.money.payout": (_("Record a payout"), _("Payout recorded")),
    "abonde.money.received": (_("Record a funder's payment"), _("Funder's payment recorded")),
    "abonde.money.sponsor": (_("Record the payment of fees"), _("Payment of fees recorded")),
    "abonde.money.prove": (_("Prove the ledger"), _("Ledger proven")),
    "abonde.money.export": (_("Export figures"), _("Figures exported")),
    "abonde.money.slip": (_("Enter a counter slip"), _("Counter slip entered")),
    "abonde.money.slip_confirm": (_("Confirm a counter slip"), _("Counter slip confirmed")),
    "abonde.money.slip_refuse": (_("Refuse a counter slip"), _("Counter slip refused")),
}


def record(instance: Any, act: str, user: Any, **data: Any) -> None:
    """One line of the audit log about money: who did what, with the reason in `data`."""
    action = f"abonde.money.{act}"
    if action not in ACTIONS:
        raise ValueError(f"unknown action: {action}")
    log(instance=instance, action=action, user=user, data=data or None)
