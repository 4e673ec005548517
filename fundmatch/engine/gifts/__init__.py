"""The gifts as columns, and the sums that the rules ask of them.

Two forms answer the same questions: `plain` (standard library) and `vector`
(NumPy). Both keep the order in time, and both number donors and projects by the
rank of their id, so that sorting numbers is sorting ids by code point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from ..arrays import Array, np
from ..errors import InputError, shown


class Power(NamedTuple):
    """Per project: S (sum of roots, in 10^-24), C (cents) and n (donors) of the matchable gifts."""

    roots: list[int]
    cents: list[int]
    donors: list[int]


class Money(Protocol):
    """What a calculation asks of gifts or of published statistics."""

    individual: bool

    def citizens(self) -> list[int]:
        """Return the cents received by each project, matchable or not."""
        ...

    def donors(self) -> list[int]:
        """Return the number of distinct donors of each project, matchable or not."""
        ...

    def power(self, min_donor_cents: int) -> Power:
        """Return (S, C, n) of the matchable gifts; who gave less than the minimum is left out."""
        ...

    def capped_cents(self, cap_per_donor_cents: int | None) -> list[int]:
        """Return Σ min(c, cap) of the matchable gifts of each project."""
        ...


class Gifts(Money, Protocol):
    """What only gifts one by one can answer."""

    donor_ids: Sequence[str]
    project_ids: Sequence[str]

    def refunds(self, project: int) -> dict[str, int]:
        """Return what each donor of a project gave to it, in cents."""
        ...

    def in_time(self) -> Iterator[tuple[int, int, int, bool]]:
        """Yield (donor, project, cents, matchable) of every row in time order."""
        ...

    def matchable_in_time(self) -> Iterator[tuple[int, int, int]]:
        """Yield (donor, project, cents) of the matchable gifts in time order."""
        ...

    def matchable_sums(self, min_donor_cents: int) -> tuple[Array, Array, Array]:
        """Return three columns (donor, project, cents), aggregated, sorted by project then donor."""
        ...

    def canonical_rows(self, *, in_time_order: bool) -> Iterator[bytes]:
        """Yield pieces of the canonical JSON list of contributions, brackets included."""
        ...


def gifts(
    donor_ids: Sequence[str],
    project_ids: Sequence[str],
    donor: Array,
    project: Array,
    cents: Array,
    matchable: Array | None,
) -> Gifts:
    """Return the gifts in the fastest form at hand. Ids are sorted, columns valid."""
    from .plain import PlainGifts
    from .vector import VectorGifts, fits

    if np is not None and fits(cents):
        return VectorGifts(donor_ids, project_ids, donor, project, cents, matchable)
    return PlainGifts(donor_ids, project_ids, donor, project, cents, matchable)


def in_id_order(ids: list[str], column: Array) -> tuple[list[str], Array]:
    """Return the ids sorted by code point, and the column renumbered accordingly."""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    if order == list(range(len(ids))):
        return ids, column
    rank = [0] * len(ids)
    for place, index in enumerate(order):
        rank[index] = place
    return [ids[index] for index in order], renumbered(column, rank)


def renumbered(column: Array, numbers: Sequence[int]) -> Array:
    """Return the column with each index replaced by `numbers[index]`."""
    if np is not None and isinstance(column, np.ndarray):
        return np.asarray(numbers, dtype=np.int64)[column] if len(numbers) else column
    return list(map(numbers.__getitem__, column))


def checked_columns(
    *,
    donor: tuple[Any, int],
    project: tuple[Any, int],
    cents: tuple[Any, int],
    matchable: Any | None,
) -> tuple[Array, Array, Array, Array | None]:
    """Return columns that came from outside, once every value is an integer from 0 to below its bound."""
    columns = {"donor": donor, "project": project, "cents": cents}
    lengths = {name: len(column) for name, (column, _) in columns.items()}
    if matchable is not None:
        lengths["matchable"] = len(matchable)
    if len(set(lengths.values())) > 1:
        raise InputError("columns", f"of different lengths: {lengths}")
    valid = [_checked_column(name, column, bound) for name, (column, bound) in columns.items()]
    if matchable is not None:
        matchable = _checked_flags(matchable)
    return valid[0], valid[1], valid[2], matchable


def _checked_column(name: str, column: Any, bound: int) -> Array:
    if np is not None and isinstance(column, np.ndarray):
        if column.dtype.kind not in "iu" or column.ndim != 1:
            raise InputError(name, f"must be one column of integers, not {column.dtype}")
        wrong = np.flatnonzero((column < 0) | (column > bound - 1))
        if wrong.size:
            row = int(wrong[0])
            raise InputError(f"{name}[{row}]", f"must be from 0 to {bound - 1}, not {int(column[row])}")
        return column
    column = list(column)
    if set(map(type, column)) <= {int} and (not column or (min(column) >= 0 and max(column) < bound)):
        return column
    for row, value in enumerate(column):
        if type(value) is not int or not 0 <= value < bound:
            raise InputError(
                f"{name}[{row}]", f"must be an integer from 0 to {bound - 1}, not {shown(value)}"
            )
    return column


def _checked_flags(column: Any) -> Array:
    if np is not None and isinstance(column, np.ndarray):
        if column.dtype.kind != "b":
            raise InputError("matchable", f"must be a column of booleans, not {column.dtype}")
        return column
    column = list(column)
    for row, value in enumerate(column):
        if type(value) is not bool:
            raise InputError(f"matchable[{row}]", f"must be true or false, not {shown(value)}")
    return column
