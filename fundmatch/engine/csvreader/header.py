"""The first line of a CSV of contributions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, shown

COLUMNS = ("donor", "project", "cents", "match")
_BOM = b"\xef\xbb\xbf"
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Header:
    """Where the rows begin (bytes), what separates the fields, which column is where."""

    offset: int
    delimiter: str
    donor: int
    project: int
    cents: int
    match: int | None
    width: int

    @property
    def plain(self) -> bool:
        """Return whether the fast reader knows this shape: the three columns and nothing else."""
        return self.match is None and self.width == 3


def read_header(path: Path) -> Header:
    """Read the header line. Raises `InputError` where it is not one, and `OSError`."""
    name = path.name
    with path.open("rb") as file:
        line = file.readline(_LONGEST)
    if not line.strip():
        raise InputError(name, "is empty; the first line must be donor,project,cents")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError(f"{name} line 1", "not UTF-8 text") from None
    delimiter = ";" if text.count(";") > text.count(",") else ","
    fields = [field.strip() for field in next(csv.reader([text], delimiter=delimiter), [])]
    for field in fields:
        if field not in COLUMNS:
            raise InputError(f"{name} line 1", f"unknown column {shown(field)}; columns: donor,project,cents")
    if len(set(fields)) != len(fields):
        raise InputError(f"{name} line 1", "the same column twice")
    for column in COLUMNS[:3]:
        if column not in fields:
            raise InputError(f"{name} line 1", f"the column {column} is missing")
    return Header(
        offset=len(line),
        delimiter=delimiter,
        donor=fields.index("donor"),
        project=fields.index("project"),
        cents=fields.index("cents"),
        match=fields.index("match") if "match" in fields else None,
        width=len(fields),
    )
