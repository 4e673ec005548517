"""The verifier's own source, as it goes into a dossier."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[2]
_JAVASCRIPT = Path("static/fundmatch/verify.mjs")
FOLDER = "verifier"


def verifier_sources() -> dict[str, bytes]:
    """Return name in the dossier → source, for the Python verifier and the JavaScript one."""
    paths = [_PACKAGE / "__init__.py", _PACKAGE / "__main__.py", *sorted((_PACKAGE / "engine").rglob("*.py"))]
    found = {
        f"{FOLDER}/fundmatch/{path.relative_to(_PACKAGE).as_posix()}": path.read_bytes()
        for path in paths
        if path.exists()
    }
    javascript = _PACKAGE / _JAVASCRIPT
    if javascript.exists():
        found[f"{FOLDER}/{javascript.name}"] = javascript.read_bytes()
    return found
