"""What every page repeats (brand, menu, languages), kept a few seconds in the process that answers.

Saving or deleting one of the things remembered forgets everything here at once; another process
notices within SECONDS. Nothing about a person is ever remembered.
"""

import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 5
MOST = 5_000

_known: dict[Hashable, tuple[float, Any]] = {}


def remembered(key: Hashable, compute: Callable[[], T]) -> T:
    """The value of `compute()`, at most SECONDS old."""
    now = time.monotonic()
    found = _known.get(key)
    if found is not None and found[0] > now:
        return found[1]
    value = compute()
    if len(_known) >= MOST:
        _known.clear()
    _known[key] = (now + SECONDS, value)
    return value


def forget(sender: Any = None, instance: Any = None, created: bool = False, **kwargs: Any) -> None:
    """Forget everything; as a signal's receiver, only when what is saved may be remembered."""
    from wagtail.models import Locale, Page, Site

    from theme.models import AccessibilitySettings, BrandSettings

    # Settings are made by the first look at them: nothing older can be remembered.
    settings = isinstance(instance, BrandSettings | AccessibilitySettings) and not created
    if instance is None or settings or isinstance(instance, Page | Site | Locale):
        _known.clear()
