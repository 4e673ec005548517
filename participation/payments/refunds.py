"""Giving money back: orders, the run that sends them, and what can be said about both."""

from participation.payments.refunds_orders import (
    RefundRefused,
    cancel_unsent,
    complete_by_hand,
    insert_refund,
    look_at_refunds,
    order_refund,
)
from participation.payments.refunds_progress import Coverage, coverage, refund_progress
from participation.payments.refunds_run import run_refunds

__all__ = [
    "Coverage",
    "RefundRefused",
    "cancel_unsent",
    "complete_by_hand",
    "coverage",
    "insert_refund",
    "look_at_refunds",
    "order_refund",
    "refund_progress",
    "run_refunds",
]
