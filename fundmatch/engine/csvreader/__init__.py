"""Contributions from a CSV file: columns donor, project, cents, and perhaps match.

Two readers give the same columns: `blocks` reads ten million plain rows with
arrays; `rows` reads anything that CSV allows and names the line that is wrong.
The fast one never judges: at the first thing out of the ordinary it gives up
and the careful one starts again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from ..arrays import np
from ..errors import InputError
from ..gifts import Gifts, gifts
from .header import read_header
from .rows import read_rows

#: called with the share of the file that is read, 0 to 1
OnBytes = Callable[[float], None]


def read_csv(
    path: str | os.PathLike[str], index: Mapping[str, int], on_bytes: OnBytes | None = None
) -> Gifts:
    """Return the gifts of a CSV file; `index` gives the rank of each project id.

    Amounts are integer cents. The order of the rows is the order in time. Raises
    `InputError`, which names the line, and `OSError`.
    """
    path = Path(path)
    header = read_header(path)
    columns = None
    if np is not None and header.plain:
        from .blocks import Irregular, read_blocks

        try:
            columns = read_blocks(path, header, index, on_bytes)
        except Irregular:
            columns = None
    if columns is None:
        columns = read_rows(path, header, index, on_bytes)
    donor_ids, donor, project, cents, matchable = columns
    return gifts(donor_ids, list(index), donor, project, cents, matchable)


__all__ = ["InputError", "OnBytes", "read_csv"]
