"""Who sees and does what with money. Somebody else's money does not exist: views answer 404."""

from typing import Any

from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet

from defis.models import Campaign, Fund, Organisation
from defis.models.campaigns import CampaignQuerySet
from defis.permissions import FundScopedPolicy, Role, funds_for, has_role

READERS = (Role.FINANCE, Role.ADMINISTRATOR, Role.AUDITOR)
ACTORS = (Role.FINANCE, Role.ADMINISTRATOR)
# Who may take cash and cheques, and confirm what a colleague took.
COUNTERS = (Role.COUNTER, Role.FINANCE, Role.ADMINISTRATOR)
COUNTER_READERS = (*COUNTERS, Role.AUDITOR)
# Names and addresses of residents: nobody else.
PERSONAL = (Role.FINANCE,)

PATHS = {
    "payment": "contribution__campaign__fund",
    "contribution": "campaign__fund",
    "refund": "payment__contribution__campaign__fund",
}


def campaigns_for(user: Any, *roles: Role) -> CampaignQuerySet:
    """Campaigns of the funds where the user has one of these roles."""
    return Campaign.objects.filter(fund__in=funds_for(user, *roles))


def holders_for(user: Any, *roles: Role) -> QuerySet[Organisation]:
    """Legal holders whose whole books the user may see: the role is held for all their funds.

    A bank account and a provider's statement mix the money of all the funds of a holder.
    """
    others = Fund.objects.filter(legal_holder=OuterRef("pk")).exclude(
        pk__in=funds_for(user, *roles).values("pk")
    )
    return Organisation.objects.filter(~Exists(others), held_funds__isnull=False).distinct()


def holds_whole_books(user: Any, fund: Fund, *roles: Role) -> bool:
    """Whether the user may see what this fund's legal holder has beside this fund."""
    return holders_for(user, *roles).filter(pk=fund.legal_holder_id).exists()


def sees_people(user: Any, fund: Fund) -> bool:
    """Whether names of residents are shown to this user."""
    return has_role(user, fund, *PERSONAL)


class ReadOnlyPolicy(FundScopedPolicy):
    """Money is read by its roles and edited by nobody, not even a superuser."""

    def __init__(self, model: type[Model], path: str) -> None:
        super().__init__(model, path, {"view": frozenset(READERS)})

    def user_has_any_permission(self, user: Any, actions: Any) -> bool:
        return "view" in actions and super().user_has_any_permission(user, ["view"])


class LedgerPolicy(ReadOnlyPolicy):
    """A transaction of a campaign belongs to its fund; the others to who may see the holder's whole books."""

    def instances_user_has_any_permission_for(self, user: Any, actions: Any) -> QuerySet[Any]:
        everything = self.model._default_manager.all()
        if not self.user_has_any_permission(user, actions):
            return everything.none()
        if user.is_superuser:
            return everything
        mine = Q(campaign__fund__in=funds_for(user, *READERS), holder=F("campaign__fund__legal_holder"))
        return everything.filter(mine | Q(campaign__isnull=True, holder__in=holders_for(user, *READERS)))


def policies() -> list[tuple[type[Model], FundScopedPolicy]]:
    """Policy of each model shown here."""
    from participation.contributions.models import Contribution
    from participation.ledger.models import LedgerAccount, LedgerTransaction
    from participation.payments.models import Payment, Refund

    return [
        (Payment, ReadOnlyPolicy(Payment, PATHS["payment"])),
        (Contribution, ReadOnlyPolicy(Contribution, PATHS["contribution"])),
        (Refund, ReadOnlyPolicy(Refund, PATHS["refund"])),
        (LedgerTransaction, LedgerPolicy(LedgerTransaction, "campaign__fund")),
        (LedgerAccount, LedgerPolicy(LedgerAccount, "campaign__fund")),
    ]
