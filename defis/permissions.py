"""Who may do what, for which fund. One matrix, one question each; every admin view asks here.

A superuser holds every role on every fund. Somebody else's object does not exist: views answer 404.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet
from wagtail.permission_policies import BasePermissionPolicy

from defis.models.funds import Fund, FundRole, Role

__all__ = ["MATRIX", "FundScopedPolicy", "Role", "funds_for", "has_role", "role_holders", "roles_of"]

EVERYONE = frozenset(Role)
STAFF = EVERYONE - {Role.FUNDER}
EDITORS = frozenset({Role.COMMUNICATION, Role.ADMINISTRATOR})
MONEY = frozenset({Role.FINANCE, Role.ADMINISTRATOR})
NOBODY: frozenset[Role] = frozenset()

# model name -> action -> roles. What is not written here is the superuser's alone.
MATRIX: dict[str, dict[str, frozenset[Role]]] = {
    "territory": {"view": EVERYONE},
    "commune": {"view": EVERYONE},
    "organisation": {"view": EVERYONE, "add": EDITORS, "change": frozenset({Role.ADMINISTRATOR})},
    "fund": {"view": EVERYONE, "change": frozenset({Role.ADMINISTRATOR})},
    "fundrole": {"view": frozenset({Role.ADMINISTRATOR, Role.AUDITOR})},
    "campaign": {"view": EVERYONE, "add": EDITORS, "change": EDITORS},
    "pot": {"view": EVERYONE, "add": MONEY, "change": MONEY},
    "pledge": {"view": EVERYONE, "add": MONEY, "change": MONEY},
    "rulechange": {
        "view": STAFF,
        "add": EDITORS | MONEY,
        "sign": frozenset({Role.FOUNDATION, Role.ADMINISTRATOR}),
    },
    "defi": {"view": EVERYONE, "add": EDITORS, "change": EDITORS},
    "project": {"view": STAFF - {Role.COUNTER}, "add": EDITORS, "change": EDITORS},
    "holder": {"view": STAFF - {Role.COUNTER}, "add": EDITORS, "change": EDITORS},
    "decision": {"view": STAFF - {Role.COUNTER}},
    "evaluation": {"view": frozenset({Role.FOUNDATION, Role.AUDITOR}), "add": frozenset({Role.FOUNDATION})},
}


def roles_of(user: Any, fund: Fund) -> set[Role]:
    """Roles of a user for a fund; empty for a stranger, all for a superuser."""
    if not getattr(user, "is_active", False):
        return set()
    if user.is_superuser:
        return set(Role)
    return {role for fund_pk, role in _pairs(user) if fund_pk == fund.pk}


def has_role(user: Any, fund: Fund, *roles: Role) -> bool:
    """Whether the user holds one of these roles for this fund."""
    return bool(roles_of(user, fund) & set(roles))


def funds_for(user: Any, *roles: Role) -> QuerySet[Fund]:
    """Funds where the user holds one of these roles (any role when none is named)."""
    if not getattr(user, "is_active", False):
        return Fund.objects.none()
    if user.is_superuser:
        return Fund.objects.all()
    wanted = set(roles) or set(Role)
    return Fund.objects.filter(pk__in={fund_pk for fund_pk, role in _pairs(user) if role in wanted})


def role_holders(fund: Fund, *roles: Role) -> QuerySet[Any]:
    """Active people who hold one of these roles for a fund, superusers left out (whom to tell)."""
    groups = FundRole.objects.filter(fund=fund, role__in=roles).values("group")
    return get_user_model().objects.filter(is_active=True, groups__in=groups).distinct()


def _pairs(user: Any) -> list[tuple[int, Role]]:
    """(fund, role) of a user, read once per request."""
    pairs = getattr(user, "_abonde_fund_roles", None)
    if pairs is None:
        rows = FundRole.objects.filter(group__user=user).values_list("fund_id", "role").distinct()
        pairs = user._abonde_fund_roles = [(fund, Role(role)) for fund, role in rows]
    return pairs


class FundScopedPolicy(BasePermissionPolicy):
    """Wagtail policy that reads MATRIX and limits instances to the user's funds.

    `path` is the lookup from the model to its fund; empty for what all funds share (territories,
    organisations), where a role on any fund is enough. Other rooms extend MATRIX for their models.
    """

    def __init__(
        self, model: type[Model] | str, path: str = "", matrix: dict[str, frozenset[Role]] | None = None
    ):
        super().__init__(model)
        self.path = path
        self._matrix = matrix

    def roles_for(self, action: str) -> frozenset[Role]:
        matrix = MATRIX.get(self.model._meta.model_name or "", {}) if self._matrix is None else self._matrix
        return matrix.get(action, NOBODY)

    def _roles_for_any(self, actions: Iterable[str]) -> set[Role]:
        return {role for action in actions for role in self.roles_for(action)}

    def user_has_permission(self, user: Any, action: str) -> bool:
        return self.user_has_any_permission(user, [action])

    def user_has_any_permission(self, user: Any, actions: Iterable[str]) -> bool:
        if not getattr(user, "is_active", False):
            return False
        if user.is_superuser:
            return True
        wanted = self._roles_for_any(actions)
        return any(role in wanted for _fund, role in _pairs(user))

    def instances_user_has_any_permission_for(self, user: Any, actions: Iterable[str]) -> QuerySet[Any]:
        instances = self.model._default_manager.all()
        if not self.user_has_any_permission(user, actions):
            return instances.none()
        if user.is_superuser or not self.path:
            return instances
        funds = funds_for(user, *self._roles_for_any(actions))
        lookup = "pk__in" if self.path == "pk" else f"{self.path}__in"
        # A subquery on the primary key: a join through a many-to-many would repeat rows.
        return instances.filter(pk__in=self.model._default_manager.filter(**{lookup: funds}).values("pk"))

    def user_has_permission_for_instance(self, user: Any, action: str, instance: Model) -> bool:
        return self.user_has_any_permission_for_instance(user, [action], instance)

    def user_has_any_permission_for_instance(
        self, user: Any, actions: Iterable[str], instance: Model
    ) -> bool:
        return self.instances_user_has_any_permission_for(user, actions).filter(pk=instance.pk).exists()

    def users_with_any_permission(self, actions: Iterable[str]) -> QuerySet[Any]:
        roles = FundRole.objects.filter(role__in=self._roles_for_any(actions)).values("group")
        users = get_user_model().objects.filter(is_active=True)
        return users.filter(Q(is_superuser=True) | Q(groups__in=roles)).distinct()


class DefiPolicy(FundScopedPolicy):
    """A challenge that no campaign uses yet belongs to whoever may write one."""

    def instances_user_has_any_permission_for(self, user: Any, actions: Iterable[str]) -> QuerySet[Any]:
        actions = list(actions)
        mine = super().instances_user_has_any_permission_for(user, actions)
        if not self.user_has_any_permission(user, actions):
            return mine
        free = self.model._default_manager.filter(campaigns__isnull=True)
        return self.model._default_manager.filter(Q(pk__in=mine.values("pk")) | Q(pk__in=free.values("pk")))


class HolderPolicy(FundScopedPolicy):
    """The same for a holder without a project yet."""

    def instances_user_has_any_permission_for(self, user: Any, actions: Iterable[str]) -> QuerySet[Any]:
        actions = list(actions)
        mine = super().instances_user_has_any_permission_for(user, actions)
        if not self.user_has_any_permission(user, set(actions) & {"add", "change"}):
            return mine
        free = self.model._default_manager.filter(projects__isnull=True)
        return self.model._default_manager.filter(Q(pk__in=mine.values("pk")) | Q(pk__in=free.values("pk")))


def policies() -> list[tuple[type[Model], FundScopedPolicy]]:
    """Policy of each model of this room, by the path from it to its fund."""
    from defis import models

    return [
        (models.Territory, FundScopedPolicy(models.Territory)),
        (models.Commune, FundScopedPolicy(models.Commune)),
        (models.Organisation, FundScopedPolicy(models.Organisation)),
        (models.Fund, FundScopedPolicy(models.Fund, "pk")),
        (models.FundRole, FundScopedPolicy(models.FundRole, "fund")),
        (models.Campaign, FundScopedPolicy(models.Campaign, "fund")),
        (models.Pot, FundScopedPolicy(models.Pot, "campaign__fund")),
        (models.Pledge, FundScopedPolicy(models.Pledge, "pot__campaign__fund")),
        (models.RuleChange, FundScopedPolicy(models.RuleChange, "campaign__fund")),
        (models.Defi, DefiPolicy(models.Defi, "campaigns__fund")),
        (models.Project, FundScopedPolicy(models.Project, "campaign__fund")),
        (models.Holder, HolderPolicy(models.Holder, "projects__campaign__fund")),
        (models.Decision, FundScopedPolicy(models.Decision, "project__campaign__fund")),
        (models.Evaluation, FundScopedPolicy(models.Evaluation, "project__campaign__fund")),
    ]
