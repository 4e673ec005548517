"""How amounts and dates are said in messages, in the active language."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

NO_BREAK = "\N{NO-BREAK SPACE}"


def euros(cents: int) -> str:
    """20 € or 1 234,50 €: no-break spaces, decimals only when there are some."""
    whole, rest = divmod(abs(cents), 100)
    text = f"{whole:,}".replace(",", NO_BREAK)
    if rest:
        text += f",{rest:02d}"
    return f"{'-' if cents < 0 else ''}{text}{NO_BREAK}€"


def moment(at: datetime) -> str:
    """Date and hour in the site's time zone."""
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")
