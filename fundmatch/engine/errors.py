"""What can be wrong with what the engine is given."""

from __future__ import annotations


class InputError(ValueError):
    """The input breaks the text; nothing is computed.

    `where` names the row or the field, for example `contributions[3]`, and the
    message repeats it so that `str(error)` is enough for a person.
    """

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}" if where else problem)


class DossierError(ValueError):
    """A published dossier (zip) cannot be read safely or is not one of ours."""


def shown(value: object, limit: int = 60) -> str:
    """Return a value as it may be quoted in a message: short, on one line, ASCII-safe for the odd ones."""
    if isinstance(value, str) and len(value) > limit:
        return f"{ascii(value[:limit])}… ({len(value)} characters)"
    if isinstance(value, (str, bool, float)) or value is None:
        return ascii(value) if not isinstance(value, str) or not value.isprintable() else repr(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 256 else f"an integer of {value.bit_length()} bits"
    return f"a {type(value).__name__}"
