"""Who may do what with the results of a fund. One matrix, tested as one.

Roles are given to groups, for one fund (defis.models.FundRole); a superuser has all of them.
"""

from enum import StrEnum

from defis.models import Campaign, Fund, Role
from defis.models.campaigns import CampaignQuerySet
from defis.permissions import funds_for, roles_of
from fundmatch.models import Signature


class Act(StrEnum):
    """What can be done with a calculation."""

    SEE = "see"
    CALCULATE = "calculate"
    CORRECT = "correct"
    SIGN = "sign"
    PUBLISH = "publish"


_EDITORS = frozenset({Role.COMMUNICATION, Role.FOUNDATION, Role.ADMINISTRATOR})

ROLES: dict[Act, frozenset[Role]] = {
    Act.SEE: _EDITORS | {Role.FINANCE, Role.AUDITOR},
    Act.CALCULATE: _EDITORS,
    Act.CORRECT: _EDITORS,
    Act.SIGN: _EDITORS,
    Act.PUBLISH: _EDITORS,
}

#: who may sign for which side of the trio
SIDES: dict[str, frozenset[Role]] = {
    Signature.Side.AUTHORITY: frozenset({Role.COMMUNICATION, Role.ADMINISTRATOR}),
    Signature.Side.FOUNDATION: frozenset({Role.FOUNDATION}),
}


def may(user, act: Act, fund: Fund) -> bool:
    """Return whether a user may do this for this fund."""
    return bool(roles_of(user, fund) & ROLES[act])


def sides_of(user, fund: Fund) -> list[str]:
    """Return the sides for which this user may sign, authority first."""
    roles = roles_of(user, fund)
    return [side for side in Signature.Side.values if roles & SIDES[side]]


def visible_campaigns(user) -> CampaignQuerySet:
    """Return the campaigns whose calculations a user may see; others answer as if they did not exist."""
    return Campaign.objects.filter(fund__in=funds_for(user, *ROLES[Act.SEE]))
