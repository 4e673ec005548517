"""People and their money, room by room. Django finds every model of the app here."""

from participation.contributions.models import Contribution, OfflineDonor, ProjectStatistics
from participation.identity.models import AttemptCount, FederatedIdentity, Person, Voter, VoterMembership
from participation.ledger.models import LedgerAccount, LedgerDay, LedgerEntry, LedgerTransaction
from participation.notifications.models import Message
from participation.payments.models import Payment, ProviderEvent, Refund
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
    "LedgerAccount",
    "LedgerDay",
    "LedgerEntry",
    "LedgerTransaction",
    "LetterBatch",
    "Message",
    "OfflineDonor",
    "Payment",
    "Person",
    "ProjectStatistics",
    "ProviderEvent",
    "Refund",
    "ResidencyAudit",
    "ResidencyAuditCase",
    "ResidencyLetter",
    "ResidencyProof",
    "ResidentList",
    "ResidentListEntry",
    "Voter",
    "VoterMembership",
]
