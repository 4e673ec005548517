"""How amounts and moments are said in messages, in the active language."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

from theme.money import format_euros as euros

__all__ = ["euros", "moment"]


def moment(at: datetime) -> str:
    """Date and hour in the site's time zone."""
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")
