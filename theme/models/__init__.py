"""Settings of the public look, and the pages that belong to no domain."""

from theme.models.base import PrefixedPage
from theme.models.brand import AccessibilitySettings, BrandSettings
from theme.models.pages import AccessibilityPage, HomePage, PlainPage

__all__ = [
    "AccessibilityPage",
    "AccessibilitySettings",
    "BrandSettings",
    "HomePage",
    "PlainPage",
    "PrefixedPage",
]
