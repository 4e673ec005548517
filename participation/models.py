"""People and their money, room by room. Django finds every model of the app here."""

from participation.contributions.models import Contribution, OfflineDonor, ProjectStatistics
from participation.identity.models import FederatedIdentity, Person, Voter, VoterMembership
from participation.ledger.models import LedgerAccount, LedgerDay, LedgerEntry, LedgerTransaction
from participation.notifications.models import Message
from participation.payments.models import Payment, ProviderEvent, Refund
from participation.residency.models import ResidencyProof

__all__ = [
    "Contribution",
    "FederatedIdentity",
    "LedgerAccount",
    "LedgerDay",
    "LedgerEntry",
    "LedgerTransaction",
    "Message",
    "OfflineDonor",
    "Payment",
    "Person",
    "ProjectStatistics",
    "ProviderEvent",
    "Refund",
    "ResidencyProof",
    "Voter",
    "VoterMembership",
]
