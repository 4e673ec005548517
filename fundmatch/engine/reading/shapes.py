"""The shapes of JSON that a field may have, refused by name where it has another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from ..errors import InputError, shown
from ..limits import check_cents

_RATIO = re.compile(r"(0|[1-9][0-9]{0,31})(?:/(0|[1-9][0-9]{0,31}))?", re.ASCII)


def an_object(value: object, where: str) -> Mapping[str, Any]:
    """Return an object (a dict). Raises `InputError`."""
    if type(value) is not dict:
        raise InputError(where, f"must be an object, not {shown(value)}")
    return value


def a_list(value: object, where: str) -> list[Any]:
    """Return a list; a tuple counts as one. Raises `InputError`."""
    if type(value) is tuple:
        return list(value)
    if type(value) is not list:
        raise InputError(where, f"must be a list, not {shown(value)}")
    return value


def required(item: Mapping[str, Any], key: str, where: str) -> Any:
    """Return a field that must be there. Raises `InputError`."""
    if key not in item:
        raise InputError(where, f"{key} is missing")
    return item[key]


def known_only(item: Mapping[str, Any], keys: set[str], where: str) -> None:
    """Raise `InputError` on a field that is not one of `keys`."""
    for key in item:
        if key not in keys:
            raise InputError(where, f"unknown field {shown(key)}")


def unique(ids: list[str], where: str, what: str) -> None:
    """Raise `InputError` where an id comes twice."""
    if len(set(ids)) == len(ids):
        return
    seen = set()
    for item in ids:
        if item in seen:
            raise InputError(where, f"duplicate {what} {shown(item)}")
        seen.add(item)


def optional_cents(item: Mapping[str, Any], key: str, where: str) -> int | None:
    """Return an amount, or None where it is absent or null. Raises `InputError`."""
    value = item.get(key)
    return None if value is None else check_cents(value, where, key)


def choice(item: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str, where: str) -> str:
    """Return one of a few words. Raises `InputError`."""
    value = item.get(key, default)
    if type(value) is not str or value not in choices:
        raise InputError(where, f"{key} must be one of {', '.join(choices)}, not {shown(value)}")
    return value


def check_ratio(value: object, where: str) -> Fraction:
    """Return the value of a ratio written "3/4" or "2". Raises `InputError`."""
    match = _RATIO.fullmatch(value) if type(value) is str and len(value) < 70 else None
    if match is None:
        raise InputError(where, f'ratio must be a string such as "3/4" or "2", not {shown(value)}')
    if match[2] is not None and int(match[2]) == 0:
        raise InputError(where, "ratio divides by zero")
    return Fraction(int(match[1]), int(match[2] or 1))
