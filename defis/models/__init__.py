"""Records of what is funded, and the pages that tell it."""

from defis.models.campaigns import Campaign, Phase, Pledge, Pot
from defis.models.funds import Fund, FundRole, Role
from defis.models.organisations import Organisation
from defis.models.projects import Decision, Defi, Holder, Project, ProjectBudgetLine
from defis.models.territories import Commune, Territory

__all__ = [
    "Campaign",
    "Commune",
    "Decision",
    "Defi",
    "Fund",
    "FundRole",
    "Holder",
    "Organisation",
    "Phase",
    "Pledge",
    "Pot",
    "Project",
    "ProjectBudgetLine",
    "Role",
    "Territory",
]
