"""Dates and hours as people read them, in the site's time zone and the active language."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def format_day(moment: datetime) -> str:
    """« 4 décembre 2026 »."""
    return date_format(localtime(moment), "DATE_FORMAT")


def format_moment(moment: datetime) -> str:
    """« 4 décembre 2026 à 20 h », « 4 décembre 2026 à 20 h 30 »."""
    local = localtime(moment)
    hour = date_format(local, _("H:i") if local.minute else pgettext("whole hour", "H:i"))
    return _("%(day)s at %(hour)s") % {"day": date_format(local, "DATE_FORMAT"), "hour": hour}
