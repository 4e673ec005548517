"""What the worker does every night about people."""

from participation.identity.privacy import retention


def apply_retention() -> dict[str, int]:
    """Forget what is too old (manage.py apply_retention)."""
    return retention(dry_run=False)
