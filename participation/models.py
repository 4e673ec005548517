"""People and their money, room by room. Django finds every model of the app here."""

from participation.contributions.models import Contribution, OfflineBatch, OfflineDonor, ProjectStatistics
from participation.identity.models import AttemptCount, FederatedIdentity, Person, Voter, VoterMembership
from participation.ledger.models import LedgerAccount, LedgerDay, LedgerEntry, LedgerTransaction
from participation.notifications.models import Message
from participation.payments.models import Payment, ProviderEvent, Reconciliation, Refund, StatementLine
from participation.receipts.models import FiscalReceipt, ReceiptCancellation
from participation.residency.models import (
    LetterBatch,
    ResidencyAudit,
    ResidencyAuditCase,
    ResidencyLetter,
    ResidencyProof,
    ResidentList,
    ResidentListEntry,
)

__all__ = [
    "AttemptCount",
    "Contribution",
    "FederatedIdentity",
    "FiscalReceipt",
    "LedgerAccount",
    "LedgerDay",
    "LedgerEntry",
    "LedgerTransaction",
    "LetterBatch",
    "Message",
    "OfflineBatch",
    "OfflineDonor",
    "Payment",
    "Person",
    "ProjectStatistics",
    "ProviderEvent",
    "ReceiptCancellation",
    "Reconciliation",
    "Refund",
    "ResidencyAudit",
    "ResidencyAuditCase",
    "ResidencyLetter",
    "ResidencyProof",
    "ResidentList",
    "ResidentListEntry",
    "StatementLine",
    "Voter",
    "VoterMembership",
]
