"""The leaf of each contribution, and the proof a resident may ask for.

The salt of a leaf is derived from the key of the round and from what names the
contribution (its public reference, or its place in the input), so nothing has to
be stored but the key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from ..merkle import Leaf, Proof, Tree

_SALT_LENGTH = 32


def receipt_salt(key: bytes, reference: str) -> str:
    """Return the secret salt of one contribution: 32 hexadecimal characters."""
    return hmac.new(key, b"salt\0" + reference.encode(), hashlib.sha256).hexdigest()[:_SALT_LENGTH]


def receipt_leaves(
    value: Mapping[str, Any], key: bytes, references: Sequence[str] | None = None
) -> list[Leaf]:
    """Return the leaf of each contribution of 1 cent or more, in the order of the input.

    `value` is the input as published, pseudonyms and all (for the form `unlinked`:
    `pseudonymise(value, key, linked=False)`); `references` names its rows one by one (the
    place of the row when absent).
    """
    rows = value.get("contributions", [])
    if references is None:
        references = [str(place) for place in range(len(rows))]
    if len(references) != len(rows) or len(set(references)) != len(references):
        raise ValueError("one reference per contribution, each of them different")
    return [
        Leaf(
            receipt_salt(key, reference),
            row[0],
            row[1],
            row[2],
            bool(row[3].get("match", True)) if len(row) > 3 else True,
        )
        for reference, row in zip(references, rows, strict=True)
        if row[2]
    ]


def receipt_proof(leaves: Sequence[bytes], leaf: Leaf) -> Proof:
    """Return the proof that a leaf is among the published ones. Raises `KeyError` when it is not.

    `leaves` are the hashes of `leaves.txt`. For many receipts build one
    `merkle.Tree` and ask it for each proof.
    """
    return Tree(leaves).proof(leaf.hash())
