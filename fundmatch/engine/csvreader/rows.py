"""The careful reader: row by row with the `csv` module, every error with its line."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..arrays import Array
from ..errors import InputError, shown
from ..gifts import in_id_order
from ..limits import MAX_CENTS, check_id
from .header import Header

if TYPE_CHECKING:
    from . import OnBytes

Columns = tuple[Sequence[str], Array, Array, Array, "Array | None"]

_AMOUNT = re.compile(r"[0-9]{1,16}", re.ASCII)
_FLAGS = {"true": True, "1": True, "": True, "false": False, "0": False}
_ROWS_BETWEEN_REPORTS = 100_000


def read_rows(path: Path, header: Header, index: Mapping[str, int], on_bytes: OnBytes | None) -> Columns:
    """Return the columns of the file, donors sorted by id. Raises `InputError` with the line."""
    place: dict[str, int] = {}
    donor, project, cents, flags = array("q"), array("q"), array("q"), array("b")
    amounts: dict[str, int] = {}
    all_match = True
    for line, row in _records(path, header, on_bytes):
        where = f"{path.name} line {line}"
        if len(row) != header.width:
            raise InputError(where, f"has {len(row)} fields, not {header.width}")
        donor_id, project_id, amount = row[header.donor], row[header.project], row[header.cents]
        if donor_id not in place:
            place[check_id(donor_id, where)] = len(place)
        if project_id not in index:
            raise InputError(where, f"unknown project {shown(project_id)}")
        value = amounts.get(amount)
        if value is None:
            value = _amount(amount, where)
            if len(amounts) < 1_000_000:
                amounts[amount] = value
        donor.append(place[donor_id])
        project.append(index[project_id])
        cents.append(value)
        match = header.match is None or _flag(row[header.match], where)
        flags.append(match)
        all_match = all_match and match
    donors, ordered = in_id_order(list(place), donor)
    return donors, ordered, project, cents, None if all_match else flags


def _records(path: Path, header: Header, on_bytes: OnBytes | None) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields). A NUL or text that is not UTF-8 is an error with its line."""
    size = path.stat().st_size or 1
    with path.open("rb") as raw:
        raw.seek(header.offset)
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        reader = csv.reader(text, delimiter=header.delimiter, strict=True)
        count = 0
        try:
            for row in reader:
                if row:
                    yield reader.line_num + 1, row
                count += 1
                if on_bytes is not None and count % _ROWS_BETWEEN_REPORTS == 0:
                    on_bytes(raw.tell() / size)
        except UnicodeDecodeError:
            raise InputError(f"{path.name} after line {reader.line_num + 1}", "not UTF-8 text") from None
        except csv.Error as error:
            raise InputError(f"{path.name} line {reader.line_num + 1}", f"not CSV: {error}") from None


def _amount(text: str, where: str) -> int:
    if not _AMOUNT.fullmatch(text) or int(text) > MAX_CENTS:
        raise InputError(where, f"cents must be a whole number from 0 to 10^15, not {shown(text)}")
    return int(text)


def _flag(text: str, where: str) -> bool:
    if text.lower() not in _FLAGS:
        raise InputError(where, f"match must be true or false, not {shown(text)}")
    return _FLAGS[text.lower()]
