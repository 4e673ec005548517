"""Gifts in NumPy: one sort of packed integers, then segment sums. All sums are exact integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from ..arrays import Array, np
from . import Power
from .rows import canonical_rows
from .vector_roots import exact_roots

_SUM_BITS = 62
_SUM_LIMIT = 1 << _SUM_BITS
#: amounts up to this many cents find their root by direct index, larger ones by search
_DIRECT = 1 << 22


def fits(cents: Any) -> bool:
    """Return whether any sum of these amounts stays within 64 bits."""
    if len(cents) == 0:
        return True
    return len(cents) * (int(cents.max()) if isinstance(cents, np.ndarray) else max(cents)) < _SUM_LIMIT


class VectorGifts:
    """See `Gifts`. A cell is one (project, donor, matchable first) with its sum of cents."""

    individual = True

    def __init__(
        self,
        donor_ids: Sequence[str],
        project_ids: Sequence[str],
        donor: Array,
        project: Array,
        cents: Array,
        matchable: Array | None,
    ) -> None:
        self.donor_ids = donor_ids
        self.project_ids = project_ids
        self._donor = np.asarray(donor, dtype=np.int32)
        self._project = np.asarray(project, dtype=np.int32)
        self._cents = np.asarray(cents, dtype=np.int64)
        self._unmatchable = None if matchable is None else ~np.asarray(matchable, dtype=bool)

    @cached_property
    def _cells(self) -> tuple[Array, Array]:
        """Return the keys ((project · donors + donor) · 2 + unmatchable), sorted, and their cents."""
        width = 2 * max(len(self.donor_ids), 1)
        cents = self._cents
        bits = int(cents.max()).bit_length() if cents.size else 0
        key = self._project.astype(np.int64)
        key *= width // 2
        key += self._donor
        key <<= 1
        if self._unmatchable is not None:
            key += self._unmatchable
        if (len(self.project_ids) * width).bit_length() + bits <= 63:
            # Key and amount in one integer: sorting integers is many times
            # faster than sorting an index and gathering through it.
            key <<= bits
            key |= cents
            key.sort()
            amounts = key & ((1 << bits) - 1)
            key >>= bits
        else:
            order = np.argsort(key, kind="stable")
            key = key[order]
            amounts = cents[order]
        if amounts.size and not amounts.all():
            kept = amounts > 0
            key, amounts = key[kept], amounts[kept]
        if key.size:
            first = np.empty(key.size, dtype=bool)
            first[0] = True
            np.not_equal(key[1:], key[:-1], out=first[1:])
            if not first.all():
                starts = np.flatnonzero(first)
                key, amounts = key[starts], np.add.reduceat(amounts, starts)
        return key, amounts

    @cached_property
    def _bounds(self) -> Array:
        """Return where the cells of each project begin, and one more."""
        width = 2 * max(len(self.donor_ids), 1)
        edges = np.arange(len(self.project_ids) + 1, dtype=np.int64) * width
        return np.searchsorted(self._cells[0], edges)

    def _matchable_cells(self) -> tuple[Array, Array, Array]:
        key, amounts = self._cells
        if self._unmatchable is None:
            return key, amounts, self._bounds
        kept = (key & 1) == 0
        edges = np.concatenate(([0], np.cumsum(kept)))[self._bounds]
        return key[kept], amounts[kept], edges

    def citizens(self) -> list[int]:
        return _segment_sums(self._cells[1], self._bounds)

    def donors(self) -> list[int]:
        if self._unmatchable is None:
            return np.diff(self._bounds).tolist()
        pairs = self._cells[0] >> 1
        first = np.ones(pairs.size, dtype=np.int64)
        first[1:] = pairs[1:] != pairs[:-1]
        return _segment_sums(first, self._bounds)

    def power(self, min_donor_cents: int) -> Power:
        _, amounts, edges = self._matchable_cells()
        if min_donor_cents > 1 and amounts.size:
            kept = amounts >= min_donor_cents
            edges = np.concatenate(([0], np.cumsum(kept)))[edges]
            amounts = amounts[kept]
        roots = _sums_of_roots(amounts, edges)
        return Power(roots, _segment_sums(amounts, edges), np.diff(edges).tolist())

    def capped_cents(self, cap_per_donor_cents: int | None) -> list[int]:
        _, amounts, edges = self._matchable_cells()
        if cap_per_donor_cents is not None:
            amounts = np.minimum(amounts, cap_per_donor_cents)
        return _segment_sums(amounts, edges)

    def refunds(self, project: int) -> dict[str, int]:
        key, amounts = self._cells
        span = slice(int(self._bounds[project]), int(self._bounds[project + 1]))
        pairs = (key[span] >> 1) % max(len(self.donor_ids), 1)
        found: dict[str, int] = {}
        for donor, cents in zip(pairs.tolist(), amounts[span].tolist(), strict=True):
            name = self.donor_ids[donor]
            found[name] = found.get(name, 0) + cents
        return found

    def in_time(self) -> Iterator[tuple[int, int, int, bool]]:
        flags = [True] * self._cents.size if self._unmatchable is None else (~self._unmatchable).tolist()
        return zip(self._donor.tolist(), self._project.tolist(), self._cents.tolist(), flags, strict=True)

    def matchable_in_time(self) -> Iterator[tuple[int, int, int]]:
        kept = self._cents > 0
        if self._unmatchable is not None:
            kept &= ~self._unmatchable
        columns = (self._donor[kept].tolist(), self._project[kept].tolist(), self._cents[kept].tolist())
        return zip(*columns, strict=True)

    def matchable_sums(self, min_donor_cents: int) -> tuple[Array, Array, Array]:
        key, amounts, _ = self._matchable_cells()
        if min_donor_cents > 1:
            kept = amounts >= min_donor_cents
            key, amounts = key[kept], amounts[kept]
        project, donor = np.divmod(key >> 1, max(len(self.donor_ids), 1))
        return donor, project, amounts

    def canonical_rows(self, *, in_time_order: bool) -> Iterator[bytes]:
        if in_time_order:
            kept = self._cents > 0
            flags = None if self._unmatchable is None else self._unmatchable[kept]
            return canonical_rows(
                self.donor_ids,
                self.project_ids,
                self._donor[kept],
                self._project[kept],
                self._cents[kept],
                flags,
            )
        key, amounts = self._cells
        project, donor = np.divmod(key >> 1, max(len(self.donor_ids), 1))
        flags = None if self._unmatchable is None else (key & 1).astype(bool)
        return canonical_rows(self.donor_ids, self.project_ids, donor, project, amounts, flags)


def _segment_sums(values: Array, edges: Array) -> list[int]:
    """Return the sum of each segment edges[k]..edges[k+1]; empty segments are 0."""
    starts = edges[:-1]
    sums = np.zeros(starts.size, dtype=np.int64)
    filled = np.flatnonzero(edges[1:] > starts)
    if filled.size:
        sums[filled] = np.add.reduceat(values, starts[filled])
    return sums.tolist()


def _sums_of_roots(amounts: Array, edges: Array) -> list[int]:
    """Return the sum of `root(amount)` of each segment.

    One integer root per distinct amount, cut into limbs whose sums fit 64 bits and
    are put together once per project.
    """
    sums = [0] * (edges.size - 1)
    if not amounts.size:
        return sums
    largest = int(amounts.max())
    if largest < _DIRECT:
        present = np.zeros(largest + 1, dtype=bool)
        present[amounts] = True
        distinct = np.flatnonzero(present)
        place = np.zeros(largest + 1, dtype=np.int32)
        place[distinct] = np.arange(distinct.size, dtype=np.int32)
        inverse = place[amounts]
    else:
        distinct, inverse = np.unique(amounts, return_inverse=True)
    high, low = exact_roots(distinct)
    # Limbs as wide as their sums allow, so that there are few of them.
    width = min(_SUM_BITS - int(amounts.size).bit_length(), 48)
    limbs = [low & np.uint64((1 << width) - 1)]
    limbs.append((low >> np.uint64(width) | high << np.uint64(64 - width)) & np.uint64((1 << width) - 1))
    for shift in range(2 * width - 64, 48, width):
        limbs.append(high >> np.uint64(shift) & np.uint64((1 << width) - 1))
    for place, limb in enumerate(limbs):
        if limb.any():
            for project, part in enumerate(_segment_sums(limb.astype(np.int64)[inverse], edges)):
                sums[project] += part << (place * width)
    return sums
