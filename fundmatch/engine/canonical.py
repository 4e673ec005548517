"""Canonical JSON, and the strict reading of JSON that strangers send.

Canonical: UTF-8, keys sorted by code point, no spaces, non-ASCII unescaped, no
number but integers, one trailing newline (fundmatch/1, section 5).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

from .errors import InputError, shown

MAX_NUMBER_LENGTH = 40

_encode = json.JSONEncoder(
    ensure_ascii=False,
    sort_keys=True,
    separators=(",", ":"),
    allow_nan=False,
    check_circular=False,
).encode


def canonical_text(value: object) -> str:
    """Return the canonical JSON of a value made of dicts, lists, strings, integers, booleans and None."""
    return _encode(value) + "\n"


def canonical_bytes(value: object) -> bytes:
    """Return `canonical_text` in UTF-8."""
    return canonical_text(value).encode()


def digest(value: object) -> str:
    """Return the SHA-256 of the canonical form, in lower-case hexadecimal."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def digest_chunks(chunks: Iterable[bytes]) -> str:
    """Return the SHA-256 of a canonical form that is too long to be held at once."""
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(chunk)
    return sha.hexdigest()


def quoted(text: str) -> str:
    """Return one string as it appears in canonical JSON, quotes included."""
    return _encode(text)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InputError("", f"the key {shown(key)} is written twice in one object")
            seen.add(key)
    return found


def _short_int(text: str) -> int | float:
    # An endless integer becomes an infinity, which the reader then refuses
    # with the name of its row.
    return int(text) if len(text) <= MAX_NUMBER_LENGTH else math.inf


def load_json(data: bytes | str, *, name: str = "input") -> Any:
    """Read JSON strictly: UTF-8, no duplicate key, no bottomless nesting.

    Floats, NaN and endless integers come back as floats: whoever validates the
    value refuses them with the name of the row. Raises `InputError`.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise InputError(name, f"not UTF-8 text (byte {error.start})") from None
    try:
        try:
            return json.loads(text, object_pairs_hook=_refuse_duplicates)
        except json.JSONDecodeError:
            raise
        except InputError as error:
            raise InputError(name, error.problem) from None
        except ValueError:
            return json.loads(text, object_pairs_hook=_refuse_duplicates, parse_int=_short_int)
    except json.JSONDecodeError as error:
        raise InputError(name, f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise InputError(name, "not an input: nested too deeply") from None
