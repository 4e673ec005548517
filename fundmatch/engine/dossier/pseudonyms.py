"""Donors under names that last one round.

A pseudonym is an HMAC-SHA256 under a key of the round: the same donor has the
same pseudonym everywhere in the round and another one in the next. Whoever holds
the key can redo the link between people and pseudonyms (a court may ask); once
the key is destroyed nobody can, and no new receipt can be issued.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from ..errors import InputError

MIN_KEY = 32
_LENGTH = 32


def pseudonym(key: bytes, donor: str, project: str | None = None) -> str:
    """Return the pseudonym of a donor: 32 hexadecimal characters.

    With a project it is the donor's pseudonym on that project alone: lists of who
    supported what cannot be put together from it.
    """
    _check_key(key)
    text = "\0".join(["donor", donor] if project is None else ["donor", donor, project])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:_LENGTH]


def pseudonymise(value: Mapping[str, Any], key: bytes, *, linked: bool = True) -> dict[str, Any]:
    """Return the input with its donors under pseudonyms, rows in the same order.

    `linked`: a donor keeps one pseudonym over all projects; otherwise one per
    project, which changes no result of a rule that pays (gifts are added up per
    donor and project). An input of statistics is returned as it is.
    """
    _check_key(key)
    copy = dict(value)
    if "contributions" in copy:
        known: dict[tuple[str, str | None], str] = {}
        rows = []
        for row in copy["contributions"]:
            pair = (row[0], None if linked else row[1])
            if pair not in known:
                known[pair] = pseudonym(key, *pair)
            rows.append([known[pair], *row[1:]])
        if len(set(known.values())) != len(known):
            raise InputError("contributions", "two donors have the same pseudonym; choose another key")
        copy["contributions"] = rows
    return copy


def _check_key(key: bytes) -> None:
    if len(key) < MIN_KEY:
        raise ValueError(f"the key of a round has at least {MIN_KEY} bytes")
