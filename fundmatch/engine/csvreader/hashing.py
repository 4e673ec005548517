"""Ids as numbers: rows of words to ranks, exactly, in arrays.

An id of up to 64 bytes is a row of big-endian words padded with NUL, so that the
order of the rows is the order of the ids by code point. Hashes and codes only
choose where to look; every answer rests on the words themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ..arrays import Array, np

_MIX = 0x9E3779B97F4A7C15
_SECOND = 0xD6E8FEB86659FD93
#: rows handled at once, so that what is worked on stays in the processor's cache
_CHUNK = 1 << 16
#: ids are numbered without sorting when their possible spellings are at most this many (and 8 per row)
_MOST_CODES = 1 << 26
_SAMPLE = 1 << 18
_DIGITS = slice(ord("0"), ord("9") + 1)


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
        width = self._words.shape[1]
        if words.shape[1] > width:
            if words[:, width:].any():
                return None
            words = words[:, :width]
        elif words.shape[1] < width:
            words = widened(words, width)
        slots = (hashes(words) >> self._shift).astype(np.int64)
        found = self._slots[slots]
        if found.size and int(found.min()) < 0:
            return None
        missed = np.flatnonzero(_differ(self._words, found, words))
        while missed.size:
            slots[missed] = (slots[missed] + 1) & self._mask
            candidates = self._slots[slots[missed]]
            if int(candidates.min()) < 0:
                return None
            found[missed] = candidates
            missed = missed[_differ(self._words, candidates, words[missed])]
        return found


def widened(words: Array, width: int) -> Array:
    """Return the rows with more columns; the new ones are padding."""
    if words.shape[1] == width:
        return words
    wide = np.zeros((words.shape[0], width), dtype=np.uint64)
    wide[:, : words.shape[1]] = words
    return wide


def sorted_distinct(words: Array) -> tuple[Array, Array] | None:
    """Return the distinct rows in ascending order and the rank of each row; None on a clash of hashes."""
    return _by_code(words) or _by_sorting(words)


def _differ(known: Array, places: Array, words: Array) -> Array:
    if words.shape[1] == 1:
        return known[places, 0] != words[:, 0]
    return (known[places] != words).any(axis=1)


def _by_code(words: Array) -> tuple[Array, Array] | None:
    """Number the rows by their spelling, where few spellings are possible: d1 … d99999, 00017 …

    Each position has an alphabet, the letters seen there; an id is a number written
    with these digits, in the order of the ids. One table over all numbers says which
    exist. None when there are too many.
    """
    count = len(words)
    letters = words.view(np.uint8).reshape(count, words.shape[1] * 8)
    changing = np.bitwise_or.reduce(words, axis=0) ^ np.bitwise_and.reduce(words, axis=0)
    positions = [
        (column * 8 + place, column * 8 + 7 - place)
        for column in range(words.shape[1])
        for place in range(8)
        if (int(changing[column]) >> (8 * (7 - place))) & 0xFF
    ]
    alphabets = []
    spellings = 1
    for _, place in positions:
        seen = np.zeros(256, dtype=bool)
        seen[letters[:_SAMPLE, place]] = True
        # Rare letters that the sample may miss: an id that ends here, another digit.
        seen[0] = True
        if seen[_DIGITS].any():
            seen[_DIGITS] = True
        alphabet = np.flatnonzero(seen)
        spellings *= alphabet.size
        if spellings > min(_MOST_CODES, max(8 * count, 1 << 12)):
            return None
        digit = np.full(256, -1, dtype=np.int32)
        digit[alphabet] = np.arange(alphabet.size, dtype=np.int32)
        alphabets.append((place, alphabet.size, digit))
    codes = np.zeros(count, dtype=np.int32)
    exists = np.zeros(max(spellings, 1), dtype=bool)
    complete = [True]

    def encode(start: int) -> None:
        span = slice(start, start + _CHUNK)
        code = codes[span]
        for place, size, digit in alphabets:
            value = digit[letters[span, place]]
            if int(value.min()) < 0:
                # A letter that the sample did not show.
                complete[0] = False
                return
            code *= size
            code += value
        exists[code] = True

    _in_chunks(encode, count)
    if not complete[0]:
        return None
    number = np.cumsum(exists, dtype=np.int32)
    number -= 1
    distinct = np.empty((int(number[-1]) + 1, words.shape[1]), dtype=np.uint64)

    def number_rows(start: int) -> None:
        span = slice(start, start + _CHUNK)
        codes[span] = number[codes[span]]
        # Every row of one id writes the same words.
        distinct[codes[span]] = words[span]

    _in_chunks(number_rows, count)
    return distinct, codes


def _by_sorting(words: Array) -> tuple[Array, Array] | None:
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
    distinct = words[order[first]]
    if words.shape[1] == 1:
        return distinct, ranks
    for column in range(words.shape[1]):
        if not (distinct[ranks, column] == words[:, column]).all():
            return None
    by_id = np.lexsort(distinct.T[::-1])
    renumber = np.empty(by_id.size, dtype=np.int32)
    renumber[by_id] = np.arange(by_id.size, dtype=np.int32)
    return distinct[by_id], renumber[ranks]


def _in_chunks(work: Callable[[int], None], count: int) -> None:
    """Call `work` with the start of each chunk, on two threads when there is enough to do."""
    starts = range(0, count, _CHUNK)
    if len(starts) < 4:
        for start in starts:
            work(start)
        return
    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, starts):
            pass
