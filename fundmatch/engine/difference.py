"""Where two values first differ, in words."""

from __future__ import annotations

from typing import Any

from .canonical import canonical_text

_ABSENT = object()
_LONGEST = 160


def first_difference(published: Any, computed: Any, path: str = "") -> str | None:
    """Return "path: published X, computed Y" for the first difference in canonical order, or None."""
    if isinstance(published, dict) and isinstance(computed, dict):
        for key in sorted(published.keys() | computed.keys(), key=str):
            inner = f"{path}.{key}" if path else str(key)
            found = first_difference(published.get(key, _ABSENT), computed.get(key, _ABSENT), inner)
            if found:
                return found
        return None
    if isinstance(published, list) and isinstance(computed, list):
        for place in range(max(len(published), len(computed))):
            one = published[place] if place < len(published) else _ABSENT
            other = computed[place] if place < len(computed) else _ABSENT
            found = first_difference(one, other, f"{path}[{place}]")
            if found:
                return found
        return None
    if type(published) is type(computed) and published == computed:
        return None
    return f"{path or 'value'}: published {_shown(published)}, computed {_shown(computed)}"


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    try:
        text = canonical_text(value).rstrip("\n")
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
