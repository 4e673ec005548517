"""Euros as people read them. Amounts are integer cents everywhere else."""

from decimal import Decimal

from django.utils.formats import number_format

NO_BREAK_SPACE = "\u00a0"


def format_euros(cents: int) -> str:
    """« 1 234,50 € », « 20 € »: cents only when there are some; spaces never break a line.

    `cents` is an integer number of cents, negative for money that leaves. Follows the active language.
    """
    whole = cents % 100 == 0
    amount = number_format(
        Decimal(cents) / 100, decimal_pos=0 if whole else 2, use_l10n=True, force_grouping=True
    )
    # Some locales group with a narrow or an ordinary space.
    return amount.replace("\u202f", NO_BREAK_SPACE).replace(" ", NO_BREAK_SPACE) + f"{NO_BREAK_SPACE}€"


def format_percent(part_cents: int, whole_cents: int) -> str:
    """« 62 % », rounded down: a project at 99,9 % has not arrived."""
    return f"{percent(part_cents, whole_cents)}{NO_BREAK_SPACE}%"


def percent(part_cents: int, whole_cents: int) -> int:
    """Whole percent of `whole_cents`, rounded down; 0 when there is no whole."""
    return part_cents * 100 // whole_cents if whole_cents > 0 else 0
