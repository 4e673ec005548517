"""A Merkle tree over the contributions of a round, and receipts that open into it.

Leaf: SHA-256 of 0x00 and the canonical JSON of [label, salt, donor, project,
cents, matchable]; node: SHA-256 of 0x01 and its two children (the domain
separation of RFC 6962); an odd node at the end of a level climbs unchanged.
The salt, 128 secret bits per contribution, keeps a published leaf mute: nobody
can find a gift by trying donors and amounts. Leaves are sorted by their hash, so
their order tells nothing either.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .canonical import canonical_bytes

LABEL = "fundmatch/1 receipt"
_EMPTY = hashlib.sha256(b"").digest()
_HASH_LENGTH = 64
_MOST_STEPS = 64
_NODE = 32


@dataclass(frozen=True, slots=True)
class Leaf:
    """One contribution as its receipt states it. `salt` is 32 hexadecimal characters; cents are integers."""

    salt: str
    donor: str
    project: str
    cents: int
    matchable: bool = True

    def hash(self) -> bytes:
        """Return the hash that stands for the contribution in the tree."""
        row = [LABEL, self.salt, self.donor, self.project, self.cents, self.matchable]
        return hashlib.sha256(b"\0" + canonical_bytes(row)).digest()


@dataclass(frozen=True, slots=True)
class Proof:
    """The way from a leaf to the root: ("left" or "right", hash of the neighbour), bottom up."""

    steps: tuple[tuple[str, str], ...]

    def to_json(self) -> list[list[str]]:
        """Return the proof as a receipt writes it."""
        return [list(step) for step in self.steps]

    @classmethod
    def from_json(cls, value: object) -> Proof:
        """Read a proof. Raises `ValueError` when it is not one."""
        if type(value) is not list or len(value) > _MOST_STEPS:
            raise ValueError("a proof is a list of at most 64 steps")
        steps = []
        for step in value:
            if type(step) is not list or len(step) != 2 or step[0] not in ("left", "right"):
                raise ValueError('a step is ["left" or "right", hash]')
            steps.append((step[0], _hexadecimal(step[1])))
        return cls(tuple(steps))


class Tree:
    """All levels of the tree, the leaves sorted."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self.levels: list[list[bytes]] = [sorted(leaves)]
        while len(self.levels[-1]) > 1:
            self.levels.append(_level_above(self.levels[-1]))

    @property
    def root(self) -> str:
        """The root, in hexadecimal; the SHA-256 of nothing for a round without contributions."""
        return (self.levels[-1][0] if self.levels[-1] else _EMPTY).hex()

    def proof(self, leaf: bytes) -> Proof:
        """Return the way from a leaf to the root. Raises `KeyError` when the leaf is not in the tree."""
        try:
            place = self.levels[0].index(leaf)
        except ValueError:
            raise KeyError("no such leaf") from None
        steps = []
        for level in self.levels[:-1]:
            neighbour = place ^ 1
            if neighbour < len(level):
                steps.append(("left" if neighbour < place else "right", level[neighbour].hex()))
            place >>= 1
        return Proof(tuple(steps))


def merkle_root(sorted_leaves: bytes) -> str:
    """Return the root over leaves that are already sorted, given end to end (32 bytes each)."""
    level, sha = sorted_leaves, hashlib.sha256
    while len(level) > _NODE:
        pairs = len(level) // (2 * _NODE) * 2 * _NODE
        above = [sha(b"\1" + level[place : place + 64]).digest() for place in range(0, pairs, 64)]
        level = b"".join(above) + level[pairs:]
    return (level or _EMPTY).hex()


def check_receipt(root: str, leaf: Leaf, proof: Proof) -> bool:
    """Return whether a contribution is in the tree that has this root."""
    found = leaf.hash()
    for side, other in proof.steps:
        neighbour = bytes.fromhex(other)
        found = _node(neighbour, found) if side == "left" else _node(found, neighbour)
    return hmac.compare_digest(found.hex(), root)


def receipt(leaf: Leaf, proof: Proof, root: str) -> dict[str, Any]:
    """Return a receipt as JSON: what the resident keeps, and all that checking it needs."""
    return {
        "cents": leaf.cents,
        "donor": leaf.donor,
        "matchable": leaf.matchable,
        "project": leaf.project,
        "proof": proof.to_json(),
        "root": root,
        "salt": leaf.salt,
    }


def _level_above(level: list[bytes]) -> list[bytes]:
    sha = hashlib.sha256
    above = [sha(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _hexadecimal(value: object) -> str:
    if type(value) is not str or len(value) != _HASH_LENGTH or set(value) - set("0123456789abcdef"):
        raise ValueError("a hash is 64 lower-case hexadecimal characters")
    return value
