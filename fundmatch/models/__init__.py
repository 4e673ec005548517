"""Computed proposals, their signatures, what was published, and the pages that tell it."""

from fundmatch.models.pages import ResultsIndexPage, ResultsPage
from fundmatch.models.runs import Allocation, MatchRun, Override, Publication, Signature

__all__ = [
    "Allocation",
    "MatchRun",
    "Override",
    "Publication",
    "ResultsIndexPage",
    "ResultsPage",
    "Signature",
]
