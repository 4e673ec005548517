"""What an id and an amount may be (fundmatch/1, section 1)."""

from __future__ import annotations

from .errors import InputError, shown

MAX_CENTS = 10**15
MAX_ID = 256


def check_id(value: object, where: str) -> str:
    """Return a valid id: 1 to 256 code points, no lone surrogate. Raises `InputError`."""
    if type(value) is not str:
        raise InputError(where, f"an id must be a string, not {shown(value)}")
    if not 1 <= len(value) <= MAX_ID:
        raise InputError(where, f"an id has 1 to {MAX_ID} characters, not {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(where, f"the id {shown(value)} contains half a surrogate pair") from None
    return value


def check_cents(value: object, where: str, name: str = "cents", minimum: int = 0) -> int:
    """Return a valid number of cents. Raises `InputError`."""
    if type(value) is not int:
        raise InputError(where, f"{name} must be an integer, not {shown(value)}")
    if value < minimum:
        raise InputError(where, f"{name} must be at least {minimum}, not {shown(value)}")
    if value > MAX_CENTS:
        raise InputError(where, f"{name} must be at most 10^15, not {shown(value)}")
    return value
