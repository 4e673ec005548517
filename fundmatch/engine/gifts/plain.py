"""Gifts in plain Python: dictionaries and lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby

from ..arrays import Array
from ..canonical import quoted
from ..roots import root
from . import Power

_ROWS_PER_CHUNK = 20_000


class PlainGifts:
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
        self._donor = list(map(int, donor))
        self._project = list(map(int, project))
        self._cents = list(map(int, cents))
        self._matchable = None if matchable is None else [bool(flag) for flag in matchable]

    @cached_property
    def _cells(self) -> list[tuple[int, int, int, int]]:
        """Return (project, donor, 0 matchable / 1 not, cents), sorted, without zeros."""
        width = 2 * max(len(self.donor_ids), 1)
        sums: Counter[int] = Counter()
        flags = self._matchable or [True] * len(self._cents)
        for project, donor, flag, cents in zip(self._project, self._donor, flags, self._cents, strict=True):
            if cents:
                sums[project * width + 2 * donor + (not flag)] += cents
        return [(key // width, key % width >> 1, key & 1, cents) for key, cents in sorted(sums.items())]

    @cached_property
    def _bounds(self) -> list[int]:
        bounds = [0] * (len(self.project_ids) + 1)
        for project, _, _, _ in self._cells:
            bounds[project + 1] += 1
        for project in range(len(self.project_ids)):
            bounds[project + 1] += bounds[project]
        return bounds

    def citizens(self) -> list[int]:
        totals = [0] * len(self.project_ids)
        for project, _, _, cents in self._cells:
            totals[project] += cents
        return totals

    def donors(self) -> list[int]:
        found = [0] * len(self.project_ids)
        for (project, _), _cells in groupby(self._cells, key=lambda cell: cell[:2]):
            found[project] += 1
        return found

    def power(self, min_donor_cents: int) -> Power:
        size = len(self.project_ids)
        roots, total, donors = [0] * size, [0] * size, [0] * size
        known: dict[int, int] = {}
        for project, _, unmatchable, cents in self._cells:
            if unmatchable or cents < min_donor_cents:
                continue
            exact = known.get(cents)
            if exact is None:
                exact = known[cents] = root(cents)
            roots[project] += exact
            total[project] += cents
            donors[project] += 1
        return Power(roots, total, donors)

    def capped_cents(self, cap_per_donor_cents: int | None) -> list[int]:
        totals = [0] * len(self.project_ids)
        for project, _, unmatchable, cents in self._cells:
            if not unmatchable:
                totals[project] += cents if cap_per_donor_cents is None else min(cents, cap_per_donor_cents)
        return totals

    def refunds(self, project: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for _, donor, _, cents in self._cells[self._bounds[project] : self._bounds[project + 1]]:
            name = self.donor_ids[donor]
            found[name] = found.get(name, 0) + cents
        return found

    def in_time(self) -> Iterator[tuple[int, int, int, bool]]:
        flags = self._matchable or [True] * len(self._cents)
        return zip(self._donor, self._project, self._cents, flags, strict=True)

    def matchable_in_time(self) -> Iterator[tuple[int, int, int]]:
        return ((donor, project, cents) for donor, project, cents, flag in self.in_time() if flag and cents)

    def matchable_sums(self, min_donor_cents: int) -> tuple[Array, Array, Array]:
        rows = [cell for cell in self._cells if not cell[2] and cell[3] >= min_donor_cents]
        return [row[1] for row in rows], [row[0] for row in rows], [row[3] for row in rows]

    def canonical_rows(self, *, in_time_order: bool) -> Iterator[bytes]:
        rows = self._time_rows() if in_time_order else self._sorted_rows()
        chunk: list[str] = []
        opening = "["
        for row in rows:
            chunk.append(row)
            if len(chunk) == _ROWS_PER_CHUNK:
                yield (opening + ",".join(chunk)).encode()
                chunk, opening = [], ","
        if chunk:
            yield (opening + ",".join(chunk)).encode()
            opening = ""
        yield b"[]" if opening == "[" else b"]"

    def _sorted_rows(self) -> Iterator[str]:
        donors = [quoted(donor) for donor in self.donor_ids]
        projects = [quoted(project) for project in self.project_ids]
        for project, donor, unmatchable, cents in self._cells:
            tail = ',{"match":false}]' if unmatchable else "]"
            yield f"[{donors[donor]},{projects[project]},{cents}{tail}"

    def _time_rows(self) -> Iterator[str]:
        donors = [quoted(donor) for donor in self.donor_ids]
        projects = [quoted(project) for project in self.project_ids]
        for donor, project, cents, flag in self.in_time():
            if cents:
                tail = "]" if flag else ',{"match":false}]'
                yield f"[{donors[donor]},{projects[project]},{cents}{tail}"
