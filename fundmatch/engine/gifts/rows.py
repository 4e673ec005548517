"""The canonical JSON rows of many gifts, written with arrays.

Each part of a row (donor, project, amount) is a fixed-width field padded with
NUL; the NULs are dropped at the end. No NUL is lost that way: JSON escapes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..arrays import Array, np
from ..canonical import quoted
from .packed import PackedIds

_ROWS_PER_CHUNK = 1 << 16
#: longer ids are written one by one: fixed-width fields would waste memory
_WIDEST = 72


def canonical_rows(
    donor_ids: Sequence[str],
    project_ids: Sequence[str],
    donor: Array,
    project: Array,
    cents: Array,
    unmatchable: Array | None,
) -> Iterator[bytes]:
    """Yield the JSON list of contributions, brackets included, in pieces."""
    yield b"["
    donors, projects = _fields(donor_ids), _fields(project_ids)
    if donors is None or projects is None:
        yield from _one_by_one(donor_ids, project_ids, donor, project, cents, unmatchable)
    elif len(cents):
        distinct, inverse = _distinct(cents)
        amounts = np.array([b"%d" % amount for amount in distinct.tolist()])
        tails = np.array([b"],", b',{"match":false}],'])
        row = np.dtype(
            [
                ("open", "S1"),
                ("donor", donors.dtype),
                ("comma", "S1"),
                ("project", projects.dtype),
                ("comma2", "S1"),
                ("cents", amounts.dtype),
                ("tail", tails.dtype if unmatchable is not None else "S2"),
            ]
        )
        buffer = np.empty(min(_ROWS_PER_CHUNK, len(cents)), dtype=row)
        buffer["open"], buffer["comma"], buffer["comma2"], buffer["tail"] = b"[", b",", b",", b"],"
        for start in range(0, len(cents), _ROWS_PER_CHUNK):
            span = slice(start, start + _ROWS_PER_CHUNK)
            block = buffer[: len(cents[span])]
            block["donor"] = donors[donor[span]]
            block["project"] = projects[project[span]]
            block["cents"] = amounts[inverse[span]]
            if unmatchable is not None:
                block["tail"] = tails[unmatchable[span].astype(np.int64)]
            text = block.tobytes().translate(None, b"\0")
            yield text if start + _ROWS_PER_CHUNK < len(cents) else text[:-1]
    yield b"]"


def _fields(ids: Sequence[str]) -> Array | None:
    """Return the ids between quotes as fixed-width bytes, or None when they are too long for that."""
    if isinstance(ids, PackedIds) and ids.needs_no_escape():
        width = ids.data.dtype.itemsize
        field = np.empty(len(ids), dtype=[("open", "S1"), ("id", f"S{width}"), ("close", "S1")])
        field["open"], field["id"], field["close"] = b'"', ids.data, b'"'
        # The NULs between the id and its closing quote leave with the others.
        return field.view(f"S{width + 2}").ravel()
    texts = [quoted(item).encode() for item in ids]
    if max(map(len, texts), default=0) > _WIDEST:
        return None
    return np.array(texts, dtype="S") if texts else np.empty(0, dtype="S1")


def _distinct(cents: Array) -> tuple[Array, Array]:
    largest = int(cents.max())
    if largest >= 1 << 22:
        return np.unique(cents, return_inverse=True)
    present = np.zeros(largest + 1, dtype=bool)
    present[cents] = True
    distinct = np.flatnonzero(present)
    place = np.zeros(largest + 1, dtype=np.int32)
    place[distinct] = np.arange(distinct.size, dtype=np.int32)
    return distinct, place[cents]


def _one_by_one(
    donor_ids: Sequence[str],
    project_ids: Sequence[str],
    donor: Array,
    project: Array,
    cents: Array,
    unmatchable: Array | None,
) -> Iterator[bytes]:
    donors = [quoted(item) for item in donor_ids]
    projects = [quoted(item) for item in project_ids]
    tails = ("]", ',{"match":false}]')
    flags = np.zeros(len(cents), dtype=np.int64) if unmatchable is None else unmatchable.astype(np.int64)
    for start in range(0, len(cents), _ROWS_PER_CHUNK):
        span = slice(start, start + _ROWS_PER_CHUNK)
        columns = (column[span].tolist() for column in (donor, project, cents, flags))
        rows = [f"[{donors[d]},{projects[p]},{c}{tails[u]}" for d, p, c, u in zip(*columns, strict=True)]
        yield (("," if start else "") + ",".join(rows)).encode()
