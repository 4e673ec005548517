"""Name and version of the program that computed a result (the `engine` field).

The number is read from the installed wheel; a copied folder that was never
installed falls back on the constant below.
"""

from __future__ import annotations

from importlib import metadata

DISTRIBUTION = "wagtail-abonde"
FALLBACK_VERSION = "0.1.0"


def engine_name() -> str:
    """Return for example `wagtail-abonde 0.1.0`."""
    try:
        version = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        version = FALLBACK_VERSION
    return f"{DISTRIBUTION} {version}"
