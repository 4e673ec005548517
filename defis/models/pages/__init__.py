"""Pages tell, records count: a page shows one record and holds no figure of its own."""

from defis.models.pages.defis import DefiIndexPage, DefiPage
from defis.models.pages.funds import FundIndexPage, FundPage
from defis.models.pages.projects import ProjectIndexPage, ProjectPage

__all__ = ["DefiIndexPage", "DefiPage", "FundIndexPage", "FundPage", "ProjectIndexPage", "ProjectPage"]
