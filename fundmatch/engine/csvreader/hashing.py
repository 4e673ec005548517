"""Ids as numbers: rows of words to ranks, exactly, in arrays.

Hashes only choose where to look; every answer compares the words themselves.
"""

from __future__ import annotations

from ..arrays import Array, np

_MIX = 0x9E3779B97F4A7C15
_SECOND = 0xD6E8FEB86659FD93


def hashes(words: Array) -> Array:
    """Return a 64-bit hash of each row of words."""
    mixed = words[:, 0] * np.uint64(_MIX)
    for column in range(1, words.shape[1]):
        mixed ^= mixed >> np.uint64(29)
        mixed = (mixed + words[:, column]) * np.uint64(_SECOND)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(_MIX)
    return mixed


class IdTable:
    """The known ids in a table with open addressing."""

    def __init__(self, words: Array) -> None:
        """Take distinct rows; the rank of a row is its place."""
        self._words = words
        bits = max(4, (4 * len(words)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._mask = (1 << bits) - 1
        self._slots = np.full(1 << bits, -1, dtype=np.int32)
        slots = (hashes(words) >> self._shift).astype(np.int64)
        waiting = np.arange(len(words))
        while waiting.size:
            free = self._slots[slots[waiting]] < 0
            self._slots[slots[waiting[free]]] = waiting[free]
            # Of several that wanted one slot the last has it; the others move on.
            waiting = waiting[self._slots[slots[waiting]] != waiting]
            slots[waiting] = (slots[waiting] + 1) & self._mask

    def ranks(self, words: Array) -> Array | None:
        """Return the rank of each row, or None when one is unknown."""
        if words.shape[1] > self._words.shape[1]:
            if words[:, self._words.shape[1] :].any():
                return None
            words = words[:, : self._words.shape[1]]
        known = self._words[:, : words.shape[1]]
        wider = self._words[:, words.shape[1] :].any(axis=1)
        if words.shape[1] < self._words.shape[1]:
            wide = np.zeros((len(words), self._words.shape[1]), dtype=np.uint64)
            wide[:, : words.shape[1]] = words
            slots = (hashes(wide) >> self._shift).astype(np.int64)
        else:
            slots = (hashes(words) >> self._shift).astype(np.int64)
        found = self._slots[slots]
        if (found < 0).any():
            return None
        missed = np.flatnonzero((known[found] != words).any(axis=1) | wider[found])
        while missed.size:
            slots[missed] = (slots[missed] + 1) & self._mask
            candidates = self._slots[slots[missed]]
            if (candidates < 0).any():
                return None
            found[missed] = candidates
            missed = missed[(known[candidates] != words[missed]).any(axis=1) | wider[candidates]]
        return found


def sorted_distinct(words: Array) -> tuple[Array, Array] | None:
    """Return the distinct rows in ascending order and the rank of each row; None on a clash of hashes."""
    keys = words[:, 0] if words.shape[1] == 1 else hashes(words)
    order = np.argsort(keys)
    ordered = keys[order]
    first = np.empty(ordered.size, dtype=bool)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    number = np.cumsum(first, dtype=np.int32)
    number -= 1
    ranks = np.empty(ordered.size, dtype=np.int32)
    ranks[order] = number
    heads = order[first]
    distinct = words[heads]
    if words.shape[1] == 1:
        return distinct, ranks
    for column in range(words.shape[1]):
        if not (distinct[ranks, column] == words[:, column]).all():
            return None
    by_id = np.lexsort(distinct.T[::-1])
    renumber = np.empty(by_id.size, dtype=np.int32)
    renumber[by_id] = np.arange(by_id.size, dtype=np.int32)
    return distinct[by_id], renumber[ranks]
