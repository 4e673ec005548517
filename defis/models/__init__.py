"""Records of what is funded, and the pages that tell it."""

from defis.models.campaigns import Campaign, Phase, Pledge, Pot
from defis.models.funds import Fund, FundRole, Role
from defis.models.organisations import Organisation
from defis.models.pages import (
    DefiIndexPage,
    DefiPage,
    FundIndexPage,
    FundPage,
    ProjectIndexPage,
    ProjectPage,
)
from defis.models.projects import Decision, Defi, Holder, Project, ProjectBudgetLine
from defis.models.proposals import Proposal, ProposalPiece
from defis.models.rules import RuleChange, RulesVersion
from defis.models.selection import Evaluation, Mark, PreselectionTask
from defis.models.territories import Commune, Territory

__all__ = [
    "Campaign",
    "Commune",
    "Decision",
    "Defi",
    "DefiIndexPage",
    "DefiPage",
    "Evaluation",
    "Fund",
    "FundIndexPage",
    "FundPage",
    "FundRole",
    "Holder",
    "Mark",
    "Organisation",
    "Phase",
    "Pledge",
    "Pot",
    "PreselectionTask",
    "Project",
    "ProjectIndexPage",
    "ProjectPage",
    "ProjectBudgetLine",
    "Proposal",
    "ProposalPiece",
    "Role",
    "RuleChange",
    "RulesVersion",
    "Territory",
]
