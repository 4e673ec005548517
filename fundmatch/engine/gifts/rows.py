"""The canonical JSON rows of many gifts."""

from __future__ import annotations

from collections.abc import Iterator

from ..arrays import Array
from ..canonical import quoted

_ROWS_PER_CHUNK = 50_000


def canonical_rows(
    donor_ids: list[str],
    project_ids: list[str],
    donor: Array,
    project: Array,
    cents: Array,
    unmatchable: Array | None,
) -> Iterator[bytes]:
    """Yield the JSON list of contributions, brackets included, in pieces."""
    yield b"["
    donors = [quoted(item) for item in donor_ids]
    projects = [quoted(item) for item in project_ids]
    for start in range(0, len(cents), _ROWS_PER_CHUNK):
        span = slice(start, start + _ROWS_PER_CHUNK)
        columns = (donor[span].tolist(), project[span].tolist(), cents[span].tolist())
        if unmatchable is None:
            rows = [f"[{donors[d]},{projects[p]},{c}]" for d, p, c in zip(*columns, strict=True)]
        else:
            tails = ("]", ',{"match":false}]')
            rows = [
                f"[{donors[d]},{projects[p]},{c}{tails[u]}"
                for d, p, c, u in zip(*columns, unmatchable[span].tolist(), strict=True)
            ]
        yield (("," if start else "") + ",".join(rows)).encode()
    yield b"]"
